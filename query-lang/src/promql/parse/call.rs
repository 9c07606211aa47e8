//! Calls of functions and aggregations.

use nom::Parser;

use super::expression::expression;
use super::input::{Input, Parse, token};
use super::modifier::grouping_labels;
use super::postfix::starts_expression;
use crate::diag::Diagnostic;
use crate::go;
use crate::promql::ast::{AggregateOp, ExprId, ExprKind, Function, Grouping};
use crate::promql::lex::{Keyword, TokenKind};
use crate::promql::suggest;
use crate::span::Span;

/// Parses `function(..)`.
pub(super) fn call(input: Input<'_>) -> Parse<'_, ExprId> {
    let cx = input.cx();
    let name = input.text();
    let (input, word) = input.take();
    let (input, args) = arguments(input)?;
    let function = Function::from_name(name);
    if function.is_none() {
        let message = format!("unknown function with name {}", go::quote(name));
        let mut diagnostic = Diagnostic::error("promql::unknown-function", word.span, message);
        diagnostic.message = format!("there is no function `{name}`");
        diagnostic.help = suggest::function(name);
        cx.report(diagnostic);
    }
    let span = Span {
        lo: word.span.lo,
        hi: input.last_end(),
    };
    // After an unknown function the tree is given up; any function keeps it whole until then.
    let function = function.unwrap_or(Function::Abs);
    let id = cx.build(|builder| builder.push(ExprKind::Call { function, args }, span));
    Ok((input, id))
}

/// Parses expressions in parentheses.
fn arguments(input: Input<'_>) -> Parse<'_, Vec<ExprId>> {
    let (input, _) = token(TokenKind::LeftParen).parse(input)?;
    let mut args = Vec::new();
    if input.kind() == TokenKind::RightParen {
        return Ok((input.advanced(), args));
    }
    let mut input = input.nested()?;
    loop {
        let arg;
        (input, arg) = expression(input)?;
        args.push(arg);
        loop {
            match input.kind() {
                TokenKind::RightParen => return Ok((input.advanced().risen(1), args)),
                TokenKind::Comma => {}
                _ => return Err(input.unexpected()),
            }
            let comma;
            (input, comma) = input.take();
            if starts_expression(input) {
                break;
            }
            input.look_ahead();
            input.cx().error(
                "promql::trailing-comma",
                comma.span,
                "trailing commas not allowed in function call args",
            );
        }
    }
}

/// Parses an aggregation, its grouping before or behind the arguments.
pub(super) fn aggregate(input: Input<'_>, op: AggregateOp) -> Parse<'_, ExprId> {
    let (input, word) = input.take();
    let (input, before) = grouping(input)?;
    let (mut input, args) = arguments(input)?;
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
    let wanted = if op.has_param() { 2 } else { 1 };
    if args.is_empty() {
        let problem = "no arguments for aggregate expression provided";
        cx.error("promql::arguments", span, problem);
    } else if args.len() != wanted {
        let message = format!(
            "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
            args.len()
        );
        cx.error("promql::arguments", span, message);
    }
    let (param, expr) = match args.as_slice() {
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
