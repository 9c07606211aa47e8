//! Durations and expressions of durations, as they stand in brackets and after `offset`.

use nom::Parser;
use nom::sequence::preceded;

use super::expression::sign_of;
use super::input::{Context, Input, Parse, token};
use crate::promql::ast::{BinaryOp, Duration, DurationOp, ExprId, ExprKind, UnaryOp};
use crate::promql::lex::{Preprocessor, TokenKind};
use crate::promql::text::{parse_duration, parse_number};
use crate::span::Span;

/// Seconds beyond which a duration does not fit upstream's nanoseconds in 63 bits.
pub(crate) const MAX_SECONDS: f64 = 9_223_372_036.854_776;

/// How tightly a sign binds: as `*`.
const SIGN_PRECEDENCE: u8 = 2;

/// An operator whose right side is not complete yet.
enum Pending {
    Unary {
        op: UnaryOp,
        span: Span,
    },
    Binary {
        op: DurationOp,
        span: Span,
        lhs: ExprId,
    },
}

fn operator(kind: TokenKind) -> Option<DurationOp> {
    Some(match kind {
        TokenKind::Op(BinaryOp::Add) => DurationOp::Add,
        TokenKind::Op(BinaryOp::Sub) => DurationOp::Sub,
        TokenKind::Op(BinaryOp::Mul) => DurationOp::Mul,
        TokenKind::Op(BinaryOp::Div) => DurationOp::Div,
        TokenKind::Op(BinaryOp::Mod) => DurationOp::Mod,
        TokenKind::Op(BinaryOp::Pow) => DurationOp::Pow,
        _ => return None,
    })
}

fn precedence(op: DurationOp) -> u8 {
    match op {
        DurationOp::Add | DurationOp::Sub => 1,
        DurationOp::Mul | DurationOp::Div | DurationOp::Mod => 2,
        _ => 3,
    }
}

impl Pending {
    fn binds_before(&self, next: Option<DurationOp>) -> bool {
        let own = match self {
            Self::Unary { .. } => SIGN_PRECEDENCE,
            Self::Binary { op, .. } => precedence(*op),
        };
        match next {
            None => true,
            Some(DurationOp::Pow) => false,
            Some(next) => own >= precedence(next),
        }
    }

    fn nests(&self) -> bool {
        !matches!(self, Self::Binary { op, .. } if *op != DurationOp::Pow)
    }

    fn complete(self, input: Input<'_>, rhs: ExprId) -> ExprId {
        match self {
            Self::Unary { op, span } => sign(input, op, span, rhs),
            Self::Binary { op, span, lhs } => binary(input, op, span, [lhs, rhs]),
        }
    }
}

