//! Quantiles and fractions of native histograms.
//!
//! Observations are taken to lie evenly within a custom bucket and within the zero bucket, and
//! evenly on a logarithmic scale within an exponential bucket. A zero bucket beside positive
//! buckets only begins at zero, one beside negative buckets only ends there.

use obsq_model::FloatHistogram;
use obsq_model::histogram::Bucket;

use super::{RangeNote, RangeNotes};

/// Returns the `q`-quantile of the observations: NaN when there are none, an infinity when `q` is
/// below 0 or above 1.
///
/// NaN observations, which are in no bucket, count as larger than all others.
pub(crate) fn histogram_quantile(
    q: f64,
    histogram: &FloatHistogram,
    notes: &mut RangeNotes,
) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    // With NaN observations the buckets hold less than the count, so ranks are only right from
    // below. Otherwise the nearer end gives the smaller error.
    let has_nan = histogram.sum.is_nan();
    let from_below = has_nan || q < 0.5;
    let share = if from_below { q } else { 1.0 - q };
    let rank = share * histogram.count;
    let mut buckets = histogram.all_bucket_iter();
    let mut next = || {
        if from_below {
            buckets.next()
        } else {
            buckets.next_back()
        }
    };
    let mut count = 0.0;
    let mut bucket = NO_BUCKET;
    while let Some(found) = next() {
        bucket = found;
        count += bucket.count;
        if bucket.count != 0.0 && count >= rank {
            break;
        }
    }
    if let Some(edge) = settle_bounds(&mut bucket, histogram) {
        return edge;
    }
    let mut count = if count > histogram.count {
        histogram.count
    } else {
        count
    };
    if count < rank {
        if has_nan {
            notes.note(RangeNote::QuantileNanResult);
            return f64::NAN;
        }
        return bucket.upper;
    }
    let rank_in_bucket = if from_below {
        rank - (count - bucket.count)
    } else {
        count - rank
    };
    if has_nan {
        // Upstream walks on to count all buckets and then interpolates in the last one.
        while let Some(found) = next() {
            bucket = found;
            count += found.count;
        }
        if count < histogram.count {
            notes.note(RangeNote::QuantileNanSkew);
        }
    }
    let fraction = rank_in_bucket / bucket.count;
    interpolate(&bucket, fraction, histogram.uses_custom_buckets())
}

/// What is found when there are no buckets.
const NO_BUCKET: Bucket = Bucket {
    lower: 0.0,
    upper: 0.0,
    lower_inclusive: false,
    upper_inclusive: false,
    count: 0.0,
    index: 0,
};

/// Narrows a zero bucket that can only hold observations of one sign, and the lowest custom
/// bucket, which begins at zero. Returns the quantile where the bucket has no other known bound.
fn settle_bounds(bucket: &mut Bucket, histogram: &FloatHistogram) -> Option<f64> {
    if histogram.uses_custom_buckets() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return Some(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return Some(bucket.lower);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        narrow_zero_bucket(bucket, histogram);
    }
    None
}

fn narrow_zero_bucket(bucket: &mut Bucket, histogram: &FloatHistogram) {
    let negative = !histogram.negative_buckets.is_empty();
    let positive = !histogram.positive_buckets.is_empty();
    match (negative, positive) {
        (false, true) => bucket.lower = 0.0,
        (true, false) => bucket.upper = 0.0,
        _ => {}
    }
}

fn interpolate(bucket: &Bucket, fraction: f64, custom: bool) -> f64 {
    if custom || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let lower = bucket.lower.abs().log2();
    let upper = bucket.upper.abs().log2();
    if bucket.lower > 0.0 {
        return (lower + (upper - lower) * fraction).exp2();
    }
    -(upper + (lower - upper) * (1.0 - fraction)).exp2()
}

