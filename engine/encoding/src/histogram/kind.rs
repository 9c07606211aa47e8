//! What integer and float histograms have in common for their chunks.

use std::fmt::Debug;

use obsq_model::{BucketSpan, CounterResetHint, FloatHistogram, is_stale_nan, stale_nan};

use super::layout::Layout;
use crate::{BitReader, BitWriter, DecodeError, Encoding};

/// A histogram type that chunks hold.
pub(crate) trait Kind: Clone + Default + Debug {
    /// The last sample's fields, as far as the next sample depends on them.
    type Fields: Fields<Self>;
    /// The encoding without start timestamps, and the one with them.
    const ENCODINGS: [Encoding; 2];

    fn hint(&self) -> CounterResetHint;
    fn sum(&self) -> f64;
    fn layout(&self) -> LayoutRef<'_>;
    fn with_sum(sum: f64) -> Self;

    /// Returns the histogram with the spans of `positive` and `negative`, which contain its own;
    /// new buckets are empty.
    fn widened(&self, positive: &[BucketSpan], negative: &[BucketSpan]) -> Self;

    /// Makes the histogram coarser.
    fn reduce(&mut self, schema: i32);

    fn is_stale(&self) -> bool {
        is_stale_nan(self.sum())
    }

    fn stale() -> Self {
        Self::with_sum(stale_nan())
    }
}

/// The fields of samples, written and read one after the other.
pub(crate) trait Fields<H>: Sized + Clone + Debug {
    /// Appends the fields of a chunk's first sample.
    fn put_first(out: &mut BitWriter, histogram: &H) -> Self;

    /// Appends those of a further sample, which has the same buckets or is stale.
    fn put_next(&mut self, out: &mut BitWriter, histogram: &H);

    /// Reads the fields of a chunk's first sample.
    fn read_first(reader: &mut BitReader<'_>, layout: &Layout) -> Result<Self, DecodeError>;

    /// Reads those of a further sample. The buckets of a stale one are not touched.
    fn read_next(&mut self, reader: &mut BitReader<'_>) -> Result<(), DecodeError>;

    fn sum(&self) -> f64;

    /// Returns the memory behind the struct itself.
    fn size_bytes(&self) -> usize;

    /// Says whether the count of all observations falls from these fields to `histogram`.
    fn count_falls(&self, histogram: &H) -> bool;

    /// Says whether the zero bucket or another one falls, or one in use is missing.
    fn bucket_falls(&self, layout: &Layout, histogram: &H) -> bool;

    /// Returns the histogram that these fields stand for.
    fn to_histogram(&self, layout: &Layout, hint: CounterResetHint) -> H;

    /// Returns the same with float counts.
    fn to_float(&self, layout: &Layout, hint: CounterResetHint) -> FloatHistogram;
}

/// A histogram's layout, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayoutRef<'a> {
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) positive_spans: &'a [BucketSpan],
    pub(crate) negative_spans: &'a [BucketSpan],
    pub(crate) custom_values: &'a std::sync::Arc<[f64]>,
}
