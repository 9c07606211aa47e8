//! The Protocol Buffers format, the only one that holds native histograms.

use obsq_model::{BucketSpan, FloatHistogram, Labels};
use prost::Message;

use super::format::Escaping;
use super::{FamilyKind, Newest, NewestValue, classic_buckets, label_pairs};

/// `io.prometheus.client.MetricFamily`, as far as it is needed here.
#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Untyped>,
    #[prost(int64, optional, tag = "6")]
    ts_ms: Option<i64>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Untyped {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(double, optional, tag = "2")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(double, optional, tag = "4")]
    count: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(double, optional, tag = "8")]
    zero_count: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    negative_spans: Vec<Span>,
    #[prost(double, repeated, packed = "false", tag = "11")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<Span>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_counts: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(double, optional, tag = "4")]
    cumulative_count: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

/// Writes the samples, sorted by name, as one message for each family, behind its length.
pub(super) fn write_page(samples: &[Newest], external: &Labels, escaping: Escaping) -> Vec<u8> {
    let mut page = Vec::new();
    let family_of = |sample: &Newest| (sample.labels.metric_name().to_owned(), sample.kind());
    for samples in samples.chunk_by(|a, b| family_of(a) == family_of(b)) {
        let Some(first) = samples.first() else {
            continue;
        };
        let name = first.labels.metric_name();
        if name.is_empty() {
            continue;
        }
        let metrics = samples
            .iter()
            .map(|sample| metric(sample, external, escaping));
        let family = MetricFamily {
            name: escaping.escape(name).into_owned(),
            kind: Some(kind_number(first.kind())),
            metrics: metrics.collect(),
        };
        page.extend(family.encode_length_delimited_to_vec());
    }
    page
}

/// Returns the number in `io.prometheus.client.MetricType`; floats are untyped.
fn kind_number(kind: FamilyKind) -> i32 {
    match kind {
        FamilyKind::Float => 3,
        FamilyKind::Histogram => 4,
        FamilyKind::GaugeHistogram => 5,
    }
}

fn metric(sample: &Newest, external: &Labels, escaping: Escaping) -> Metric {
    let pairs = label_pairs(&sample.labels, external).into_iter();
    let labels = pairs.map(|(name, value)| LabelPair {
        name: Some(escaping.escape(name).into_owned()),
        value: Some(value.to_owned()),
    });
    let (untyped, histogram) = match &sample.value {
        NewestValue::Float(value) => (
            Some(Untyped {
                value: Some(*value),
            }),
            None,
        ),
        NewestValue::Histogram(value) if value.uses_custom_buckets() => {
            (None, Some(classic(value)))
        }
        NewestValue::Histogram(value) => (None, Some(native(value))),
    };
    Metric {
        labels: labels.collect(),
        untyped,
        ts_ms: Some(sample.ts_ms),
        histogram,
    }
}

fn classic(histogram: &FloatHistogram) -> Histogram {
    let buckets = classic_buckets(histogram).into_iter();
    let buckets = buckets.map(|(bound, count)| Bucket {
        upper_bound: Some(bound),
        cumulative_count: Some(count),
    });
    Histogram {
        count: Some(histogram.count),
        sum: Some(histogram.sum),
        buckets: buckets.collect(),
        ..Histogram::default()
    }
}

fn native(histogram: &FloatHistogram) -> Histogram {
    Histogram {
        count: Some(histogram.count),
        sum: Some(histogram.sum),
        schema: Some(histogram.schema),
        zero_threshold: Some(histogram.zero_threshold),
        zero_count: Some(histogram.zero_count),
        negative_spans: spans(&histogram.negative_spans),
        negative_counts: histogram.negative_buckets.clone(),
        positive_spans: spans(&histogram.positive_spans),
        positive_counts: histogram.positive_buckets.clone(),
        buckets: Vec::new(),
    }
}