/// Returns which part of the observations lies between `lower` and `upper`: NaN when there are
/// none or a bound is NaN, 0 when the bounds do not rise. NaN observations lie nowhere.
pub(crate) fn histogram_fraction(
    lower: f64,
    upper: f64,
    histogram: &FloatHistogram,
    notes: &mut RangeNotes,
) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut below = RanksBelow::new(lower, upper);
    let mut total = histogram.count;
    for mut bucket in histogram.all_bucket_iter() {
        let linear = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if linear {
            narrow_zero_bucket(&mut bucket, histogram);
        }
        let linear = linear || histogram.uses_custom_buckets();
        let rank = below.rank;
        below.see(bucket.lower, bucket.upper, rank + bucket.count, |value| {
            if linear && bucket.lower == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + bucket.count * bucket.fraction_below(value, linear)
            }
        });
        if below.is_done() {
            break;
        }
    }
    if histogram.sum.is_nan() {
        let in_buckets = histogram
            .all_bucket_iter()
            .map(|bucket| bucket.count)
            .sum::<f64>();
        if in_buckets < histogram.count {
            notes.note(RangeNote::FractionNans);
        }
        total = in_buckets;
    }
    below.difference(total) / histogram.count
}

/// How many observations lie below each of two values, found while buckets go by in ascending
/// order.
#[derive(Debug)]
pub(super) struct RanksBelow {
    /// Observations in all buckets so far.
    pub(super) rank: f64,
    lower: Bound,
    upper: Bound,
}

#[derive(Debug)]
struct Bound {
    value: f64,
    rank: Option<f64>,
}

impl Bound {
    fn see(&mut self, from: f64, to: f64, before: f64, within: &impl Fn(f64) -> f64) {
        if self.rank.is_none() {
            if from >= self.value {
                self.rank = Some(before);
            } else if to > self.value {
                self.rank = Some(within(self.value));
            }
        }
    }

    fn rank(&self, total: f64) -> f64 {
        match self.rank {
            Some(rank) if rank > total => total,
            Some(rank) => rank,
            None => total,
        }
    }
}

impl RanksBelow {
    pub(super) fn new(lower: f64, upper: f64) -> Self {
        let bound = |value| Bound { value, rank: None };
        Self {
            rank: 0.0,
            lower: bound(lower),
            upper: bound(upper),
        }
    }

    /// Takes the next bucket, up to whose end there are `rank` observations; `within` says how
    /// many there are below a value inside of it.
    pub(super) fn see(&mut self, from: f64, to: f64, rank: f64, within: impl Fn(f64) -> f64) {
        self.lower.see(from, to, self.rank, &within);
        self.upper.see(from, to, self.rank, &within);
        self.rank = rank;
    }

    pub(super) fn is_done(&self) -> bool {
        self.lower.rank.is_some() && self.upper.rank.is_some()
    }

