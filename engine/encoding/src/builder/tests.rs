use super::*;
use crate::{decode, sample_count};
use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use obsq_model::{BucketSpan, STALE_NAN_BITS, SampleColumns, TimeRange, stale_nan};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Buckets by index, as a model that knows no spans.
type Buckets = BTreeMap<i32, i64>;

fn spans_of(buckets: &Buckets) -> Vec<BucketSpan> {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0;
    for index in buckets.keys() {
        match spans.last_mut() {
            Some(last) if *index == next => last.length += 1,
            _ => spans.push(BucketSpan {
                offset: index - next,
                length: 1,
            }),
        }
        next = index + 1;
    }
    spans
}

fn deltas_of(buckets: &Buckets) -> Vec<i64> {
    let mut before = 0;
    let mut deltas = Vec::new();
    for count in buckets.values() {
        deltas.push(count - before);
        before = *count;
    }
    deltas
}

/// Returns the histogram without its empty buckets, its spans brought into one form.
fn canonical(value: &SampleValue) -> SampleValue {
    let SampleValue::Histogram(histogram) = value else {
        return value.clone();
    };
    let strip = |spans: &[BucketSpan], counts: &[f64]| {
        let mut indices = Vec::new();
        let mut next = 0;
        for span in spans {
            next += span.offset;
            indices.extend(next..next + span.length as i32);
            next += span.length as i32;
        }
        let kept: Vec<_> = indices
            .into_iter()
            .zip(counts)
            .filter(|(_, c)| **c != 0.0)
            .collect();
        let spans = spans_of(&kept.iter().map(|(index, _)| (*index, 0)).collect());
        (
            spans,
            kept.into_iter()
                .map(|(_, count)| *count)
                .collect::<Vec<_>>(),
        )
    };
    let is_int = matches!(histogram.as_ref(), HistogramValue::Int(_));
    let mut float = histogram.to_float();
    (float.positive_spans, float.positive_buckets) =
        strip(&float.positive_spans, &float.positive_buckets);
    (float.negative_spans, float.negative_buckets) =
        strip(&float.negative_spans, &float.negative_buckets);
    float.counter_reset_hint = match float.counter_reset_hint {
        CounterResetHint::Gauge => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    };
    let mut whole = HistogramValue::Float(float);
    if is_int {
        // Kept apart from float histograms by a count that no generator makes.
        if let HistogramValue::Float(float) = &mut whole {
            float.zero_count += 0.5;
        }
    }
    SampleValue::Histogram(Arc::new(whole))
}

fn same(a: &Sample, b: &Sample) -> bool {
    let (mut left, mut right) = (a.clone(), b.clone());
    left.value = canonical(&a.value);
    right.value = canonical(&b.value);
    (a.ts_ms, a.start_ts_ms) == (b.ts_ms, b.start_ts_ms) && left.same_value(&right)
}

fn decoded(chunks: &[EncodedChunk]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for chunk in chunks {
        let part = decode_samples(chunk.encoding, &chunk.bytes).unwrap();
        assert_eq!(part.len(), usize::from(chunk.samples));
        assert_eq!(
            sample_count(chunk.encoding, &chunk.bytes),
            Ok(chunk.samples)
        );
        assert_eq!(part[0].ts_ms, chunk.min_ts_ms);
        assert_eq!(part[part.len() - 1].ts_ms, chunk.max_ts_ms);
        samples.extend(part);
    }
    samples
}

#[track_caller]
fn check_round_trip(samples: &[Sample]) -> Vec<EncodedChunk> {
    let chunks = encode_chunks(samples);
    let back = decoded(&chunks);
    assert_eq!(back.len(), samples.len());
    for (sample, back) in samples.iter().zip(&back) {
        assert!(same(sample, back), "{sample:?}\n{back:?}");
    }
    chunks
}

fn int_histogram(count: u64, buckets: &[(i32, i64)]) -> IntHistogram {
    let buckets: Buckets = buckets.iter().copied().collect();
    IntHistogram {
        count,
        sum: count as f64 * 1.5,
        schema: 3,
        zero_threshold: 2_f64.powi(-128),
        positive_spans: spans_of(&buckets),
        positive_deltas: deltas_of(&buckets),
        ..IntHistogram::default()
    }
}

fn histogram_samples(histograms: Vec<IntHistogram>) -> Vec<Sample> {
    let values = histograms.into_iter().map(HistogramValue::Int);
    (0..)
        .zip(values)
        .map(|(i, value)| Sample::histogram(i * 1000, value))
        .collect()
}

