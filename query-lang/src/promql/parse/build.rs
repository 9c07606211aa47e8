//! The tree while it grows.

use crate::promql::ast::{Ast, Duration, Expr, ExprId, ExprKind};
use crate::span::Span;

/// Collects nodes in post order.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Expr>,
}

impl Builder {
    pub(super) fn push(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.nodes.push(Expr { kind, span });
        ExprId((self.nodes.len() - 1) as u32)
    }

    pub(super) fn get(&self, id: ExprId) -> &Expr {
        &self.nodes[id.index()]
    }

    pub(super) fn get_mut(&mut self, id: ExprId) -> &mut Expr {
        &mut self.nodes[id.index()]
    }

    /// Removes and returns the value of `id` when it is the last node and a number.
    pub(super) fn pop_number(&mut self, id: ExprId) -> Option<f64> {
        let ExprKind::Number { value, .. } = self.get(id).kind else {
            return None;
        };
        debug_assert_eq!(
            id.index() + 1,
            self.nodes.len(),
            "only the last node is removed"
        );
        self.nodes.pop();
        Some(value)
    }

    /// Moves the nodes `first..=last` behind all nodes that came later, which keeps post order when
    /// `last` is going to refer to them. Returns the new index of `last`; the others move by the
    /// same distance.
    pub(super) fn move_to_end(&mut self, first: ExprId, last: ExprId) -> (ExprId, u32, u32) {
        let (start, middle, end) = (first.0, last.0 + 1, self.nodes.len() as u32);
        let (block, later) = (middle - start, end - middle);
        self.nodes[start as usize..].rotate_left(block as usize);
        let moved = |id: &mut ExprId| {
            if (start..middle).contains(&id.0) {
                id.0 += later;
            } else if (middle..end).contains(&id.0) {
                id.0 -= block;
            }
        };
        for node in &mut self.nodes[start as usize..] {
            for_each_child(&mut node.kind, moved);
        }
        (ExprId(end - 1), block, later)
    }

    pub(super) fn into_ast(self) -> Ast {
        Ast { nodes: self.nodes }
    }
}

/// Calls `visit` with every reference that a node holds.
pub(crate) fn for_each_child(kind: &mut ExprKind, mut visit: impl FnMut(&mut ExprId)) {
    let visit_duration = |duration: &mut Duration, visit: &mut dyn FnMut(&mut ExprId)| {
        if let Duration::Expr(id) = duration {
            visit(id);
        }
    };
    match kind {
        ExprKind::Number { .. } | ExprKind::String(_) => {}
        ExprKind::Vector(selector) => {
            if let Some(offset) = &mut selector.offset {
                visit_duration(offset, &mut visit);
            }
        }
        ExprKind::Matrix { selector, range } => {
            visit(selector);
            visit_duration(range, &mut visit);
        }
        ExprKind::Subquery {
            expr,
            range,
            step,
            offset,
            ..
        } => {
            visit(expr);
            visit_duration(range, &mut visit);
            for duration in [step, offset].into_iter().flatten() {
                visit_duration(duration, &mut visit);
            }
        }
        ExprKind::Call { args, .. } => args.iter_mut().for_each(visit),
        ExprKind::Aggregate { expr, param, .. } => {
            visit(expr);
            param.iter_mut().for_each(visit);
        }
        ExprKind::Binary { lhs, rhs, .. } => {
            visit(lhs);
            visit(rhs);
        }
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => visit(expr),
        ExprKind::Duration { lhs, rhs, .. } => {
            [lhs, rhs].into_iter().flatten().for_each(visit);
        }
    }
}
