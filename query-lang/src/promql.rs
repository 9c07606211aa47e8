//! PromQL of Prometheus 3, experimental functions and modifiers included.

mod ast;
mod check;
mod complete;
mod lex;
mod parse;
mod print;
mod resolve;
mod signature;
mod suggest;
mod text;

pub use crate::go::without_stray_bytes;
pub use ast::{
    AggregateOp, Ast, At, BinaryOp, Duration, DurationOp, Expr, ExprId, ExprKind, FillValues,
    Function, Grouping, LabelMatcher, MatchCardinality, MatcherOp, UnaryOp, ValueType,
    VectorMatching, VectorSelector,
};
pub use complete::{Completion, CompletionKind, CompletionSource, Completions, complete};
pub use parse::{Parsed, parse, parse_selector};
pub use print::{pretty, pretty_at, print};
pub use signature::Signature;
pub use text::{format_duration, parse_duration};

#[cfg(test)]
mod tests;
