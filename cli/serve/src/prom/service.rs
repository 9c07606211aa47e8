//! The calls of the Prometheus API that read, without any transport.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use obsq_eval::promql::{Engine, QueryError, QueryOutcome, QueryRequest, QueryValue};
use obsq_model::{Clock, ErrorKind, Labels, Tenant};
use obsq_query_lang::promql::pretty;
use obsq_source::{
    ExemplarSeries, LabelRequest, MemoryBudget, MetricMetadataEntry, MetricSource, QueryContext,
    QueryLimits,
};

use super::answer::{Answer, QueryData, RawJson, TRUNCATED};
use super::error::{ApiError, with_causes};
use super::parse_query::ast_to_json;
use super::request::{
    ExemplarRequest, InstantRequest, MetadataRequest, QueryCommon, RangeRequest, SeriesRequest,
};
use super::selectors::{parse_query, parse_selectors, selectors_of};
use crate::QueryOptions;

/// Answers the reading calls of the Prometheus API from one source.
///
/// All calls block and compute; none may run on a worker of an async runtime. What limits them
/// lies in the [`QueryContext`] that [`PromService::context`] makes.
#[derive(Debug)]
pub struct PromService {
    source: Arc<dyn MetricSource>,
    engine: ArcSwap<Engine>,
    clock: Arc<dyn Clock>,
    memory: Arc<MemoryBudget>,
    options: QueryOptions,
}

impl PromService {
    /// Returns a service over `source`.
    pub fn new(
        source: Arc<dyn MetricSource>,
        engine: Engine,
        clock: Arc<dyn Clock>,
        options: QueryOptions,
    ) -> Self {
        Self {
            source,
            engine: ArcSwap::from_pointee(engine),
            clock,
            memory: MemoryBudget::new(options.memory_bytes),
            options,
        }
    }

    /// Returns the wall clock in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Returns the bytes that running queries hold.
    pub fn memory_used_bytes(&self) -> usize {
        self.memory.used_bytes()
    }

    /// Answers queries with `engine` from now on; running queries go on with the old one.
    pub fn set_engine(&self, engine: Engine) {
        self.engine.store(Arc::new(engine));
    }

    /// Returns the source.
    pub fn source(&self) -> &Arc<dyn MetricSource> {
        &self.source
    }

    /// Returns limits, budget and deadline for one call; `timeout` can only shorten the server's.
    pub fn context(&self, timeout: Option<Duration>) -> QueryContext {
        let longest = self.options.timeout;
        let timeout = timeout.map_or(longest, |timeout| timeout.min(longest));
        let memory = MemoryBudget::child(&self.memory, self.options.memory_bytes_per_query);
        let mut context = QueryContext::new(Arc::clone(&self.clock), Some(timeout), memory);
        context.limits = QueryLimits {
            max_samples: self.options.max_samples,
            ..QueryLimits::default()
        };
        context
    }

    /// `/api/v1/query`; `queued` is how long the call waited for its turn.
    pub fn query(
        &self,
        tenant: &Tenant,
        request: &InstantRequest,
        queued: Duration,
        context: &QueryContext,
    ) -> Result<Answer<QueryData>, ApiError> {
        let asked = query_request(tenant, &request.common);
        let source = self.source.as_ref();
        let engine = self.engine.load();
        let outcome = engine.instant(&asked, request.time_ms, source, context);
        finish_query(outcome, &request.common, queued)
    }

    /// `/api/v1/query_range`; `queued` is how long the call waited for its turn.
    pub fn query_range(
        &self,
        tenant: &Tenant,
        request: &RangeRequest,
        queued: Duration,
        context: &QueryContext,
    ) -> Result<Answer<QueryData>, ApiError> {
        let outcome = self.engine.load().range(
            &query_request(tenant, &request.common),
            request.start_ms,
            request.end_ms,
            request.step_ms,
            self.source.as_ref(),
            context,
        );
        finish_query(outcome, &request.common, queued)
    }

    /// `/api/v1/labels`
    pub fn labels(
        &self,
        tenant: &Tenant,
        request: &SeriesRequest,
        context: &QueryContext,
    ) -> Result<Answer<Vec<String>>, ApiError> {
        let asked = label_request(request)?;
        let names = self.source.label_names(tenant, &asked, context)?;
        Ok(Answer::limited(names, request.limit))
    }

    /// `/api/v1/label/{name}/values`; `name` is not escaped any more.
    pub fn label_values(
        &self,
        tenant: &Tenant,
        name: &str,
        request: &SeriesRequest,
        context: &QueryContext,
    ) -> Result<Answer<Vec<String>>, ApiError> {
        if name.is_empty() {
            return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
        }
        let asked = label_request(request)?;
        let values = self.source.label_values(tenant, name, &asked, context)?;
        Ok(Answer::limited(values, request.limit))
    }

