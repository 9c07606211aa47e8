//! Native histograms: the integer form that is stored and the float form that is computed with.
//!
//! Source of the layout: Prometheus native histogram specification. Bucket `i` of schema `n`
//! (-4..=8) covers `(base^(i-1), base^i]` with `base = 2^(2^-n)`; schema -53 has the bounds of
//! `custom_values`, the last bucket reaching to +Inf. Buckets are sparse: spans say which indices
//! the bucket list holds.

mod arithmetic;
mod bounds;
mod bounds_table;
mod buckets;
mod custom;
mod equality;
mod layout;
mod reset;
mod sums;
#[cfg(test)]
mod testing;
mod text;
mod trim;
mod validate;
mod zero;

use std::sync::Arc;

pub use arithmetic::Combined;
pub use bounds::is_exponential_schema;
pub use buckets::{Bucket, IndexedCounts};
pub use sums::{HistogramMean, HistogramSum};
pub use trim::Trim;
pub use validate::{BucketSide, HistogramError};

/// The schema of histograms with custom bucket bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// The lowest schema of exponential buckets that is computed with.
pub const MIN_SCHEMA: i32 = -4;

/// The highest schema of exponential buckets that is computed with; senders may use up to 52,
/// which is brought down to this.
pub const MAX_SCHEMA: i32 = 8;

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BucketSpan {
    /// Gap to the previous span, or for the first span the index of its first bucket.
    pub offset: i32,
    /// Number of consecutive buckets.
    pub length: u32,
}

/// What is known about a counter reset between a histogram and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CounterResetHint {
    /// Nothing is known: compare.
    #[default]
    Unknown,
    /// A reset lies before this histogram.
    Reset,
    /// No reset lies before this histogram.
    NotReset,
    /// This is a gauge histogram, which has no resets.
    Gauge,
}

/// A histogram with integer counts, as clients send it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntHistogram {
    /// Reset information.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Width of the zero bucket: it covers `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations.
    pub count: u64,
    /// Sum of the observations; the staleness marker in a stale histogram.
    pub sum: f64,
    /// Where the positive buckets lie.
    pub positive_spans: Vec<BucketSpan>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<BucketSpan>,
    /// Positive buckets: the first count, then differences.
    pub positive_deltas: Vec<i64>,
    /// Negative buckets: the first count, then differences.
    pub negative_deltas: Vec<i64>,
    /// Upper bounds of custom buckets, without +Inf; empty for the standard schemas.
    pub custom_values: Arc<[f64]>,
}

/// A histogram with float counts; what queries compute with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FloatHistogram {
    /// Reset information.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Width of the zero bucket: it covers `[-zero_threshold, zero_threshold]`.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of the observations; the staleness marker in a stale histogram.
    pub sum: f64,
    /// Where the positive buckets lie.
    pub positive_spans: Vec<BucketSpan>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<BucketSpan>,
    /// Counts of the positive buckets, absolute.
    pub positive_buckets: Vec<f64>,
    /// Counts of the negative buckets, absolute.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds of custom buckets, without +Inf; empty for the standard schemas.
    pub custom_values: Arc<[f64]>,
}

/// A stored histogram: integer or float counts.
#[derive(Debug, Clone, PartialEq)]
pub enum HistogramValue {
    /// Integer counts.
    Int(IntHistogram),
    /// Float counts.
    Float(FloatHistogram),
}

impl HistogramValue {
    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        match self {
            Self::Int(histogram) => histogram.sum,
            Self::Float(histogram) => histogram.sum,
        }
    }

    /// Returns the histogram with float counts.
    pub fn to_float(&self) -> FloatHistogram {
        match self {
            Self::Int(histogram) => histogram.to_float(),
            Self::Float(histogram) => histogram.clone(),
        }
    }

    /// Says whether both are the same, floats compared by their bits; the counter reset hint,
    /// which storage derives anew, and empty buckets, which it adds, are not compared.
    pub fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => {
                (a.schema, a.zero_count, a.count) == (b.schema, b.zero_count, b.count)
                    && same_floats(&[a.zero_threshold, a.sum], &[b.zero_threshold, b.sum])
                    && filled(&a.positive_spans, sums(&a.positive_deltas))
                        .eq(filled(&b.positive_spans, sums(&b.positive_deltas)))
                    && filled(&a.negative_spans, sums(&a.negative_deltas))
                        .eq(filled(&b.negative_spans, sums(&b.negative_deltas)))
                    && same_floats(&a.custom_values, &b.custom_values)
            }
            (Self::Float(a), Self::Float(b)) => {
                let head = |h: &FloatHistogram| [h.zero_threshold, h.zero_count, h.count, h.sum];
                a.schema == b.schema
                    && same_floats(&head(a), &head(b))
                    && filled(&a.positive_spans, bits(&a.positive_buckets))
                        .eq(filled(&b.positive_spans, bits(&b.positive_buckets)))
                    && filled(&a.negative_spans, bits(&a.negative_buckets))
                        .eq(filled(&b.negative_spans, bits(&b.negative_buckets)))
                    && same_floats(&a.custom_values, &b.custom_values)
            }
            _ => false,
        }
    }
}

impl IntHistogram {
    /// Returns the same histogram with float counts.
    pub fn to_float(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: absolute(&self.positive_deltas),
            negative_buckets: absolute(&self.negative_deltas),
            custom_values: Arc::clone(&self.custom_values),
        }
    }
}

fn absolute(deltas: &[i64]) -> Vec<f64> {
    let mut count = 0_i64;
    deltas
        .iter()
        .map(|delta| {
            count = count.wrapping_add(*delta);
            count as f64
        })
        .collect()
}

/// Returns index and count of the buckets that are not empty.
fn filled<T: Copy + Default + PartialEq>(
    spans: &[BucketSpan],
    counts: impl Iterator<Item = T>,
) -> impl Iterator<Item = (i32, T)> {
    let mut end = 0_i32;
    let indices = spans.iter().flat_map(move |span| {
        let start = end.wrapping_add(span.offset);
        end = start.wrapping_add_unsigned(span.length);
        (0..span.length).map(move |nth| start.wrapping_add_unsigned(nth))
    });
    let buckets = indices.zip(counts);
    buckets.filter(|(_index, count)| *count != T::default())
}

fn sums(deltas: &[i64]) -> impl Iterator<Item = i64> {
    deltas.iter().scan(0_i64, |sum, delta| {
        *sum = sum.wrapping_add(*delta);
        Some(*sum)
    })
}

fn bits(counts: &[f64]) -> impl Iterator<Item = u64> {
    counts.iter().map(|count| count.to_bits())
}

fn same_floats(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}
