//! Rebuilding the buckets of one sign: merging, dropping empty ones, lowering the resolution.

use super::bounds::coarser_index;
use super::{BucketSpan, FloatHistogram, IntHistogram};
use crate::kahan::KahanSum;

/// The buckets of one sign while they are rebuilt, each with what summing it up has lost so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Side {
    pub(super) spans: Vec<BucketSpan>,
    pub(super) counts: Vec<f64>,
    /// Empty when nothing is compensated, else as long as `counts`.
    pub(super) compensations: Vec<f64>,
}

/// One bucket on the way from one layout to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    pub(super) index: i32,
    pub(super) count: KahanSum,
}

impl Cell {
    pub(super) fn new(index: i32, count: f64, compensation: f64) -> Self {
        Self {
            index,
            count: KahanSum {
                sum: count,
                compensation,
            },
        }
    }

    /// Adds `other`, which is the same bucket.
    fn absorb(&mut self, other: Self) {
        self.count.add(other.count.sum);
        if other.count.compensation != 0.0 {
            self.count.add(other.count.compensation);
        }
    }
}

/// Puts cells, which must come by rising index, into a bucket list with as few spans as possible.
#[derive(Debug, Default)]
pub(super) struct SideBuilder {
    side: Side,
    next_index: i32,
    compensated: bool,
}

impl SideBuilder {
    pub(super) fn new(compensated: bool) -> Self {
        Self {
            compensated,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, cell: Cell) {
        let gap = cell.index.wrapping_sub(self.next_index);
        match self.side.spans.last_mut() {
            Some(span) if gap == 0 => span.length += 1,
            _ => self.side.spans.push(BucketSpan {
                offset: gap,
                length: 1,
            }),
        }
        self.next_index = cell.index.wrapping_add(1);
        self.side.counts.push(cell.count.sum);
        if self.compensated {
            self.side.compensations.push(cell.count.compensation);
        }
    }

    pub(super) fn finish(self) -> Side {
        self.side
    }
}

/// Builds a side from `cells`.
pub(super) fn build(cells: impl Iterator<Item = Cell>, compensated: bool) -> Side {
    let mut builder = SideBuilder::new(compensated);
    for cell in cells {
        builder.push(cell);
    }
    builder.finish()
}

/// Adds `b` to `a`, both by rising index: the result has the buckets of both.
pub(super) fn merge(
    a: impl Iterator<Item = Cell>,
    b: impl Iterator<Item = Cell>,
    compensated: bool,
) -> Side {
    let mut builder = SideBuilder::new(compensated);
    let mut a = a.peekable();
    let mut b = b.peekable();
    loop {
        match (a.peek().copied(), b.peek().copied()) {
            (Some(left), Some(right)) if left.index == right.index => {
                let mut sum = left;
                sum.absorb(right);
                builder.push(sum);
                a.next();
                b.next();
            }
            (Some(left), Some(right)) if left.index < right.index => {
                builder.push(left);
                a.next();
            }
            (Some(left), None) => {
                builder.push(left);
                a.next();
            }
            (_, Some(right)) => {
                builder.push(right);
                b.next();
            }
            (None, None) => return builder.finish(),
        }
    }
}

/// Merges neighbouring cells that fall into one bucket of a schema lower by `steps`. Without
/// `compensated`, what rounding loses is dropped.
pub(super) fn coarsen(
    cells: impl Iterator<Item = Cell>,
    steps: u32,
    compensated: bool,
) -> impl Iterator<Item = Cell> {
    let mut cells = cells.map(move |cell| Cell {
        index: coarser_index(cell.index, steps),
        ..cell
    });
    let mut pending: Option<Cell> = None;
    std::iter::from_fn(move || {
        for cell in cells.by_ref() {
            match &mut pending {
                Some(sum) if sum.index == cell.index => {
                    sum.absorb(cell);
                    if !compensated {
                        sum.count.compensation = 0.0;
                    }
                }
                _ => {
                    let done = pending.replace(cell);
                    if done.is_some() {
                        return done;
                    }
                }
            }
        }
        pending.take()
    })
}

impl FloatHistogram {
    /// Drops empty buckets and merges adjacent spans.
    pub fn compact(&mut self) {
        let filled = |(_, count): &(i32, f64)| *count != 0.0;
        let positive = build(self.positive_counts().filter(filled).map(plain_cell), false);
        let negative = build(self.negative_counts().filter(filled).map(plain_cell), false);
        self.set_positive(positive);
        self.set_negative(negative);
    }

