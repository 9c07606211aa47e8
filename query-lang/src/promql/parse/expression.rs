//! Operators by precedence.

use super::input::{Context, Input, Parse};
use super::modifier::{Modifiers, binary_modifiers};
use super::postfix::operand;
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

/// Parses an expression as far as it goes.
pub(super) fn expression(mut input: Input<'_>) -> Parse<'_, ExprId> {
    let cx = input.cx();
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
        let next = match input.kind() {
            TokenKind::Op(op) => Some(op),
            _ => None,
        };
        while let Some(last) = pending.pop_if(|last| last.binds_before(next)) {
            input = input.risen(usize::from(last.nests()));
            value = last.complete(cx, value);
        }
        let Some(op) = next else {
            return Ok((input, value));
        };
        let modifiers;
        (input, modifiers) = binary_modifiers(input.advanced())?;
        let lhs = value;
        pending.push(Pending::Binary { op, lhs, modifiers });
        if op == BinaryOp::Pow {
            input = input.nested()?;
        }
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
