//! Requests as senders make them, good and bad, through the whole decoder.

use std::sync::Arc;

use obsq_model::{
    BucketSpan, CounterResetHint, Exemplar, FloatHistogram, HistogramValue, IntHistogram, Labels,
    MetricMetadata, MetricType, Sample, SampleValue,
};
use obsq_source::{MetricBatch, RejectReason, SeriesBatch};
use proptest::prelude::*;

use super::*;
use crate::prompb;
use crate::wire::Writer;

fn decode_hex(hex: &str) -> Result<Decoded, DecodeError> {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap())
        .collect();
    decode_v1(&bytes, &IngestLimits::default())
}

fn batch(series: Vec<SeriesBatch>) -> MetricBatch {
    MetricBatch {
        series,
        metadata: Vec::new(),
    }
}

fn series(pairs: &[(&str, &str)], samples: Vec<Sample>) -> SeriesBatch {
    SeriesBatch {
        labels: Labels::from_pairs(pairs),
        samples: samples.into(),
        exemplars: Vec::new(),
    }
}

fn int_histogram() -> HistogramValue {
    HistogramValue::Int(IntHistogram {
        counter_reset_hint: CounterResetHint::NotReset,
        schema: -4,
        zero_threshold: 0.001,
        zero_count: 2,
        count: 8,
        sum: 18.4,
        positive_spans: vec![BucketSpan {
            offset: -1,
            length: 2,
        }],
        negative_spans: vec![BucketSpan {
            offset: 3,
            length: 1,
        }],
        positive_deltas: vec![2, -1],
        negative_deltas: vec![3],
        custom_values: Arc::from([]),
    })
}

fn custom_histogram() -> HistogramValue {
    HistogramValue::Float(FloatHistogram {
        schema: obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA,
        count: 3.0,
        sum: 7.5,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 2,
        }],
        positive_buckets: vec![1.0, 2.0],
        custom_values: Arc::from([0.5, 1.0]),
        ..FloatHistogram::default()
    })
}

fn everything(start_ts_ms: i64) -> MetricBatch {
    let mut floats = series(
        &[
            ("__name__", "requests_total"),
            ("job", "api"),
            ("ä.b", "x y"),
        ],
        vec![
            Sample::float(1_000, 1.5),
            Sample::float(-5, f64::from_bits(obsq_model::STALE_NAN_BITS)),
        ],
    );
    floats.samples[0].start_ts_ms = start_ts_ms;
    floats.exemplars.push(Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "abc")]),
        value: 0.25,
        ts_ms: 999,
    });
    let mut histograms = series(
        &[("__name__", "latency_seconds")],
        vec![
            Sample::histogram(1_000, int_histogram()),
            Sample::histogram(2_000, custom_histogram()),
        ],
    );
    histograms.samples[1].start_ts_ms = start_ts_ms;
    let metadata = MetricMetadata {
        metric_type: MetricType::Counter,
        unit: "requests".to_owned(),
        help: "how many".to_owned(),
    };
    MetricBatch {
        series: vec![floats, histograms],
        metadata: vec![("requests_total".to_owned(), metadata)],
    }
}

fn assert_same(actual: &MetricBatch, expected: &MetricBatch) {
    assert_eq!(actual.metadata, expected.metadata);
    assert_eq!(actual.series.len(), expected.series.len());
    for (a, e) in actual.series.iter().zip(&expected.series) {
        assert_eq!((&a.labels, &a.exemplars), (&e.labels, &e.exemplars));
        assert_eq!(a.samples.len(), e.samples.len());
        for (a, e) in a.samples.iter().zip(&e.samples) {
            assert_eq!((a.ts_ms, a.start_ts_ms), (e.ts_ms, e.start_ts_ms));
            assert!(a.same_value(e), "{a:?} is not {e:?}");
        }
    }
}

#[test]
fn version_1_carries_everything_but_start_timestamps() {
    let sent = everything(0);
    let body = prompb::snappy(&prompb::write_request(&sent));
    let limits = IngestLimits::default();
    let body = decompress(&body, &limits).unwrap();
    let decoded = decode(Message::V1, &body, &limits, &LabelCache::default()).unwrap();
    assert!(decoded.refused.is_empty());
    assert_same(&decoded.batch, &sent);
}

#[test]
fn version_2_carries_everything() {
    let sent = everything(500);
    let body = prompb::write_request_v2(&sent);
    let limits = IngestLimits::default();
    let decoded = decode(Message::V2, &body, &limits, &LabelCache::default()).unwrap();
    assert!(decoded.refused.is_empty());
    assert_same(&decoded.batch, &sent);
}