/// Returns the reset bits of each chunk.
fn headers(chunks: &[EncodedChunk]) -> Vec<u8> {
    chunks.iter().map(|chunk| chunk.bytes[2] >> 6).collect()
}

#[test]
fn an_xor_chunk_has_the_bytes_of_the_format() {
    let samples = [(1000, 1.0), (2000, 1.0), (3000, 1.0), (4001, 2.0)];
    let samples = samples.map(|(ts, value)| Sample::float(ts, value));
    let chunks = encode_chunks(&samples);
    assert_eq!(chunks.len(), 1);
    let mut expected = vec![0, 4, 0xd0, 0x0f];
    expected.extend_from_slice(&1.0_f64.to_bits().to_be_bytes());
    expected.extend_from_slice(&[0xe8, 0x07]);
    // 0 same | 0 dod 0, 0 same | 10 dod in 14 bits = 1, 11 new window, 1 leading zero, 11 bits.
    expected.extend_from_slice(&[0b0001_0000, 0b0000_0000, 0b0011_1000, 0b0100_1011]);
    expected.extend_from_slice(&[0b1111_1111, 0b1110_0000]);
    assert_eq!(chunks[0].bytes, expected);
}

/// Returns the bytes of bits that are written with spaces between the fields.
fn bytes_of(fields: &str) -> Vec<u8> {
    let bits: Vec<char> = fields.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |bits: &[char]| {
        let text: String = bits.iter().collect();
        u8::from_str_radix(&format!("{text:0<8}"), 2).unwrap()
    };
    bits.chunks(8).map(byte).collect()
}

#[test]
fn an_xor2_chunk_has_the_bytes_of_the_format() {
    let samples = [
        (1000, 500, 1.0),
        (2000, 500, 1.0),
        (3000, 500, stale_nan()),
        (4001, 2995, 2.0),
        (5001, 3995, 1.0),
    ];
    let samples = samples.map(|(ts_ms, start_ts_ms, value)| Sample {
        start_ts_ms,
        ..Sample::float(ts_ms, value)
    });
    let chunks = encode_chunks(&samples);
    assert_eq!(chunks.len(), 1);
    // The first start is known, the fourth sample has another one.
    let mut expected = vec![0, 5, 0x83, 0xd0, 0x0f];
    expected.extend_from_slice(&1.0_f64.to_bits().to_be_bytes());
    // The first start is 500 ms before its sample; the second sample comes 1000 ms later.
    expected.extend_from_slice(&[0xe8, 0x07, 0xe8, 0x07]);
    expected.extend(bytes_of(
        "0
         11111
         110 0000000000001  110 00001 001011 11111111111  110 000101
         110 1111111111111  10 11111111111  10 001",
    ));
    assert_eq!(chunks[0].bytes, expected);
}

#[test]
fn a_histogram_chunk_with_starts_has_the_bytes_of_the_format() {
    let at = |ts_ms, start_ts_ms, count: u64| {
        let histogram = IntHistogram {
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 1,
            sum: 1.5,
            ..int_histogram(count, &[(0, count as i64 - 1)])
        };
        Sample {
            start_ts_ms,
            ..Sample::histogram(ts_ms, HistogramValue::Int(histogram))
        }
    };
    let chunks = encode_chunks(&[at(1000, 500, 3), at(2000, 1000, 4)]);
    assert_eq!(chunks.len(), 1);
    let sum: String = 1.5_f64
        .to_bits()
        .to_be_bytes()
        .map(|b| format!("{b:08b}"))
        .concat();
    let mut expected = vec![0, 2, 0x81];
    expected.extend(bytes_of(&format!(
        "00000000 0
         10001 10001 0
         0
         11110 001111101000  10011 10001 {sum} 10010  11101000 00000111
         11110 001111101000  10001 0 0 10001  0"
    )));
    assert_eq!(chunks[0].bytes, expected);
}

#[test]
fn a_chunk_ends_after_120_samples() {
    let samples: Vec<_> = (0..250)
        .map(|i| Sample::float(i * 15_000, i as f64))
        .collect();
    let chunks = check_round_trip(&samples);
    let counts: Vec<_> = chunks.iter().map(|chunk| chunk.samples).collect();
    assert_eq!(counts, [120, 120, 10]);
}

#[test]
fn random_floats_end_a_chunk_at_one_kibibyte() {
    let value = |i: i64| f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let samples: Vec<_> = (0..500)
        .map(|i| Sample::float(i * i * 777, value(i)))
        .collect();
    let chunks = check_round_trip(&samples);
    assert!(chunks.iter().all(|chunk| chunk.bytes.len() <= 1024));
}

