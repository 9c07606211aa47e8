//! From tokens to the syntax tree.
//!
//! nom parsers over a slice of tokens; operators by precedence and parentheses with a stack of
//! their own, not the call stack. Nothing is read twice, so the cost is O(n).
//!
//! Upstream's parser is generated from a grammar with error rules. Its messages depend on which
//! rule is open when the unexpected token comes: [`input::within`] marks those places. Findings
//! of meaning (an unknown function, a second offset) are made when upstream makes them, so that the
//! first diagnostic is the one that upstream reports.

mod build;
mod duration;
mod expression;
mod group;
mod input;
mod modifier;
mod postfix;
mod selector;

use super::ast::{Ast, ExprKind, LabelMatcher};
use super::check::check;
use super::lex::{TokenKind, lex};
use crate::diag::{Diagnostic, Severity};
use crate::span::Span;
use input::{Context, Failure, Input};

pub(super) use build::for_each_child;
pub(super) use duration::MAX_SECONDS;
pub(super) use selector::METRIC_NAME;

/// How deep parentheses, calls, aggregations, signs and `^` may nest.
pub(crate) const MAX_NESTING: usize = 256;

/// How many findings are kept; a long text can have as many as it has tokens.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;

/// What parsing gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The query; `None` when it has an error.
    pub ast: Option<Ast>,
    /// Errors and warnings; the first error is the one that upstream reports.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Returns the query, or all diagnostics when one of them is an error.
    pub fn into_result(self) -> Result<Ast, Vec<Diagnostic>> {
        self.ast.ok_or(self.diagnostics)
    }
}

/// Parses and checks a query. Never fails: what is wrong is in the diagnostics.
pub fn parse(text: &str) -> Parsed {
    let mut cx = Context::new(text, lex(text));
    parse_query(&cx);
    let mut diagnostics = cx.take_diagnostics();
    let mut ast = cx.into_ast();
    if diagnostics.is_empty() {
        check(&mut ast, text, &mut diagnostics);
    }
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    Parsed {
        ast: (!failed).then_some(ast),
        diagnostics,
    }
}

fn parse_query(cx: &Context<'_>) {
    let input = Input::new(cx);
    if input.kind() == TokenKind::Eof {
        cx.error(
            "promql::empty",
            Span::default(),
            "no expression found in input",
        );
        return;
    }
    let result = expression::expression(input).and_then(|(input, _)| end_of_query(input));
    if let Err(error) = result {
        cx.syntax_error(&error);
    }
}

fn end_of_query(input: Input<'_>) -> Result<(), nom::Err<Failure>> {
    if input.kind() == TokenKind::Eof {
        Ok(())
    } else {
        Err(input.unexpected())
    }
}

/// Parses a metric selector without range and modifiers, as in the parameter `match[]`. Selectors
/// that match everything are not refused.
pub fn parse_selector(text: &str) -> Result<Vec<LabelMatcher>, Vec<Diagnostic>> {
    let mut cx = Context::new(text, lex(text));
    let result = selector::vector_selector(Input::new(&cx))
        .and_then(|(input, id)| end_of_query(input).map(|()| id));
    let root = match result {
        Ok(id) => Some(id),
        Err(error) => {
            cx.syntax_error(&error);
            None
        }
    };
    let diagnostics = cx.take_diagnostics();
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let ast = cx.into_ast();
    Ok(match root.map(|id| &ast.get(id).kind) {
        Some(ExprKind::Vector(selector)) => selector.matchers.clone(),
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests;
