//! Adding, subtracting and scaling histograms.

use std::sync::Arc;

use super::bounds::{custom_bounds_match, exponential_upper_bound};
use super::custom::{intersect_bounds, map_to_bounds};
use super::layout::{Cell, Side, coarsen, merge};
use super::zero::Lost;
use super::{CounterResetHint, FloatHistogram, HistogramError, IndexedCounts};
use crate::kahan::KahanSum;

/// What adding or subtracting found out besides the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Combined {
    /// One side says that a counter reset happened, the other that none did.
    pub reset_collision: bool,
    /// The custom bounds differed, so that both sides were brought to those they share.
    pub bounds_reconciled: bool,
}

/// Whether the other histogram is added or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

impl Sign {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::Plus => value,
            Self::Minus => -value,
        }
    }
}

impl FloatHistogram {
    /// Adds `other`: the result has the buckets of both, the lower of the two resolutions and the
    /// wider zero bucket; empty buckets stay.
    ///
    /// # Errors
    ///
    /// [`HistogramError::IncompatibleSchemas`] when one has exponential and the other custom
    /// buckets; `self` is then unchanged.
    pub fn add(&mut self, other: &Self) -> Result<Combined, HistogramError> {
        self.combine(other, Sign::Plus, None)
    }

    /// Subtracts `other`, by the rules of [`add`](Self::add). Counts may become negative.
    ///
    /// # Errors
    ///
    /// [`HistogramError::IncompatibleSchemas`] when one has exponential and the other custom
    /// buckets; `self` is then unchanged.
    pub fn sub(&mut self, other: &Self) -> Result<Combined, HistogramError> {
        self.combine(other, Sign::Minus, None)
    }

    /// Adds `other` and notes in `lost` what rounding takes away.
    pub(super) fn add_compensated(
        &mut self,
        other: &Self,
        lost: &mut Lost,
    ) -> Result<Combined, HistogramError> {
        self.combine(other, Sign::Plus, Some(lost))
    }

