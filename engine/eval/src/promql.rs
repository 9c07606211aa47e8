//! PromQL, with the meaning that Prometheus 3 gives it.
//!
//! A query is planned once: durations, times and groups are known before a sample is read. Then
//! the plan's nodes are evaluated front to back, each over all steps at once, and a result is
//! freed as soon as it is consumed.

mod annotations;
mod bits;
mod budget;
mod engine;
mod error;
mod eval;
mod float;
mod grid;
mod kernels;
mod meter;
mod natural;
mod outcome;
mod output;
mod plan;
mod query;
mod series;
mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use engine::{Engine, EngineOptions, QueryRequest, StatsLevel};
pub use error::{InfoError, ParameterError, QueryError};
pub use outcome::{InstantSample, QueryOutcome, QueryValue, RangeSeries, Value};
pub use stats::{QueryStats, SampleStats, Timings};
