//! Iterating over buckets with their bounds.

use super::bounds::upper_bound;
use super::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, FloatHistogram, IntHistogram};

/// A bucket with its bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation of `lower` is in the bucket.
    pub lower_inclusive: bool,
    /// Whether an observation of `upper` is in the bucket.
    pub upper_inclusive: bool,
    /// Number of observations.
    pub count: f64,
    /// Index within the schema; 0 for the zero bucket.
    pub index: i32,
}

impl Bucket {
    /// Returns the code of the bounds in the Prometheus API: 0 `(..]`, 1 `[..)`, 2 `(..)`,
    /// 3 `[..]`.
    pub fn boundary_code(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        }
    }

    /// Returns which part of the bucket's width lies below `value`, linearly or, for exponential
    /// buckets, on a logarithmic scale. `value` must be strictly inside and the bounds finite.
    pub fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let lower = self.lower.abs().log2();
        let upper = self.upper.abs().log2();
        let position = value.abs().log2();
        if value > 0.0 {
            (position - lower) / (upper - lower)
        } else {
            1.0 - (position - upper) / (lower - upper)
        }
    }
}

/// Buckets of one sign with their indices, from the zero bucket outwards; `rev()` goes inwards.
///
/// A bucket list that is shorter than its spans say ends early, so a bad histogram cannot make
/// this panic.
#[derive(Debug, Clone)]
pub struct IndexedCounts<'a> {
    spans: &'a [BucketSpan],
    counts: &'a [f64],
    front: Cursor,
    back: Cursor,
    remaining: usize,
}

/// A place within the spans: bucket `in_span` of span `span` has index `index` and lies at
/// `position` of the bucket list.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    span: usize,
    in_span: u32,
    index: i32,
    position: usize,
}

impl<'a> IndexedCounts<'a> {
    pub(super) fn new(spans: &'a [BucketSpan], counts: &'a [f64]) -> Self {
        let spanned = spans.iter().map(|span| u64::from(span.length)).sum::<u64>();
        let remaining = usize::try_from(spanned)
            .unwrap_or(usize::MAX)
            .min(counts.len());
        let mut all = Self {
            spans,
            counts,
            front: Cursor {
                index: spans.first().map_or(0, |span| span.offset),
                ..Cursor::default()
            },
            back: Cursor::default(),
            remaining,
        };
        all.skip_ended_spans();
        all.back = all.cursor_of_last();
        all
    }

    /// Moves the front on to a bucket that exists.
    fn skip_ended_spans(&mut self) {
        while let Some(span) = self.spans.get(self.front.span)
            && self.front.in_span >= span.length
        {
            self.front.in_span = 0;
            self.front.span += 1;
            let gap = self
                .spans
                .get(self.front.span)
                .map_or(0, |next| next.offset);
            self.front.index = self.front.index.wrapping_add(gap);
        }
    }

    /// Returns the place of the last bucket that the list holds.
    fn cursor_of_last(&self) -> Cursor {
        let mut cursor = Cursor::default();
        let mut passed = 0;
        let mut index = 0_i32;
        for (number, span) in self.spans.iter().enumerate() {
            index = index.wrapping_add(span.offset);
            let length = span.length as usize;
            if length > 0 && passed < self.remaining {
                let in_span = length.min(self.remaining - passed) - 1;
                cursor = Cursor {
                    span: number,
                    in_span: in_span as u32,
                    index: index.wrapping_add(in_span as i32),
                    position: passed + in_span,
                };
                passed += in_span + 1;
            }
            index = index.wrapping_add(span.length as i32);
        }
        cursor
    }
}

