//! Operands: their types, their durations, and the calls and aggregations made of them.

use obsq_model::METRIC_NAME;
use obsq_query_lang::promql::{
    AggregateOp, Ast, At, Duration, ExprId, ExprKind, Function, Grouping, ValueType, VectorSelector,
};
use obsq_source::compile_matchers;

use super::frames::first_selector_time;
use super::{Builder, PlanInput};
use crate::promql::error::QueryError;
use crate::promql::kernels::Edges;
use crate::promql::plan::selector::absent_labels;
use crate::promql::plan::{Aggregate, Arg, InfoSelector, Op, WindowSpec};

/// Returns the node inside any parentheses around `id`.
pub(in crate::promql::plan) fn without_parens(ast: &Ast, id: ExprId) -> ExprId {
    let mut inner = id;
    while let ExprKind::Paren(next) = ast.get(inner).kind {
        inner = next;
    }
    inner
}

/// Returns a duration in milliseconds; those that depend on step and range are known by now.
pub(super) fn duration_ms(duration: Duration) -> i64 {
    match duration {
        Duration::Millis(ms) => ms,
        Duration::Expr(_) => {
            debug_assert!(false, "durations are resolved before planning");
            0
        }
    }
}

/// Returns the type of every node's value.
pub(super) fn value_types(ast: &Ast) -> Vec<ValueType> {
    let mut types: Vec<ValueType> = Vec::with_capacity(ast.len());
    for (_, expr) in ast.iter() {
        let found = match &expr.kind {
            ExprKind::Number { .. } | ExprKind::Duration { .. } => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Vector(_) | ExprKind::Aggregate { .. } => ValueType::Vector,
            ExprKind::Matrix { .. } | ExprKind::Subquery { .. } => ValueType::Matrix,
            ExprKind::Call { function, .. } => returns(*function),
            ExprKind::Paren(inner) | ExprKind::Unary { expr: inner, .. } => types[inner.index()],
            ExprKind::Binary { lhs, rhs, .. } => {
                let scalar = |id: &ExprId| types[id.index()] == ValueType::Scalar;
                if scalar(lhs) && scalar(rhs) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
        };
        types.push(found);
    }
    types
}

fn returns(function: Function) -> ValueType {
    match function {
        Function::Time
        | Function::Pi
        | Function::Scalar
        | Function::MinOf
        | Function::MaxOf
        | Function::Start
        | Function::End
        | Function::Step
        | Function::Range => ValueType::Scalar,
        _ => ValueType::Vector,
    }
}

/// Returns the time that `@` fixes.
pub(super) fn at_ms(input: &PlanInput<'_>, at: Option<At>) -> Option<i64> {
    at.map(|at| match at {
        At::Millis(ms) => ms,
        At::Start => input.start_ms,
        At::End => input.end_ms,
    })
}

/// Returns the windows of subquery `id`.
pub(super) fn subquery_window(input: &PlanInput<'_>, id: ExprId) -> WindowSpec {
    let (mut range_ms, mut offset_ms, mut fixed_ms) = (0, 0, None);
    if let ExprKind::Subquery {
        range, offset, at, ..
    } = &input.ast.get(id).kind
    {
        range_ms = duration_ms(*range);
        offset_ms = offset.map_or(0, duration_ms);
        fixed_ms = at_ms(input, *at);
    }
    WindowSpec {
        range_ms,
        offset_ms,
        at_ms: fixed_ms,
        edges: Edges::Plain,
        lookback_ms: input.lookback_ms,
    }
}

impl Builder<'_> {
    pub(super) fn window(&self, written: &VectorSelector, range_ms: Option<i64>) -> WindowSpec {
        let edges = match (written.anchored, written.smoothed) {
            (true, _) => Edges::Anchored,
            (_, true) => Edges::Smoothed,
            _ => Edges::Plain,
        };
        WindowSpec {
            range_ms: range_ms.unwrap_or(self.input.lookback_ms),
            offset_ms: written.offset.map_or(0, duration_ms),
            at_ms: at_ms(&self.input, written.at),
            edges,
            lookback_ms: self.input.lookback_ms,
        }
    }

    pub(super) fn call(&self, function: Function, args: &[ExprId]) -> Result<Op, QueryError> {
        let ast = self.input.ast;
        if let Some(number) = self.query_constant(function) {
            return Ok(Op::Number(number));
        }
        let is_range = |arg: &ExprId| self.types[arg.index()] == ValueType::Matrix;
        if args.iter().any(is_range) {
            return self.range_call(function, args);
        }
        let first = args.first().map(|arg| without_parens(ast, *arg));
        match (function, first) {
            (Function::Timestamp | Function::StartTimestamp, Some(first)) => {
                if let ExprKind::Vector(written) = &ast.get(first).kind {
                    return Ok(Op::SelectTimes {
                        selector: Box::new(self.selector(first, written, None)?),
                        start: function == Function::StartTimestamp,
                    });
                }
            }
            (Function::Absent, Some(first)) => {
                let labels = match &ast.get(first).kind {
                    ExprKind::Vector(written) => absent_labels(&written.matchers),
                    _ => obsq_model::Labels::empty(),
                };
                let inner = self.planned(first);
                return Ok(Op::Absent { inner, labels });
            }
            (Function::Info, Some(first)) => return self.info(first, args.get(1).copied()),
            _ => {}
        }
        let (mut planned, mut texts) = (Vec::new(), Vec::new());
        for arg in args {
            let arg = without_parens(ast, *arg);
            let expr = ast.get(arg);
            match &expr.kind {
                ExprKind::String(text) => texts.push(text.clone()),
                _ => planned.push(Arg {
                    node: self.planned(arg),
                    span: expr.span,
                }),
            }
        }
        Ok(Op::Call {
            function,
            args: planned,
            texts,
        })
    }

    /// Returns the value of the functions that stand for a number known from the request.
    fn query_constant(&self, function: Function) -> Option<f64> {
        let (start_ms, end_ms) = (self.input.start_ms, self.input.end_ms);
        let seconds = |ms: i64| ms as f64 / 1000.0;
        match function {
            Function::Start => Some(seconds(start_ms)),
            Function::End => Some(seconds(end_ms)),
            Function::Range => Some(seconds(end_ms.saturating_sub(start_ms))),
            Function::Step if start_ms == end_ms => Some(0.0),
            Function::Step => Some(seconds(self.input.step_ms.unwrap_or(0))),
            _ => None,
        }
    }

    fn info(&self, first: ExprId, second: Option<ExprId>) -> Result<Op, QueryError> {
        let ast = self.input.ast;
        let mut matchers = Vec::new();
        if let Some(second) = second
            && let ExprKind::Vector(written) = &ast.get(without_parens(ast, second)).kind
        {
            matchers = compile_matchers(&written.matchers).map_err(QueryError::Matcher)?;
        } else {
            matchers.push(obsq_model::Matcher::equal(METRIC_NAME, "target_info"));
        }
        let (at_ms, offset_ms) = first_selector_time(&self.input, first);
        Ok(Op::Info {
            inner: self.planned(first),
            info: Box::new(InfoSelector {
                matchers,
                at_ms,
                offset_ms,
            }),
        })
    }

    pub(super) fn aggregate(
        &self,
        op: AggregateOp,
        expr: ExprId,
        param: Option<ExprId>,
        grouping: &Grouping,
    ) -> Aggregate {
        let ast = self.input.ast;
        let expr = without_parens(ast, expr);
        let param = param.map(|param| without_parens(ast, param));
        let value_label = param.and_then(|param| match &ast.get(param).kind {
            ExprKind::String(text) => Some(text.clone()),
            _ => None,
        });
        let mut labels = grouping.labels.clone();
        labels.sort_unstable();
        labels.dedup();
        let scalar = param.filter(|_| value_label.is_none());
        Aggregate {
            op,
            expr: self.planned(expr),
            expr_span: ast.get(expr).span,
            param: scalar.map(|param| Arg {
                node: self.planned(param),
                span: ast.get(param).span,
            }),
            value_label,
            without: grouping.without,
            grouping: labels,
        }
    }
}
