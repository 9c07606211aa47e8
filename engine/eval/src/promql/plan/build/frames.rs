//! The walk from the root down: what is evaluated, and in which frame.

use obsq_query_lang::promql::{BinaryOp, ExprId, ExprKind, Function, ValueType};

use super::PlanInput;
use super::operands::{subquery_window, value_types, without_parens};
use crate::promql::plan::invariant::{Invariance, invariances};
use crate::promql::plan::{Frame, FrameId, Origin};

/// What is known of a node before the plan is written.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The node has a value of its own in the plan.
    evaluated: bool,
    /// The frame it is evaluated in.
    frame: u32,
    /// The frame its value is spread to.
    spread_to: Option<u32>,
    /// It lies in a part that is evaluated at one step as a whole.
    once: bool,
    /// What is looked at in its histograms.
    histograms: HistogramUse,
}

/// What the expressions above a node look at in histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum HistogramUse {
    /// Nothing in particular.
    #[default]
    Whole,
    /// Count and sum alone.
    Stats,
    /// Buckets, whatever the expressions above that look at.
    Buckets,
}

/// Where every node of a tree belongs.
#[derive(Debug)]
pub(super) struct Layout {
    places: Vec<Place>,
    frames: Vec<Frame>,
}

struct Walk<'a> {
    input: &'a PlanInput<'a>,
    types: Vec<ValueType>,
    invariances: Vec<Invariance>,
    layout: Layout,
}

impl Layout {
    pub(super) fn of(input: &PlanInput<'_>) -> Self {
        let ast = input.ast;
        let mut walk = Walk {
            input,
            types: value_types(ast),
            invariances: invariances(ast),
            layout: Self {
                places: vec![Place::default(); ast.len()],
                frames: vec![Frame::new(input.grid(), Origin::Query)],
            },
        };
        let root = walk.once_if_worth_it(ast.root(), Place::default());
        walk.layout.places[ast.root().index()] = root;
        for (id, expr) in ast.iter().rev() {
            if walk.layout.places[id.index()].evaluated {
                walk.place_children(id, &expr.kind);
            }
        }
        walk.layout
    }

    pub(super) fn is_evaluated(&self, id: ExprId) -> bool {
        self.places[id.index()].evaluated
    }

    pub(super) fn frame(&self, id: ExprId) -> FrameId {
        FrameId(self.places[id.index()].frame)
    }

    pub(super) fn spread_to(&self, id: ExprId) -> Option<FrameId> {
        self.places[id.index()].spread_to.map(FrameId)
    }

    /// Says whether only count and sum of the histograms below `id` matter.
    ///
    /// Source: Prometheus 3.x, `detectHistogramStatsDecoding`. This is more than a saving: what is
    /// not looked at gives no annotation.
    pub(super) fn wants_histogram_stats(&self, id: ExprId) -> bool {
        self.places[id.index()].histograms == HistogramUse::Stats
    }

    pub(super) fn into_frames(self) -> Vec<Frame> {
        self.frames
    }

    fn add_frame(&mut self, frame: Frame) -> u32 {
        self.frames.push(frame);
        (self.frames.len() - 1) as u32
    }
}