    /// Merges buckets so that the schema becomes `schema`. Does nothing when the resolution is
    /// not higher than that or the bounds are custom.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if self.uses_custom_buckets() || schema >= self.schema {
            return;
        }
        let steps = self.schema.abs_diff(schema);
        let coarse = |counts: super::IndexedCounts<'_>| {
            build(coarsen(counts.map(plain_cell), steps, false), false)
        };
        let positive = coarse(self.positive_counts());
        let negative = coarse(self.negative_counts());
        self.set_positive(positive);
        self.set_negative(negative);
        self.schema = schema;
    }

    /// Returns a copy with the resolution reduced to `schema`, or as it is when it is not higher.
    #[must_use]
    pub fn to_schema(&self, schema: i32) -> Self {
        let mut copy = self.clone();
        copy.reduce_resolution(schema);
        copy
    }

    pub(super) fn set_positive(&mut self, side: Side) {
        self.positive_spans = side.spans;
        self.positive_buckets = side.counts;
    }

    pub(super) fn set_negative(&mut self, side: Side) {
        self.negative_spans = side.spans;
        self.negative_buckets = side.counts;
    }
}

fn plain_cell((index, count): (i32, f64)) -> Cell {
    Cell::new(index, count, 0.0)
}

impl IntHistogram {
    /// Drops empty buckets and merges adjacent spans.
    pub fn compact(&mut self) {
        let rebuild = |spans: &[BucketSpan], deltas: &[i64]| {
            from_counts(int_counts(spans, deltas).filter(|(_, count)| *count != 0))
        };
        (self.positive_spans, self.positive_deltas) =
            rebuild(&self.positive_spans, &self.positive_deltas);
        (self.negative_spans, self.negative_deltas) =
            rebuild(&self.negative_spans, &self.negative_deltas);
    }

    /// Merges buckets so that the schema becomes `schema`. Does nothing when the resolution is
    /// not higher than that or the bounds are custom.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if self.uses_custom_buckets() || schema >= self.schema {
            return;
        }
        let steps = self.schema.abs_diff(schema);
        let coarse = |spans: &[BucketSpan], deltas: &[i64]| {
            let mut merged: Vec<(i32, i64)> = Vec::with_capacity(deltas.len());
            for (index, count) in int_counts(spans, deltas) {
                let index = coarser_index(index, steps);
                match merged.last_mut() {
                    Some((last, sum)) if *last == index => *sum = sum.wrapping_add(count),
                    _ => merged.push((index, count)),
                }
            }
            from_counts(merged.into_iter())
        };
        (self.positive_spans, self.positive_deltas) =
            coarse(&self.positive_spans, &self.positive_deltas);
        (self.negative_spans, self.negative_deltas) =
            coarse(&self.negative_spans, &self.negative_deltas);
        self.schema = schema;
    }
}

/// Returns indices and absolute counts of buckets given as differences.
pub(super) fn int_counts<'a>(
    spans: &'a [BucketSpan],
    deltas: &'a [i64],
) -> impl Iterator<Item = (i32, i64)> + 'a {
    let indices = spans
        .iter()
        .scan(0_i32, |next, span| {
            let start = next.wrapping_add(span.offset);
            *next = start.wrapping_add(span.length as i32);
            Some((0..span.length).map(move |step| start.wrapping_add(step as i32)))
        })
        .flatten();
    let counts = deltas.iter().scan(0_i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count)
    });
    // The counts come first, so that a short list ends the iteration before its spans do.
    counts.zip(indices).map(|(count, index)| (index, count))
}

