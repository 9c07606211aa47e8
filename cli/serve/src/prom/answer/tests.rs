use std::sync::Arc;
use std::time::Duration;

use obsq_eval::promql::{SampleStats, Timings};
use obsq_model::{BucketSpan, Exemplar, FloatHistogram, MetricMetadata, MetricType};

use super::*;

fn body<T: ToJson>(answer: &Answer<T>) -> String {
    String::from_utf8(answer.to_json()).unwrap()
}

fn query(value: QueryValue) -> Answer<QueryData> {
    Answer::plain(QueryData { value, stats: None })
}

fn labels() -> Labels {
    Labels::from_pairs(&[("__name__", "up"), ("job", "a\"b")])
}

fn histogram() -> Arc<FloatHistogram> {
    Arc::new(FloatHistogram {
        zero_threshold: 0.25,
        zero_count: 3.0,
        count: 10.5,
        sum: -1.5,
        positive_spans: vec![BucketSpan {
            offset: 1,
            length: 2,
        }],
        positive_buckets: vec![2.0, 0.0],
        ..FloatHistogram::default()
    })
}

#[test]
fn values_have_the_shapes_of_prometheus() {
    let _guard = obsq_snapshots::bind("cli/serve");
    let scalar = query(QueryValue::Scalar {
        ts_ms: 4_000,
        value: f64::INFINITY,
    });
    let string = query(QueryValue::String {
        ts_ms: -1_500,
        value: "a\tb".into(),
    });
    let vector = query(QueryValue::Vector {
        ts_ms: 1_435_781_451_781,
        samples: vec![
            InstantSample {
                labels: labels(),
                value: Value::Float(1.5),
            },
            InstantSample {
                labels: Labels::empty(),
                value: Value::Histogram(histogram()),
            },
        ],
    });
    let matrix = query(QueryValue::Matrix(vec![RangeSeries {
        labels: labels(),
        floats: vec![(0, 1.0), (15_000, f64::NAN)],
        histograms: vec![(30_000, histogram())],
    }]));
    let empty = query(QueryValue::Matrix(Vec::new()));
    let bodies = [&scalar, &string, &vector, &matrix, &empty].map(body);
    insta::assert_snapshot!("query_values", bodies.join("\n"));
}

#[test]
fn statistics_come_when_asked_for() {
    let _guard = obsq_snapshots::bind("cli/serve");
    let stats = QueryStats {
        timings: Timings {
            eval_total: Duration::from_millis(1_500),
            exec_queue: Duration::from_nanos(100),
            ..Timings::default()
        },
        samples: SampleStats {
            total_queryable: 30,
            read: 20,
            peak: 7,
            total_queryable_per_step: vec![(0, 10), (15_500, 20)],
            read_per_step: vec![(0, 10), (15_500, 10)],
        },
    };
    let answer = Answer::plain(QueryData {
        value: QueryValue::Matrix(Vec::new()),
        stats: Some(stats),
    });
    insta::assert_snapshot!("query_stats", body(&answer));
}

#[test]
fn remarks_follow_the_data_and_only_when_there_are_any() {
    let mut answer = Answer::limited(vec!["a".to_owned(), "b".to_owned()], 1);
    answer.infos.push("an info".into());
    assert_eq!(
        body(&answer),
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"],"infos":["an info"]}"#
    );
    let whole = Answer::limited(vec!["a".to_owned()], 1);
    assert_eq!(body(&whole), r#"{"status":"success","data":["a"]}"#);
}

#[test]
fn exemplars_and_metadata_have_the_shapes_of_prometheus() {
    let exemplars = vec![ExemplarSeries {
        labels: labels(),
        exemplars: vec![Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "abc")]),
            value: 0.5,
            ts_ms: 1_600,
        }],
    }];
    assert_eq!(
        body(&Answer::plain(exemplars)),
        r#"{"status":"success","data":[{"seriesLabels":{"__name__":"up","job":"a\"b"},"exemplars":[{"labels":{"trace_id":"abc"},"value":"0.5","timestamp":1.600}]}]}"#
    );
    let entry = |metric: &str, metric_type, help: &str| MetricMetadataEntry {
        metric: metric.into(),
        metadata: MetricMetadata {
            metric_type,
            unit: String::new(),
            help: help.into(),
        },
    };
    let metadata = vec![
        entry("a", MetricType::Counter, "one"),
        entry("a", MetricType::Gauge, "two"),
        entry("b", MetricType::Unknown, ""),
    ];
    assert_eq!(
        body(&Answer::plain(metadata)),
        r#"{"status":"success","data":{"a":[{"type":"counter","unit":"","help":"one"},{"type":"gauge","unit":"","help":"two"}],"b":[{"type":"unknown","unit":"","help":""}]}}"#
    );
}
