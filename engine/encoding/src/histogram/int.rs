//! Fields of histograms with integer counts.
//!
//! ```text
//! first sample   count uint, zero count uint, sum f64, buckets int: the first, then differences
//! next samples   count, zero count: delta of deltas int; sum xor; buckets: delta of deltas of the
//!                differences int
//! ```
//!
//! All integers are varbits. A stale sample ends with its sum, and its counts carry no meaning.

use std::sync::Arc;

use obsq_model::{BucketSpan, CounterResetHint, FloatHistogram, IntHistogram, is_stale_nan};

use super::kind::{Fields, Kind, LayoutRef};
use super::layout::Layout;
use super::spans::{bucket_count, falls, widen};
use crate::varbit::{put_varbit_int, put_varbit_uint, varbit_int, varbit_uint};
use crate::window::{NO_WINDOW, WHOLE_WINDOW, Window};
use crate::{BitReader, BitWriter, DecodeError, Encoding};

impl Kind for IntHistogram {
    type Fields = IntFields;
    const ENCODINGS: [Encoding; 2] = [Encoding::Histogram, Encoding::HistogramStart];

    fn hint(&self) -> CounterResetHint {
        self.counter_reset_hint
    }

    fn sum(&self) -> f64 {
        self.sum
    }

    fn layout(&self) -> LayoutRef<'_> {
        LayoutRef {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: &self.positive_spans,
            negative_spans: &self.negative_spans,
            custom_values: &self.custom_values,
        }
    }

    fn with_sum(sum: f64) -> Self {
        Self {
            sum,
            ..Self::default()
        }
    }

    fn reduce(&mut self, schema: i32) {
        self.reduce_resolution(schema);
    }

    fn widened(&self, positive: &[BucketSpan], negative: &[BucketSpan]) -> Self {
        let widen_deltas = |deltas: &[i64], from: &[BucketSpan], to: &[BucketSpan]| {
            differences(&widen(absolute(deltas), from, to))
        };
        Self {
            positive_deltas: widen_deltas(&self.positive_deltas, &self.positive_spans, positive),
            negative_deltas: widen_deltas(&self.negative_deltas, &self.negative_spans, negative),
            positive_spans: positive.to_vec(),
            negative_spans: negative.to_vec(),
            ..self.clone()
        }
    }
}

fn absolute(deltas: &[i64]) -> impl Iterator<Item = i64> {
    deltas.iter().scan(0_i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count)
    })
}

fn differences(counts: &[i64]) -> Vec<i64> {
    let mut before = 0_i64;
    counts
        .iter()
        .map(|count| {
            let delta = count.wrapping_sub(before);
            before = *count;
            delta
        })
        .collect()
}

/// The last integer histogram of a chunk, with what its fields changed by.
#[derive(Debug, Clone)]
pub(crate) struct IntFields {
    count: Moving,
    zero_count: Moving,
    sum: f64,
    sum_window: Window,
    positive: Vec<Moving>,
    negative: Vec<Moving>,
}

/// A number and its last change.
#[derive(Debug, Clone, Copy)]
struct Moving {
    value: i64,
    change: i64,
}

impl Moving {
    fn at(value: i64) -> Self {
        Self { value, change: 0 }
    }

    fn put(&mut self, out: &mut BitWriter, value: i64) {
        let change = value.wrapping_sub(self.value);
        put_varbit_int(out, change.wrapping_sub(self.change));
        *self = Self { value, change };
    }

    #[inline]
    fn read(&mut self, reader: &mut BitReader<'_>) {
        self.change = self.change.wrapping_add(varbit_int(reader));
        self.value = self.value.wrapping_add(self.change);
    }
}

impl Fields<IntHistogram> for IntFields {
    fn put_first(out: &mut BitWriter, histogram: &IntHistogram) -> Self {
        put_varbit_uint(out, histogram.count);
        put_varbit_uint(out, histogram.zero_count);
        out.bits(histogram.sum.to_bits(), 64);
        let mut put_all = |deltas: &[i64]| {
            deltas
                .iter()
                .map(|delta| {
                    put_varbit_int(out, *delta);
                    Moving::at(*delta)
                })
                .collect()
        };
        Self {
            count: Moving::at(histogram.count.cast_signed()),
            zero_count: Moving::at(histogram.zero_count.cast_signed()),
            sum: histogram.sum,
            sum_window: NO_WINDOW,
            positive: put_all(&histogram.positive_deltas),
            negative: put_all(&histogram.negative_deltas),
        }
    }

