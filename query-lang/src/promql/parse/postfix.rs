//! Operands and what may stand behind them: ranges, subqueries, `offset`, `@`.

use nom::Parser;

use super::duration::{duration_expression, into_duration, literal, offset_expression, positive};
use super::input::{Context, Input, Parse, token, within};
use super::modifier::signed_number;
use super::selector::vector_selector;
use crate::go;
use crate::promql::ast::{At, Duration, Expr, ExprId, ExprKind};
use crate::promql::lex::{Keyword, Preprocessor, TokenKind};
use crate::promql::text::unquote;
use crate::span::Span;

/// Parses all modifiers behind an operand.
pub(super) fn modified(mut input: Input<'_>, mut id: ExprId) -> Parse<'_, ExprId> {
    loop {
        (input, id) = match input.kind() {
            TokenKind::LeftBracket => range_or_subquery(input, id)?,
            TokenKind::Keyword(Keyword::Offset) => offset(input, id)?,
            TokenKind::At => at(input, id)?,
            TokenKind::Keyword(word @ (Keyword::Anchored | Keyword::Smoothed)) => {
                extend_range(input.cx(), id, word);
                (input.advanced(), id)
            }
            _ => return Ok((input, id)),
        };
    }
}

/// Says whether an expression can begin with this token.
pub(super) fn starts_expression(input: Input<'_>) -> bool {
    use crate::promql::ast::BinaryOp::{Add, And, Or, Sub, Unless};
    match input.kind() {
        TokenKind::Number
        | TokenKind::Duration
        | TokenKind::String
        | TokenKind::LeftParen
        | TokenKind::LeftBrace
        | TokenKind::Identifier
        | TokenKind::MetricIdentifier
        | TokenKind::Aggregate(_)
        | TokenKind::Preprocessor(_)
        | TokenKind::Op(Add | Sub | And | Or | Unless) => true,
        TokenKind::Keyword(word) => is_metric_name(word),
        _ => false,
    }
}

/// Says whether a keyword can be the name of a metric.
pub(super) fn is_metric_name(word: Keyword) -> bool {
    matches!(
        word,
        Keyword::By
            | Keyword::Without
            | Keyword::Offset
            | Keyword::Anchored
            | Keyword::Smoothed
            | Keyword::Fill
            | Keyword::FillLeft
            | Keyword::FillRight
    )
}

/// Parses an operand that has no parentheses.
pub(super) fn operand(input: Input<'_>) -> Parse<'_, ExprId> {
    match input.kind() {
        TokenKind::Number | TokenKind::Duration => literal(input),
        TokenKind::String => {
            let (next, token) = input.take();
            let kind = ExprKind::String(unquote(input.text()));
            Ok((next, input.cx().build(|b| b.push(kind, token.span))))
        }
        _ => vector_selector(input),
    }
}

/// Parses `[range]` or `[range:step]` behind `expr`.
fn range_or_subquery(input: Input<'_>, expr: ExprId) -> Parse<'_, ExprId> {
    let cx = input.cx();
    let (input, open) = input.take();
    let (input, range) = within(
        "subquery or range selector",
        "number, duration, step(), or range()",
        duration_expression,
    )
    .parse(input)?;
    positive(input, range);
    let range = into_duration(cx, range);
    let (input, behind) =
        within(
            "subquery or range",
            "\":\" or \"]\"",
            |input: Input<'_>| match input.kind() {
                TokenKind::RightBracket | TokenKind::Colon => Ok(input.take()),
                _ => Err(input.unexpected()),
            },
        )
        .parse(input)?;
    if behind.kind == TokenKind::RightBracket {
        let id = matrix(cx, expr, range, open.span.to(behind.span));
        return Ok((input, id));
    }
    let (input, step) = subquery_step(input)?;
    let (input, close) =
        within("subquery selector", "\"]\"", token(TokenKind::RightBracket)).parse(input)?;
    let id = cx.build(|builder| {
        let span = Span {
            lo: builder.get(expr).span.lo,
            hi: close.span.hi,
        };
        let kind = ExprKind::Subquery {
            expr,
            range,
            step,
            offset: None,
            at: None,
        };
        builder.push(kind, span)
    });
    Ok((input, id))
}

fn subquery_step(input: Input<'_>) -> Parse<'_, Option<Duration>> {
    if input.kind() == TokenKind::RightBracket {
        return Ok((input, None));
    }
    let (input, step) = within(
        "subquery selector",
        "number, duration, step(), range(), or \"]\"",
        duration_expression,
    )
    .parse(input)?;
    positive(input, step);
    Ok((input, Some(into_duration(input.cx(), step))))
}

fn matrix(cx: &Context<'_>, selector: ExprId, range: Duration, brackets: Span) -> ExprId {
    let (problem, span) = cx.build(|builder| {
        let expr = builder.get(selector);
        let problem = match &expr.kind {
            ExprKind::Vector(vector) if vector.offset.is_some() => {
                Some("no offset modifiers allowed before range")
            }
            ExprKind::Vector(vector) if vector.at.is_some() => {
                Some("no @ modifiers allowed before range")
            }
            ExprKind::Vector(_) => None,
            _ => Some("ranges only allowed for vector selectors"),
        };
        let span = Span {
            lo: expr.span.lo,
            hi: brackets.hi,
        };
        (problem, span)
    });
    if let Some(problem) = problem {
        cx.error("promql::range", brackets, problem);
    }
    cx.build(|builder| builder.push(ExprKind::Matrix { selector, range }, span))
}

/// Parses `offset ..` behind `id`.
fn offset(input: Input<'_>, id: ExprId) -> Parse<'_, ExprId> {
    let cx = input.cx();
    let (input, value) = within(
        "offset",
        "number, duration, step(), or range()",
        offset_expression,
    )
    .parse(input.advanced())?;
    let is_zero = is_zero(cx, value);
    let offset = into_duration(cx, value);
    let target = match time_target(cx, id, "offset") {
        Ok(target) => target,
        Err(problem) => {
            cx.error("promql::offset", span_of(cx, id), problem);
            return Ok((input, id));
        }
    };
    if cx.build(|builder| slots(builder.get_mut(target)).is_some_and(|(slot, _)| slot.is_some())) {
        let problem = "offset may not be set multiple times";
        cx.error("promql::offset", span_of(cx, id), problem);
    }
    // Upstream cannot tell an offset of zero from none.
    if is_zero {
        set_end(input, id);
        return Ok((input, id));
    }
    let (id, target, offset) = match offset {
        Duration::Millis(_) => (id, target, offset),
        Duration::Expr(value) => {
            let (moved, block, later) = cx.build(|builder| builder.move_to_end(target, id));
            let value = ExprId(value.0 - block);
            (moved, ExprId(target.0 + later), Duration::Expr(value))
        }
    };
    cx.build(|builder| {
        if let Some((slot, _)) = slots(builder.get_mut(target)) {
            *slot = Some(offset);
        }
    });
    set_end(input, id);
    Ok((input, id))
}

fn is_zero(cx: &Context<'_>, id: ExprId) -> bool {
    cx.build(|builder| match builder.get(id).kind {
        ExprKind::Number { value, .. } => (value * 1e9).round() == 0.0,
        _ => false,
    })
}

fn span_of(cx: &Context<'_>, id: ExprId) -> Span {
    cx.build(|builder| builder.get(id).span)
}

/// Lets the node reach to the last token read.
fn set_end(input: Input<'_>, id: ExprId) {
    let end = input.last_end();
    input
        .cx()
        .build(|builder| builder.get_mut(id).span.hi = end);
}

/// Returns the node that holds offset and `@` of `id`, or upstream's message when there is none.
fn time_target(cx: &Context<'_>, id: ExprId, modifier: &str) -> Result<ExprId, String> {
    cx.build(|builder| match &builder.get(id).kind {
        ExprKind::Vector(_) | ExprKind::Subquery { .. } => Ok(id),
        ExprKind::Matrix { selector, .. } => match builder.get(*selector).kind {
            ExprKind::Vector(_) => Ok(*selector),
            _ => Err("ranges only allowed for vector selectors".to_owned()),
        },
        _ => Err(format!(
            "{modifier} modifier must be preceded by an instant vector selector or range vector \
             selector or a subquery"
        )),
    })
}

fn slots(expr: &mut Expr) -> Option<(&mut Option<Duration>, &mut Option<At>)> {
    match &mut expr.kind {
        ExprKind::Vector(vector) => Some((&mut vector.offset, &mut vector.at)),
        ExprKind::Subquery { offset, at, .. } => Some((offset, at)),
        _ => None,
    }
}

/// Parses `@ ..` behind `id`.
fn at(input: Input<'_>, id: ExprId) -> Parse<'_, ExprId> {
    let (input, at) =
        within("@", "timestamp", |input| at_value(input, id)).parse(input.advanced())?;
    let cx = input.cx();
    let target = match time_target(cx, id, "@") {
        Ok(target) => target,
        Err(problem) => {
            cx.error("promql::at", span_of(cx, id), problem);
            return Ok((input, id));
        }
    };
    let taken = cx.build(|builder| match slots(builder.get_mut(target)) {
        Some((_, slot)) => slot.replace(at).is_some(),
        None => false,
    });
    if taken {
        let problem = "@ <timestamp> may not be set multiple times";
        cx.error("promql::at", span_of(cx, id), problem);
    }
    set_end(input, id);
    Ok((input, id))
}

/// Parses a timestamp in seconds, `start()` or `end()`.
fn at_value(input: Input<'_>, id: ExprId) -> Parse<'_, At> {
    let word = match input.kind() {
        TokenKind::Preprocessor(Preprocessor::Start) => At::Start,
        TokenKind::Preprocessor(Preprocessor::End) => At::End,
        _ => {
            let (input, seconds) = signed_number(input)?;
            return Ok((input, At::Millis(timestamp(input.cx(), seconds, id))));
        }
    };
    let (input, _) = token(TokenKind::LeftParen).parse(input.advanced())?;
    let (input, _) = token(TokenKind::RightParen).parse(input)?;
    Ok((input, word))
}

fn timestamp(cx: &Context<'_>, seconds: f64, id: ExprId) -> i64 {
    const LIMIT: f64 = i64::MAX as f64;
    if !seconds.is_finite() || seconds.abs() >= LIMIT {
        let message = format!(
            "timestamp out of bounds for @ modifier: {}",
            go::float_fixed(seconds)
        );
        cx.error("promql::at", span_of(cx, id), message);
    }
    (seconds * 1_000.0).round() as i64
}

/// Applies `anchored` or `smoothed` to `id`.
fn extend_range(cx: &Context<'_>, id: ExprId, word: Keyword) {
    let problem = cx.build(|builder| {
        let target = match builder.get(id).kind {
            ExprKind::Vector(_) => id,
            ExprKind::Matrix { selector, .. } => selector,
            ExprKind::Subquery { .. } => {
                return Some(format!("{word} modifier is not supported for subqueries"));
            }
            _ => return Some(format!("{word} modifier not implemented")),
        };
        let ExprKind::Vector(vector) = &mut builder.get_mut(target).kind else {
            return None;
        };
        if word == Keyword::Anchored {
            vector.anchored = true;
        } else {
            vector.smoothed = true;
        }
        (vector.anchored && vector.smoothed)
            .then(|| "anchored and smoothed modifiers cannot be used together".to_owned())
    });
    if let Some(problem) = problem {
        cx.error("promql::extended-range", span_of(cx, id), problem);
    }
}
