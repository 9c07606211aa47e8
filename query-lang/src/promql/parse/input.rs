//! The slice of tokens that parsers read, and how they fail.

use std::cell::RefCell;

use nom::error::{ErrorKind, ParseError};

use super::build::Builder;
use super::{MAX_DIAGNOSTICS, MAX_NESTING};
use crate::diag::{Diagnostic, Severity};
use crate::go;
use crate::promql::ast::Ast;
use crate::promql::lex::{Keyword, Lexed, Token, TokenKind};
use crate::promql::suggest;
use crate::span::Span;

/// What all parsers of one text share.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    lex_error: Option<String>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    builder: RefCell<Builder>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(text: &'a str, lexed: Lexed) -> Self {
        let mut tokens = lexed.tokens;
        tokens.retain(|token| token.kind != TokenKind::Comment);
        Self {
            text,
            tokens,
            lex_error: lexed.error,
            diagnostics: RefCell::default(),
            builder: RefCell::default(),
        }
    }

    /// Returns the part of the text at `span`.
    pub(super) fn slice(&self, span: Span) -> &'a str {
        self.text
            .get(span.lo as usize..span.hi as usize)
            .unwrap_or_default()
    }

    /// Calls `build` with the tree so far; not to be nested.
    pub(super) fn build<T>(&self, build: impl FnOnce(&mut Builder) -> T) -> T {
        build(&mut self.builder.borrow_mut())
    }

    /// Records an error whose own wording is upstream's.
    pub(super) fn error(&self, code: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    pub(super) fn report(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() < MAX_DIAGNOSTICS {
            diagnostics.push(diagnostic);
        }
    }

    pub(super) fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(self.diagnostics.get_mut())
    }

    pub(super) fn into_ast(self) -> Ast {
        self.builder.into_inner().into_ast()
    }

    /// Records why parsing stopped.
    pub(super) fn syntax_error(&self, error: &nom::Err<Failure>) {
        let (nom::Err::Error(failure) | nom::Err::Failure(failure)) = error else {
            return;
        };
        match failure {
            Failure::Reported => {}
            Failure::Unexpected { token, .. } if token.kind == TokenKind::Error => {
                self.report_lex_error();
            }
            Failure::Unexpected { token, within } => self.report_unexpected(*token, *within),
        }
    }

    /// Records what the lexer could not read, once.
    fn report_lex_error(&self) {
        const CODE: &str = "promql::token";
        let reported = self.diagnostics.borrow().iter().any(|d| d.code == CODE);
        if let (Some(message), Some(token), false) = (&self.lex_error, self.tokens.last(), reported)
        {
            self.error(CODE, token.span, message.clone());
        }
    }

    fn report_unexpected(&self, token: Token, within: Option<Within>) {
        let mut message = format!("unexpected {}", self.describe(token));
        if let Some(Within { place, expected }) = within {
            if !place.is_empty() {
                message.push_str(" in ");
                message.push_str(place);
            }
            if !expected.is_empty() {
                message.push_str(", expected ");
                message.push_str(expected);
            }
        }
        let mut diagnostic = Diagnostic::error("promql::syntax", token.span, message);
        if token.kind == TokenKind::Identifier {
            diagnostic.help = suggest::keyword(self.slice(token.span));
        }
        self.report(diagnostic);
    }

    /// Describes a token as upstream does.
    fn describe(&self, token: Token) -> String {
        let text = self.slice(token.span);
        let kind = match token.kind {
            TokenKind::Eof => return "end of input".to_owned(),
            TokenKind::Identifier => return format!("identifier {}", go::quote(text)),
            TokenKind::MetricIdentifier => {
                return format!("metric identifier {}", go::quote(text));
            }
            TokenKind::Keyword(_) => return format!("<{text}>"),
            TokenKind::Op(_) | TokenKind::At | TokenKind::RegexMatch | TokenKind::RegexNotMatch => {
                return format!("<op:{text}>");
            }
            TokenKind::Aggregate(_) => return format!("<aggr:{text}>"),
            TokenKind::Number => "number ",
            TokenKind::Duration => "duration ",
            TokenKind::String => "string ",
            _ => "",
        };
        if text.len() > 10 {
            let head: String = text.chars().take(10).collect();
            return format!("{kind}{}...", go::quote(&head));
        }
        format!("{kind}{}", go::quote(text))
    }
}

/// A position in the tokens. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    cx: &'a Context<'a>,
    at: usize,
    depth: usize,
}

/// What a parser returns.
pub(super) type Parse<'a, T> = nom::IResult<Input<'a>, T, Failure>;