    fn put_next(&mut self, out: &mut BitWriter, histogram: &IntHistogram) {
        let is_stale = is_stale_nan(histogram.sum);
        if is_stale {
            put_varbit_int(out, 0);
            put_varbit_int(out, 0);
        } else {
            self.count.put(out, histogram.count.cast_signed());
            self.zero_count.put(out, histogram.zero_count.cast_signed());
        }
        self.sum_window.put_xor(out, histogram.sum, self.sum);
        self.sum = histogram.sum;
        if is_stale {
            return;
        }
        for (field, delta) in self.positive.iter_mut().zip(&histogram.positive_deltas) {
            field.put(out, *delta);
        }
        for (field, delta) in self.negative.iter_mut().zip(&histogram.negative_deltas) {
            field.put(out, *delta);
        }
    }

    fn read_first(reader: &mut BitReader<'_>, layout: &Layout) -> Result<Self, DecodeError> {
        let count = Moving::at(varbit_uint(reader).cast_signed());
        let zero_count = Moving::at(varbit_uint(reader).cast_signed());
        let sum = reader.f64();
        let mut read_all = |spans: &[BucketSpan]| {
            (0..bucket_count(spans))
                .map(|_| Moving::at(varbit_int(reader)))
                .collect()
        };
        let positive = read_all(&layout.positive_spans);
        let negative = read_all(&layout.negative_spans);
        reader.check()?;
        Ok(Self {
            count,
            zero_count,
            sum,
            sum_window: WHOLE_WINDOW,
            positive,
            negative,
        })
    }

    fn read_next(&mut self, reader: &mut BitReader<'_>) -> Result<(), DecodeError> {
        self.count.read(reader);
        self.zero_count.read(reader);
        let sum = self.sum_window.xor(reader, self.sum.to_bits())?;
        self.sum = f64::from_bits(sum);
        if is_stale_nan(self.sum) {
            return reader.check();
        }
        for field in self.positive.iter_mut().chain(&mut self.negative) {
            field.read(reader);
        }
        reader.check()
    }

    fn sum(&self) -> f64 {
        self.sum
    }

    fn size_bytes(&self) -> usize {
        (self.positive.len() + self.negative.len()) * size_of::<Moving>()
    }

    fn count_falls(&self, histogram: &IntHistogram) -> bool {
        histogram.count < self.count.value.cast_unsigned()
    }

    fn bucket_falls(&self, layout: &Layout, histogram: &IntHistogram) -> bool {
        histogram.zero_count < self.zero_count.value.cast_unsigned()
            || falls(
                counts(&self.positive),
                &layout.positive_spans,
                absolute(&histogram.positive_deltas),
                &histogram.positive_spans,
            )
            || falls(
                counts(&self.negative),
                &layout.negative_spans,
                absolute(&histogram.negative_deltas),
                &histogram.negative_spans,
            )
    }

    fn to_histogram(&self, layout: &Layout, hint: CounterResetHint) -> IntHistogram {
        let deltas = |fields: &[Moving]| fields.iter().map(|field| field.value).collect();
        IntHistogram {
            counter_reset_hint: hint,
            schema: layout.schema,
            zero_threshold: layout.zero_threshold,
            zero_count: self.zero_count.value.cast_unsigned(),
            count: self.count.value.cast_unsigned(),
            sum: self.sum,
            positive_spans: layout.positive_spans.clone(),
            negative_spans: layout.negative_spans.clone(),
            positive_deltas: deltas(&self.positive),
            negative_deltas: deltas(&self.negative),
            custom_values: Arc::clone(&layout.custom_values),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "queries compute with floats, counts above 2^53 are rounded"
    )]
    fn to_float(&self, layout: &Layout, hint: CounterResetHint) -> FloatHistogram {
        let buckets = |fields: &[Moving]| counts(fields).map(|count| count as f64).collect();
        FloatHistogram {
            counter_reset_hint: hint,
            schema: layout.schema,
            zero_threshold: layout.zero_threshold,
            zero_count: self.zero_count.value.cast_unsigned() as f64,
            count: self.count.value.cast_unsigned() as f64,
            sum: self.sum,
            positive_spans: layout.positive_spans.clone(),
            negative_spans: layout.negative_spans.clone(),
            positive_buckets: buckets(&self.positive),
            negative_buckets: buckets(&self.negative),
            custom_values: Arc::clone(&layout.custom_values),
        }
    }
}

/// Returns the absolute counts of buckets that are held as differences.
fn counts(fields: &[Moving]) -> impl Iterator<Item = i64> {
    fields.iter().scan(0_i64, |count, field| {
        *count = count.wrapping_add(field.value);
        Some(*count)
    })
}