#[test]
fn a_samples_own_start_wins_over_that_of_the_series() {
    let mut request = Writer::default();
    request.message(5, |w| {
        w.packed(1, [1, 2].into_iter()).int(6, 77);
        w.message(2, |w| {
            w.int(2, 1_000).int(3, 900);
        });
        w.message(2, |w| {
            w.int(2, 2_000);
        });
    });
    for symbol in ["", "__name__", "m"] {
        request.present_bytes(4, symbol.as_bytes());
    }
    let decoded = decode_v2(&request.into_bytes(), &IngestLimits::default()).unwrap();
    let starts: Vec<_> = decoded.batch.series[0]
        .samples
        .iter()
        .map(|sample| sample.start_ts_ms)
        .collect();
    assert_eq!(starts, [900, 77]);
}

#[test]
fn good_series_are_kept_when_others_break_a_rule() {
    let sample = || vec![Sample::float(7, 1.0), Sample::float(8, 1.0)];
    let sent = batch(vec![
        series(&[("a", "nameless")], sample()),
        series(&[("__name__", "good")], sample()),
        series(&[("__name__", "long"), ("v", &"x".repeat(9_000))], sample()),
    ]);
    for decoded in [
        decode_v1(&prompb::write_request(&sent), &IngestLimits::default()).unwrap(),
        decode_v2(&prompb::write_request_v2(&sent), &IngestLimits::default()).unwrap(),
    ] {
        let names: Vec<_> = decoded
            .batch
            .series
            .iter()
            .map(|series| series.labels.to_string())
            .collect();
        assert_eq!(names, [r#"{__name__="good"}"#]);
        assert_eq!(decoded.refused.count, 4);
        let first = &decoded.refused.first[0];
        assert_eq!(
            (first.labels.to_string().as_str(), first.ts_ms),
            (r#"{a="nameless"}"#, 7)
        );
        let reason = RejectReason::InvalidLabels(r#"series has no label "__name__""#.to_owned());
        assert_eq!(first.reason, reason);
    }
}

#[test]
fn version_2_references_are_checked() {
    let cases: [(&[u64], &str); 3] = [
        (&[1, 2, 1], "odd number of label references: 3"),
        (&[1, 9], "reference 9 points outside of the 4 symbols"),
        (&[1, 3], "symbol 3 is not valid UTF-8"),
    ];
    for (refs, expected) in cases {
        let mut request = Writer::default();
        for symbol in [b"".as_slice(), b"__name__", b"m", b"\xff"] {
            request.present_bytes(4, symbol);
        }
        request.message(5, |w| {
            w.packed(1, refs.iter().copied()).message(2, |_| ());
        });
        let decoded = decode_v2(&request.into_bytes(), &IngestLimits::default()).unwrap();
        assert!(decoded.batch.series.is_empty());
        assert_eq!(decoded.refused.first[0].reason.to_string(), expected);
    }
}

#[test]
fn version_2_series_need_a_sample() {
    let sent = batch(vec![series(&[("__name__", "m")], vec![])]);
    let decoded = decode_v2(&prompb::write_request_v2(&sent), &IngestLimits::default()).unwrap();
    assert_eq!(
        decoded.refused.first[0].reason.to_string(),
        "series has neither a sample nor a histogram"
    );
}

#[test]
fn exemplars_that_are_too_long_are_refused_alone() {
    let mut sent = batch(vec![series(
        &[("__name__", "m")],
        vec![Sample::float(1, 1.0)],
    )]);
    sent.series[0].exemplars.push(Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "x".repeat(121))]),
        value: 1.0,
        ts_ms: 1,
    });
    let decoded = decode_v1(&prompb::write_request(&sent), &IngestLimits::default()).unwrap();
    assert_eq!(decoded.batch.series[0].samples.len(), 1);
    assert_eq!(
        decoded.refused.first[0].reason.to_string(),
        "labels of the exemplar have 129 characters: the limit is 128"
    );
}