impl Iterator for IndexedCounts<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<(i32, f64)> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        let found = (self.front.index, self.counts[self.front.position]);
        self.front.position += 1;
        self.front.in_span += 1;
        self.front.index = self.front.index.wrapping_add(1);
        self.skip_ended_spans();
        Some(found)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl DoubleEndedIterator for IndexedCounts<'_> {
    fn next_back(&mut self) -> Option<(i32, f64)> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        let found = (self.back.index, self.counts[self.back.position]);
        if self.remaining > 0 {
            self.back.position -= 1;
            self.back.index = self.back.index.wrapping_sub(1);
            while self.back.in_span == 0 {
                let gap = self.spans[self.back.span].offset;
                self.back.index = self.back.index.wrapping_sub(gap);
                self.back.span -= 1;
                self.back.in_span = self.spans[self.back.span].length;
            }
            self.back.in_span -= 1;
        }
        Some(found)
    }
}

impl ExactSizeIterator for IndexedCounts<'_> {}

impl FloatHistogram {
    /// Says whether the bucket bounds are those of `custom_values`.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Returns indices and counts of the positive buckets, empty ones included.
    pub fn positive_counts(&self) -> IndexedCounts<'_> {
        IndexedCounts::new(&self.positive_spans, &self.positive_buckets)
    }

    /// Returns indices and counts of the negative buckets, empty ones included.
    pub fn negative_counts(&self) -> IndexedCounts<'_> {
        IndexedCounts::new(&self.negative_spans, &self.negative_buckets)
    }

    /// Returns the positive buckets in ascending order, empty ones included.
    pub fn positive_bucket_iter(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.positive_counts()
            .map(|(index, count)| positive_bucket(index, count, self.schema, &self.custom_values))
    }

    /// Returns the negative buckets in descending order, empty ones included.
    pub fn negative_bucket_iter(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.negative_counts()
            .map(|(index, count)| negative_bucket(index, count, self.schema))
    }

    /// Returns the zero bucket; `None` with custom bounds, which have none.
    pub fn zero_bucket(&self) -> Option<Bucket> {
        (!self.uses_custom_buckets()).then_some(Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        })
    }

    /// Returns all buckets in ascending order, the zero bucket only when its count is above zero.
    /// Where a bucket overlaps the zero bucket, its bound is the zero threshold.
    pub fn all_bucket_iter(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        let zero = self.zero_bucket().filter(|bucket| bucket.count > 0.0);
        let threshold = self.zero_threshold;
        self.negative_bucket_iter()
            .rev()
            .map(move |bucket| clip_to_threshold(bucket, threshold))
            .chain(zero)
            .chain(
                self.positive_bucket_iter()
                    .map(move |bucket| clip_to_threshold(bucket, threshold)),
            )
    }

    /// Returns the buckets that the Prometheus API shows: those of
    /// [`all_bucket_iter`](Self::all_bucket_iter) that are not empty.
    pub fn api_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.all_bucket_iter().filter(|bucket| bucket.count != 0.0)
    }

    /// Returns how much memory Prometheus would take for this histogram, which its sample limit
    /// counts by.
    pub fn counted_bytes(&self) -> usize {
        const STRUCT: usize = 168;
        let entries = self.positive_spans.len()
            + self.negative_spans.len()
            + self.positive_buckets.len()
            + self.negative_buckets.len()
            + self.custom_values.len();
        STRUCT + 8 * entries
    }
}

impl IntHistogram {
    /// Says whether the bucket bounds are those of `custom_values`.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }
}

fn positive_bucket(index: i32, count: f64, schema: i32, custom_values: &[f64]) -> Bucket {
    let lower = upper_bound(index.wrapping_sub(1), schema, custom_values);
    let upper = upper_bound(index, schema, custom_values);
    let custom = schema == CUSTOM_BUCKETS_SCHEMA;
    Bucket {
        lower,
        upper,
        lower_inclusive: if custom { index == 0 } else { lower < 0.0 },
        upper_inclusive: custom || upper > 0.0,
        count,
        index,
    }
}

fn negative_bucket(index: i32, count: f64, schema: i32) -> Bucket {
    let lower = -upper_bound(index, schema, &[]);
    let upper = -upper_bound(index.wrapping_sub(1), schema, &[]);
    Bucket {
        lower,
        upper,
        lower_inclusive: lower < 0.0,
        upper_inclusive: upper > 0.0,
        count,
        index,
    }
}