/// Parses a duration expression as far as it goes.
pub(super) fn duration_expression(mut input: Input<'_>) -> Parse<'_, ExprId> {
    let mut pending: Vec<Pending> = Vec::new();
    loop {
        while let Some(op) = sign_of(input.kind()) {
            let (next, token) = input.take();
            let span = token.span;
            pending.push(Pending::Unary { op, span });
            input = next.nested()?;
        }
        let mut value;
        (input, value) = operand(input)?;
        let next = operator(input.kind());
        while let Some(last) = pending.pop_if(|last| last.binds_before(next)) {
            input = input.risen(usize::from(last.nests()));
            value = last.complete(input, value);
        }
        let Some(op) = next else {
            return Ok((input, value));
        };
        let (next, token) = input.take();
        input = if op == DurationOp::Pow {
            next.nested()?
        } else {
            next
        };
        pending.push(Pending::Binary {
            op,
            span: token.span,
            lhs: value,
        });
    }
}

fn operand(input: Input<'_>) -> Parse<'_, ExprId> {
    match input.kind() {
        TokenKind::Number | TokenKind::Duration => bounded_literal(input),
        TokenKind::LeftParen => {
            let (input, (value, span)) = parenthesised(input)?;
            let value = wrap(input.cx(), value, span.lo);
            Ok((input, value))
        }
        TokenKind::Preprocessor(word) if !word.is_time() => function(input, word),
        _ => Err(input.unexpected()),
    }
}

/// Parses `(..)`; returns what is inside and the span of the whole.
fn parenthesised(input: Input<'_>) -> Parse<'_, (ExprId, Span)> {
    let (inner, open) = input.take();
    let (input, value) = duration_expression(inner.nested()?)?;
    let (input, close) = token(TokenKind::RightParen).parse(input)?;
    Ok((input.risen(1), (value, open.span.to(close.span))))
}

/// Parses `step()`, `range()`, `min_of(.., ..)` or `max_of(.., ..)`.
fn function(input: Input<'_>, word: Preprocessor) -> Parse<'_, ExprId> {
    let (input, name) = input.take();
    let cx = input.cx();
    let (mut input, _) = token(TokenKind::LeftParen).parse(input)?;
    let op = match word {
        Preprocessor::Step => DurationOp::Step,
        Preprocessor::Range => DurationOp::Range,
        Preprocessor::MinOf => DurationOp::MinOf,
        _ => DurationOp::MaxOf,
    };
    let mut operands = (None, None);
    if matches!(op, DurationOp::MinOf | DurationOp::MaxOf) {
        let (next, lhs) = duration_expression(input.nested()?)?;
        let (next, rhs) = preceded(token(TokenKind::Comma), duration_expression).parse(next)?;
        input = next.risen(1);
        operands = (Some(lhs), Some(rhs));
    }
    let (input, close) = token(TokenKind::RightParen).parse(input)?;
    let span = match operands {
        // Upstream points at the arguments only.
        (Some(lhs), Some(rhs)) => merged(cx, lhs, rhs),
        _ => name.span.to(close.span),
    };
    Ok((input, node(cx, op, operands, span)))
}

/// Parses what stands after `offset`. A plain or signed number, function or parenthesis ends there,
/// so that `x offset -2 ^ 2` is `(x offset -2) ^ 2`; anything else reaches as far as it can.
pub(super) fn offset_expression(input: Input<'_>) -> Parse<'_, ExprId> {
    let sign_token = sign_of(input.kind()).map(|op| (op, input.token().span));
    let behind_sign = if sign_token.is_some() {
        input.advanced()
    } else {
        input
    };
    let (rest, value) = match behind_sign.kind() {
        TokenKind::Number | TokenKind::Duration => {
            let (rest, value) = literal(behind_sign)?;
            let span = sign_token.map(|(_, span)| span);
            check_bounds(rest.cx(), value, span);
            (rest, value)
        }
        TokenKind::Preprocessor(word) if !word.is_time() => function(behind_sign, word)?,
        TokenKind::LeftParen if sign_token.is_some() => {
            let (rest, (value, _)) = parenthesised(behind_sign)?;
            let lo = rest.cx().build(|builder| builder.get(value).span.lo);
            (rest, wrap(rest.cx(), value, lo))
        }
        _ => {
            let (rest, value) = duration_expression(input)?;
            rest.look_ahead();
            return Ok((rest, value));
        }
    };
    let Some((op, span)) = sign_token else {
        return Ok((rest, value));
    };
    let keeps_plus = matches!(behind_sign.kind(), TokenKind::Preprocessor(_));
    let value = if op == UnaryOp::Plus && keeps_plus {
        unary(rest.cx(), op, span, value)
    } else {
        sign_unchecked(rest.cx(), op, span, value)
    };
    Ok((rest, value))
}

/// Parses a number or duration into a node.
pub(super) fn literal(input: Input<'_>) -> Parse<'_, ExprId> {
    let (next, token) = input.take();
    let cx = input.cx();
    let text = input.text();
    let is_duration = token.kind == TokenKind::Duration;
    let value = match token.kind {
        TokenKind::Number => {
            parse_number(text).map_err(|why| format!("error parsing number: {why}"))
        }
        TokenKind::Duration => parse_duration(text).map(seconds),
        _ => return Err(input.unexpected()),
    };
    let value = value.unwrap_or_else(|message| {
        cx.error("promql::number", token.span, message);
        0.0
    });
    let kind = ExprKind::Number { value, is_duration };
    Ok((next, cx.build(|builder| builder.push(kind, token.span))))
}

/// Returns milliseconds as seconds, computed as Go's `Duration.Seconds`.
fn seconds(ms: i64) -> f64 {
    (ms / 1_000) as f64 + (ms % 1_000 * 1_000_000) as f64 / 1e9
}

fn bounded_literal(input: Input<'_>) -> Parse<'_, ExprId> {
    let (input, value) = literal(input)?;
    check_bounds(input.cx(), value, None);
    Ok((input, value))
}

/// Refuses a number that is too large for a duration; `place` is where if not at the number.
fn check_bounds(cx: &Context<'_>, id: ExprId, place: Option<Span>) {
    let (number, span) =
        cx.build(|builder| (number_of(&builder.get(id).kind), builder.get(id).span));
    if number.is_some_and(|value| value.abs() > MAX_SECONDS) {
        cx.error(
            "promql::duration",
            place.unwrap_or(span),
            "duration out of range",
        );
    }
}

fn number_of(kind: &ExprKind) -> Option<f64> {
    match kind {
        ExprKind::Number { value, .. } => Some(*value),
        _ => None,
    }
}

fn merged(cx: &Context<'_>, first: ExprId, last: ExprId) -> Span {
    cx.build(|builder| Span {
        lo: builder.get(first).span.lo,
        hi: builder.get(last).span.hi,
    })
}

fn node(
    cx: &Context<'_>,
    op: DurationOp,
    (lhs, rhs): (Option<ExprId>, Option<ExprId>),
    span: Span,
) -> ExprId {
    let wrapped = false;
    cx.build(|builder| {
        builder.push(
            ExprKind::Duration {
                op,
                lhs,
                rhs,
                wrapped,
            },
            span,
        )
    })
}

fn unary(cx: &Context<'_>, op: UnaryOp, span: Span, rhs: ExprId) -> ExprId {
    let op = match op {
        UnaryOp::Plus => DurationOp::Add,
        UnaryOp::Minus => DurationOp::Sub,
    };
    let hi = cx.build(|builder| builder.get(rhs).span.hi);
    node(cx, op, (None, Some(rhs)), Span { lo: span.lo, hi })
}

/// Puts a sign before `rhs`: a number takes it in, a plus before anything else is dropped.
fn sign_unchecked(cx: &Context<'_>, op: UnaryOp, span: Span, rhs: ExprId) -> ExprId {
    let is_number = cx.build(|builder| {
        let expr = builder.get_mut(rhs);
        let ExprKind::Number { value, .. } = &mut expr.kind else {
            return false;
        };
        if op == UnaryOp::Minus {
            *value = -*value;
        }
        expr.span.lo = span.lo;
        true
    });
    if is_number || op == UnaryOp::Plus {
        rhs
    } else {
        unary(cx, op, span, rhs)
    }
}

fn sign(input: Input<'_>, op: UnaryOp, span: Span, rhs: ExprId) -> ExprId {
    // The bounds were checked at the number; a sign does not change them.
    sign_unchecked(input.cx(), op, span, rhs)
}

fn binary(input: Input<'_>, op: DurationOp, span: Span, [lhs, rhs]: [ExprId; 2]) -> ExprId {
    let cx = input.cx();
    let zero = cx.build(|builder| number_of(&builder.get(rhs).kind) == Some(0.0));
    let problem = match op {
        DurationOp::Div if zero => Some("division by zero"),
        DurationOp::Mod if zero => Some("modulo by zero"),
        _ => None,
    };
    if let Some(problem) = problem {
        input.look_ahead();
        cx.error("promql::duration", span, problem);
    }
    node(cx, op, (Some(lhs), Some(rhs)), merged(cx, lhs, rhs))
}

/// Marks `value` as written in parentheses.
fn wrap(cx: &Context<'_>, value: ExprId, lo: u32) -> ExprId {
    cx.build(|builder| {
        let expr = builder.get_mut(value);
        if let ExprKind::Duration { wrapped, .. } = &mut expr.kind {
            *wrapped = true;
            return value;
        }
        let span = Span {
            lo,
            hi: expr.span.hi,
        };
        let kind = ExprKind::Duration {
            op: DurationOp::Add,
            lhs: None,
            rhs: Some(value),
            wrapped: true,
        };
        builder.push(kind, span)
    })
}

/// Turns the node of a duration expression into the duration it stands for: a number leaves the
/// tree. Seconds are rounded to nanoseconds, then cut to milliseconds, as upstream shows them.
pub(super) fn into_duration(cx: &Context<'_>, id: ExprId) -> Duration {
    match cx.build(|builder| builder.pop_number(id)) {
        // Upstream takes `offset nan` for the smallest number of nanoseconds.
        Some(value) if value.is_nan() => Duration::Millis(i64::MIN / 1_000_000),
        Some(value) => Duration::Millis((value * 1e9).round() as i64 / 1_000_000),
        None => Duration::Expr(id),
    }
}

/// Refuses a range or step that is not positive.
pub(super) fn positive(input: Input<'_>, id: ExprId) {
    let cx = input.cx();
    let (number, span) =
        cx.build(|builder| (number_of(&builder.get(id).kind), builder.get(id).span));
    if number.is_some_and(|value| value <= 0.0) {
        input.look_ahead();
        cx.error("promql::duration", span, "duration must be greater than 0");
    }
}
