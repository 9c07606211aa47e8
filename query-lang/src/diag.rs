//! What is wrong with a query's text, with the place where.

use crate::span::Span;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The query can be evaluated but probably does not mean what was intended.
    Warning,
    /// The query cannot be evaluated.
    Error,
}

/// A further place with a remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// The remark.
    pub message: String,
}

/// One finding about a query's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name such as `promql::unknown-function`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The main place.
    pub span: Span,
    /// Our own wording: lower case, no full stop.
    pub message: String,
    /// The upstream project's wording, without position and without `parse error:`; what HTTP
    /// clients compare with.
    pub upstream: String,
    /// Further places.
    pub labels: Box<[Label]>,
    /// A hint what to do, such as `did you mean ...`.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns the upstream form, `1:5: parse error: ...`, for the query `text`.
    pub fn compat(&self, text: &str) -> String {
        if text.is_empty() {
            return format!("unknown position: parse error: {}", self.upstream);
        }
        let (line, column) = self.span.line_column(text);
        format!("{line}:{column}: parse error: {}", self.upstream)
    }
}
