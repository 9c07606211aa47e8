//! What an evaluation cost, counted as Prometheus counts it.

use std::time::Duration;

/// Where the time of a query went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Preparation, evaluation and sorting.
    pub eval_total: Duration,
    /// Sorting the result.
    pub result_sort: Duration,
    /// Planning and selecting series.
    pub query_preparation: Duration,
    /// Evaluating.
    pub inner_eval: Duration,
    /// Waiting for a free slot; set by whoever limits concurrency.
    pub exec_queue: Duration,
    /// Everything from the call of the engine to its return.
    pub exec_total: Duration,
}

/// Counts of samples; a histogram counts by its size in float samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleStats {
    /// Samples looked at, those in overlapping windows once per window.
    pub total_queryable: u64,
    /// Samples read, each once per selector.
    pub read: u64,
    /// Most samples held at one time.
    pub peak: usize,
    /// `total_queryable` by step, as time in milliseconds and count; empty unless asked for.
    pub total_queryable_per_step: Vec<(i64, u64)>,
    /// `read` by step, as time in milliseconds and count; empty unless asked for.
    pub read_per_step: Vec<(i64, u64)>,
}

/// The cost of one query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryStats {
    /// Where the time went.
    pub timings: Timings,
    /// Counts of samples.
    pub samples: SampleStats,
}
