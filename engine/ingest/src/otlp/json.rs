//! OTLP's JSON encoding.
//!
//! The structures mirror the messages without the flattened `oneof`s of the generated types,
//! which would be buffered as a whole and would not take the forms that senders really use.

mod scalar;

use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::resource::v1 as resource;
use serde::Deserialize;

use self::scalar::{Bytes, Double, Enum, Hex, Int, List, Uint};
use super::collector::ExportMetricsServiceRequest;

/// A field that may be absent or `null`.
type Maybe<T> = Option<T>;

/// Declares a structure whose fields may all be absent or `null`.
macro_rules! message {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name {
            $($field: Maybe<$type>,)*
        }
    };
}

message!(Request { resource_metrics: List<ResourceMetrics>, });
message!(ResourceMetrics {
    resource: Resource,
    scope_metrics: List<ScopeMetrics>,
    schema_url: String,
});
message!(Resource { attributes: List<KeyValue>, });
message!(ScopeMetrics {
    scope: Scope,
    metrics: List<Metric>,
    schema_url: String,
});
message!(Scope {
    name: String,
    version: String,
    attributes: List<KeyValue>,
});
message!(Metric {
    name: String,
    description: String,
    unit: String,
    gauge: Gauge,
    sum: Sum,
    histogram: Histogram,
    exponential_histogram: ExponentialHistogram,
    summary: Summary,
});
message!(Gauge { data_points: List<NumberPoint>, });
message!(Sum {
    data_points: List<NumberPoint>,
    aggregation_temporality: Enum,
    is_monotonic: bool,
});
message!(Histogram {
    data_points: List<HistogramPoint>,
    aggregation_temporality: Enum,
});
message!(ExponentialHistogram {
    data_points: List<ExponentialPoint>,
    aggregation_temporality: Enum,
});
message!(Summary { data_points: List<SummaryPoint>, });
message!(NumberPoint {
    attributes: List<KeyValue>,
    start_time_unix_nano: Uint,
    time_unix_nano: Uint,
    as_double: Double,
    as_int: Int,
    exemplars: List<Exemplar>,
    flags: Uint,
});
message!(HistogramPoint {
    attributes: List<KeyValue>,
    start_time_unix_nano: Uint,
    time_unix_nano: Uint,
    count: Uint,
    sum: Double,
    bucket_counts: List<Uint>,
    explicit_bounds: List<Double>,
    exemplars: List<Exemplar>,
    flags: Uint,
    min: Double,
    max: Double,
});
message!(ExponentialPoint {
    attributes: List<KeyValue>,
    start_time_unix_nano: Uint,
    time_unix_nano: Uint,
    count: Uint,
    sum: Double,
    scale: Int,
    zero_count: Uint,
    positive: Buckets,
    negative: Buckets,
    exemplars: List<Exemplar>,
    flags: Uint,
    min: Double,
    max: Double,
    zero_threshold: Double,
});
message!(Buckets {
    offset: Int,
    bucket_counts: List<Uint>,
});
message!(SummaryPoint {
    attributes: List<KeyValue>,
    start_time_unix_nano: Uint,
    time_unix_nano: Uint,
    count: Uint,
    sum: Double,
    quantile_values: List<Quantile>,
    flags: Uint,
});
message!(Quantile {
    quantile: Double,
    value: Double,
});
message!(Exemplar {
    filtered_attributes: List<KeyValue>,
    time_unix_nano: Uint,
    as_double: Double,
    as_int: Int,
    span_id: Hex,
    trace_id: Hex,
});
message!(KeyValue {
    key: String,
    value: AnyValue,
});
message!(
    #[expect(
        clippy::struct_field_names,
        reason = "the names are those of the JSON fields"
    )]
    AnyValue {
        string_value: String,
        bool_value: bool,
        int_value: Int,
        double_value: Double,
        array_value: ArrayValue,
        kvlist_value: KeyValueList,
        bytes_value: Bytes,
    }
);
message!(ArrayValue { values: List<AnyValue>, });
message!(KeyValueList { values: List<KeyValue>, });

