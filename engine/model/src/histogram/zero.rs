//! Widening the zero bucket.

use std::cmp::Ordering;

use super::FloatHistogram;
use super::layout::{Cell, Side, build};
use crate::kahan::KahanSum;

/// What a histogram's buckets have lost to rounding, laid out like the histogram itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lost {
    pub(super) zero_count: f64,
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) positive: Vec<f64>,
    pub(super) negative: Vec<f64>,
}

impl Lost {
    /// Returns nothing lost, for the layout of `histogram`.
    pub(super) fn none(histogram: &FloatHistogram) -> Self {
        Self {
            positive: vec![0.0; histogram.positive_buckets.len()],
            negative: vec![0.0; histogram.negative_buckets.len()],
            ..Self::default()
        }
    }
}

/// A zero bucket as it would be with another threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ZeroBucket {
    pub(super) threshold: f64,
    pub(super) count: KahanSum,
}

impl FloatHistogram {
    /// Returns the zero bucket with a threshold of at least `threshold`, which must not be below
    /// the present one. The threshold is larger where it would fall into a filled bucket: then
    /// that bucket is taken in whole.
    pub(super) fn widened_zero_bucket(&self, threshold: f64, lost: Option<&Lost>) -> ZeroBucket {
        let mut threshold = threshold;
        loop {
            let mut count = KahanSum {
                sum: self.zero_count,
                compensation: lost.map_or(0.0, |lost| lost.zero_count),
            };
            if threshold == self.zero_threshold {
                return ZeroBucket { threshold, count };
            }
            let lost_positive = lost.map_or(&[][..], |lost| &lost.positive);
            let positive = self
                .positive_bucket_iter()
                .map(|b| (b.lower, b.upper, b.count));
            absorb_below(positive, lost_positive, &mut threshold, &mut count);
            let before = threshold;
            let lost_negative = lost.map_or(&[][..], |lost| &lost.negative);
            let negative = self
                .negative_bucket_iter()
                .map(|b| (-b.upper, -b.lower, b.count));
            absorb_below(negative, lost_negative, &mut threshold, &mut count);
            if threshold == before {
                return ZeroBucket { threshold, count };
            }
            // A negative bucket pushed the threshold out, so that the positive side is due again.
        }
    }

    /// Makes `zero` the zero bucket and drops the buckets that lie within it.
    pub(super) fn set_zero_bucket(&mut self, zero: ZeroBucket, lost: Option<&mut Lost>) {
        self.zero_threshold = zero.threshold;
        self.zero_count = zero.count.sum;
        let mut none = Lost::default();
        let compensated = lost.is_some();
        let lost = lost.unwrap_or(&mut none);
        lost.zero_count = zero.count.compensation;
        let beyond = |lower: f64| lower >= zero.threshold;
        let positive = outside(
            self.positive_bucket_iter()
                .map(|b| (b.index, beyond(b.lower), b.count)),
            &lost.positive,
            compensated,
        );
        let negative = outside(
            self.negative_bucket_iter()
                .map(|b| (b.index, beyond(-b.upper), b.count)),
            &lost.negative,
            compensated,
        );
        lost.positive.clone_from(&positive.compensations);
        lost.negative.clone_from(&negative.compensations);
        self.set_positive(positive);
        self.set_negative(negative);
    }

    /// Widens this zero bucket until it and that of `other` have the same threshold, which lies
    /// in no filled bucket of either, and returns the count that the zero bucket of `other` would
    /// then have.
    pub(super) fn reconcile_zero_buckets(
        &mut self,
        other: &Self,
        mut lost: Option<&mut Lost>,
    ) -> KahanSum {
        let mut theirs = ZeroBucket {
            threshold: other.zero_threshold,
            count: KahanSum::new(other.zero_count),
        };
        // A NaN, which differs from everything, must not keep this going.
        while let Some(order) = theirs.threshold.partial_cmp(&self.zero_threshold)
            && order != Ordering::Equal
        {
            if self.zero_threshold > theirs.threshold {
                theirs = other.widened_zero_bucket(self.zero_threshold, None);
            }
            if theirs.threshold > self.zero_threshold {
                let ours = self.widened_zero_bucket(theirs.threshold, lost.as_deref());
                self.set_zero_bucket(ours, lost.as_deref_mut());
            }
        }
        theirs.count
    }
}

