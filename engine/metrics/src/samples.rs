//! Runs of samples as bytes, exact to the bit.
//!
//! ```text
//! run:    count << 1 | mixed (uvarint), then the samples
//! sample: time (varint, difference to the one before, at first to a base), then when mixed a kind
//!         byte
//!         (0 float, 1 integer histogram, 2 float histogram, + 4 with a start timestamp),
//!         the start timestamp (varint, time minus start) when there is one, the value
//! ```

use std::sync::Arc;

use obsq_model::{
    BucketSpan, CounterResetHint, FloatHistogram, HistogramValue, IntHistogram, Sample, SampleValue,
};
use obsq_source::Samples;

use crate::bytes::{Bytes, put_f64, put_uvarint, put_varint};

const KIND_FLOAT: u8 = 0;
const KIND_INT_HISTOGRAM: u8 = 1;
const KIND_FLOAT_HISTOGRAM: u8 = 2;
const KIND_MASK: u8 = 3;
const HAS_START: u8 = 4;

/// Appends `samples`. `last` is the base of the first time and becomes the last time, so that runs
/// of the same times are short.
pub(crate) fn put_run(out: &mut Vec<u8>, samples: &[Sample], last: &mut i64) {
    let plain =
        |sample: &Sample| sample.start_ts_ms == 0 && matches!(sample.value, SampleValue::Float(_));
    let mixed = !samples.iter().all(plain);
    put_uvarint(out, (samples.len() as u64) << 1 | u64::from(mixed));
    for sample in samples {
        put_varint(out, sample.ts_ms.wrapping_sub(*last));
        *last = sample.ts_ms;
        if mixed {
            put_kind(out, sample);
        }
        match &sample.value {
            SampleValue::Float(value) => put_f64(out, *value),
            SampleValue::Histogram(histogram) => put_histogram(out, histogram),
        }
    }
}

fn put_kind(out: &mut Vec<u8>, sample: &Sample) {
    let kind = match &sample.value {
        SampleValue::Float(_) => KIND_FLOAT,
        SampleValue::Histogram(histogram) => match histogram.as_ref() {
            HistogramValue::Int(_) => KIND_INT_HISTOGRAM,
            HistogramValue::Float(_) => KIND_FLOAT_HISTOGRAM,
        },
    };
    if sample.start_ts_ms == 0 {
        out.push(kind);
    } else {
        out.push(kind | HAS_START);
        put_varint(out, sample.ts_ms.wrapping_sub(sample.start_ts_ms));
    }
}

/// Reads what [`put_run`] wrote from the same base.
pub(crate) fn take_run(bytes: &mut Bytes<'_>, last: &mut i64) -> Option<Samples> {
    let head = bytes.uvarint()?;
    let (count, mixed) = ((head >> 1) as usize, head & 1 == 1);
    let mut samples = Samples::with_capacity(count.min(1 << 12));
    for _index in 0..count {
        let ts_ms = last.wrapping_add(bytes.varint()?);
        *last = ts_ms;
        let kind = if mixed { bytes.byte()? } else { KIND_FLOAT };
        let start_ts_ms = if kind & HAS_START == 0 {
            0
        } else {
            ts_ms.wrapping_sub(bytes.varint()?)
        };
        let value = match kind & KIND_MASK {
            KIND_FLOAT => SampleValue::Float(bytes.f64()?),
            KIND_INT_HISTOGRAM => {
                let histogram = take_int_histogram(bytes)?;
                SampleValue::Histogram(Arc::new(HistogramValue::Int(histogram)))
            }
            KIND_FLOAT_HISTOGRAM => {
                let histogram = take_float_histogram(bytes)?;
                SampleValue::Histogram(Arc::new(HistogramValue::Float(histogram)))
            }
            _ => return None,
        };
        samples.push(Sample {
            ts_ms,
            start_ts_ms,
            value,
        });
    }
    Some(samples)
}

fn put_histogram(out: &mut Vec<u8>, histogram: &HistogramValue) {
    match histogram {
        HistogramValue::Int(h) => {
            put_frame(out, h.counter_reset_hint, h.schema, h.zero_threshold, h.sum);
            put_uvarint(out, h.zero_count);
            put_uvarint(out, h.count);
            for spans in [&h.positive_spans, &h.negative_spans] {
                put_spans(out, spans);
            }
            for deltas in [&h.positive_deltas, &h.negative_deltas] {
                put_uvarint(out, deltas.len() as u64);
                for delta in deltas {
                    put_varint(out, *delta);
                }
            }
            put_floats(out, &h.custom_values);
        }
        HistogramValue::Float(h) => {
            put_frame(out, h.counter_reset_hint, h.schema, h.zero_threshold, h.sum);
            put_f64(out, h.zero_count);
            put_f64(out, h.count);
            for spans in [&h.positive_spans, &h.negative_spans] {
                put_spans(out, spans);
            }
            for floats in [&h.positive_buckets, &h.negative_buckets] {
                put_floats(out, floats);
            }
            put_floats(out, &h.custom_values);
        }
    }
}

