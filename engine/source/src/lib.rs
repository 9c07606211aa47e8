//! The boundary between queries and whatever holds the samples.
//!
//! A *source* is anything queryable: a head, local blocks, a bucket, an upstream server. It sees
//! compiled matchers and time ranges, never a query's text; an evaluator sees series and columns,
//! never a file. What accepts samples implements [`MetricAppender`], which ingestion and rules
//! write through; [`MetricLog`] reads what was written in its order.
//!
//! All calls of [`MetricSource`] block and compute; they belong on the CPU pool, never on an async
//! worker. Every call honours [`QueryContext`]: it returns [`Error::Canceled`] or
//! [`Error::Timeout`] soon after the token says so and [`Error::MemoryLimit`] when the query's
//! budget is spent.

mod append;
mod context;
mod error;
mod log;
mod matchers;
mod select;

pub use append::{
    Appended, Durable, MetricAppender, MetricBatch, RejectReason, Rejection, Samples, SeriesBatch,
};
pub use context::{CancelToken, MemoryBudget, QueryContext, QueryLimits};
pub use error::Error;
pub use log::{LogBatch, LogFollower, MetricLog};
pub use matchers::{MatcherError, compile_matcher, compile_matchers};
pub use select::{
    ExemplarSeries, LabelRequest, MetricMetadataEntry, MetricSource, RawChunk, SelectRequest,
    SeriesSet,
};