/// Adds to `count` the buckets (near bound, far bound, count, outwards) that begin below
/// `threshold`, and moves `threshold` to the far bound of a filled one that it falls into.
fn absorb_below(
    buckets: impl Iterator<Item = (f64, f64, f64)>,
    lost: &[f64],
    threshold: &mut f64,
    count: &mut KahanSum,
) {
    for (position, (near, far, observations)) in buckets.enumerate() {
        if near >= *threshold {
            break;
        }
        count.add(observations);
        if let Some(lost) = lost.get(position) {
            count.add(*lost);
        }
        if far > *threshold {
            if observations != 0.0 {
                *threshold = far;
            }
            break;
        }
    }
}

/// Rebuilds a side from those of its buckets (index, whether outside, count) that are outside of
/// the zero bucket and not empty.
fn outside(
    buckets: impl Iterator<Item = (i32, bool, f64)>,
    lost: &[f64],
    compensated: bool,
) -> Side {
    let lost = lost.iter().copied().chain(std::iter::repeat(0.0));
    let kept = buckets
        .zip(lost)
        .filter(|((_, outside, count), lost)| *outside && (*count != 0.0 || *lost != 0.0))
        .map(|((index, _, count), lost)| Cell::new(index, count, lost));
    build(kept, compensated)
}

#[cfg(test)]
mod tests {
    use super::super::testing::span;
    use super::*;

    /// Buckets (1,2] (2,4] (4,8] with 1, 2, 3 and [-4,-2) with 5 observations.
    fn histogram() -> FloatHistogram {
        FloatHistogram {
            schema: 0,
            zero_threshold: 0.5,
            zero_count: 10.0,
            positive_spans: vec![span(1, 3)],
            positive_buckets: vec![1.0, 2.0, 3.0],
            negative_spans: vec![span(2, 1)],
            negative_buckets: vec![5.0],
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn a_threshold_within_a_filled_bucket_moves_to_its_far_bound() {
        let cases = [
            (0.5, 0.5, 10.0),
            (0.75, 0.75, 10.0),
            (1.0, 1.0, 10.0),
            (1.5, 2.0, 11.0),
            (2.0, 2.0, 11.0),
            (2.5, 4.0, 18.0),
            (5.0, 8.0, 21.0),
            (100.0, 100.0, 21.0),
        ];
        for (wanted, threshold, count) in cases {
            let zero = histogram().widened_zero_bucket(wanted, None);
            assert_eq!((zero.threshold, zero.count.total()), (threshold, count));
        }
    }

    #[test]
    fn a_negative_bucket_can_draw_in_a_positive_one() {
        let mut histogram = histogram();
        histogram.positive_spans = vec![span(2, 1)];
        histogram.positive_buckets = vec![1.0];
        histogram.negative_spans = vec![span(1, 2)];
        histogram.negative_buckets = vec![0.0, 5.0];
        // 3 lies in [-4,-2), so the bucket (2,4] goes as well.
        let zero = histogram.widened_zero_bucket(3.0, None);
        assert_eq!((zero.threshold, zero.count.total()), (4.0, 16.0));
    }

    #[test]
    fn reconciling_leaves_only_buckets_beyond_the_common_threshold() {
        let mut wide = histogram();
        wide.zero_threshold = 3.0;
        wide.positive_spans = vec![span(3, 1)];
        wide.positive_buckets = vec![1.0];
        wide.negative_spans = Vec::new();
        wide.negative_buckets = Vec::new();
        let mut narrow = histogram();
        let theirs = narrow.reconcile_zero_buckets(&wide, None);
        assert_eq!(theirs.total(), 10.0);
        assert_eq!((narrow.zero_threshold, narrow.zero_count), (4.0, 18.0));
        assert_eq!(narrow.positive_spans, [span(3, 1)]);
        assert_eq!(narrow.positive_buckets, [3.0]);
        assert!(narrow.negative_buckets.is_empty());
    }

    #[test]
    fn a_nan_threshold_does_not_loop_for_ever() {
        let mut odd = histogram();
        odd.zero_threshold = f64::NAN;
        let mut narrow = histogram();
        assert_eq!(narrow.reconcile_zero_buckets(&odd, None).total(), 10.0);
    }
}
