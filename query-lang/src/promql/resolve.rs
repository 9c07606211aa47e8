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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse;

    fn resolved(text: &str, step_ms: i64, range_ms: i64) -> String {
        let ast = parse(text).into_result().unwrap();
        match ast.resolve_durations(step_ms, range_ms) {
            Ok(resolved) => {
                assert!(
                    resolved
                        .iter()
                        .all(|(_, e)| !matches!(e.kind, ExprKind::Duration { .. }))
                );
                resolved.to_string()
            }
            Err(diagnostic) => diagnostic.upstream,
        }
    }

    #[test]
    fn expressions_become_durations() {
        let cases = [
            ("a[5m*2]", "a[10m]"),
            ("a[step()]", "a[15s]"),
            (
                "a[range()/2:step()] offset -step()",
                "a[30m:15s] offset -15s",
            ),
            ("a offset (1h - 90m)", "a offset -30m"),
            ("a[min_of(5m, step())+max_of(1,2)]", "a[17s]"),
            ("a[2^3%5]", "a[3s]"),
            (
                "rate(a[5m*2]) + sum(b offset (1m+1m))",
                "rate(a[10m]) + sum(b offset 2m)",
            ),
            ("a[-(-5m)]", "a[5m]"),
            ("a offset (0.0005 * 3)", "a offset 1ms"),
            ("a[5m]", "a[5m]"),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text, 15_000, 3_600_000), expected, "{text}");
        }
    }

    #[test]
    fn durations_that_cannot_be_are_refused_with_their_place() {
        let cases = [
            ("foo[step()]", "4:10: duration must be greater than 0"),
            ("foo[-2^2]", "4:8: duration must be greater than 0"),
            ("a[5m/step()]", "2:11: division by zero"),
            ("a[5m%(1-1)]", "2:9: modulo by zero"),
            ("a offset (9e9^99)", "10:16: duration is NaN or infinite"),
            ("a offset (9e9*2)", "10:15: duration is out of range"),
            (
                "a[min_of(step(),1)]",
                "9:17: duration must be greater than 0",
            ),
            (
                "rate(a[(0-1)]) + rate(b[1-1])",
                "8:11: duration must be greater than 0",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text, 0, 0), expected, "{text}");
        }
    }
}