fn spans(spans: &[BucketSpan]) -> Vec<Span> {
    let spans = spans.iter();
    spans
        .map(|span| Span {
            offset: Some(span.offset),
            length: Some(span.length),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_ingest::exposition::{Format, ParseOptions, ScrapedSample, parse};
    use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
    use obsq_model::{CounterResetHint, HistogramValue, SampleValue};
    use std::sync::Arc;

    fn sample(name: &str, value: NewestValue) -> Newest {
        Newest {
            labels: Labels::from_pairs(&[("__name__", name), ("job", "a")]),
            ts_ms: 7,
            value,
        }
    }

    fn exponential() -> FloatHistogram {
        FloatHistogram {
            schema: 3,
            zero_threshold: 0.5,
            zero_count: 1.5,
            count: 8.5,
            sum: -2.0,
            positive_spans: vec![BucketSpan {
                offset: -2,
                length: 2,
            }],
            positive_buckets: vec![1.0, 2.0],
            negative_spans: vec![BucketSpan {
                offset: 4,
                length: 1,
            }],
            negative_buckets: vec![4.0],
            ..FloatHistogram::default()
        }
    }

    fn read(page: &[u8]) -> Vec<ScrapedSample> {
        parse(page, ParseOptions::new(Format::Protobuf))
            .unwrap()
            .samples
    }

    #[test]
    fn floats_and_native_histograms_read_back_as_they_were() {
        let gauge = FloatHistogram {
            counter_reset_hint: CounterResetHint::Gauge,
            ..exponential()
        };
        let samples = [
            sample("a.b", NewestValue::Float(1.5)),
            sample("h", NewestValue::Histogram(Arc::new(exponential()))),
            sample("h", NewestValue::Histogram(Arc::new(gauge))),
        ];
        let external = Labels::from_pairs(&[("instance", "i")]);
        let scraped = read(&write_page(&samples, &external, Escaping::Utf8));
        assert_eq!(scraped.len(), 3);
        assert_eq!(scraped[0].labels.metric_name(), "a.b");
        assert_eq!(scraped[0].labels.value("instance"), "i");
        assert_eq!(scraped[0].ts_ms, Some(7));
        assert!(matches!(scraped[0].value, SampleValue::Float(value) if value == 1.5));
        for (scraped, is_gauge) in scraped[1..].iter().zip([false, true]) {
            let SampleValue::Histogram(histogram) = &scraped.value else {
                panic!("{scraped:?}");
            };
            let HistogramValue::Float(histogram) = &**histogram else {
                panic!("{scraped:?}");
            };
            assert_eq!(
                histogram.counter_reset_hint == CounterResetHint::Gauge,
                is_gauge
            );
            let plain = FloatHistogram {
                counter_reset_hint: CounterResetHint::Unknown,
                ..histogram.clone()
            };
            assert_eq!(plain, exponential());
        }
    }

    #[test]
    fn custom_buckets_become_classic_ones() {
        let custom = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0,
            sum: 18.5,
            custom_values: [5.0, 10.0].into(),
            positive_spans: vec![BucketSpan {
                offset: 0,
                length: 3,
            }],
            positive_buckets: vec![1.0, 1.0, 4.0],
            ..FloatHistogram::default()
        };
        let samples = [sample("h", NewestValue::Histogram(Arc::new(custom)))];
        let page = write_page(&samples, &Labels::empty(), Escaping::Utf8);
        let lines: Vec<_> = read(&page)
            .iter()
            .map(|s| {
                let SampleValue::Float(value) = s.value else {
                    panic!("{s:?}")
                };
                format!(
                    "{} {} {value}",
                    s.labels.metric_name(),
                    s.labels.value("le")
                )
            })
            .collect();
        for expected in [
            "h_bucket 5.0 1",
            "h_bucket 10.0 2",
            "h_bucket +Inf 6",
            "h_count  6",
        ] {
            assert!(
                lines.iter().any(|line| line == expected),
                "{expected}: {lines:?}"
            );
        }
    }
}