/// Returns the elements of a list that may be absent, converted.
fn list<T: Into<U>, U>(list: Maybe<List<T>>) -> Vec<U> {
    list.into_iter()
        .flat_map(|list| list.0)
        .map(T::into)
        .collect()
}

fn uint(value: Maybe<Uint>) -> u64 {
    value.map_or(0, |value| value.0)
}

fn int(value: Maybe<Int>) -> i32 {
    value.map_or(0, |Int(value)| {
        value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    })
}

fn double(value: Maybe<Double>) -> f64 {
    value.map_or(0.0, |value| value.0)
}

fn temporality(value: Maybe<Enum>) -> i32 {
    value.map_or(0, |value| match value {
        Enum::Number(number) => number,
        Enum::Name(name) => {
            proto::AggregationTemporality::from_str_name(&name).map_or(-1, |known| known as i32)
        }
    })
}

impl From<Request> for ExportMetricsServiceRequest {
    fn from(from: Request) -> Self {
        Self {
            resource_metrics: list(from.resource_metrics),
        }
    }
}

impl From<ResourceMetrics> for proto::ResourceMetrics {
    fn from(from: ResourceMetrics) -> Self {
        Self {
            resource: from.resource.map(|from| resource::Resource {
                attributes: list(from.attributes),
                ..resource::Resource::default()
            }),
            scope_metrics: list(from.scope_metrics),
            schema_url: from.schema_url.unwrap_or_default(),
        }
    }
}

impl From<ScopeMetrics> for proto::ScopeMetrics {
    fn from(from: ScopeMetrics) -> Self {
        Self {
            scope: from.scope.map(|from| common::InstrumentationScope {
                name: from.name.unwrap_or_default(),
                version: from.version.unwrap_or_default(),
                attributes: list(from.attributes),
                dropped_attributes_count: 0,
            }),
            metrics: list(from.metrics),
            schema_url: from.schema_url.unwrap_or_default(),
        }
    }
}

impl From<Metric> for proto::Metric {
    fn from(from: Metric) -> Self {
        use proto::metric::Data;
        let data = from.gauge.map(|from| {
            Data::Gauge(proto::Gauge {
                data_points: list(from.data_points),
            })
        });
        let data = data.or_else(|| from.sum.map(|from| Data::Sum(from.into())));
        let data = data.or_else(|| {
            from.histogram.map(|from| {
                Data::Histogram(proto::Histogram {
                    data_points: list(from.data_points),
                    aggregation_temporality: temporality(from.aggregation_temporality),
                })
            })
        });
        let data = data.or_else(|| {
            from.exponential_histogram.map(|from| {
                Data::ExponentialHistogram(proto::ExponentialHistogram {
                    data_points: list(from.data_points),
                    aggregation_temporality: temporality(from.aggregation_temporality),
                })
            })
        });
        let data = data.or_else(|| {
            from.summary.map(|from| {
                Data::Summary(proto::Summary {
                    data_points: list(from.data_points),
                })
            })
        });
        Self {
            name: from.name.unwrap_or_default(),
            description: from.description.unwrap_or_default(),
            unit: from.unit.unwrap_or_default(),
            metadata: Vec::new(),
            data,
        }
    }
}

impl From<Sum> for proto::Sum {
    fn from(from: Sum) -> Self {
        Self {
            data_points: list(from.data_points),
            aggregation_temporality: temporality(from.aggregation_temporality),
            is_monotonic: from.is_monotonic.unwrap_or_default(),
        }
    }
}

impl From<NumberPoint> for proto::NumberDataPoint {
    fn from(from: NumberPoint) -> Self {
        use proto::number_data_point::Value;
        let as_int = from.as_int.map(|value| Value::AsInt(value.0));
        Self {
            attributes: list(from.attributes),
            start_time_unix_nano: uint(from.start_time_unix_nano),
            time_unix_nano: uint(from.time_unix_nano),
            exemplars: list(from.exemplars),
            flags: uint(from.flags) as u32,
            value: as_int.or(from.as_double.map(|value| Value::AsDouble(value.0))),
        }
    }
}

