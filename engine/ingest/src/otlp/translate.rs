//! Walking a request.

use obsq_model::{
    Exemplar, Labels, LabelsBuilder, MetricType, Sample, SampleValue, Tenant, stale_nan,
};
use obsq_source::{MetricBatch, SeriesBatch};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::attributes::{ResourceLabels, ScopeLabels, point_labels, series_labels};
use super::collector::ExportMetricsServiceRequest;
use super::delta::DeltaStates;
use super::exemplars;
use super::names::{NameKind, metric_name, unit_name};
use super::options::OtlpOptions;
use super::target_info::TargetInfo;
use crate::error::DecodeError;
use crate::limits::Budget;
use crate::metric_families::Families;

/// Most reasons that a partial success names.
const MAX_REASONS: usize = 5;

/// What a request brings, and what of it could not be translated.
#[derive(Debug, Default)]
pub struct Translated {
    /// What is to be stored.
    pub batch: MetricBatch,
    /// Number of data points that were refused, for `rejected_data_points`.
    pub rejected: usize,
    /// The first reasons, empty when nothing was refused; for `error_message`.
    pub message: String,
}

/// Translates a request. Fails only when the result would take too much memory.
pub fn translate(
    request: &ExportMetricsServiceRequest,
    tenant: &Tenant,
    options: &OtlpOptions,
    deltas: &DeltaStates,
) -> Result<Translated, DecodeError> {
    let mut output = Output {
        budget: Budget::new(options.limits.max_expanded_bytes),
        ..Output::default()
    };
    let mut target_info = TargetInfo::default();
    for resource in &request.resource_metrics {
        let walk = Walk {
            tenant,
            options,
            deltas,
        };
        walk.resource(resource, &mut target_info, &mut output)?;
    }
    target_info.finish(&mut output)?;
    Ok(output.finish())
}

/// What is collected while a request is walked.
#[derive(Debug, Default)]
pub(super) struct Output {
    batch: MetricBatch,
    families: Families,
    rejected: usize,
    reasons: Vec<String>,
    budget: Budget,
}

impl Output {
    /// Refuses `count` data points of a metric.
    pub(super) fn reject(&mut self, count: usize, metric: &str, reason: &str) {
        self.rejected += count;
        if count > 0 && self.reasons.len() < MAX_REASONS {
            let reason = format!("metric {metric:?}: {reason}");
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }

    /// Adds one sample of one series.
    pub(super) fn push(
        &mut self,
        labels: Labels,
        sample: Sample,
        exemplars: Vec<Exemplar>,
    ) -> Result<(), DecodeError> {
        let size = labels.size_bytes()
            + size_of::<SeriesBatch>()
            + size_of::<Sample>()
            + exemplars.len() * size_of::<Exemplar>();
        self.budget.charge(size)?;
        self.batch.series.push(SeriesBatch {
            labels,
            samples: [sample].into(),
            exemplars,
        });
        Ok(())
    }

    pub(super) fn describe(
        &mut self,
        family: &str,
        metric_type: MetricType,
        texts: [&str; 2],
    ) -> Result<(), DecodeError> {
        Ok(self
            .families
            .set(family, metric_type, texts, &mut self.budget)?)
    }

    fn finish(mut self) -> Translated {
        self.batch.metadata = self.families.into_entries();
        Translated {
            batch: self.batch,
            rejected: self.rejected,
            message: self.reasons.join("; "),
        }
    }
}

/// Everything that holds for the whole request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) options: &'a OtlpOptions,
    pub(super) deltas: &'a DeltaStates,
}

/// Everything that holds for the data points of one metric.
#[derive(Debug)]
pub(super) struct MetricContext<'a> {
    pub(super) walk: Walk<'a>,
    resource: &'a ResourceLabels,
    scope: &'a ScopeLabels,
    /// The metric's name as sent, for messages.
    pub(super) sent_name: &'a str,
    /// The metric family's name as translated.
    pub(super) family: String,
    /// Whether values are differences to the last data point.
    pub(super) is_delta: bool,
}

impl Walk<'_> {
    fn resource(
        &self,
        resource_metrics: &proto::ResourceMetrics,
        target_info: &mut TargetInfo,
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        let attributes = resource_metrics
            .resource
            .as_ref()
            .map_or(&[] as &[KeyValue], |resource| &resource.attributes);
        let resource = match ResourceLabels::new(attributes, self.options) {
            Ok(resource) => resource,
            Err(reason) => {
                let metrics = resource_metrics
                    .scope_metrics
                    .iter()
                    .flat_map(|s| &s.metrics);
                for metric in metrics {
                    output.reject(point_count(metric), &metric.name, &reason);
                }
                return Ok(());
            }
        };
        for scope_metrics in &resource_metrics.scope_metrics {
            self.scope(scope_metrics, &resource, output)?;
        }
        let times = resource_metrics
            .scope_metrics
            .iter()
            .flat_map(|scope| &scope.metrics)
            .flat_map(point_times);
        target_info.note(attributes, &resource, times, self.options);
        Ok(())
    }

    fn scope(
        &self,
        scope_metrics: &proto::ScopeMetrics,
        resource: &ResourceLabels,
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        let scope = ScopeLabels::new(
            scope_metrics.scope.as_ref(),
            &scope_metrics.schema_url,
            self.options,
        );
        let scope = match scope {
            Ok(scope) => scope,
            Err(reason) => {
                for metric in &scope_metrics.metrics {
                    output.reject(point_count(metric), &metric.name, &reason);
                }
                return Ok(());
            }
        };
        for metric in &scope_metrics.metrics {
            self.metric(metric, resource, &scope, output)?;
        }
        Ok(())
    }

    fn metric(
        &self,
        metric: &proto::Metric,
        resource: &ResourceLabels,
        scope: &ScopeLabels,
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        let Some(data) = metric.data.as_ref().filter(|_| point_count(metric) > 0) else {
            return Ok(());
        };
        let shape = match Shape::of(data) {
            Ok(shape) => shape,
            Err(reason) => {
                output.reject(point_count(metric), &metric.name, reason);
                return Ok(());
            }
        };
        let family = metric_name(
            &metric.name,
            &metric.unit,
            shape.name_kind,
            self.options.strategy,
        );
        let family = match family {
            Ok(family) => family,
            Err(reason) => {
                output.reject(point_count(metric), &metric.name, &reason);
                return Ok(());
            }
        };
        let texts = [metric.description.as_str(), &unit_name(&metric.unit)];
        output.describe(&family, shape.metric_type, texts)?;
        let context = MetricContext {
            walk: *self,
            resource,
            scope,
            sent_name: &metric.name,
            family,
            is_delta: shape.is_delta,
        };
        match data {
            Data::Gauge(gauge) => context.numbers(&gauge.data_points, output),
            Data::Sum(sum) => context.numbers(&sum.data_points, output),
            Data::Histogram(histogram) => context.histograms(&histogram.data_points, output),
            Data::ExponentialHistogram(histogram) => {
                context.exponential_histograms(&histogram.data_points, output)
            }
            Data::Summary(summary) => context.summaries(&summary.data_points, output),
        }
    }
}

