//! The way in.

use obsq_model::Tenant;
use obsq_query_lang::promql::Ast;
use obsq_source::{MetricSource, QueryContext};

use super::error::QueryError;
use super::outcome::QueryOutcome;
use super::query::{self, Times};

/// Settings that hold for all queries of an engine.
///
/// Limits on samples, memory and time come with each query's [`QueryContext`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How far back an instant selector looks, unless a request says otherwise.
    pub lookback_ms: i64,
    /// Step of subqueries that name none.
    pub default_subquery_step_ms: i64,
    /// Drop metric names at the end of the evaluation rather than at each operation.
    pub delayed_name_removal: bool,
    /// Judge by the label `__type__` whether a metric is a counter.
    pub type_and_unit_labels: bool,
    /// Let start timestamps take part in `rate`, `increase`, `irate` and `resets`.
    pub start_timestamps: bool,
    /// Threads to compute on; 0 means one per core.
    pub threads: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            default_subquery_step_ms: 60_000,
            delayed_name_removal: true,
            type_and_unit_labels: false,
            start_timestamps: true,
            threads: 0,
        }
    }
}

/// How much is to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatsLevel {
    /// Totals.
    #[default]
    Totals,
    /// Totals and counts per step.
    PerStep,
}

/// What is asked, but for the time.
#[derive(Debug, Clone, Copy)]
pub struct QueryRequest<'a> {
    /// The query.
    pub text: &'a str,
    /// The query parsed and checked, for callers that evaluate it often; else it is parsed here.
    pub ast: Option<&'a Ast>,
    /// Whose series.
    pub tenant: &'a Tenant,
    /// Lookback of this query; `None` for the engine's.
    pub lookback_ms: Option<i64>,
    /// How much is to be counted.
    pub stats: StatsLevel,
}

/// Evaluates PromQL queries on a CPU pool of its own.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    pool: rayon::ThreadPool,
}

impl Engine {
    /// Starts the CPU pool. Fails when the threads cannot be created.
    pub fn new(options: EngineOptions) -> Result<Self, QueryError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|index| format!("obsq-eval-{index}"))
            .build()
            .map_err(QueryError::Threads)?;
        Ok(Self { options, pool })
    }

    /// Returns the settings.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Evaluates a query at one time.
    pub fn instant(
        &self,
        request: &QueryRequest<'_>,
        time_ms: i64,
        source: &dyn MetricSource,
        context: &QueryContext,
    ) -> Result<QueryOutcome, QueryError> {
        let times = Times::Instant { time_ms };
        self.pool
            .install(|| query::evaluate(&self.options, request, times, source, context))
    }

    /// Evaluates a query at `start_ms`, `start_ms + step_ms` and so on up to `end_ms`; the step
    /// must be positive. The number of steps is not limited here.
    pub fn range(
        &self,
        request: &QueryRequest<'_>,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        source: &dyn MetricSource,
        context: &QueryContext,
    ) -> Result<QueryOutcome, QueryError> {
        let times = Times::Range {
            start_ms,
            end_ms,
            step_ms: step_ms.max(1),
        };
        self.pool
            .install(|| query::evaluate(&self.options, request, times, source, context))
    }
}
