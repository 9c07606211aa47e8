//! Operators by precedence, and parentheses.
//!
//! Neither recurses: each open parenthesis is a [`Level`] with its own stack of operators.

use super::group::{Closed, Group, close, open};
use super::input::{Context, Failure, Input, Parse};
use super::modifier::{Modifiers, binary_modifiers};
use super::postfix::{modified, operand};
use crate::promql::ast::{BinaryOp, ExprId, ExprKind, UnaryOp};
use crate::promql::lex::TokenKind;
use crate::span::Span;

/// An operator whose right side is not complete yet.
enum Pending {
    Unary {
        op: UnaryOp,
        span: Span,
    },
    Binary {
        op: BinaryOp,
        lhs: ExprId,
        modifiers: Modifiers,
    },
}

/// How tightly a sign binds: as `*`, so that `-a ^ b` is `-(a ^ b)`.
const SIGN_PRECEDENCE: u8 = 5;

fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    }
}

impl Pending {
    /// Says whether this operator takes its right side before `next` takes it as its left side.
    fn binds_before(&self, next: Option<BinaryOp>) -> bool {
        let own = match self {
            Self::Unary { .. } => SIGN_PRECEDENCE,
            Self::Binary { op, .. } => precedence(*op),
        };
        match next {
            None => true,
            Some(BinaryOp::Pow) => own > precedence(BinaryOp::Pow),
            Some(next) => own >= precedence(next),
        }
    }

    /// Says whether the right side lies one level deeper.
    fn nests(&self) -> bool {
        matches!(
            self,
            Self::Unary { .. }
                | Self::Binary {
                    op: BinaryOp::Pow,
                    ..
                }
        )
    }

    fn complete(self, cx: &Context<'_>, rhs: ExprId) -> ExprId {
        match self {
            Self::Unary { op, span } => sign(cx, op, span, rhs),
            Self::Binary { op, lhs, modifiers } => cx.build(|builder| {
                let span = Span {
                    lo: builder.get(lhs).span.lo,
                    hi: builder.get(rhs).span.hi,
                };
                let kind = ExprKind::Binary {
                    op,
                    lhs,
                    rhs,
                    matching: Some(modifiers.matching),
                    return_bool: modifiers.return_bool,
                };
                builder.push(kind, span)
            }),
        }
    }
}

/// Puts a sign before `expr`; a number takes it in.
fn sign(cx: &Context<'_>, op: UnaryOp, span: Span, expr: ExprId) -> ExprId {
    cx.build(|builder| {
        let node = builder.get_mut(expr);
        if let ExprKind::Number { value, .. } = &mut node.kind {
            if op == UnaryOp::Minus {
                *value = -*value;
            }
            node.span.lo = span.lo;
            return expr;
        }
        let span = Span {
            lo: span.lo,
            hi: node.span.hi,
        };
        builder.push(ExprKind::Unary { op, expr }, span)
    })
}

/// What lies between an open parenthesis, or the start of the text, and here.
struct Level {
    group: Group,
    pending: Vec<Pending>,
}

impl Level {
    fn new(group: Group) -> Self {
        let pending = Vec::new();
        Self { group, pending }
    }
}

/// Parses an expression as far as it goes.
pub(super) fn expression(input: Input<'_>) -> Parse<'_, ExprId> {
    let mut levels = vec![Level::new(Group::Query)];
    parse_levels(input, &mut levels).map_err(|error| {
        let mut groups = levels.iter().map(|level| &level.group);
        match groups.find(|group| group.is_aggregation()) {
            Some(group) => group.name_place(error),
            None => error,
        }
    })
}

fn parse_levels<'a>(mut input: Input<'a>, levels: &mut Vec<Level>) -> Parse<'a, ExprId> {
    while let Some(level) = levels.last_mut() {
        input = signs(input, &mut level.pending)?;
        let (next, group) = open(input)?;
        input = next;
        let mut value = match group {
            Some(group) if group.has_expression(input) => {
                input = input.nested()?;
                levels.push(Level::new(group));
                continue;
            }
            Some(group) => {
                let Closed::Value(rest, value) = close(input, group, None)? else {
                    continue;
                };
                input = rest;
                value
            }
            None => {
                let value;
                (input, value) = operand(input)?;
                value
            }
        };
        while let Some(mut level) = levels.pop() {
            (input, value) = modified(input, value)?;
            value = complete(&mut input, &mut level.pending, value);
            if let TokenKind::Op(op) = input.kind() {
                input = binary(input, op, value, &mut level.pending)?;
                levels.push(level);
                break;
            }
            if matches!(level.group, Group::Query) {
                return Ok((input, value));
            }
            match close(input, level.group, Some(value))? {
                Closed::Value(rest, closed) => (input, value) = (rest.risen(1), closed),
                Closed::More(rest, group) => {
                    input = rest;
                    levels.push(Level::new(group));
                    break;
                }
            }
        }
    }
    Err(input.unexpected())
}

/// Parses the signs before an operand.
fn signs<'a>(
    mut input: Input<'a>,
    pending: &mut Vec<Pending>,
) -> Result<Input<'a>, nom::Err<Failure>> {
    while let Some(op) = sign_of(input.kind()) {
        let (next, token) = input.take();
        let span = token.span;
        pending.push(Pending::Unary { op, span });
        input = next.nested()?;
    }
    Ok(input)
}

/// Gives `value` to all operators that bind tighter than the next one.
fn complete(input: &mut Input<'_>, pending: &mut Vec<Pending>, mut value: ExprId) -> ExprId {
    let next = match input.kind() {
        TokenKind::Op(op) => Some(op),
        _ => None,
    };
    while let Some(last) = pending.pop_if(|last| last.binds_before(next)) {
        *input = input.risen(usize::from(last.nests()));
        value = last.complete(input.cx(), value);
    }
    value
}

/// Parses a binary operator with its modifiers behind `lhs`.
fn binary<'a>(
    input: Input<'a>,
    op: BinaryOp,
    lhs: ExprId,
    pending: &mut Vec<Pending>,
) -> Result<Input<'a>, nom::Err<Failure>> {
    let (input, modifiers) = binary_modifiers(input.advanced())?;
    pending.push(Pending::Binary { op, lhs, modifiers });
    if op == BinaryOp::Pow {
        input.nested()
    } else {
        Ok(input)
    }
}

/// Returns the sign that a token is.
pub(super) fn sign_of(kind: TokenKind) -> Option<UnaryOp> {
    match kind {
        TokenKind::Op(BinaryOp::Add) => Some(UnaryOp::Plus),
        TokenKind::Op(BinaryOp::Sub) => Some(UnaryOp::Minus),
        _ => None,
    }
}