#[test]
fn kinds_of_samples_alternate_chunks() {
    let float = |ts| Sample::float(ts, 1.0);
    let int = |ts| Sample::histogram(ts, HistogramValue::Int(int_histogram(1, &[(0, 1)])));
    let float_histogram = |ts| {
        let histogram = int_histogram(1, &[(0, 1)]).to_float();
        Sample::histogram(ts, HistogramValue::Float(histogram))
    };
    let samples = [
        float(1),
        float(2),
        int(3),
        float_histogram(4),
        int(5),
        float(6),
    ];
    let chunks = check_round_trip(&samples);
    let encodings: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk.encoding.to_byte())
        .collect();
    assert_eq!(encodings, [1, 2, 3, 2, 1]);
}

#[test]
fn chunks_with_start_timestamps_have_encodings_of_their_own() {
    let at = |ts_ms, start_ts_ms, value: SampleValue| Sample {
        ts_ms,
        start_ts_ms,
        value,
    };
    let float = || SampleValue::Float(2.0);
    let int = || SampleValue::Histogram(Arc::new(HistogramValue::Int(int_histogram(1, &[(0, 1)]))));
    let wide = || {
        SampleValue::Histogram(Arc::new(HistogramValue::Int(int_histogram(
            3,
            &[(0, 1), (4, 2)],
        ))))
    };
    let samples = [
        at(1, 0, float()),
        at(2, 1, float()),
        at(3, 0, float()),
        at(4, 0, int()),
        at(5, 4, int()),
        at(6, 4, wide()),
        at(7, 0, wide()),
    ];
    let chunks = check_round_trip(&samples);
    let encodings: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk.encoding.to_byte())
        .collect();
    assert_eq!(encodings, [1, 4, 2, 5]);

    let mut columns = SampleColumns::default();
    for chunk in &chunks {
        decode(chunk.encoding, &chunk.bytes, TimeRange::ALL, &mut columns).unwrap();
    }
    assert_eq!(columns.float_start_ts, [0, 1, 0]);
    assert_eq!(columns.histogram_start_ts, [0, 4, 4, 0]);
}

#[test]
fn new_buckets_widen_the_chunk() {
    let samples = histogram_samples(vec![
        int_histogram(3, &[(0, 2), (1, 1)]),
        int_histogram(5, &[(0, 2), (1, 1), (7, 2)]),
        int_histogram(6, &[(-3, 1), (0, 2), (1, 1), (7, 2)]),
    ]);
    let chunks = check_round_trip(&samples);
    assert_eq!(headers(&chunks), [0b00]);
}

#[test]
fn falling_and_vanishing_buckets_are_counter_resets() {
    let samples = histogram_samples(vec![
        int_histogram(3, &[(0, 2), (1, 1)]),
        int_histogram(2, &[(0, 2), (1, 0)]),
        int_histogram(4, &[(0, 1), (1, 3)]),
        int_histogram(4, &[(1, 4)]),
    ]);
    let chunks = check_round_trip(&samples);
    assert_eq!(headers(&chunks), [0b00, 0b10, 0b10, 0b10]);
}

#[test]
fn an_unused_bucket_may_vanish() {
    let samples = histogram_samples(vec![
        int_histogram(3, &[(0, 3), (5, 0)]),
        int_histogram(4, &[(0, 4)]),
        int_histogram(5, &[(0, 4), (2, 1)]),
    ]);
    assert_eq!(headers(&check_round_trip(&samples)), [0b00]);
}

#[test]
fn a_change_of_layout_starts_a_chunk_that_knows_nothing() {
    let first = int_histogram(3, &[(0, 3)]);
    let mut schema = first.clone();
    schema.schema = 2;
    let mut threshold = schema.clone();
    threshold.zero_threshold = 0.5;
    let samples = histogram_samples(vec![first, schema, threshold]);
    assert_eq!(headers(&check_round_trip(&samples)), [0b00, 0b00, 0b00]);
}

#[test]
fn only_staleness_follows_staleness() {
    let value = || int_histogram(3, &[(0, 3)]);
    let stale = || IntHistogram {
        sum: stale_nan(),
        ..IntHistogram::default()
    };
    let samples = histogram_samples(vec![value(), stale(), stale(), value(), value()]);
    let chunks = check_round_trip(&samples);
    let counts: Vec<_> = chunks.iter().map(|chunk| chunk.samples).collect();
    assert_eq!((counts, headers(&chunks)), (vec![3, 2], vec![0b00, 0b00]));
}

