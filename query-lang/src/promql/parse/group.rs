//! What parentheses belong to: an expression, a function, an aggregation.

use nom::Parser;

use super::input::{Context, Failure, Input, Parse, token, within};
use super::modifier::grouping_labels;
use super::postfix::starts_expression;
use crate::diag::Diagnostic;
use crate::go;
use crate::promql::ast::{AggregateOp, ExprId, ExprKind, Function, Grouping};
use crate::promql::lex::{Keyword, Token, TokenKind};
use crate::promql::suggest;
use crate::span::Span;

/// What an open parenthesis belongs to.
pub(super) enum Group {
    /// The query itself, which has none.
    Query,
    /// An expression in parentheses.
    Paren(Token),
    /// `function(..)`
    Call(Token, Vec<ExprId>),
    /// `sum by (..) (..)`
    Aggregate(AggregateOp, Token, Option<Grouping>, Vec<ExprId>),
}

/// What an expression in parentheses leads to.
pub(super) enum Closed<'a> {
    /// The parenthesis was closed.
    Value(Input<'a>, ExprId),
    /// Another expression follows.
    More(Input<'a>, Group),
}

impl Group {
    pub(super) fn is_aggregation(&self) -> bool {
        matches!(self, Self::Aggregate(..))
    }

    /// Names the aggregation as the place of a failure within it.
    pub(super) fn name_place(&self, error: nom::Err<Failure>) -> nom::Err<Failure> {
        if self.is_aggregation() {
            error.map(|failure| failure.within("aggregation", ""))
        } else {
            error
        }
    }

    /// Says whether an expression has to follow; calls may have no arguments.
    pub(super) fn has_expression(&self, input: Input<'_>) -> bool {
        matches!(self, Self::Paren(_)) || input.kind() != TokenKind::RightParen
    }

    fn args(&mut self) -> Option<&mut Vec<ExprId>> {
        match self {
            Self::Query | Self::Paren(_) => None,
            Self::Call(_, args) | Self::Aggregate(.., args) => Some(args),
        }
    }
}

/// Parses up to and including an opening parenthesis, if the operand begins with one.
pub(super) fn open(input: Input<'_>) -> Parse<'_, Option<Group>> {
    let second = input.second_kind();
    match input.kind() {
        TokenKind::LeftParen => {
            let (input, open) = input.take();
            Ok((input, Some(Group::Paren(open))))
        }
        TokenKind::Identifier | TokenKind::Preprocessor(_) if second == TokenKind::LeftParen => {
            let (input, name) = input.take();
            Ok((input.advanced(), Some(Group::Call(name, Vec::new()))))
        }
        TokenKind::Aggregate(op)
            if second == TokenKind::LeftParen
                || matches!(second, TokenKind::Keyword(Keyword::By | Keyword::Without)) =>
        {
            within("aggregation", "", |input: Input<'_>| {
                let (input, word) = input.take();
                let (input, grouping) = grouping(input)?;
                let (input, _) = token(TokenKind::LeftParen).parse(input)?;
                let group = Group::Aggregate(op, word, grouping, Vec::new());
                Ok((input, Some(group)))
            })
            .parse(input)
        }
        _ => Ok((input, None)),
    }
}

/// Parses what follows the expression `value` in the parentheses of `group`.
pub(super) fn close(
    mut input: Input<'_>,
    mut group: Group,
    value: Option<ExprId>,
) -> Result<Closed<'_>, nom::Err<Failure>> {
    if let Some(args) = group.args() {
        args.extend(value);
        while input.kind() == TokenKind::Comma {
            let comma;
            (input, comma) = input.take();
            if starts_expression(input) {
                return Ok(Closed::More(input, group));
            }
            input.look_ahead();
            input.cx().error(
                "promql::trailing-comma",
                comma.span,
                "trailing commas not allowed in function call args",
            );
        }
    }
    let closed = token(TokenKind::RightParen).parse(input);
    let (input, close) = closed.map_err(|error| group.name_place(error))?;
    let cx = input.cx();
    let (input, id) = match group {
        Group::Query => return Err(input.unexpected()),
        Group::Paren(open) => {
            let span = open.span.to(close.span);
            let expr = value.unwrap_or(ExprId(0));
            (
                input,
                cx.build(|builder| builder.push(ExprKind::Paren(expr), span)),
            )
        }
        Group::Call(name, args) => (input, call(cx, name, args, close.span)),
        Group::Aggregate(op, word, before, args) => aggregate(input, (op, word), before, &args)?,
    };
    Ok(Closed::Value(input, id))
}

fn call(cx: &Context<'_>, word: Token, args: Vec<ExprId>, close: Span) -> ExprId {
    let name = cx.slice(word.span);
    let function = Function::from_name(name);
    if function.is_none() {
        let message = format!("unknown function with name {}", go::quote(name));
        let mut diagnostic = Diagnostic::error("promql::unknown-function", word.span, message);
        diagnostic.message = format!("there is no function `{name}`");
        diagnostic.help = suggest::function(name);
        cx.report(diagnostic);
    }
    // After an unknown function the tree is given up; any function keeps it whole until then.
    let function = function.unwrap_or(Function::Abs);
    let kind = ExprKind::Call { function, args };
    cx.build(|builder| builder.push(kind, word.span.to(close)))
}

/// Finishes an aggregation behind its parenthesis; the grouping may stand there too.
fn aggregate<'a>(
    mut input: Input<'a>,
    (op, word): (AggregateOp, Token),
    before: Option<Grouping>,
    args: &[ExprId],
) -> Parse<'a, ExprId> {
    let grouping = if let Some(before) = before {
        before
    } else {
        let behind;
        (input, behind) = grouping(input)?;
        if behind.is_none() {
            input.look_ahead();
        }
        behind.unwrap_or_default()
    };
    let cx = input.cx();
    let span = Span {
        lo: word.span.lo,
        hi: input.last_end(),
    };
    check_count(cx, op, args.len(), span);
    let (param, expr) = match args {
        [param, expr, ..] if op.has_param() => (Some(*param), *expr),
        [expr, ..] => (None, *expr),
        // The tree is given up.
        [] => (None, ExprId(0)),
    };
    let kind = ExprKind::Aggregate {
        op,
        expr,
        param,
        grouping,
    };
    Ok((input, cx.build(|builder| builder.push(kind, span))))
}

fn check_count(cx: &Context<'_>, op: AggregateOp, count: usize, span: Span) {
    let wanted = if op.has_param() { 2 } else { 1 };
    if count == 0 {
        let problem = "no arguments for aggregate expression provided";
        cx.error("promql::arguments", span, problem);
    } else if count != wanted {
        let message = format!(
            "wrong number of arguments for aggregate expression provided, expected {wanted}, got \
             {count}"
        );
        cx.error("promql::arguments", span, message);
    }
}

/// Parses `by (..)` or `without (..)` if one is there.
fn grouping(input: Input<'_>) -> Parse<'_, Option<Grouping>> {
    let without = match input.kind() {
        TokenKind::Keyword(Keyword::By) => false,
        TokenKind::Keyword(Keyword::Without) => true,
        _ => return Ok((input, None)),
    };
    let (input, labels) = grouping_labels(input.advanced())?;
    Ok((input, Some(Grouping { without, labels })))
}
