//! Fields of histograms with float counts.
//!
//! ```text
//! first sample   count, zero count, sum, buckets (absolute): f64 each
//! next samples   the same, each the XOR with its own predecessor
//! ```
//!
//! A stale sample ends with its sum.

use std::sync::Arc;

use obsq_model::{BucketSpan, CounterResetHint, FloatHistogram, is_stale_nan};

use super::kind::{Fields, Kind, LayoutRef};
use super::layout::Layout;
use super::spans::{bucket_count, falls, widen};
use crate::window::{NO_WINDOW, WHOLE_WINDOW, Window};
use crate::{BitReader, BitWriter, DecodeError, Encoding};

impl Kind for FloatHistogram {
    type Fields = FloatFields;
    const ENCODINGS: [Encoding; 2] = [Encoding::FloatHistogram, Encoding::FloatHistogramStart];

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
        let widen_buckets = |buckets: &[f64], from: &[BucketSpan], to: &[BucketSpan]| {
            widen(buckets.iter().copied(), from, to)
        };
        Self {
            positive_buckets: widen_buckets(&self.positive_buckets, &self.positive_spans, positive),
            negative_buckets: widen_buckets(&self.negative_buckets, &self.negative_spans, negative),
            positive_spans: positive.to_vec(),
            negative_spans: negative.to_vec(),
            ..self.clone()
        }
    }
}

/// The last float histogram of a chunk.
#[derive(Debug, Clone)]
pub(crate) struct FloatFields {
    count: Moving,
    zero_count: Moving,
    sum: Moving,
    positive: Vec<Moving>,
    negative: Vec<Moving>,
}

/// A float and the window in which it changed last.
#[derive(Debug, Clone, Copy)]
struct Moving {
    value: f64,
    window: Window,
}

impl Moving {
    fn put_first(out: &mut BitWriter, value: f64) -> Self {
        out.bits(value.to_bits(), 64);
        Self {
            value,
            window: NO_WINDOW,
        }
    }

    fn put(&mut self, out: &mut BitWriter, value: f64) {
        self.window.put_xor(out, value, self.value);
        self.value = value;
    }

    fn read_first(reader: &mut BitReader<'_>) -> Self {
        Self {
            value: reader.f64(),
            window: WHOLE_WINDOW,
        }
    }

    #[inline]
    fn read(&mut self, reader: &mut BitReader<'_>) -> Result<(), DecodeError> {
        let bits = self.window.xor(reader, self.value.to_bits())?;
        self.value = f64::from_bits(bits);
        Ok(())
    }
}

impl Fields<FloatHistogram> for FloatFields {
    fn put_first(out: &mut BitWriter, histogram: &FloatHistogram) -> Self {
        let mut put = |value: &f64| Moving::put_first(out, *value);
        Self {
            count: put(&histogram.count),
            zero_count: put(&histogram.zero_count),
            sum: put(&histogram.sum),
            positive: histogram.positive_buckets.iter().map(&mut put).collect(),
            negative: histogram.negative_buckets.iter().map(&mut put).collect(),
        }
    }

    fn put_next(&mut self, out: &mut BitWriter, histogram: &FloatHistogram) {
        self.count.put(out, histogram.count);
        self.zero_count.put(out, histogram.zero_count);
        self.sum.put(out, histogram.sum);
        for (field, value) in self.positive.iter_mut().zip(&histogram.positive_buckets) {
            field.put(out, *value);
        }
        for (field, value) in self.negative.iter_mut().zip(&histogram.negative_buckets) {
            field.put(out, *value);
        }
    }

    fn read_first(reader: &mut BitReader<'_>, layout: &Layout) -> Result<Self, DecodeError> {
        let (positive, negative) = (&layout.positive_spans, &layout.negative_spans);
        let needed = (bucket_count(positive) + bucket_count(negative)).saturating_mul(64);
        if needed > reader.remaining_bits() {
            return Err(DecodeError::TooManyBuckets);
        }
        let mut read = || Moving::read_first(reader);
        let fields = Self {
            count: read(),
            zero_count: read(),
            sum: read(),
            positive: (0..bucket_count(positive)).map(|_| read()).collect(),
            negative: (0..bucket_count(negative)).map(|_| read()).collect(),
        };
        reader.check()?;
        Ok(fields)
    }

    fn read_next(&mut self, reader: &mut BitReader<'_>) -> Result<(), DecodeError> {
        self.count.read(reader)?;
        self.zero_count.read(reader)?;
        self.sum.read(reader)?;
        if is_stale_nan(self.sum.value) {
            return reader.check();
        }
        for field in self.positive.iter_mut().chain(&mut self.negative) {
            field.read(reader)?;
        }
        reader.check()
    }

    fn sum(&self) -> f64 {
        self.sum.value
    }

    fn size_bytes(&self) -> usize {
        (self.positive.len() + self.negative.len()) * size_of::<Moving>()
    }

    fn count_falls(&self, histogram: &FloatHistogram) -> bool {
        histogram.count < self.count.value
    }

    fn bucket_falls(&self, layout: &Layout, histogram: &FloatHistogram) -> bool {
        histogram.zero_count < self.zero_count.value
            || falls(
                values(&self.positive),
                &layout.positive_spans,
                histogram.positive_buckets.iter().copied(),
                &histogram.positive_spans,
            )
            || falls(
                values(&self.negative),
                &layout.negative_spans,
                histogram.negative_buckets.iter().copied(),
                &histogram.negative_spans,
            )
    }

    fn to_histogram(&self, layout: &Layout, hint: CounterResetHint) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: hint,
            schema: layout.schema,
            zero_threshold: layout.zero_threshold,
            zero_count: self.zero_count.value,
            count: self.count.value,
            sum: self.sum.value,
            positive_spans: layout.positive_spans.clone(),
            negative_spans: layout.negative_spans.clone(),
            positive_buckets: values(&self.positive).collect(),
            negative_buckets: values(&self.negative).collect(),
            custom_values: Arc::clone(&layout.custom_values),
        }
    }

    fn to_float(&self, layout: &Layout, hint: CounterResetHint) -> FloatHistogram {
        self.to_histogram(layout, hint)
    }
}

fn values(fields: &[Moving]) -> impl Iterator<Item = f64> {
    fields.iter().map(|field| field.value)
}