    /// Multiplies every count and the sum by `factor`. A negative factor makes it a gauge.
    pub fn mul(&mut self, factor: f64) {
        self.scale(|value| value * factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides every count and the sum by `divisor`. A negative divisor makes it a gauge; zero
    /// leaves no buckets.
    pub fn div(&mut self, divisor: f64) {
        self.scale(|value| value / divisor);
        if divisor == 0.0 {
            self.set_positive(Side::default());
            self.set_negative(Side::default());
        } else if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Takes over what `other` says about counter resets and says whether it contradicts.
    ///
    /// A gauge makes the result a gauge, an unknown one makes it unknown; a contradiction is
    /// unknown too.
    fn join_reset_hint(&mut self, other: CounterResetHint) -> bool {
        let ours = self.counter_reset_hint;
        if ours == other {
            return false;
        }
        if ours == CounterResetHint::Gauge || other == CounterResetHint::Gauge {
            self.counter_reset_hint = CounterResetHint::Gauge;
            return false;
        }
        self.counter_reset_hint = CounterResetHint::Unknown;
        ours != CounterResetHint::Unknown && other != CounterResetHint::Unknown
    }

    fn scale(&mut self, change: impl Fn(f64) -> f64) {
        let heads = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let buckets = self
            .positive_buckets
            .iter_mut()
            .chain(&mut self.negative_buckets);
        for value in heads.into_iter().chain(buckets) {
            *value = change(*value);
        }
    }

    fn combine(
        &mut self,
        other: &Self,
        sign: Sign,
        mut lost: Option<&mut Lost>,
    ) -> Result<Combined, HistogramError> {
        if self.uses_custom_buckets() != other.uses_custom_buckets() {
            return Err(HistogramError::IncompatibleSchemas);
        }
        let mut combined = Combined {
            reset_collision: self.join_reset_hint(other.counter_reset_hint),
            bounds_reconciled: false,
        };
        if !self.uses_custom_buckets() {
            let theirs = self.reconcile_zero_buckets(other, lost.as_deref_mut());
            self.combine_zero_counts(theirs, sign, lost.as_deref_mut());
        }
        self.combine_totals(other, sign, lost.as_deref_mut());
        if self.has_layout_of(other) {
            self.combine_in_place(other, sign, lost);
        } else if !self.uses_custom_buckets() {
            self.combine_exponential(other, sign, lost);
        } else if custom_bounds_match(&self.custom_values, &other.custom_values) {
            let compensated = lost.is_some();
            let positive = merge(
                cells(
                    self.positive_counts(),
                    lost.as_deref().map(|lost| &*lost.positive),
                ),
                signed(other.positive_counts(), sign),
                compensated,
            );
            self.replace_positive(positive, lost);
        } else {
            combined.bounds_reconciled = true;
            self.combine_mismatched(other, sign, lost);
        }
        Ok(combined)
    }

    fn combine_zero_counts(&mut self, theirs: KahanSum, sign: Sign, lost: Option<&mut Lost>) {
        match lost {
            None => self.zero_count += sign.apply(theirs.sum),
            Some(lost) => {
                let mut sum = KahanSum {
                    sum: self.zero_count,
                    compensation: lost.zero_count,
                };
                sum.add(theirs.sum);
                sum.add(theirs.compensation);
                (self.zero_count, lost.zero_count) = (sum.sum, sum.compensation);
            }
        }
    }

    fn combine_totals(&mut self, other: &Self, sign: Sign, lost: Option<&mut Lost>) {
        let mut none = Lost::default();
        let lost = lost.unwrap_or(&mut none);
        let totals = [
            (&mut self.count, &mut lost.count, other.count),
            (&mut self.sum, &mut lost.sum, other.sum),
        ];
        for (value, lost, other) in totals {
            let sum = KahanSum {
                sum: *value,
                compensation: *lost,
            }
            .plus(sign.apply(other));
            (*value, *lost) = (sum.sum, sum.compensation);
        }
    }

    /// Says whether bucket by bucket both lists stand for the same, so that no list is rebuilt.
    fn has_layout_of(&self, other: &Self) -> bool {
        let same = self.schema == other.schema
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && self.positive_buckets.len() == other.positive_buckets.len()
            && self.negative_buckets.len() == other.negative_buckets.len();
        if self.uses_custom_buckets() {
            return same && custom_bounds_match(&self.custom_values, &other.custom_values);
        }
        same && !self.hides_first(other.positive_counts())
            && !self.hides_first(other.negative_counts())
    }

    /// Says whether the first bucket lies within the zero bucket, so that it does not count.
    fn hides_first(&self, mut counts: IndexedCounts<'_>) -> bool {
        counts.next().is_some_and(|(index, _)| {
            exponential_upper_bound(index, self.schema) <= self.zero_threshold
        })
    }

    fn combine_in_place(&mut self, other: &Self, sign: Sign, lost: Option<&mut Lost>) {
        let theirs = other.positive_buckets.iter().chain(&other.negative_buckets);
        let ours = self
            .positive_buckets
            .iter_mut()
            .chain(&mut self.negative_buckets);
        let pairs = ours.zip(theirs);
        let Some(lost) = lost else {
            for (count, other) in pairs {
                *count += sign.apply(*other);
            }
            return;
        };
        let losses = lost.positive.iter_mut().chain(&mut lost.negative);
        for ((count, other), lost) in pairs.zip(losses) {
            let sum = KahanSum {
                sum: *count,
                compensation: *lost,
            }
            .plus(sign.apply(*other));
            (*count, *lost) = (sum.sum, sum.compensation);
        }
    }

    fn combine_exponential(&mut self, other: &Self, sign: Sign, lost: Option<&mut Lost>) {
        let schema = self.schema.min(other.schema);
        let compensated = lost.is_some();
        let our_steps = self.schema.abs_diff(schema);
        let their_steps = other.schema.abs_diff(schema);
        let threshold = self.zero_threshold;
        let join = |ours: IndexedCounts<'_>, lost: Option<&[f64]>, theirs: IndexedCounts<'_>| {
            let theirs = coarsen(signed(theirs, sign), their_steps, compensated)
                .skip_while(|cell| exponential_upper_bound(cell.index, schema) <= threshold);
            if our_steps == 0 {
                return merge(cells(ours, lost), theirs, compensated);
            }
            merge(
                coarsen(cells(ours, lost), our_steps, compensated),
                theirs,
                compensated,
            )
        };
        let positive = join(
            self.positive_counts(),
            lost.as_deref().map(|lost| &*lost.positive),
            other.positive_counts(),
        );
        let negative = join(
            self.negative_counts(),
            lost.as_deref().map(|lost| &*lost.negative),
            other.negative_counts(),
        );
        self.schema = schema;
        if let Some(lost) = lost {
            lost.positive.clone_from(&positive.compensations);
            lost.negative.clone_from(&negative.compensations);
        }
        self.set_positive(positive);
        self.set_negative(negative);
    }

    fn combine_mismatched(&mut self, other: &Self, sign: Sign, lost: Option<&mut Lost>) {
        let bounds: Arc<[f64]> = intersect_bounds(&self.custom_values, &other.custom_values);
        let ours = cells(
            self.positive_counts(),
            lost.as_deref().map(|lost| &*lost.positive),
        );
        let positive = map_to_bounds(
            (ours, &self.custom_values),
            (signed(other.positive_counts(), sign), &other.custom_values),
            &bounds,
            lost.is_some(),
        );
        self.custom_values = bounds;
        self.replace_positive(positive, lost);
    }

    fn replace_positive(&mut self, side: Side, lost: Option<&mut Lost>) {
        if let Some(lost) = lost {
            lost.positive.clone_from(&side.compensations);
        }
        self.set_positive(side);
    }
}

fn signed(counts: IndexedCounts<'_>, sign: Sign) -> impl Iterator<Item = Cell> {
    counts.map(move |(index, count)| Cell::new(index, sign.apply(count), 0.0))
}

fn cells<'a>(
    counts: IndexedCounts<'a>,
    lost: Option<&'a [f64]>,
) -> impl Iterator<Item = Cell> + 'a {
    let lost = lost
        .unwrap_or(&[])
        .iter()
        .copied()
        .chain(std::iter::repeat(0.0));
    counts
        .zip(lost)
        .map(|((index, count), lost)| Cell::new(index, count, lost))
}

/// Returns a histogram without observations that has the layout of `histogram`.
fn empty_like(histogram: &FloatHistogram) -> FloatHistogram {
    FloatHistogram {
        schema: histogram.schema,
        custom_values: Arc::clone(&histogram.custom_values),
        ..FloatHistogram::default()
    }
}

impl FloatHistogram {
    /// Returns a histogram without observations whose schema and bounds are those of `self`.
    #[must_use]
    pub fn emptied(&self) -> Self {
        empty_like(self)
    }