    /// `/api/v1/series`
    pub fn series(
        &self,
        tenant: &Tenant,
        request: &SeriesRequest,
        context: &QueryContext,
    ) -> Result<Answer<Vec<Labels>>, ApiError> {
        if request.matchers.is_empty() {
            return Err(ApiError::bad_data("no match[] parameter provided"));
        }
        let asked = label_request(request)
            .map_err(|error| ApiError::parameter("match[]", error.message))?;
        let series = self.source.series(tenant, &asked, context)?;
        Ok(Answer::limited(series, request.limit))
    }

    /// `/api/v1/query_exemplars`
    pub fn query_exemplars(
        &self,
        tenant: &Tenant,
        request: &ExemplarRequest,
        context: &QueryContext,
    ) -> Result<Answer<Vec<ExemplarSeries>>, ApiError> {
        let selectors = selectors_of(&request.query)?;
        if selectors.is_empty() {
            return Ok(Answer::plain(Vec::new()));
        }
        let asked = LabelRequest {
            range: request.range,
            selectors,
            limit: 0,
        };
        let exemplars = self.source.exemplars(tenant, &asked, context)?;
        Ok(Answer::plain(exemplars))
    }

    /// `/api/v1/format_query`
    pub fn format_query(&self, text: &str) -> Result<Answer<String>, ApiError> {
        let ast = parse_query(text).map_err(|problem| ApiError::parameter("query", problem))?;
        Ok(Answer::plain(pretty(&ast)))
    }

    /// `/api/v1/parse_query`; the data is the syntax tree.
    pub fn parse_query(&self, text: &str) -> Result<Answer<RawJson>, ApiError> {
        let ast = parse_query(text).map_err(|problem| ApiError::parameter("query", problem))?;
        Ok(Answer::plain(RawJson(ast_to_json(&ast))))
    }

    /// `/api/v1/metadata`
    pub fn metadata(
        &self,
        tenant: &Tenant,
        request: &MetadataRequest,
    ) -> Result<Answer<Vec<MetricMetadataEntry>>, ApiError> {
        let entries = self.source.metadata(tenant, request.metric.as_deref())?;
        let families = entries.chunk_by(|a, b| a.metric == b.metric);
        let kept = families
            .take(request.limit.unwrap_or(usize::MAX))
            .flat_map(|family| {
                let most = request.limit_per_metric.unwrap_or(usize::MAX);
                family.iter().take(most).cloned()
            });
        Ok(Answer::plain(kept.collect()))
    }
}

fn query_request<'a>(tenant: &'a Tenant, common: &'a QueryCommon) -> QueryRequest<'a> {
    QueryRequest {
        text: &common.query,
        ast: None,
        tenant,
        lookback_ms: common.lookback_ms,
        stats: common.stats.level,
    }
}

/// One entry more than wanted is asked for, so that cutting can be told from fitting.
fn label_request(request: &SeriesRequest) -> Result<LabelRequest, ApiError> {
    Ok(LabelRequest {
        range: request.range,
        selectors: parse_selectors(&request.matchers)?,
        limit: match request.limit {
            0 => 0,
            limit => limit.saturating_add(1),
        },
    })
}

fn finish_query(
    outcome: Result<QueryOutcome, QueryError>,
    common: &QueryCommon,
    queued: Duration,
) -> Result<Answer<QueryData>, ApiError> {
    let mut outcome = outcome.map_err(query_error)?;
    outcome.stats.timings.exec_queue = queued;
    let mut warnings = outcome.warnings;
    if cut(&mut outcome.value, common.limit) {
        warnings.push(TRUNCATED.to_owned());
    }
    warnings.extend(common.stats.warning());
    Ok(Answer {
        data: QueryData {
            value: outcome.value,
            stats: common.stats.wanted.then_some(outcome.stats),
        },
        warnings,
        infos: outcome.infos,
    })
}

/// Cuts a vector or matrix to `limit` series (0 for no limit) and says whether it was longer.
fn cut(value: &mut QueryValue, limit: usize) -> bool {
    fn cut_list<T>(list: &mut Vec<T>, limit: usize) -> bool {
        let longer = limit > 0 && list.len() > limit;
        if longer {
            list.truncate(limit);
        }
        longer
    }
    match value {
        QueryValue::Vector { samples, .. } => cut_list(samples, limit),
        QueryValue::Matrix(series) => cut_list(series, limit),
        QueryValue::Scalar { .. } | QueryValue::String { .. } => false,
    }
}

/// Errors of the text are errors of the parameter; all others are told as they are.
fn query_error(error: QueryError) -> ApiError {
    match error.kind() {
        ErrorKind::BadQuery => ApiError::parameter("query", error),
        kind => ApiError::from_kind(kind, with_causes_of(&error)),
    }
}

fn with_causes_of(error: &QueryError) -> String {
    match error {
        // The text of a source's error is part of this one's already.
        QueryError::Source(_) => error.to_string(),
        _ => with_causes(error),
    }
}

#[cfg(test)]
mod tests;
