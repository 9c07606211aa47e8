//! A process as an OTLP request.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric as OtlpMetric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::demo::cell::{BOUNDS, Cell, SCHEMA, Sighting};
use crate::demo::family::Kind;
use crate::demo::process::Process;
use crate::demo::shop::Metric;

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Returns the request that reports at `now_ms` how a process is since its last tick. The time is
/// never that of the tick itself, which history has.
pub(crate) fn request(process: &Process, now_ms: i64) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: "shop".into(),
        ..InstrumentationScope::default()
    };
    let metrics = process
        .metrics
        .iter()
        .map(|one| as_metric(one, process, now_ms))
        .collect();
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(process)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn resource(process: &Process) -> Resource {
    let place = process.place;
    let attributes = vec![
        pair("service.name", place.role.service),
        pair("service.instance.id", &place.instance()),
        pair("service.version", &process.version()),
        pair("host.name", place.host()),
        pair("deployment.environment", "demo"),
    ];
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = any_value::Value::StringValue(value.to_owned());
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn as_metric(metric: &Metric, process: &Process, now_ms: i64) -> OtlpMetric {
    let (name, unit) = metric.family.otlp_name();
    OtlpMetric {
        name,
        unit: unit.to_owned(),
        description: metric.family.help.to_owned(),
        data: Some(points(metric, process, now_ms)),
        ..OtlpMetric::default()
    }
}

fn points(metric: &Metric, process: &Process, now_ms: i64) -> metric::Data {
    let attributes: Vec<KeyValue> = metric
        .labels
        .iter()
        .map(|(key, value)| pair(key, value))
        .collect();
    let start_time_unix_nano = nanoseconds(process.deployed_ms);
    let time_unix_nano = nanoseconds(now_ms);
    match &metric.cell {
        Cell::Number(value) => {
            let data_points = vec![NumberDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            }];
            match metric.family.kind {
                Kind::Counter => metric::Data::Sum(Sum {
                    data_points,
                    aggregation_temporality: CUMULATIVE,
                    is_monotonic: true,
                }),
                _ => metric::Data::Gauge(Gauge { data_points }),
            }
        }
        Cell::Classic {
            counts,
            sum,
            exemplar,
        } => metric::Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count: counts.iter().sum(),
                sum: Some(*sum),
                bucket_counts: counts.to_vec(),
                explicit_bounds: BOUNDS.to_vec(),
                exemplars: exemplars(*exemplar),
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: CUMULATIVE,
        }),
        Cell::Native {
            counts,
            sum,
            exemplar,
        } => {
            let first = counts.keys().next().copied().unwrap_or(0);
            let last = counts.keys().last().copied().unwrap_or(-1);
            let dense = (first..=last).map(|index| counts.get(&index).copied().unwrap_or(0));
            let positive = Buckets {
                // OTLP counts buckets from their lower bound, Prometheus from the upper.
                offset: first - 1,
                bucket_counts: dense.collect(),
            };
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![ExponentialHistogramDataPoint {
                    attributes,
                    start_time_unix_nano,
                    time_unix_nano,
                    count: counts.values().sum(),
                    sum: Some(*sum),
                    scale: SCHEMA,
                    positive: Some(positive),
                    exemplars: exemplars(*exemplar),
                    ..ExponentialHistogramDataPoint::default()
                }],
                aggregation_temporality: CUMULATIVE,
            })
        }
    }
}

fn exemplars(seen: Option<Sighting>) -> Vec<Exemplar> {
    let as_exemplar = |seen: Sighting| {
        let trace = u128::from_str_radix(&crate::demo::history::trace_id(seen.trace), 16);
        Exemplar {
            time_unix_nano: nanoseconds(seen.ts_ms),
            trace_id: trace.unwrap_or_default().to_be_bytes().to_vec(),
            value: Some(exemplar::Value::AsDouble(seen.value)),
            ..Exemplar::default()
        }
    };
    seen.map(as_exemplar).into_iter().collect()
}

fn nanoseconds(ts_ms: i64) -> u64 {
    ts_ms.max(0) as u64 * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::history::all_labels;
    use crate::demo::process::Place;
    use crate::demo::shop::Way;
    use crate::demo::world::World;
    use obsq_ingest::otlp::{DeltaLimits, DeltaStates, OtlpOptions, translate};
    use obsq_model::{ManualClock, Tenant};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn translated(request: &ExportMetricsServiceRequest) -> BTreeSet<String> {
        let clock = Arc::new(ManualClock::at(1_795_172_400_000));
        let states = DeltaStates::new(DeltaLimits::default(), clock);
        let options = OtlpOptions::default();
        let done = translate(request, &Tenant::anonymous(), &options, &states).unwrap();
        assert_eq!(done.rejected, 0, "{}", done.message);
        done.batch
            .series
            .iter()
            .map(|batch| batch.labels.to_string())
            .collect()
    }

    /// What is pushed and what history holds must be the same series.
    #[test]
    fn the_request_translates_into_the_series_of_history() {
        for place in Place::all() {
            if place.role.way != Way::Otlp {
                continue;
            }
            let process = Process::at(place, 1_795_172_400_000, World { seed: 1 });
            let pushed = translated(&request(&process, process.ts_ms + 1));
            let history: BTreeSet<String> = all_labels(&process)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(pushed, history, "{}", place.instance());
        }
    }
}
