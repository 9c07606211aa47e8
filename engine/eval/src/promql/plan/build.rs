//! From a syntax tree to a plan.
//!
//! Two walks over the tree: from the root down, to learn which nodes are evaluated and in which
//! frame; from the leaves up, to write the plan.

mod frames;
mod operands;

use obsq_query_lang::Span;
use obsq_query_lang::promql::{
    Ast, BinaryOp, ExprId, ExprKind, Function, UnaryOp, ValueType, VectorSelector,
};
use obsq_source::compile_matchers;

use super::{Binary, Frame, FrameId, Node, NodeId, Op, Plan, RangeCall, RangeInput, Selector};
use crate::promql::error::QueryError;
use crate::promql::grid::Grid;
use crate::promql::kernels::Edges;
use frames::Layout;
pub(super) use operands::without_parens;
use operands::{duration_ms, subquery_window, value_types};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlanInput<'a> {
    /// The tree, checked, all durations known.
    pub(crate) ast: &'a Ast,
    /// First evaluation time.
    pub(crate) start_ms: i64,
    /// Last evaluation time, which need not be a step.
    pub(crate) end_ms: i64,
    /// Distance of the steps; `None` for an instant query.
    pub(crate) step_ms: Option<i64>,
    /// How far back instant selectors look.
    pub(crate) lookback_ms: i64,
    /// Step of subqueries that name none.
    pub(crate) default_subquery_step_ms: i64,
    /// Names are dropped at the end, so that labels need no check before.
    pub(crate) delayed_name_removal: bool,
}

impl PlanInput<'_> {
    fn grid(&self) -> Grid {
        match self.step_ms {
            Some(step_ms) => Grid::range(self.start_ms, self.end_ms, step_ms),
            None => Grid::instant(self.start_ms),
        }
    }
}

/// Plans a query.
pub(crate) fn build(input: PlanInput<'_>) -> Result<Plan, QueryError> {
    let mut builder = Builder {
        input,
        types: value_types(input.ast),
        layout: Layout::of(&input),
        plan_of: vec![NodeId(0); input.ast.len()],
        nodes: Vec::new(),
    };
    for (id, _) in input.ast.iter() {
        if builder.layout.is_evaluated(id) {
            builder.node(id)?;
        }
    }
    let mut plan = Plan {
        value_type: builder.types[input.ast.root().index()],
        nodes: builder.nodes,
        frames: builder.layout.into_frames(),
    };
    mark_streamed(&mut plan, input.delayed_name_removal);
    Ok(plan)
}

/// Lets aggregations take the series of a selector or a range function one by one, so that those
/// need not be held all at once.
fn mark_streamed(plan: &mut Plan, delayed_name_removal: bool) {
    let streams = |op: &Op| match op {
        Op::Select(selector) => selector.window.edges != Edges::Smoothed,
        Op::RangeCall(call) => {
            delayed_name_removal
                && matches!(call.input, RangeInput::Selector(_))
                && call.function != Function::AbsentOverTime
        }
        _ => false,
    };
    let wanted: Vec<NodeId> = plan
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::Aggregate(aggregate) if aggregate.accumulates() => Some(aggregate.expr),
            _ => None,
        })
        .collect();
    for id in wanted {
        let node = &mut plan.nodes[id.0 as usize];
        node.streamed = streams(&node.op);
    }
}

pub(super) struct Builder<'a> {
    input: PlanInput<'a>,
    types: Vec<ValueType>,
    layout: Layout,
    plan_of: Vec<NodeId>,
    nodes: Vec<Node>,
}