impl From<HistogramPoint> for proto::HistogramDataPoint {
    fn from(from: HistogramPoint) -> Self {
        Self {
            attributes: list(from.attributes),
            start_time_unix_nano: uint(from.start_time_unix_nano),
            time_unix_nano: uint(from.time_unix_nano),
            count: uint(from.count),
            sum: from.sum.map(|value| value.0),
            bucket_counts: list(from.bucket_counts),
            explicit_bounds: list(from.explicit_bounds),
            exemplars: list(from.exemplars),
            flags: uint(from.flags) as u32,
            min: from.min.map(|value| value.0),
            max: from.max.map(|value| value.0),
        }
    }
}

impl From<ExponentialPoint> for proto::ExponentialHistogramDataPoint {
    fn from(from: ExponentialPoint) -> Self {
        let buckets = |from: Buckets| proto::exponential_histogram_data_point::Buckets {
            offset: int(from.offset),
            bucket_counts: list(from.bucket_counts),
        };
        Self {
            attributes: list(from.attributes),
            start_time_unix_nano: uint(from.start_time_unix_nano),
            time_unix_nano: uint(from.time_unix_nano),
            count: uint(from.count),
            sum: from.sum.map(|value| value.0),
            scale: int(from.scale),
            zero_count: uint(from.zero_count),
            positive: from.positive.map(buckets),
            negative: from.negative.map(buckets),
            flags: uint(from.flags) as u32,
            exemplars: list(from.exemplars),
            min: from.min.map(|value| value.0),
            max: from.max.map(|value| value.0),
            zero_threshold: double(from.zero_threshold),
        }
    }
}

impl From<SummaryPoint> for proto::SummaryDataPoint {
    fn from(from: SummaryPoint) -> Self {
        Self {
            attributes: list(from.attributes),
            start_time_unix_nano: uint(from.start_time_unix_nano),
            time_unix_nano: uint(from.time_unix_nano),
            count: uint(from.count),
            sum: double(from.sum),
            quantile_values: list(from.quantile_values),
            flags: uint(from.flags) as u32,
        }
    }
}

impl From<Quantile> for proto::summary_data_point::ValueAtQuantile {
    fn from(from: Quantile) -> Self {
        Self {
            quantile: double(from.quantile),
            value: double(from.value),
        }
    }
}

impl From<Exemplar> for proto::Exemplar {
    fn from(from: Exemplar) -> Self {
        use proto::exemplar::Value;
        let as_int = from.as_int.map(|value| Value::AsInt(value.0));
        Self {
            filtered_attributes: list(from.filtered_attributes),
            time_unix_nano: uint(from.time_unix_nano),
            span_id: from.span_id.map(|id| id.0).unwrap_or_default(),
            trace_id: from.trace_id.map(|id| id.0).unwrap_or_default(),
            value: as_int.or(from.as_double.map(|value| Value::AsDouble(value.0))),
        }
    }
}

impl From<KeyValue> for common::KeyValue {
    fn from(from: KeyValue) -> Self {
        Self {
            key: from.key.unwrap_or_default(),
            value: from.value.map(AnyValue::into),
            ..Self::default()
        }
    }
}

impl From<AnyValue> for common::AnyValue {
    fn from(from: AnyValue) -> Self {
        use common::any_value::Value;
        let value = from.string_value.map(Value::StringValue);
        let value = value.or(from.bool_value.map(Value::BoolValue));
        let value = value.or(from.int_value.map(|value| Value::IntValue(value.0)));
        let value = value.or(from.double_value.map(|value| Value::DoubleValue(value.0)));
        let value = value.or_else(|| {
            from.array_value.map(|from| {
                Value::ArrayValue(common::ArrayValue {
                    values: list(from.values),
                })
            })
        });
        let value = value.or_else(|| {
            from.kvlist_value.map(|from| {
                Value::KvlistValue(common::KeyValueList {
                    values: list(from.values),
                })
            })
        });
        let value = value.or(from.bytes_value.map(|value| Value::BytesValue(value.0)));
        Self { value }
    }
}