    /// Returns the number of observations between the two values, of `total`.
    pub(super) fn difference(&self, total: f64) -> f64 {
        self.upper.rank(total) - self.lower.rank(total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{custom, histogram};
    use super::*;

    fn quantile(q: f64, histogram: &FloatHistogram) -> f64 {
        let mut notes = RangeNotes::default();
        let value = histogram_quantile(q, histogram, &mut notes);
        assert!(notes.is_empty());
        value
    }

    fn fraction(lower: f64, upper: f64, histogram: &FloatHistogram) -> f64 {
        let mut notes = RangeNotes::default();
        let value = histogram_fraction(lower, upper, histogram, &mut notes);
        assert!(notes.is_empty());
        value
    }

    /// Zero bucket [-0.25, 0.25] with 2, (0.5,1] with 2, (1,2] with 4.
    fn positive() -> FloatHistogram {
        FloatHistogram {
            zero_threshold: 0.25,
            zero_count: 2.0,
            count: 8.0,
            ..histogram(&[2.0, 4.0])
        }
    }

    #[test]
    fn exponential_buckets_interpolate_on_the_logarithmic_scale() {
        assert_eq!(quantile(0.75, &positive()), 2_f64.sqrt());
        assert_eq!(quantile(1.0, &positive()), 2.0);
        assert_eq!(quantile(0.375, &positive()), 0.5_f64.sqrt());
        let mut negative = positive();
        std::mem::swap(&mut negative.positive_spans, &mut negative.negative_spans);
        std::mem::swap(
            &mut negative.positive_buckets,
            &mut negative.negative_buckets,
        );
        assert_eq!(quantile(0.25, &negative), -(2_f64.sqrt()));
        assert_eq!(quantile(0.0, &negative), -2.0);
    }

    #[test]
    fn the_zero_bucket_is_linear_and_ends_at_zero_beside_one_sign() {
        assert_eq!(quantile(0.125, &positive()), 0.125);
        assert_eq!(quantile(0.0, &positive()), 0.0);
        let mut both = positive();
        both.negative_spans.clone_from(&both.positive_spans);
        both.negative_buckets = vec![0.0, 0.0];
        assert_eq!(quantile(0.125, &both), 0.0);
        assert_eq!(fraction(0.0, 9.0, &both), 0.875);
        assert_eq!(fraction(0.0, 9.0, &positive()), 1.0);
    }

    #[test]
    fn custom_buckets_are_linear_and_open_ones_give_their_known_bound() {
        let bounded = custom(&[2.0, 4.0], &[2.0, 2.0, 4.0]);
        assert_eq!(quantile(0.125, &bounded), 1.0);
        assert_eq!(quantile(0.375, &bounded), 3.0);
        assert_eq!(quantile(0.9, &bounded), 4.0);
        let below_zero = custom(&[-2.0, 4.0], &[2.0, 2.0, 4.0]);
        assert_eq!(quantile(0.1, &below_zero), -2.0);
        assert_eq!(fraction(3.0, 4.0, &bounded), 0.125);
        assert_eq!(fraction(f64::NEG_INFINITY, 1.0, &bounded), 0.125);
        assert_eq!(fraction(5.0, f64::INFINITY, &bounded), 0.5);
    }

    #[test]
    fn odd_parameters_and_empty_histograms_have_fixed_answers() {
        assert_eq!(quantile(-1.0, &positive()), f64::NEG_INFINITY);
        assert_eq!(quantile(2.0, &positive()), f64::INFINITY);
        assert!(quantile(f64::NAN, &positive()).is_nan());
        assert!(quantile(0.5, &FloatHistogram::default()).is_nan());
        assert_eq!(fraction(2.0, 2.0, &positive()), 0.0);
        assert!(fraction(f64::NAN, 2.0, &positive()).is_nan());
        assert!(fraction(0.0, 1.0, &FloatHistogram::default()).is_nan());
    }

    #[test]
    fn nan_observations_are_above_all_buckets_and_noted() {
        let mut odd = positive();
        odd.sum = f64::NAN;
        odd.count = 16.0;
        let mut notes = RangeNotes::default();
        assert_eq!(histogram_quantile(0.5, &odd, &mut notes), 2.0);
        assert!(notes.has(RangeNote::QuantileNanSkew));
        let mut notes = RangeNotes::default();
        assert!(histogram_quantile(0.75, &odd, &mut notes).is_nan());
        assert!(notes.has(RangeNote::QuantileNanResult));
        let mut notes = RangeNotes::default();
        let all = histogram_fraction(f64::NEG_INFINITY, f64::INFINITY, &odd, &mut notes);
        assert_eq!(all, 0.5);
        assert!(notes.has(RangeNote::FractionNans));
        // Infinities make the sum NaN as well, but are in a bucket.
        odd.count = 8.0;
        assert!((quantile(0.75, &odd) - 2_f64.sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_fraction_below_a_quantile_is_the_quantile(
            counts in prop::collection::vec(0_u8..9, 1..6),
            zero_count in 0_u8..4,
            q in 0.01_f64..0.99,
        ) {
            let mut one = histogram(&counts.into_iter().map(f64::from).collect::<Vec<_>>());
            one.zero_count = f64::from(zero_count);
            one.zero_threshold = 0.01;
            one.count += one.zero_count;
            prop_assume!(one.count > 0.0);
            let value = quantile(q, &one);
            prop_assert!((fraction(f64::NEG_INFINITY, value, &one) - q).abs() < 1e-9);
        }
    }
}
