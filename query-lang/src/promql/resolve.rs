//! Duration expressions become durations once the query's step and range are known.

use super::ast::{Ast, Duration, DurationOp, Expr, ExprId, ExprKind};
use super::parse::{MAX_SECONDS, for_each_child};
use crate::diag::Diagnostic;
use crate::span::Span;

/// A number of seconds, or upstream's message with the place.
type Value = Result<f64, (Span, &'static str)>;

impl Ast {
    /// Returns the query with every [`Duration::Expr`] computed and the nodes of duration
    /// expressions removed, for a query of this step and range (both 0 for an instant query).
    ///
    /// Fails when a range or step is not positive, or a value is not finite or too large. The
    /// upstream text of such a diagnostic is complete, `4:8: duration must be greater than 0` with
    /// the byte offsets of the expression: it is not to be shown with another position.
    pub fn resolve_durations(&self, step_ms: i64, range_ms: i64) -> Result<Self, Diagnostic> {
        let values = values(self, step_ms as f64 / 1e3, range_ms as f64 / 1e3);
        let mut nodes = self.nodes.clone();
        for id in visiting_order(self) {
            for (duration, may_be_negative) in durations_of(&mut nodes[id.index()].kind) {
                if let Duration::Expr(expr) = *duration {
                    let millis = values[expr.index()]
                        .and_then(|seconds| {
                            to_millis(seconds, may_be_negative, self.get(expr).span)
                        })
                        .map_err(|(span, problem)| diagnostic(span, problem))?;
                    *duration = Duration::Millis(millis);
                }
            }
        }
        Ok(Self {
            nodes: without_duration_nodes(nodes),
        })
    }
}

/// Returns the value of every node of a duration expression; of no interest for other nodes.
fn values(ast: &Ast, step: f64, range: f64) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::with_capacity(ast.len());
    for (_, expr) in ast.iter() {
        let operand = |id: &Option<ExprId>| id.map_or(Ok(0.0), |id| values[id.index()]);
        let value = match &expr.kind {
            ExprKind::Number { value, .. } => Ok(*value),
            ExprKind::Duration { op, lhs, rhs, .. } => match (*op, operand(lhs), operand(rhs)) {
                (DurationOp::Step, ..) => Ok(step),
                (DurationOp::Range, ..) => Ok(range),
                (_, Err(problem), _) | (_, _, Err(problem)) => Err(problem),
                (DurationOp::Div, _, Ok(0.0)) => Err((expr.span, "division by zero")),
                (DurationOp::Mod, _, Ok(0.0)) => Err((expr.span, "modulo by zero")),
                (op, Ok(lhs), Ok(rhs)) => Ok(apply(op, lhs, rhs)),
            },
            _ => Ok(0.0),
        };
        values.push(value);
    }
    values
}

/// Computes an operator; a missing left side counts as 0, which is what a sign means.
fn apply(op: DurationOp, lhs: f64, rhs: f64) -> f64 {
    match op {
        DurationOp::Add => lhs + rhs,
        DurationOp::Sub => lhs - rhs,
        DurationOp::Mul => lhs * rhs,
        DurationOp::Div => lhs / rhs,
        DurationOp::Mod => lhs % rhs,
        DurationOp::Pow => lhs.powf(rhs),
        DurationOp::MinOf if lhs.is_nan() || rhs.is_nan() => f64::NAN,
        DurationOp::MaxOf if lhs.is_nan() || rhs.is_nan() => f64::NAN,
        DurationOp::MinOf => lhs.min(rhs),
        DurationOp::MaxOf => lhs.max(rhs),
        DurationOp::Step | DurationOp::Range => rhs,
    }
}

fn to_millis(seconds: f64, may_be_negative: bool, span: Span) -> Result<i64, (Span, &'static str)> {
    if !seconds.is_finite() {
        return Err((span, "duration is NaN or infinite"));
    }
    if seconds <= 0.0 && !may_be_negative {
        return Err((span, "duration must be greater than 0"));
    }
    if seconds.abs() > MAX_SECONDS {
        return Err((span, "duration is out of range"));
    }
    Ok((seconds * 1_000.0) as i64)
}

fn diagnostic(span: Span, problem: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("promql::duration", span, problem);
    diagnostic.upstream = format!("{}:{}: {problem}", span.lo, span.hi);
    diagnostic
}

/// Returns the durations of a node in upstream's order, each with whether it may be negative.
fn durations_of(kind: &mut ExprKind) -> impl Iterator<Item = (&mut Duration, bool)> {
    let (offset, step, range) = match kind {
        ExprKind::Vector(selector) => (selector.offset.as_mut(), None, None),
        ExprKind::Matrix { range, .. } => (None, None, Some(range)),
        ExprKind::Subquery {
            range,
            step,
            offset,
            ..
        } => (offset.as_mut(), step.as_mut(), Some(range)),
        _ => (None, None, None),
    };
    let offset = offset.map(|offset| (offset, true));
    let others = [step, range].into_iter().flatten();
    offset
        .into_iter()
        .chain(others.map(|duration| (duration, false)))
}

/// Returns the nodes in the order in which upstream visits them: parents first.
fn visiting_order(ast: &Ast) -> Vec<ExprId> {
    let mut order = Vec::with_capacity(ast.len());
    let mut pending = vec![ast.root()];
    while let Some(id) = pending.pop() {
        if ast.nodes.get(id.index()).is_none() {
            break;
        }
        order.push(id);
        match &ast.get(id).kind {
            ExprKind::Matrix { selector: expr, .. }
            | ExprKind::Subquery { expr, .. }
            | ExprKind::Unary { expr, .. }
            | ExprKind::Paren(expr) => pending.push(*expr),
            ExprKind::Call { args, .. } => pending.extend(args.iter().rev()),
            ExprKind::Aggregate { expr, param, .. } => {
                pending.extend(*param);
                pending.push(*expr);
            }
            ExprKind::Binary { lhs, rhs, .. } => pending.extend([*rhs, *lhs]),
            ExprKind::Number { .. }
            | ExprKind::String(_)
            | ExprKind::Vector(_)
            | ExprKind::Duration { .. } => {}
        }
    }
    order
}

/// Drops the nodes to which nothing refers any more and numbers the others anew.
fn without_duration_nodes(mut nodes: Vec<Expr>) -> Vec<Expr> {
    let mut used = vec![false; nodes.len()];
    if let Some(root) = used.last_mut() {
        *root = true;
    }
    for index in (0..nodes.len()).rev() {
        if used[index] {
            for_each_child(&mut nodes[index].kind, |child| used[child.index()] = true);
        }
    }
    let mut renumbered = Vec::with_capacity(nodes.len());
    let mut next = 0;
    for used in &used {
        renumbered.push(ExprId(next));
        next += u32::from(*used);
    }
    let mut kept = used.iter();
    nodes.retain(|_| kept.next().copied().unwrap_or(false));
    for node in &mut nodes {
        for_each_child(&mut node.kind, |child| *child = renumbered[child.index()]);
    }
    nodes
}
