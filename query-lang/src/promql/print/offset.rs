//! Where an offset would swallow what follows it.
//!
//! An offset that is a parenthesis reaches on over arithmetic operators: `x offset (5m) * 2` is
//! offset by ten minutes. Where such an offset ends and an operator follows, another modifier
//! stood in between, and the text has to keep it there. Upstream's printer does not.

use crate::promql::ast::{Ast, BinaryOp, Duration, DurationOp, ExprId, ExprKind};

/// Returns the selectors whose offset has to stand before their other modifiers, sorted.
pub(super) fn first(ast: &Ast) -> Vec<ExprId> {
    let mut found = Vec::new();
    for (_, expr) in ast.iter() {
        let ExprKind::Binary { op, lhs, .. } = &expr.kind else {
            continue;
        };
        if !is_swallowed(*op) {
            continue;
        }
        let leaf = rightmost(ast, *lhs);
        if let ExprKind::Vector(selector) = &ast.get(leaf).kind
            && let Some(Duration::Expr(offset)) = selector.offset
            && reaches_on(ast, offset)
        {
            found.push(leaf);
        }
    }
    found.sort_unstable();
    found
}

fn is_swallowed(op: BinaryOp) -> bool {
    use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
    matches!(op, Add | Sub | Mul | Div | Mod | Pow)
}

/// Returns the operand with which the text of `id` ends, parentheses not looked into.
fn rightmost(ast: &Ast, mut id: ExprId) -> ExprId {
    loop {
        id = match ast.get(id).kind {
            ExprKind::Binary { rhs, .. } => rhs,
            ExprKind::Unary { expr, .. } => expr,
            _ => return id,
        };
    }
}

/// Says whether the text of an offset takes in operators that follow.
fn reaches_on(ast: &Ast, offset: ExprId) -> bool {
    match &ast.get(offset).kind {
        ExprKind::Duration {
            lhs: None,
            rhs: Some(operand),
            wrapped: false,
            ..
        } => match &ast.get(*operand).kind {
            ExprKind::Duration { wrapped: true, .. } => false,
            _ => !is_function(ast, *operand),
        },
        _ => !is_function(ast, offset),
    }
}

fn is_function(ast: &Ast, id: ExprId) -> bool {
    use DurationOp::{MaxOf, MinOf, Range, Step};
    let ExprKind::Duration { op, wrapped, .. } = &ast.get(id).kind else {
        return false;
    };
    !wrapped && matches!(op, Step | Range | MinOf | MaxOf)
}
