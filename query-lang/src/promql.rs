//! PromQL of Prometheus 3, experimental functions and modifiers included.

mod ast;

pub use ast::{
    AggregateOp, Ast, At, BinaryOp, Duration, DurationOp, Expr, ExprId, ExprKind, FillValues,
    Function, Grouping, LabelMatcher, MatchCardinality, MatcherOp, UnaryOp, ValueType,
    VectorMatching, VectorSelector,
};