fn from_counts(counts: impl Iterator<Item = (i32, i64)>) -> (Vec<BucketSpan>, Vec<i64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let mut next_index = 0_i32;
    let mut last_count = 0_i64;
    for (index, count) in counts {
        let gap = index.wrapping_sub(next_index);
        match spans.last_mut() {
            Some(span) if gap == 0 => span.length += 1,
            _ => spans.push(BucketSpan {
                offset: gap,
                length: 1,
            }),
        }
        next_index = index.wrapping_add(1);
        deltas.push(count.wrapping_sub(last_count));
        last_count = count;
    }
    (spans, deltas)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_exponential, span};
    use super::*;

    #[test]
    fn compacting_drops_empty_buckets_wherever_they_are() {
        let mut histogram = FloatHistogram {
            positive_spans: vec![span(-1, 4), span(0, 0), span(0, 2), span(3, 2)],
            positive_buckets: vec![0.0, 1.0, 0.0, 2.0, 3.0, 0.0, 0.0, 0.0],
            negative_spans: vec![span(2, 1)],
            negative_buckets: vec![0.0],
            ..FloatHistogram::default()
        };
        histogram.compact();
        assert_eq!(histogram.positive_spans, [span(0, 1), span(1, 2)]);
        assert_eq!(histogram.positive_buckets, [1.0, 2.0, 3.0]);
        assert!(histogram.negative_spans.is_empty() && histogram.negative_buckets.is_empty());
    }

    #[test]
    fn integer_histograms_compact_and_coarsen_like_float_ones() {
        let mut histogram = IntHistogram {
            schema: 2,
            positive_spans: vec![span(-2, 3), span(1, 3)],
            positive_deltas: vec![2, -2, 3, -3, 1, 4],
            negative_spans: vec![span(7, 2)],
            negative_deltas: vec![1, 1],
            ..IntHistogram::default()
        };
        let mut float = histogram.to_float();
        histogram.compact();
        float.compact();
        assert_eq!(histogram.to_float(), float);
        assert_eq!(histogram.positive_deltas, [2, 1, -2, 4]);
        histogram.reduce_resolution(0);
        float.reduce_resolution(0);
        assert_eq!(histogram.to_float(), float);
        assert_eq!(histogram.schema, 0);
    }

    #[test]
    fn resolution_is_only_ever_reduced() {
        let mut histogram = FloatHistogram {
            schema: 1,
            positive_spans: vec![span(1, 1)],
            positive_buckets: vec![1.0],
            ..FloatHistogram::default()
        };
        let before = histogram.clone();
        histogram.reduce_resolution(3);
        assert_eq!(histogram, before);
        let mut custom = FloatHistogram {
            schema: super::super::CUSTOM_BUCKETS_SCHEMA,
            ..before
        };
        let before = custom.clone();
        custom.reduce_resolution(-60);
        assert_eq!(custom, before);
    }

    #[test]
    fn a_schema_far_beyond_ours_comes_down_without_overflow() {
        let mut histogram = IntHistogram {
            schema: 52,
            positive_spans: vec![span(i32::MAX - 1, 1), span(i32::MAX, 1)],
            positive_deltas: vec![1, 0],
            ..IntHistogram::default()
        };
        histogram.reduce_resolution(8);
        assert_eq!(histogram.schema, 8);
    }

    proptest! {
        #[test]
        fn reducing_in_two_steps_is_reducing_at_once(histogram in any_exponential(), by in 1_i32..4) {
            let schema = histogram.schema - by;
            let stepwise = histogram.to_schema(schema).to_schema(schema - 1);
            let at_once = histogram.to_schema(schema - 1);
            prop_assert_eq!(stepwise, at_once);
        }

        #[test]
        fn compacting_keeps_every_observation(histogram in any_exponential()) {
            let mut compacted = histogram.clone();
            compacted.compact();
            let filled: Vec<_> = histogram.api_buckets().collect();
            prop_assert_eq!(compacted.api_buckets().collect::<Vec<_>>(), filled);
            prop_assert!(!compacted.positive_buckets.contains(&0.0));
        }
    }
}
