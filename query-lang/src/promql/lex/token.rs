//! The kinds of tokens.

use crate::promql::ast::{AggregateOp, BinaryOp, named};
use crate::span::Span;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it stands.
    pub(crate) span: Span,
}

/// What a token is. Words and numbers are read from the text by the token's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The end of the text.
    Eof,
    /// What could not be read, and all that follows.
    Error,
    /// From `#` to the end of the line.
    Comment,
    /// A plain name.
    Identifier,
    /// A name with a colon.
    MetricIdentifier,
    /// A number; `inf` and `nan` too.
    Number,
    /// A number with units, such as `5m`.
    Duration,
    /// A string with its quotes.
    String,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `=`
    Assign,
    /// `=~`
    RegexMatch,
    /// `!~`
    RegexNotMatch,
    /// `@`
    At,
    /// A binary operator; `!=` of a matcher too.
    Op(BinaryOp),
    /// The name of an aggregation.
    Aggregate(AggregateOp),
    /// A word of the grammar.
    Keyword(Keyword),
    /// A word that is a function when a parenthesis follows.
    Preprocessor(Preprocessor),
}

named! {
    /// A word of the grammar that is neither an operator nor an aggregation.
    pub(crate) Keyword {
        Bool = "bool",
        By = "by",
        GroupLeft = "group_left",
        GroupRight = "group_right",
        Fill = "fill",
        FillLeft = "fill_left",
        FillRight = "fill_right",
        Ignoring = "ignoring",
        Offset = "offset",
        Smoothed = "smoothed",
        Anchored = "anchored",
        On = "on",
        Without = "without",
    }
}

named! {
    /// A function of `@` or of duration expressions.
    pub(crate) Preprocessor {
        Start = "start",
        End = "end",
        Step = "step",
        Range = "range",
        MaxOf = "max_of",
        MinOf = "min_of",
    }
}

impl Preprocessor {
    /// Says whether the word stands after `@`.
    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Start | Self::End)
    }
}
