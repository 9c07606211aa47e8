use proptest::prelude::*;
use prost::Message as _;

use super::encoded::{
    Bucket, Counter, Exemplar, Family, Histogram, LabelPair, Metric, Quantile, Span, Summary,
    Timestamp, Value,
};
use super::*;
use crate::exposition::Format;

fn parse(body: &[u8], options: ParseOptions) -> Result<Scraped, ParseError> {
    let mut scraped = Scraped::default();
    read(body, options, &mut scraped).map(|()| scraped)
}

fn options() -> ParseOptions {
    ParseOptions::new(Format::Protobuf)
}

fn family(name: &str, number: i32, metric: Metric) -> Vec<u8> {
    let family = Family {
        name: name.into(),
        r#type: number,
        metric: vec![metric],
        ..Family::default()
    };
    family.encode_length_delimited_to_vec()
}

fn native() -> Histogram {
    Histogram {
        sample_count: 3,
        sample_sum: 4.5,
        zero_threshold: 0.001,
        positive_span: vec![Span {
            offset: 1,
            length: 2,
        }],
        positive_delta: vec![1, 1],
        bucket: vec![Bucket {
            cumulative_count: 3,
            upper_bound: 1.0,
            ..Bucket::default()
        }],
        start: Some(Timestamp {
            seconds: 2,
            nanos: 500_000_000,
        }),
        ..Histogram::default()
    }
}

fn shown(scraped: &Scraped) -> Vec<String> {
    let show = |sample: &ScrapedSample| match &sample.value {
        SampleValue::Float(value) => format!("{} {value} @{}", sample.labels, sample.start_ts_ms),
        SampleValue::Histogram(value) => {
            format!("{} h{} @{}", sample.labels, value.sum(), sample.start_ts_ms)
        }
    };
    scraped.samples.iter().map(show).collect()
}

#[test]
fn counters_and_summaries_become_series() {
    let label = vec![LabelPair {
        name: "code".into(),
        value: "200".into(),
    }];
    let counter = Counter {
        value: 7.0,
        ..Counter::default()
    };
    let counter = Metric {
        label,
        counter: Some(counter),
        timestamp_ms: 9,
        ..Metric::default()
    };
    let summary = Summary {
        sample_count: 2,
        sample_sum: 1.5,
        quantile: vec![Quantile {
            quantile: 0.5,
            value: 1.0,
        }],
        start: None,
    };
    let summary = Metric {
        summary: Some(summary),
        ..Metric::default()
    };
    let body = [family("c_total", 0, counter), family("s", 2, summary)].concat();
    let scraped = parse(&body, options()).unwrap();
    assert_eq!(
        shown(&scraped),
        [
            r#"{__name__="c_total", code="200"} 7 @0"#,
            r#"{__name__="s_count"} 2 @0"#,
            r#"{__name__="s_sum"} 1.5 @0"#,
            r#"{__name__="s", quantile="0.5"} 1 @0"#,
        ]
    );
    assert_eq!(scraped.samples[0].ts_ms, Some(9));
    assert_eq!(scraped.metadata[1].1.metric_type, MetricType::Summary);
}

#[test]
fn a_histogram_is_native_classic_or_both_as_asked() {
    let metric = Metric {
        histogram: Some(native()),
        ..Metric::default()
    };
    let body = family("h", 4, metric);
    let only_native = parse(&body, options()).unwrap();
    assert_eq!(shown(&only_native), [r#"{__name__="h"} h4.5 @2500"#]);
    let both = ParseOptions {
        keep_classic_histograms: true,
        ..options()
    };
    assert_eq!(parse(&body, both).unwrap().samples.len(), 5);
    let classic = ParseOptions {
        ignore_native_histograms: true,
        ..options()
    };
    assert_eq!(
        shown(&parse(&body, classic).unwrap()),
        [
            r#"{__name__="h_count"} 3 @2500"#,
            r#"{__name__="h_sum"} 4.5 @2500"#,
            r#"{__name__="h_bucket", le="1.0"} 3 @2500"#,
            r#"{__name__="h_bucket", le="+Inf"} 3 @2500"#,
        ]
    );
}

#[test]
fn exemplars_come_with_their_series() {
    let exemplar = |nanos| {
        Some(Exemplar {
            label: vec![LabelPair {
                name: "trace_id".into(),
                value: "x".into(),
            }],
            value: 0.5,
            timestamp: Some(Timestamp { seconds: 3, nanos }),
        })
    };
    let counter = Metric {
        counter: Some(Counter {
            value: 1.0,
            exemplar: exemplar(0),
            start: None,
        }),
        ..Metric::default()
    };
    let mut histogram = native();
    histogram.bucket[0].exemplar = exemplar(500_000_000);
    let histogram = Metric {
        histogram: Some(histogram),
        ..Metric::default()
    };
    let body = [family("c_total", 0, counter), family("h", 4, histogram)].concat();
    let scraped = parse(&body, options()).unwrap();
    let times: Vec<_> = scraped
        .samples
        .iter()
        .map(|sample| {
            (
                sample.exemplars[0].labels.value("trace_id"),
                sample.exemplars[0].ts_ms,
            )
        })
        .collect();
    assert_eq!(times, [("x", Some(3_000)), ("x", Some(3_500))]);
}

#[test]
fn what_breaks_a_rule_is_refused_with_the_family() {
    let gauge = Metric {
        gauge: Some(Value { value: 1.0 }),
        ..Metric::default()
    };
    let good = family("a", 1, gauge.clone());
    let twice = Metric {
        label: ["1", "2"]
            .map(|value| LabelPair {
                name: "l".into(),
                value: value.into(),
            })
            .into(),
        ..gauge.clone()
    };
    let mut contradiction = native();
    contradiction.positive_delta.push(1);
    let contradiction = Metric {
        histogram: Some(contradiction),
        ..Metric::default()
    };
    let cases = [
        (
            family("b", 9, gauge.clone()),
            "metric family \"b\": unknown metric type 9",
        ),
        (family("", 1, gauge), "metric family \"\": name is empty"),
        (
            family("b", 1, twice),
            "metric family \"b\": label name \"l\" is not unique",
        ),
        (
            family("b", 4, contradiction),
            "metric family \"b\": positive side: spans need 2 buckets",
        ),
        (
            vec![200, 1, 1],
            "not a metric family: length 200 reaches beyond the message",
        ),
    ];
    for (bad, expected) in cases {
        let error = parse(&[good.clone(), bad].concat(), options()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("line 2: {expected}")),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(parse(&body, options()));
    }

    #[test]
    fn damaged_bodies_end_without_a_panic(at in any::<usize>(), with: u8) {
        let metric = Metric {
            histogram: Some(native()),
            ..Metric::default()
        };
        let mut body = family("h", 4, metric);
        let at = at % body.len();
        body[at] ^= with;
        drop(parse(&body, options()));
    }
}