fn put_frame(out: &mut Vec<u8>, hint: CounterResetHint, schema: i32, threshold: f64, sum: f64) {
    out.push(match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    });
    put_varint(out, i64::from(schema));
    put_f64(out, threshold);
    put_f64(out, sum);
}

fn take_frame(bytes: &mut Bytes<'_>) -> Option<(CounterResetHint, i32, f64, f64)> {
    let hint = match bytes.byte()? {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => return None,
    };
    let schema = i32::try_from(bytes.varint()?).ok()?;
    Some((hint, schema, bytes.f64()?, bytes.f64()?))
}

fn take_int_histogram(bytes: &mut Bytes<'_>) -> Option<IntHistogram> {
    let (counter_reset_hint, schema, zero_threshold, sum) = take_frame(bytes)?;
    let (zero_count, count) = (bytes.uvarint()?, bytes.uvarint()?);
    Some(IntHistogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive_spans: take_spans(bytes)?,
        negative_spans: take_spans(bytes)?,
        positive_deltas: take_list(bytes, Bytes::varint)?,
        negative_deltas: take_list(bytes, Bytes::varint)?,
        custom_values: take_list(bytes, Bytes::f64)?.into(),
    })
}

fn take_float_histogram(bytes: &mut Bytes<'_>) -> Option<FloatHistogram> {
    let (counter_reset_hint, schema, zero_threshold, sum) = take_frame(bytes)?;
    let (zero_count, count) = (bytes.f64()?, bytes.f64()?);
    Some(FloatHistogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive_spans: take_spans(bytes)?,
        negative_spans: take_spans(bytes)?,
        positive_buckets: take_list(bytes, Bytes::f64)?,
        negative_buckets: take_list(bytes, Bytes::f64)?,
        custom_values: take_list(bytes, Bytes::f64)?.into(),
    })
}

fn put_spans(out: &mut Vec<u8>, spans: &[BucketSpan]) {
    put_uvarint(out, spans.len() as u64);
    for span in spans {
        put_varint(out, i64::from(span.offset));
        put_uvarint(out, u64::from(span.length));
    }
}

fn take_spans(bytes: &mut Bytes<'_>) -> Option<Vec<BucketSpan>> {
    take_list(bytes, |bytes| {
        Some(BucketSpan {
            offset: i32::try_from(bytes.varint()?).ok()?,
            length: bytes.u32()?,
        })
    })
}

fn put_floats(out: &mut Vec<u8>, floats: &[f64]) {
    put_uvarint(out, floats.len() as u64);
    for float in floats {
        put_f64(out, *float);
    }
}

fn take_list<'a, T>(
    bytes: &mut Bytes<'a>,
    take: impl Fn(&mut Bytes<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = bytes.count()?;
    (0..count).map(|_index| take(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::stale_nan;

    #[test]
    fn floats_and_histograms_round_trip_to_the_bit() {
        let int = IntHistogram {
            schema: -53,
            count: 5,
            sum: stale_nan(),
            positive_spans: vec![BucketSpan {
                offset: -3,
                length: 2,
            }],
            positive_deltas: vec![3, -1],
            custom_values: vec![0.5, 1.0].into(),
            ..IntHistogram::default()
        };
        let mut samples = vec![
            Sample::float(i64::MIN / 4, 1.5),
            Sample::histogram(0, HistogramValue::Float(int.to_float())),
            Sample::histogram(5, HistogramValue::Int(int)),
            Sample::float(9, stale_nan()),
        ];
        samples[2].start_ts_ms = -12;
        let mut out = Vec::new();
        put_run(&mut out, &samples, &mut 5);
        let mut bytes = Bytes::new(&out);
        let back = take_run(&mut bytes, &mut 5).unwrap();
        assert!(bytes.is_empty());
        assert_eq!(back.len(), samples.len());
        for (back, sample) in back.iter().zip(&samples) {
            assert_eq!(
                (back.ts_ms, back.start_ts_ms),
                (sample.ts_ms, sample.start_ts_ms)
            );
            assert!(back.same_value(sample), "{back:?}");
        }
    }

    #[test]
    fn plain_floats_take_no_kind_byte() {
        let mut out = Vec::new();
        let samples = [Sample::float(1, 1.0), Sample::float(2, 1.0)];
        put_run(&mut out, &samples, &mut 0);
        assert_eq!(out.len(), 1 + 2 * 9);
    }
}