#[test]
fn a_full_chunk_tells_the_next_one_what_lay_before() {
    let samples = histogram_samples(
        (0..240)
            .map(|i| int_histogram(i % 120 + 1, &[(0, i as i64 % 120 + 1)]))
            .collect(),
    );
    let chunks = check_round_trip(&samples);
    assert_eq!(headers(&chunks), [0b00, 0b10]);
    let samples = histogram_samples(
        (0..240)
            .map(|i| int_histogram(i + 1, &[(0, i as i64 + 1)]))
            .collect(),
    );
    let chunks = check_round_trip(&samples);
    assert_eq!(headers(&chunks), [0b00, 0b01]);
}

#[test]
fn gauges_may_fall_and_are_marked() {
    let gauge = |count, buckets: &[(i32, i64)]| IntHistogram {
        counter_reset_hint: CounterResetHint::Gauge,
        ..int_histogram(count, buckets)
    };
    let samples = histogram_samples(vec![
        gauge(3, &[(0, 3)]),
        gauge(1, &[(2, 1)]),
        gauge(2, &[(0, 1), (1, 1)]),
        int_histogram(3, &[(0, 3)]),
    ]);
    let chunks = check_round_trip(&samples);
    assert_eq!(headers(&chunks), [0b11, 0b00]);
    let back = decoded(&chunks);
    let hints: Vec<_> = back
        .iter()
        .map(|sample| match &sample.value {
            SampleValue::Histogram(histogram) => histogram.to_float().counter_reset_hint,
            SampleValue::Float(_) => CounterResetHint::Reset,
        })
        .collect();
    let gauge = CounterResetHint::Gauge;
    assert_eq!(hints, [gauge, gauge, gauge, CounterResetHint::Unknown]);
}

#[test]
fn other_custom_bounds_start_a_chunk() {
    let custom = |bounds: &[f64], count| IntHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        zero_threshold: 0.0,
        custom_values: Arc::from(bounds),
        ..int_histogram(count, &[(0, count as i64)])
    };
    let samples = histogram_samples(vec![
        custom(&[0.005, 0.1, 1e300], 1),
        custom(&[0.005, 0.1, 1e300], 2),
        custom(&[0.005, 0.1], 3),
    ]);
    assert_eq!(headers(&check_round_trip(&samples)), [0b00, 0b10]);
}

#[test]
fn a_reset_that_the_client_reports_starts_a_chunk() {
    let mut second = int_histogram(9, &[(0, 9)]);
    second.counter_reset_hint = CounterResetHint::Reset;
    let samples = histogram_samples(vec![int_histogram(1, &[(0, 1)]), second]);
    assert_eq!(headers(&check_round_trip(&samples)), [0b00, 0b10]);
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => any::<u64>().prop_map(f64::from_bits),
        3 => (0_i32..1000).prop_map(|n| f64::from(n) / 4.0),
        1 => Just(f64::from_bits(STALE_NAN_BITS)),
        1 => Just(f64::NAN),
    ]
}

fn any_int_histogram() -> impl Strategy<Value = IntHistogram> {
    let buckets = || btree_map(-6_i32..6, 0_i64..5, 0..5);
    let hint = prop_oneof![
        4 => Just(CounterResetHint::Unknown),
        1 => Just(CounterResetHint::Reset),
        1 => Just(CounterResetHint::NotReset),
        2 => Just(CounterResetHint::Gauge),
    ];
    let resolution = prop_oneof![
        4 => Just((0, 0.001, None)),
        1 => Just((-4, 0.0, None)),
        1 => vec(0.0_f64..100.0, 1..4).prop_map(|bounds| (CUSTOM_BUCKETS_SCHEMA, 0.0, Some(bounds))),
    ];
    (
        buckets(),
        buckets(),
        hint,
        resolution,
        any::<u64>(),
        any_float(),
    )
        .prop_map(
            |(positive, negative, hint, (schema, threshold, bounds), count, sum)| {
                if obsq_model::is_stale_nan(sum) {
                    return IntHistogram {
                        sum,
                        ..IntHistogram::default()
                    };
                }
                IntHistogram {
                    counter_reset_hint: hint,
                    schema,
                    zero_threshold: threshold,
                    zero_count: count % 7,
                    count,
                    sum,
                    positive_spans: spans_of(&positive),
                    negative_spans: spans_of(&negative),
                    positive_deltas: deltas_of(&positive),
                    negative_deltas: deltas_of(&negative),
                    custom_values: bounds.map(Arc::from).unwrap_or_default(),
                }
            },
        )
}

fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    let value = prop_oneof![
        4 => any_float().prop_map(SampleValue::Float),
        2 => any_int_histogram().prop_map(|h| SampleValue::Histogram(Arc::new(HistogramValue::Int(h)))),
        2 => any_int_histogram().prop_map(|h| SampleValue::Histogram(Arc::new(HistogramValue::Float(h.to_float())))),
    ];
    let gap = prop_oneof![
        4 => Just(15_000_i64),
        2 => 14_900_i64..15_100,
        1 => 1_i64..10_000_000_000,
    ];
    let start = option::weighted(0.2, -50_i64..1_000_000);
    // Runs of one kind, so that chunks get longer than one sample.
    let runs = vec((value, vec((gap, start), 1..6)), 0..20);
    (any::<i32>(), runs).prop_map(|(first, runs)| {
        let mut ts_ms = i64::from(first);
        let mut samples = Vec::new();
        for (value, times) in runs {
            for (gap, start) in times {
                ts_ms += gap;
                samples.push(Sample {
                    ts_ms,
                    start_ts_ms: start.unwrap_or(0),
                    value: value.clone(),
                });
            }
        }
        samples
    })
}

proptest! {
    #[test]
    fn any_samples_round_trip(samples in any_samples()) {
        check_round_trip(&samples);
    }

    #[test]
    fn columns_hold_the_samples_in_the_range(
        samples in any_samples(),
        (low, high) in (0_usize..200, 0_usize..200),
    ) {
        let at = |i: usize| samples.get(i).map_or(i64::MAX, |sample| sample.ts_ms);
        let range = TimeRange::new(at(low), at(high));
        let mut columns = SampleColumns::default();
        for chunk in encode_chunks(&samples) {
            decode(chunk.encoding, &chunk.bytes, range, &mut columns).unwrap();
        }
        let kept = samples.iter().filter(|sample| range.contains(sample.ts_ms));
        let (mut floats, mut histograms) = (0, 0);
        for sample in kept {
            match &sample.value {
                SampleValue::Float(value) => {
                    prop_assert_eq!(columns.float_ts[floats], sample.ts_ms);
                    prop_assert_eq!(columns.floats[floats].to_bits(), value.to_bits());
                    let start = columns.float_start_ts.get(floats).copied().unwrap_or(0);
                    prop_assert_eq!(start, sample.start_ts_ms);
                    floats += 1;
                }
                SampleValue::Histogram(_) => {
                    prop_assert_eq!(columns.histogram_ts[histograms], sample.ts_ms);
                    let start = columns.histogram_start_ts.get(histograms).copied().unwrap_or(0);
                    prop_assert_eq!(start, sample.start_ts_ms);
                    histograms += 1;
                }
            }
        }
        prop_assert_eq!(floats, columns.floats.len());
        prop_assert_eq!(histograms, columns.histograms.len());
    }

    #[test]
    fn a_resumed_builder_goes_on_like_the_first(samples in any_samples(), cut in 0_usize..60) {
        let mut whole = ChunkBuilder::default();
        let mut resumed = ChunkBuilder::default();
        for (index, sample) in samples.iter().enumerate() {
            if index == cut && let Some(open) = resumed.snapshot() {
                resumed = ChunkBuilder::resume(&open).unwrap();
                prop_assert_eq!(resumed.snapshot(), whole.snapshot());
            }
            prop_assert_eq!(whole.push(sample), resumed.push(sample));
        }
        prop_assert_eq!(whole.take(), resumed.take());
    }

    #[test]
    fn damaged_chunks_never_panic(
        samples in any_samples(),
        damage in vec((any::<usize>(), any::<u8>()), 1..4),
        cut in any::<usize>(),
    ) {
        for mut chunk in encode_chunks(&samples) {
            for (at, byte) in &damage {
                let length = chunk.bytes.len();
                chunk.bytes[at % length] = *byte;
            }
            chunk.bytes.truncate(cut % (2 * chunk.bytes.len()));
            let mut columns = SampleColumns::default();
            let by_columns = decode(chunk.encoding, &chunk.bytes, TimeRange::ALL, &mut columns);
            let by_samples = decode_samples(chunk.encoding, &chunk.bytes);
            prop_assert_eq!(by_columns.is_ok(), by_samples.is_ok());
            prop_assert_eq!(by_samples.map_or(0, |samples| samples.len()), columns.len());
            let _resumed = ChunkBuilder::resume(&chunk);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(encoding in 0_u8..8, bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(encoding) = Encoding::from_byte(encoding) {
            let _samples = decode_samples(encoding, &bytes);
        }
    }
}