fn clip_to_threshold(mut bucket: Bucket, threshold: f64) -> Bucket {
    if bucket.lower > 0.0 && bucket.lower < threshold {
        bucket.lower = threshold;
    } else if bucket.upper < 0.0 && bucket.upper > -threshold {
        bucket.upper = -threshold;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn span(offset: i32, length: u32) -> BucketSpan {
        BucketSpan { offset, length }
    }

    fn exponential() -> FloatHistogram {
        FloatHistogram {
            schema: 0,
            zero_threshold: 0.75,
            zero_count: 2.0,
            count: 16.0,
            positive_spans: vec![span(0, 2), span(1, 1)],
            positive_buckets: vec![1.0, 0.0, 3.0],
            negative_spans: vec![span(0, 1), span(0, 0), span(1, 1)],
            negative_buckets: vec![4.0, 6.0],
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn all_buckets_ascend_and_stop_at_the_zero_bucket() {
        let found: Vec<_> = exponential()
            .all_bucket_iter()
            .map(|bucket| {
                (
                    bucket.boundary_code(),
                    bucket.lower,
                    bucket.upper,
                    bucket.count,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (1, -4.0, -2.0, 6.0),
                (1, -1.0, -0.75, 4.0),
                (3, -0.75, 0.75, 2.0),
                (0, 0.75, 1.0, 1.0),
                (0, 1.0, 2.0, 0.0),
                (0, 4.0, 8.0, 3.0),
            ]
        );
    }

    #[test]
    fn the_api_leaves_empty_buckets_out() {
        let histogram = FloatHistogram {
            zero_count: 0.0,
            ..exponential()
        };
        let counts: Vec<_> = histogram.api_buckets().map(|bucket| bucket.count).collect();
        assert_eq!(counts, [6.0, 4.0, 1.0, 3.0]);
    }

    #[test]
    fn custom_buckets_reach_from_infinity_to_infinity() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive_spans: vec![span(0, 1), span(1, 1)],
            positive_buckets: vec![1.0, 2.0],
            custom_values: Arc::from([5.0, 10.0]),
            ..FloatHistogram::default()
        };
        assert!(histogram.zero_bucket().is_none());
        let found: Vec<_> = histogram
            .api_buckets()
            .map(|bucket| {
                (
                    bucket.boundary_code(),
                    bucket.lower,
                    bucket.upper,
                    bucket.count,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (3, f64::NEG_INFINITY, 5.0, 1.0),
                (0, 10.0, f64::INFINITY, 2.0)
            ]
        );
    }

    #[test]
    fn a_list_shorter_than_its_spans_ends_early() {
        let histogram = FloatHistogram {
            positive_spans: vec![span(-2, 2), span(3, u32::MAX)],
            positive_buckets: vec![1.0, 2.0, 3.0],
            ..FloatHistogram::default()
        };
        let forwards: Vec<_> = histogram.positive_counts().collect();
        assert_eq!(forwards, [(-2, 1.0), (-1, 2.0), (3, 3.0)]);
        let mut backwards: Vec<_> = histogram.positive_counts().rev().collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn the_size_is_that_of_the_fields_and_lists() {
        assert_eq!(exponential().counted_bytes(), 168 + 8 * (2 + 3 + 3 + 2));
    }

    proptest! {
        #[test]
        fn backwards_is_forwards_reversed(
            spans in prop::collection::vec((-5_i32..5, 0_u32..4), 0..6),
            counts in prop::collection::vec(0.0..9.0, 0..12),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(offset, length)| span(offset, length)).collect();
            let forwards: Vec<_> = IndexedCounts::new(&spans, &counts).collect();
            let mut backwards: Vec<_> = IndexedCounts::new(&spans, &counts).rev().collect();
            backwards.reverse();
            prop_assert_eq!(forwards, backwards);
        }
    }
}
