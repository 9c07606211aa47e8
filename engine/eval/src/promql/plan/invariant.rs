//! Which expressions have the same value at every step.

use obsq_query_lang::promql::{Ast, ExprId, ExprKind, Function};

/// Whether a node is the same at every step, and whether evaluating it once is worth a frame.
///
/// Source: Prometheus 3.x, `PreprocessExpr`. What is evaluated once can be told from what is
/// evaluated at every step (by `timestamp`, for one), so the rules have to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Invariance {
    /// The value does not depend on the step.
    pub(super) invariant: bool,
    /// As a whole it is evaluated once; never holds for constants and range vectors.
    pub(super) once: bool,
}

/// Returns the invariance of every node.
pub(super) fn invariances(ast: &Ast) -> Vec<Invariance> {
    let mut known: Vec<Invariance> = Vec::with_capacity(ast.len());
    for (_, expr) in ast.iter() {
        let found = of_node(ast, &expr.kind, &known);
        known.push(found);
    }
    known
}

fn of_node(ast: &Ast, kind: &ExprKind, known: &[Invariance]) -> Invariance {
    let of = |id: &ExprId| known[id.index()];
    let both = |flag| Invariance {
        invariant: flag,
        once: flag,
    };
    let constant = |invariant| Invariance {
        invariant,
        once: false,
    };
    match kind {
        ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Duration { .. } => constant(true),
        ExprKind::Vector(selector) => both(selector.at.is_some()),
        ExprKind::Matrix { selector, .. } => constant(of(selector).invariant),
        ExprKind::Subquery { at, .. } => constant(at.is_some()),
        ExprKind::Paren(inner) | ExprKind::Unary { expr: inner, .. } => of(inner),
        ExprKind::Binary { lhs, rhs, .. } => both(of(lhs).invariant && of(rhs).invariant),
        ExprKind::Aggregate { expr, param, .. } => {
            let steady = param.as_ref().is_none_or(|param| of(param).invariant);
            Invariance {
                invariant: of(expr).invariant && steady,
                once: of(expr).once && steady,
            }
        }
        ExprKind::Call { function, args } => match function {
            Function::Start | Function::End | Function::Step | Function::Range => constant(true),
            _ => both(call_is_invariant(ast, *function, args, known)),
        },
    }
}

fn call_is_invariant(ast: &Ast, function: Function, args: &[ExprId], known: &[Invariance]) -> bool {
    let all_args = args.iter().all(|arg| known[arg.index()].invariant);
    if function == Function::Timestamp {
        let is_selector = |arg: &ExprId| {
            let inner = super::build::without_parens(ast, *arg);
            matches!(ast.get(inner).kind, ExprKind::Vector(_))
        };
        return all_args && args.iter().all(is_selector);
    }
    all_args && !depends_on_time(function)
}

/// Says whether a function's value depends on the evaluation time even when its arguments do not.
fn depends_on_time(function: Function) -> bool {
    matches!(
        function,
        Function::DaysInMonth
            | Function::DayOfMonth
            | Function::DayOfWeek
            | Function::DayOfYear
            | Function::Hour
            | Function::Minute
            | Function::Month
            | Function::Year
            | Function::PredictLinear
            | Function::Time
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> (bool, bool) {
        let ast = obsq_query_lang::promql::parse(query).into_result().unwrap();
        let root = invariances(&ast)[ast.root().index()];
        (root.invariant, root.once)
    }

    #[test]
    fn what_depends_on_the_step_is_evaluated_at_each() {
        for query in [
            "x",
            "x offset 5m",
            "rate(x[5m])",
            "time()",
            "hour()",
            "x @ 0 + x",
            "topk(scalar(x), x @ 0)",
            "predict_linear(x[5m] @ 0, 60)",
            "timestamp(abs(x @ 0))",
            "hour(x @ 0)",
            "max_over_time(x[5m:])",
            "info(x @ 0, {a=\"b\"})",
        ] {
            assert_eq!(of(query), (false, false), "{query}");
        }
    }

    #[test]
    fn what_is_fixed_in_time_is_evaluated_once() {
        for query in [
            "x @ 0",
            "x @ start()",
            "rate(x[5m] @ end())",
            "sum(x @ 0) + 1",
            "1 + 2",
            "vector(1)",
            "timestamp(x @ 0)",
            "timestamp((x @ 0))",
            "topk(2, x @ 0)",
            "max_over_time(x[5m:] @ 0)",
            "-x @ 0",
            "label_replace(x @ 0, \"a\", \"b\", \"c\", \"d\")",
            "info(x @ 0)",
        ] {
            assert_eq!(of(query), (true, true), "{query}");
        }
    }

    #[test]
    fn constants_and_range_vectors_need_no_frame_of_their_own() {
        for query in ["1", "-1", "\"text\"", "x[5m] @ 0", "x[5m:] @ 0", "start()"] {
            assert_eq!(of(query), (true, false), "{query}");
        }
    }
}