impl Builder<'_> {
    fn node(&mut self, id: ExprId) -> Result<(), QueryError> {
        let expr = self.input.ast.get(id);
        let op = match &expr.kind {
            ExprKind::Paren(inner)
            | ExprKind::Unary {
                op: UnaryOp::Plus,
                expr: inner,
            } => {
                self.plan_of[id.index()] = self.plan_of[inner.index()];
                self.spread(id, expr.span);
                return Ok(());
            }
            ExprKind::Number { value, .. } => Op::Number(*value),
            ExprKind::String(text) => Op::Text(text.clone()),
            ExprKind::Vector(selector) => Op::Select(Box::new(self.selector(id, selector, None)?)),
            ExprKind::Matrix { .. } => Op::SelectWindow(Box::new(self.matrix_selector(id)?)),
            ExprKind::Subquery { expr, .. } => Op::Subquery {
                inner: self.planned(*expr),
            },
            ExprKind::Unary { expr, .. } => Op::Negate(self.planned(*expr)),
            ExprKind::Binary {
                op,
                lhs,
                rhs,
                matching,
                return_bool,
            } => {
                let vectors = !self.is_scalar(*lhs) && !self.is_scalar(*rhs);
                Op::Binary(Box::new(Binary {
                    op: *op,
                    lhs: self.planned(*lhs),
                    rhs: self.planned(*rhs),
                    matching: vectors.then(|| matching.clone().unwrap_or_default()),
                    return_bool: *return_bool,
                }))
            }
            ExprKind::Aggregate {
                op,
                expr,
                param,
                grouping,
            } => {
                let aggregate = self.aggregate(*op, *expr, *param, grouping);
                Op::Aggregate(Box::new(aggregate))
            }
            ExprKind::Call { function, args } => self.call(*function, args)?,
            ExprKind::Duration { .. } => return Ok(()),
        };
        self.push(op, self.layout.frame(id), expr.span);
        self.plan_of[id.index()] = self.last();
        self.spread(id, expr.span);
        Ok(())
    }

    /// Adds the node that spreads a value over the steps, where one is wanted.
    fn spread(&mut self, id: ExprId, span: Span) {
        if let Some(frame) = self.layout.spread_to(id) {
            self.push(Op::Broadcast(self.plan_of[id.index()]), frame, span);
            self.plan_of[id.index()] = self.last();
        }
    }

    fn push(&mut self, op: Op, frame: FrameId, span: Span) {
        self.nodes.push(Node {
            op,
            frame,
            span,
            streamed: false,
        });
    }

    fn last(&self) -> NodeId {
        NodeId((self.nodes.len() - 1) as u32)
    }

    fn planned(&self, id: ExprId) -> NodeId {
        self.plan_of[id.index()]
    }

    fn is_scalar(&self, id: ExprId) -> bool {
        self.types[id.index()] == ValueType::Scalar
    }

    /// Returns the selector of a vector selector; `range_ms` makes it one of windows.
    fn selector(
        &self,
        id: ExprId,
        written: &VectorSelector,
        range_ms: Option<i64>,
    ) -> Result<Selector, QueryError> {
        let matchers = compile_matchers(&written.matchers).map_err(QueryError::Matcher)?;
        Ok(Selector {
            matchers,
            window: self.window(written, range_ms),
            histogram_stats: self.layout.wants_histogram_stats(id),
        })
    }

    fn matrix_selector(&self, id: ExprId) -> Result<Selector, QueryError> {
        match &self.input.ast.get(id).kind {
            ExprKind::Matrix { selector, range } => match &self.input.ast.get(*selector).kind {
                ExprKind::Vector(written) => self.selector(id, written, Some(duration_ms(*range))),
                _ => Err(QueryError::internal("a range selector without a selector")),
            },
            _ => Err(QueryError::internal("a range selector is expected")),
        }
    }

    fn range_call(&self, function: Function, args: &[ExprId]) -> Result<Op, QueryError> {
        let ast = self.input.ast;
        let mut range_call = RangeCall {
            function,
            input: RangeInput::Subquery {
                inner: NodeId(0),
                window: self.window(&VectorSelector::default(), None),
            },
            scalars: Vec::new(),
            arg_span: Span::default(),
            absent_labels: obsq_model::Labels::empty(),
        };
        for (index, arg) in args.iter().enumerate() {
            let arg = without_parens(ast, *arg);
            let expr = ast.get(arg);
            match &expr.kind {
                ExprKind::Matrix { selector, .. } => {
                    range_call.input = RangeInput::Selector(self.matrix_selector(arg)?);
                    if let ExprKind::Vector(written) = &ast.get(*selector).kind {
                        range_call.absent_labels =
                            super::selector::absent_labels(&written.matchers);
                    }
                }
                ExprKind::Subquery { expr: inner, .. } => {
                    range_call.input = RangeInput::Subquery {
                        inner: self.planned(*inner),
                        window: subquery_window(&self.input, arg),
                    };
                }
                _ => range_call.scalars.push(self.planned(arg)),
            }
            // Upstream replaces a subquery by a selector that stands nowhere, so what is said of
            // it points at the start of the query.
            if index == 0 && !matches!(expr.kind, ExprKind::Subquery { .. }) {
                range_call.arg_span = expr.span;
            }
        }
        check_edges(&range_call)?;
        Ok(Op::RangeCall(Box::new(range_call)))
    }
}

/// Refuses `anchored` and `smoothed` where the function does not know them.
fn check_edges(call: &RangeCall) -> Result<(), QueryError> {
    let (modifier, allowed): (&'static str, &[Function]) = match call.input.window().edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored => (
            "anchored",
            &[
                Function::Changes,
                Function::Delta,
                Function::Increase,
                Function::Rate,
                Function::Resets,
            ],
        ),
        Edges::Smoothed => (
            "smoothed",
            &[Function::Delta, Function::Increase, Function::Rate],
        ),
    };
    if allowed.contains(&call.function) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(|function| function.as_str()).collect();
    Err(QueryError::EdgesNotSupported {
        modifier,
        allowed: names.join(", "),
        function: call.function.as_str(),
    })
}

impl super::Aggregate {
    /// Says whether each group is one number per step that samples are added to.
    fn accumulates(&self) -> bool {
        use obsq_query_lang::promql::AggregateOp as A;
        matches!(
            self.op,
            A::Sum | A::Avg | A::Count | A::Min | A::Max | A::Group | A::Stddev | A::Stdvar
        )
    }
}

impl Binary {
    /// Says whether the result is no longer the metric that the operands were.
    pub(crate) fn changes_meaning(&self) -> bool {
        matches!(
            self.op,
            BinaryOp::Add
                | BinaryOp::Sub
                | BinaryOp::Mul
                | BinaryOp::Div
                | BinaryOp::Pow
                | BinaryOp::Mod
                | BinaryOp::Atan2
        )
    }
}

impl Frame {
    pub(super) fn new(grid: Grid, origin: super::Origin) -> Self {
        Self { grid, origin }
    }
}