impl MetricContext<'_> {
    /// Returns the labels of a data point without the metric's name.
    pub(super) fn labels(&self, attributes: &[KeyValue]) -> Result<LabelsBuilder, String> {
        point_labels(attributes, self.resource, self.scope, self.walk.options)
    }

    /// Returns the exemplars of a data point.
    pub(super) fn exemplars(&self, points: &[proto::Exemplar], time_ns: u64) -> Vec<Exemplar> {
        exemplars::translate(points, time_ns, &self.walk.options.limits)
    }

    /// Returns the labels of one series of a data point: the family's name with a suffix, and
    /// perhaps one more label.
    pub(super) fn series(
        &self,
        base: &LabelsBuilder,
        suffix: &str,
        extra: Option<(&str, &str)>,
    ) -> Result<Labels, String> {
        let name = format!("{}{suffix}", self.family);
        series_labels(base, &name, extra, &self.walk.options.limits)
    }
}

/// What a metric's type says about its name, metadata and temporality.
struct Shape {
    name_kind: NameKind,
    metric_type: MetricType,
    is_delta: bool,
}

impl Shape {
    fn of(data: &Data) -> Result<Self, &'static str> {
        let (name_kind, metric_type, temporality) = match data {
            Data::Gauge(_) => (NameKind::Gauge, MetricType::Gauge, None),
            Data::Sum(sum) if sum.is_monotonic => (
                NameKind::Counter,
                MetricType::Counter,
                Some(sum.aggregation_temporality),
            ),
            Data::Sum(sum) => (
                NameKind::Other,
                MetricType::Gauge,
                Some(sum.aggregation_temporality),
            ),
            Data::Histogram(histogram) => (
                NameKind::Other,
                MetricType::Histogram,
                Some(histogram.aggregation_temporality),
            ),
            Data::ExponentialHistogram(histogram) => (
                NameKind::Other,
                MetricType::Histogram,
                Some(histogram.aggregation_temporality),
            ),
            Data::Summary(_) => (NameKind::Other, MetricType::Summary, None),
        };
        let is_delta = match temporality.map(proto::AggregationTemporality::try_from) {
            None | Some(Ok(proto::AggregationTemporality::Cumulative)) => false,
            Some(Ok(proto::AggregationTemporality::Delta)) => true,
            Some(_) => return Err("aggregation temporality is neither cumulative nor delta"),
        };
        Ok(Self {
            name_kind,
            metric_type,
            is_delta,
        })
    }
}

fn point_count(metric: &proto::Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

fn point_times(metric: &proto::Metric) -> Vec<u64> {
    fn times<T>(points: &[T], time: impl Fn(&T) -> u64) -> Vec<u64> {
        points.iter().map(time).collect()
    }
    match &metric.data {
        None => Vec::new(),
        Some(Data::Gauge(data)) => times(&data.data_points, |p| p.time_unix_nano),
        Some(Data::Sum(data)) => times(&data.data_points, |p| p.time_unix_nano),
        Some(Data::Histogram(data)) => times(&data.data_points, |p| p.time_unix_nano),
        Some(Data::ExponentialHistogram(data)) => times(&data.data_points, |p| p.time_unix_nano),
        Some(Data::Summary(data)) => times(&data.data_points, |p| p.time_unix_nano),
    }
}

/// Returns nanoseconds as the milliseconds of a sample.
pub(super) fn to_ms(time_ns: u64) -> i64 {
    (time_ns / 1_000_000) as i64
}

/// Says whether the flags tell that the data point has no value, which marks the series stale.
pub(super) fn has_no_value(flags: u32) -> bool {
    flags & proto::DataPointFlags::NoRecordedValueMask as u32 != 0
}

/// Returns a float sample, or the staleness marker where there is no value.
pub(super) fn float_sample(times: (u64, u64), value: f64, flags: u32) -> Sample {
    let value = if has_no_value(flags) {
        stale_nan()
    } else {
        value
    };
    Sample {
        ts_ms: to_ms(times.1),
        start_ts_ms: to_ms(times.0),
        value: SampleValue::Float(value),
    }
}