impl Walk<'_> {
    /// Returns the place of `id` within `outer`: the same frame, or one of a single step when the
    /// value is the same at every step.
    fn once_if_worth_it(&mut self, id: ExprId, outer: Place) -> Place {
        let mut place = Place {
            evaluated: true,
            spread_to: None,
            ..outer
        };
        let grid = self.layout.frames[outer.frame as usize].grid;
        if self.invariances[id.index()].once && !outer.once && grid.steps > 1 {
            place.frame = self
                .layout
                .add_frame(Frame::new(grid.first(), Origin::Invariant));
            place.spread_to = Some(outer.frame);
            place.once = true;
        }
        place
    }

    fn place_children(&mut self, id: ExprId, kind: &ExprKind) {
        let outer = self.below(id, kind);
        match kind {
            ExprKind::Number { .. }
            | ExprKind::String(_)
            | ExprKind::Vector(_)
            | ExprKind::Matrix { .. }
            | ExprKind::Duration { .. } => {}
            ExprKind::Subquery { .. } => self.place_subquery(id, outer),
            ExprKind::Paren(inner) => {
                // The parentheses carry what is to be done once; inside nothing changes.
                self.layout.places[inner.index()] = Place {
                    spread_to: None,
                    ..outer
                };
            }
            ExprKind::Unary { expr, .. } => self.place(*expr, outer),
            ExprKind::Binary { lhs, rhs, .. } => {
                self.place(*lhs, outer);
                self.place(*rhs, outer);
            }
            ExprKind::Aggregate { expr, param, .. } => {
                for operand in [Some(*expr), *param].into_iter().flatten() {
                    self.place(without_parens(self.input.ast, operand), outer);
                }
            }
            ExprKind::Call { function, args } => self.place_args(*function, args, outer),
        }
    }

    fn place_args(&mut self, function: Function, args: &[ExprId], outer: Place) {
        let ast = self.input.ast;
        for (index, arg) in args.iter().enumerate() {
            let arg = without_parens(ast, *arg);
            let unused = Place {
                evaluated: false,
                ..outer
            };
            match (&ast.get(arg).kind, function) {
                (ExprKind::Subquery { .. }, _) => {
                    self.layout.places[arg.index()] = unused;
                    let below = self.below(arg, &ast.get(arg).kind);
                    self.place_subquery(arg, below);
                }
                (ExprKind::Matrix { .. }, _)
                | (ExprKind::Vector(_), Function::Timestamp | Function::StartTimestamp) => {
                    self.layout.places[arg.index()] = unused;
                }
                (_, Function::Info) if index == 1 => {}
                _ => self.place(arg, outer),
            }
        }
    }

    fn place(&mut self, id: ExprId, outer: Place) {
        if self.types[id.index()] != ValueType::String {
            self.layout.places[id.index()] = self.once_if_worth_it(id, outer);
        }
    }

    /// Places the inner expression of subquery `id` in a frame of its own.
    fn place_subquery(&mut self, id: ExprId, outer: Place) {
        let ExprKind::Subquery { expr, step, .. } = &self.input.ast.get(id).kind else {
            return;
        };
        let window = subquery_window(self.input, id);
        let step_ms = step
            .map(super::operands::duration_ms)
            .filter(|step_ms| *step_ms > 0)
            .unwrap_or(self.input.default_subquery_step_ms);
        let grid = self.layout.frames[outer.frame as usize].grid.subquery(
            window.range_ms,
            step_ms,
            window.offset_ms,
            window.at_ms,
        );
        let frame = self.layout.add_frame(Frame::new(grid, Origin::Subquery));
        let inside = Place {
            frame,
            once: false,
            ..outer
        };
        let inner = *expr;
        self.layout.places[inner.index()] = self.once_if_worth_it(inner, inside);
    }

    /// Returns the place of `id` as its children inherit it.
    fn below(&self, id: ExprId, kind: &ExprKind) -> Place {
        let place = self.layout.places[id.index()];
        let here = match kind {
            ExprKind::Call { function, .. } => match function {
                Function::HistogramCount | Function::HistogramSum | Function::HistogramAvg => {
                    HistogramUse::Stats
                }
                Function::HistogramQuantile
                | Function::HistogramQuantiles
                | Function::HistogramFraction => HistogramUse::Buckets,
                _ => HistogramUse::Whole,
            },
            ExprKind::Subquery { .. }
            | ExprKind::Binary {
                op: BinaryOp::TrimUpper | BinaryOp::TrimLower,
                ..
            } => HistogramUse::Buckets,
            _ => HistogramUse::Whole,
        };
        let histograms = match (place.histograms, here) {
            (HistogramUse::Buckets, _) | (_, HistogramUse::Buckets) => HistogramUse::Buckets,
            (HistogramUse::Stats, _) | (_, HistogramUse::Stats) => HistogramUse::Stats,
            _ => HistogramUse::Whole,
        };
        Place {
            evaluated: true,
            histograms,
            ..place
        }
    }
}

/// Returns where the first selector in `root` lies in time: its `@` and offset, or those of the
/// subqueries around it as far as they count.
///
/// Source: Prometheus 3.x, `infoSelectTimestampAndOffset`.
pub(super) fn first_selector_time(input: &PlanInput<'_>, root: ExprId) -> (Option<i64>, i64) {
    let ast = input.ast;
    // Each entry is a node and the `@` and offset of the subqueries around it.
    let mut open: Vec<(ExprId, Option<i64>, i64)> = vec![(root, None, 0)];
    while let Some((id, at_ms, offset_ms)) = open.pop() {
        match &ast.get(id).kind {
            ExprKind::Vector(written) => {
                let own_at = super::operands::at_ms(input, written.at);
                let own_offset = written.offset.map_or(0, super::operands::duration_ms);
                return match own_at {
                    Some(_) => (own_at, own_offset),
                    None => (at_ms, own_offset.saturating_add(offset_ms)),
                };
            }
            ExprKind::Subquery { expr, .. } => {
                let window = subquery_window(input, id);
                let inner = match window.at_ms {
                    Some(_) => (*expr, window.at_ms, window.offset_ms),
                    None => (*expr, at_ms, window.offset_ms.saturating_add(offset_ms)),
                };
                open.push(inner);
            }
            kind => {
                let mut children = children(kind);
                children.reverse();
                open.extend(children.into_iter().map(|child| (child, at_ms, offset_ms)));
            }
        }
    }
    (None, 0)
}

fn children(kind: &ExprKind) -> Vec<ExprId> {
    match kind {
        ExprKind::Matrix { selector, .. } => vec![*selector],
        ExprKind::Paren(inner) | ExprKind::Unary { expr: inner, .. } => vec![*inner],
        ExprKind::Binary { lhs, rhs, .. } => vec![*lhs, *rhs],
        ExprKind::Aggregate { expr, param, .. } => {
            [Some(*expr), *param].into_iter().flatten().collect()
        }
        ExprKind::Call { args, .. } => args.clone(),
        _ => Vec::new(),
    }
}
