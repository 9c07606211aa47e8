//! What is to be done for a query, known before a sample is read.
//!
//! A plan is a list of nodes, each after the nodes it uses, so that one walk from front to back
//! evaluates it and an operator chain of any length needs no recursion. Each node belongs to a
//! [`Frame`]: the grid of times it is evaluated at. What does not depend on the step is evaluated
//! at one step only and then spread by [`Op::Broadcast`].
//!
//! The plan holds no reference to the syntax tree; durations, `start()`, `end()` and `@` are
//! numbers in it.

mod build;
mod invariant;
mod selector;

use obsq_model::{Labels, Matcher};
use obsq_query_lang::Span;
use obsq_query_lang::promql::{AggregateOp, BinaryOp, Function, ValueType, VectorMatching};

pub(crate) use build::{PlanInput, build};
pub(crate) use selector::{Selector, WindowSpec};

use super::grid::Grid;

/// Index of a node in its [`Plan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// Index of a frame in its [`Plan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameId(pub(crate) u32);

/// A query ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Nodes, each after those it uses; the last one is the query's value.
    pub(crate) nodes: Vec<Node>,
    /// Frames; the first one is the query's own.
    pub(crate) frames: Vec<Frame>,
    /// Type of the query's value.
    pub(crate) value_type: ValueType,
}

impl Plan {
    /// Returns a node.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Returns the grid that a node is evaluated on.
    pub(crate) fn grid(&self, node: &Node) -> Grid {
        self.frames[node.frame.0 as usize].grid
    }
}

/// A set of times that nodes are evaluated at together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// The times.
    pub(crate) grid: Grid,
    /// Why the frame exists.
    pub(crate) origin: Origin,
}

impl Frame {
    /// Returns the times.
    pub(crate) fn grid(&self) -> Grid {
        self.grid
    }
}

/// Why a frame exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The query itself.
    Query,
    /// An expression whose value is the same at every step.
    Invariant,
    /// The inner expression of a subquery.
    Subquery,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Node {
    /// What is done.
    pub(crate) op: Op,
    /// At which times.
    pub(crate) frame: FrameId,
    /// Where it stands in the text.
    pub(crate) span: Span,
    /// The node that uses it takes its series one by one, so it is not evaluated by itself.
    pub(crate) streamed: bool,
}

/// What a node does. The `NodeId`s are the nodes it uses.
#[derive(Debug)]
pub(crate) enum Op {
    /// A scalar that is the same at every step.
    Number(f64),
    /// A string.
    Text(String),
    /// The latest sample of each series at each step.
    Select(Box<Selector>),
    /// The times of those samples rather than their values.
    SelectTimes {
        /// Which series.
        selector: Box<Selector>,
        /// The start timestamps rather than the timestamps.
        start: bool,
    },
    /// The samples in one window, as they are.
    SelectWindow(Box<Selector>),
    /// A function over the samples in a window at each step.
    RangeCall(Box<RangeCall>),
    /// The value of a node in a subquery's frame, as a range vector.
    Subquery {
        /// The inner expression.
        inner: NodeId,
    },
    /// The value of a node in a frame of one step, at every step.
    Broadcast(NodeId),
    /// A function over scalars and instant vectors.
    Call {
        /// Which function.
        function: Function,
        /// The arguments, without those that are strings.
        args: Vec<Arg>,
        /// Its string arguments.
        texts: Vec<String>,
    },
    /// `absent`
    Absent {
        /// The argument.
        inner: NodeId,
        /// Labels of the result.
        labels: Labels,
    },
    /// `info`
    Info {
        /// The series to enrich.
        inner: NodeId,
        /// Which info series and labels.
        info: Box<InfoSelector>,
    },
    /// `-expr`
    Negate(NodeId),
    /// An aggregation over the series of each step.
    Aggregate(Box<Aggregate>),
    /// An operator between two values.
    Binary(Box<Binary>),
}

/// An argument of a function.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg {
    /// Its value.
    pub(crate) node: NodeId,
    /// Where it stands, without parentheses around it.
    pub(crate) span: Span,
}

/// A function over windows of samples.
#[derive(Debug)]
pub(crate) struct RangeCall {
    /// Which function.
    pub(crate) function: Function,
    /// What the windows are cut from.
    pub(crate) input: RangeInput,
    /// The scalar arguments.
    pub(crate) scalars: Vec<NodeId>,
    /// Where the first argument stands, which annotations point at.
    pub(crate) arg_span: Span,
    /// Labels of the result of `absent_over_time`; empty for other functions.
    pub(crate) absent_labels: Labels,
}

/// What windows are cut from.
#[derive(Debug)]
pub(crate) enum RangeInput {
    /// Stored series.
    Selector(Selector),
    /// The values of a node in a subquery's frame.
    Subquery {
        /// The inner expression.
        inner: NodeId,
        /// The windows.
        window: WindowSpec,
    },
}

impl RangeInput {
    /// Returns the windows.
    pub(crate) fn window(&self) -> &WindowSpec {
        match self {
            Self::Selector(selector) => &selector.window,
            Self::Subquery { window, .. } => window,
        }
    }
}

/// An aggregation.
#[derive(Debug)]
pub(crate) struct Aggregate {
    /// Which.
    pub(crate) op: AggregateOp,
    /// What is aggregated.
    pub(crate) expr: NodeId,
    /// Where that stands.
    pub(crate) expr_span: Span,
    /// The scalar parameter and where it stands.
    pub(crate) param: Option<Arg>,
    /// The label of `count_values`.
    pub(crate) value_label: Option<String>,
    /// `without` rather than `by`.
    pub(crate) without: bool,
    /// Labels of `by` or `without`, sorted.
    pub(crate) grouping: Vec<String>,
}

/// A binary operation.
#[derive(Debug)]
pub(crate) struct Binary {
    /// The operator.
    pub(crate) op: BinaryOp,
    /// The left side.
    pub(crate) lhs: NodeId,
    /// The right side.
    pub(crate) rhs: NodeId,
    /// How vectors are matched; `None` when a side is a scalar.
    pub(crate) matching: Option<VectorMatching>,
    /// A comparison that yields 0 and 1.
    pub(crate) return_bool: bool,
}

/// Which info series enrich the argument of `info`.
#[derive(Debug)]
pub(crate) struct InfoSelector {
    /// Matchers of the second argument, if there is one.
    pub(crate) matchers: Vec<Matcher>,
    /// Time that the first argument is fixed to.
    pub(crate) at_ms: Option<i64>,
    /// Offset of the first argument.
    pub(crate) offset_ms: i64,
}