#[test]
fn broken_messages_are_refused_as_a_whole() {
    let cases = [
        ("0affffffffffffffff7f", "cannot decode WriteRequest: length"),
        (
            "ffffffffffffffffffffff01",
            "cannot decode WriteRequest: varint",
        ),
        (
            "0a100a0c0a085f5f6e616d",
            "cannot decode WriteRequest: length 16",
        ),
        (
            "0b0b0b",
            "cannot decode WriteRequest: wire type 3 of field 1",
        ),
        (
            "0a020801",
            "cannot decode TimeSeries: wrong wire type for field 1",
        ),
    ];
    for (hex, expected) in cases {
        let error = decode_hex(hex).unwrap_err();
        assert_eq!(error.status(), 400);
        let cause = std::error::Error::source(&error).unwrap();
        let told = format!("{error}: {cause}");
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn small_bodies_cannot_take_much_memory() {
    let limits = IngestLimits {
        max_expanded_bytes: 1 << 20,
        ..IngestLimits::default()
    };
    let mut empty_histograms = Writer::default();
    empty_histograms.message(1, |w| {
        for _ in 0..50_000 {
            w.message(4, |_| ());
        }
    });
    let error = decode_v1(&empty_histograms.into_bytes(), &limits).unwrap_err();
    assert_eq!(error.status(), 413);

    let mut one_long_symbol = Writer::default();
    for symbol in ["", "__name__", &"x".repeat(8_000)] {
        one_long_symbol.present_bytes(4, symbol.as_bytes());
    }
    for _ in 0..1_000 {
        one_long_symbol.message(5, |w| {
            w.packed(1, [1, 2].into_iter()).message(2, |_| ());
        });
    }
    let error = decode_v2(&one_long_symbol.into_bytes(), &limits).unwrap_err();
    assert_eq!(error.kind(), obsq_model::ErrorKind::LimitExceeded);
}

#[test]
fn labels_behind_the_samples_belong_to_the_series() {
    let mut request = Writer::default();
    let label = |w: &mut Writer, name: &str, value: &str| {
        w.message(1, |w| {
            w.bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
        });
    };
    let sample = |w: &mut Writer| {
        w.message(2, |w| {
            w.double(1, 2.5).int(2, 1_700_000_000_000);
        });
    };
    for late_label in [false, true, false] {
        request.message(1, |w| {
            label(w, "__name__", "m");
            sample(w);
            if late_label {
                label(w, "a", "b");
            }
        });
    }
    let (limits, known) = (IngestLimits::default(), LabelCache::default());
    let body = request.into_bytes();
    let decoded = decode(Message::V1, &body, &limits, &known).unwrap();
    let texts = decoded.batch.series.iter().map(|s| s.labels.to_string());
    let plain = r#"{__name__="m"}"#;
    let expected = [plain, r#"{__name__="m", a="b"}"#, plain];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (any::<i64>(), any::<u64>(), 0..3).prop_map(|(ts_ms, bits, kind)| match kind {
        0 => Sample::histogram(ts_ms, int_histogram()),
        1 => Sample::histogram(ts_ms, custom_histogram()),
        _ => Sample {
            ts_ms,
            start_ts_ms: 0,
            value: SampleValue::Float(f64::from_bits(bits)),
        },
    })
}

prop_compose! {
    fn any_series()(
        name in "[a-z]{1,8}",
        labels in proptest::collection::btree_map("[a-z.ä]{1,8}", ".{1,12}", 0..6),
        samples in proptest::collection::vec(any_sample(), 1..5),
    ) -> SeriesBatch {
        let mut builder = Labels::from_pairs(&labels.iter().collect::<Vec<_>>()).to_builder();
        let labels = builder.set("__name__", &name).build();
        SeriesBatch { labels, samples: samples.into(), exemplars: Vec::new() }
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let limits = IngestLimits::default();
        let _unused = decode_v1(&bytes, &limits);
        let _unused = decode_v2(&bytes, &limits);
        let _unused = decompress(&bytes, &limits);
    }

    #[test]
    fn any_batch_comes_back(series in proptest::collection::vec(any_series(), 0..6)) {
        let sent = batch(series);
        let limits = IngestLimits::default();
        assert_same(&decode_v1(&prompb::write_request(&sent), &limits).unwrap().batch, &sent);
        assert_same(&decode_v2(&prompb::write_request_v2(&sent), &limits).unwrap().batch, &sent);
    }

    #[test]
    fn a_label_set_that_is_known_is_the_one_that_is_read(
        series in proptest::collection::vec(any_series(), 0..6),
        at in any::<usize>(),
        with: u8,
    ) {
        let (limits, known) = (IngestLimits::default(), LabelCache::default());
        let mut body = prompb::write_request(&batch(series));
        for _round in 0..2 {
            let (read, cached) = (decode_v1(&body, &limits), decode(Message::V1, &body, &limits, &known));
            assert_same(&cached.unwrap().batch, &read.unwrap().batch);
        }
        if !body.is_empty() {
            let at = at % body.len();
            body[at] ^= with;
        }
        let (read, cached) = (decode_v1(&body, &limits), decode(Message::V1, &body, &limits, &known));
        prop_assert_eq!(cached.is_ok(), read.is_ok());
        if let (Ok(read), Ok(cached)) = (read, cached) {
            prop_assert_eq!(cached.refused, read.refused);
            assert_same(&cached.batch, &read.batch);
        }
    }

    #[test]
    fn a_sample_is_read_the_same_whatever_its_length(ts_ms: i64, bits: u64, shift in 0_u32..64) {
        let sent = Sample::float(ts_ms >> shift, f64::from_bits(bits));
        let sent = batch(vec![series(&[("__name__", "m")], vec![sent])]);
        let back = decode_v1(&prompb::write_request(&sent), &IngestLimits::default());
        assert_same(&back.unwrap().batch, &sent);
    }

    #[test]
    fn damaged_requests_end_without_a_panic(at in any::<usize>(), with: u8) {
        let mut body = prompb::write_request_v2(&everything(5));
        let at = at % body.len();
        body[at] ^= with;
        let _unused = decode_v2(&body, &IngestLimits::default());
        let _unused = decode_v1(&body, &IngestLimits::default());
    }
}
