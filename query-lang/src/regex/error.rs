//! Why a pattern was refused.

use crate::go;

/// Why a regular expression was refused, in Go's wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError {
    /// For example ``error parsing regexp: missing closing ): `(` ``.
    pub message: String,
}

impl std::fmt::Display for RegexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RegexError {}

impl RegexError {
    /// Returns the error for the part `text` of a pattern.
    pub(super) fn new(code: Code, text: &str) -> Self {
        let text = go::without_stray_bytes(text);
        Self {
            message: format!("error parsing regexp: {}: `{text}`", code.as_str()),
        }
    }
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy)]
pub(super) enum Code {
    CharRange,
    Escape,
    NamedCapture,
    PerlOp,
    RepeatOp,
    RepeatSize,
    Utf8,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    TrailingBackslash,
    UnexpectedParen,
    NestingDepth,
    Large,
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::CharRange => "invalid character class range",
            Self::Escape => "invalid escape sequence",
            Self::NamedCapture => "invalid named capture",
            Self::PerlOp => "invalid or unsupported Perl syntax",
            Self::RepeatOp => "invalid nested repetition operator",
            Self::RepeatSize => "invalid repeat count",
            Self::Utf8 => "invalid UTF-8",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParen => "unexpected )",
            Self::NestingDepth => "expression nests too deeply",
            Self::Large => "expression too large",
        }
    }
}