    /// Returns whether any count, the sum or a bound is infinite.
    pub(super) fn has_overflow(&self) -> bool {
        [self.zero_count, self.count, self.sum]
            .iter()
            .chain(&self.positive_buckets)
            .chain(&self.negative_buckets)
            .chain(&*self.custom_values)
            .any(|value| value.is_infinite())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::super::testing::{any_custom, any_exponential, span};
    use super::*;

    fn sum(a: &FloatHistogram, b: &FloatHistogram) -> FloatHistogram {
        let mut sum = a.clone();
        sum.add(b).unwrap();
        sum
    }

    fn compacted(mut histogram: FloatHistogram) -> FloatHistogram {
        histogram.compact();
        histogram
    }

    fn one_bucket(schema: i32, index: i32, count: f64) -> FloatHistogram {
        FloatHistogram {
            schema,
            count,
            sum: count,
            positive_spans: vec![span(index, 1)],
            positive_buckets: vec![count],
            ..FloatHistogram::default()
        }
    }

    fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
        FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: counts.iter().sum(),
            positive_spans: vec![span(0, counts.len() as u32)],
            positive_buckets: counts.to_vec(),
            custom_values: bounds.into(),
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn buckets_are_inserted_where_they_belong() {
        let mut histogram = one_bucket(0, 5, 1.0);
        for (index, spans) in [
            (7, vec![span(5, 1), span(1, 1)]),
            (6, vec![span(5, 3)]),
            (2, vec![span(2, 1), span(2, 3)]),
            (7, vec![span(2, 1), span(2, 3)]),
            (9, vec![span(2, 1), span(2, 3), span(1, 1)]),
        ] {
            histogram.add(&one_bucket(0, index, 2.0)).unwrap();
            assert_eq!(histogram.positive_spans, spans);
        }
        assert_eq!(histogram.positive_buckets, [2.0, 1.0, 2.0, 4.0, 2.0]);
        assert_eq!((histogram.count, histogram.sum), (11.0, 11.0));
    }

    #[test]
    fn the_lower_resolution_wins_on_either_side() {
        let fine = one_bucket(2, 5, 1.0);
        let coarse = one_bucket(0, 2, 4.0);
        for result in [sum(&fine, &coarse), sum(&coarse, &fine)] {
            assert_eq!(result.schema, 0);
            assert_eq!(result.positive_buckets, [5.0]);
        }
    }

    #[test]
    fn buckets_under_the_wider_zero_threshold_join_the_zero_bucket() {
        let mut wide = one_bucket(0, 4, 1.0);
        wide.zero_threshold = 1.5;
        wide.zero_count = 3.0;
        let narrow = one_bucket(0, 1, 2.0);
        for result in [sum(&wide, &narrow), sum(&narrow, &wide)] {
            assert_eq!((result.zero_threshold, result.zero_count), (2.0, 5.0));
            assert_eq!(result.positive_buckets, [1.0]);
        }
    }

    #[test]
    fn different_custom_bounds_come_down_to_those_shared() {
        let mut histogram = custom(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
        let other = custom(&[2.0, 3.0], &[10.0, 20.0, 40.0]);
        let combined = histogram.add(&other).unwrap();
        assert!(combined.bounds_reconciled);
        assert_eq!(*histogram.custom_values, [2.0]);
        assert_eq!(histogram.positive_buckets, [13.0, 67.0]);
        let combined = histogram.sub(&custom(&[2.0], &[13.0, 1.0])).unwrap();
        assert!(!combined.bounds_reconciled);
        assert_eq!(histogram.positive_buckets, [0.0, 66.0]);
    }

    #[test]
    fn exponential_and_custom_buckets_do_not_mix() {
        let mut histogram = one_bucket(0, 1, 1.0);
        let before = histogram.clone();
        let other = custom(&[1.0], &[1.0]);
        assert!(matches!(
            histogram.sub(&other),
            Err(HistogramError::IncompatibleSchemas)
        ));
        assert_eq!(histogram, before);
    }

    #[test]
    fn reset_hints_join_and_contradictions_are_told() {
        use CounterResetHint::{Gauge, NotReset, Reset, Unknown};
        let cases = [
            (Reset, Reset, Reset, false),
            (Reset, NotReset, Unknown, true),
            (NotReset, Reset, Unknown, true),
            (Unknown, Reset, Unknown, false),
            (NotReset, Unknown, Unknown, false),
            (Gauge, Reset, Gauge, false),
            (Unknown, Gauge, Gauge, false),
        ];
        for (ours, theirs, joined, collision) in cases {
            let mut histogram = FloatHistogram {
                counter_reset_hint: ours,
                ..FloatHistogram::default()
            };
            assert_eq!(histogram.join_reset_hint(theirs), collision);
            assert_eq!(histogram.counter_reset_hint, joined);
        }
    }

    #[test]
    fn scaling_by_a_negative_makes_a_gauge_and_division_by_zero_drops_the_buckets() {
        let mut histogram = one_bucket(0, 1, 4.0);
        histogram.mul(-0.5);
        assert_eq!(histogram.positive_buckets, [-2.0]);
        assert_eq!(histogram.counter_reset_hint, CounterResetHint::Gauge);
        let mut histogram = one_bucket(0, 1, 4.0);
        histogram.div(0.0);
        assert_eq!(histogram.count, f64::INFINITY);
        assert!(histogram.zero_count.is_nan() && histogram.positive_spans.is_empty());
        assert!(histogram.has_overflow());
        assert_eq!(histogram.counter_reset_hint, CounterResetHint::Unknown);
    }

    #[test]
    fn a_bucket_hidden_by_the_zero_bucket_does_not_count() {
        let mut histogram = one_bucket(0, 1, 4.0);
        histogram.zero_threshold = 2.0;
        let other = histogram.clone();
        histogram.add(&other).unwrap();
        assert_eq!(histogram.positive_buckets, [4.0]);
    }

    proptest! {
        #[test]
        fn the_same_layout_adds_up_as_any_other(a in any_exponential(), factor in 1_u8..5) {
            let mut same = a.clone();
            same.mul(f64::from(factor));
            let in_place = sum(&a, &same);
            // An empty bucket far out changes the layout and nothing else.
            same.positive_spans.push(span(40, 1));
            same.positive_buckets.push(0.0);
            prop_assert_eq!(compacted(in_place), compacted(sum(&a, &same)));
        }

        #[test]
        fn addition_commutes(a in any_exponential(), b in any_exponential()) {
            prop_assert_eq!(compacted(sum(&a, &b)), compacted(sum(&b, &a)));
        }

        #[test]
        fn addition_of_custom_buckets_commutes(a in any_custom(), b in any_custom()) {
            prop_assert_eq!(compacted(sum(&a, &b)), compacted(sum(&b, &a)));
        }

        #[test]
        fn addition_loses_no_observation(a in any_exponential(), b in any_exponential()) {
            let total = sum(&a, &b);
            let in_buckets = total.all_bucket_iter().map(|bucket| bucket.count).sum::<f64>();
            prop_assert_eq!(in_buckets, a.count + b.count);
        }

        #[test]
        fn reducing_then_adding_is_adding_then_reducing(
            mut a in any_exponential(),
            mut b in any_exponential(),
            by in 1_i32..3,
        ) {
            // With one zero threshold below all buckets, so that none is drawn into it.
            for histogram in [&mut a, &mut b] {
                histogram.zero_threshold = 1e-10;
            }
            let schema = a.schema.min(b.schema) - by;
            let late = sum(&a, &b).to_schema(schema);
            let early = sum(&a.to_schema(schema), &b.to_schema(schema));
            prop_assert_eq!(compacted(late), compacted(early));
        }

        #[test]
        fn subtracting_what_was_added_gives_it_back(a in any_exponential(), b in any_exponential()) {
            let mut there = sum(&a, &b);
            let mut reference = a.clone();
            // Brings `a` to the zero bucket and schema of the sum.
            reference.add(&{ let mut none = b.clone(); none.mul(0.0); none }).unwrap();
            there.sub(&b).unwrap();
            prop_assume!(there.zero_threshold == reference.zero_threshold);
            prop_assert_eq!(compacted(there), compacted(reference));
        }
    }
}