impl<'a> Input<'a> {
    pub(super) fn new(cx: &'a Context<'a>) -> Self {
        Self {
            cx,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn cx(&self) -> &'a Context<'a> {
        self.cx
    }

    /// Returns the next token; at the end, `Eof` or `Error` again and again.
    pub(super) fn token(&self) -> Token {
        let last = self.cx.tokens.len().saturating_sub(1);
        self.cx.tokens[self.at.min(last)]
    }

    pub(super) fn kind(&self) -> TokenKind {
        self.token().kind
    }

    /// Returns the text of the next token.
    pub(super) fn text(&self) -> &'a str {
        self.cx.slice(self.token().span)
    }

    /// Returns the kind of the token after the next.
    pub(super) fn second_kind(&self) -> TokenKind {
        self.advanced().kind()
    }

    /// Returns the position behind the next token.
    pub(super) fn advanced(mut self) -> Self {
        self.at += 1;
        self
    }

    /// Returns the next token and the position behind it.
    pub(super) fn take(self) -> (Self, Token) {
        (self.advanced(), self.token())
    }

    /// Returns where the last token read ends.
    pub(super) fn last_end(&self) -> u32 {
        let last = self.at.checked_sub(1).and_then(|at| self.cx.tokens.get(at));
        last.map_or(0, |token| token.span.hi)
    }

    /// Fails because of the next token.
    pub(super) fn unexpected(self) -> nom::Err<Failure> {
        nom::Err::Error(Failure::Unexpected {
            token: self.token(),
            within: None,
        })
    }

    /// Returns the position one level deeper, or fails when that is too deep.
    pub(super) fn nested(mut self) -> Result<Self, nom::Err<Failure>> {
        self.depth += 1;
        if self.depth <= MAX_NESTING {
            return Ok(self);
        }
        self.cx.error(
            "promql::nesting",
            self.token().span,
            format!("expression is nested deeper than {MAX_NESTING} levels"),
        );
        Err(nom::Err::Failure(Failure::Reported))
    }

    /// Returns the position `levels` higher up.
    pub(super) fn risen(mut self, levels: usize) -> Self {
        self.depth -= levels;
        self
    }

    /// To be called before a finding that upstream makes only after having read the next token:
    /// when that cannot be read, this is the first error.
    pub(super) fn look_ahead(self) {
        if self.kind() == TokenKind::Error {
            self.cx.report_lex_error();
        }
    }
}

/// Why a parser stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// A token that does not belong there.
    Unexpected {
        /// The token.
        token: Token,
        /// The innermost place that says what it expects.
        within: Option<Within>,
    },
    /// The reason is among the diagnostics already.
    Reported,
}

/// A place in the grammar that says what it expects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    place: &'static str,
    expected: &'static str,
}

impl<'a> ParseError<Input<'a>> for Failure {
    fn from_error_kind(input: Input<'a>, _: ErrorKind) -> Self {
        Self::Unexpected {
            token: input.token(),
            within: None,
        }
    }

    fn append(_: Input<'a>, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl Failure {
    /// Names the place, unless a place further in was named.
    pub(super) fn within(self, place: &'static str, expected: &'static str) -> Self {
        match self {
            Self::Unexpected {
                token,
                within: None,
            } => Self::Unexpected {
                token,
                within: Some(Within { place, expected }),
            },
            other => other,
        }
    }
}

/// Names the place for failures of `parser` that no inner place has named.
pub(super) fn within<'a, T>(
    place: &'static str,
    expected: &'static str,
    mut parser: impl FnMut(Input<'a>) -> Parse<'a, T>,
) -> impl FnMut(Input<'a>) -> Parse<'a, T> {
    move |input| parser(input).map_err(|error| error.map(|failure| failure.within(place, expected)))
}

/// Parses a token of this kind.
pub(super) fn token<'a>(kind: TokenKind) -> impl Fn(Input<'a>) -> Parse<'a, Token> {
    move |input| {
        if input.kind() == kind {
            Ok(input.take())
        } else {
            Err(input.unexpected())
        }
    }
}

/// Parses this word.
pub(super) fn keyword<'a>(word: Keyword) -> impl Fn(Input<'a>) -> Parse<'a, Token> {
    token(TokenKind::Keyword(word))
}

impl Diagnostic {
    /// Returns an error whose own wording is upstream's.
    pub(crate) fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        let upstream = message.into();
        Self {
            code,
            severity: Severity::Error,
            span,
            message: upstream.clone(),
            upstream,
            labels: Box::default(),
            help: None,
        }
    }
}
