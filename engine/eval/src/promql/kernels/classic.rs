//! Quantiles and fractions of classic histograms: cumulative counts by upper bound.

use std::cmp::Ordering;

use super::quantile::RanksBelow;
use crate::promql::annotations::MonotonicityFix;

/// Relative differences of counts below this are taken for rounding errors.
const TOLERANCE: f64 = 1e-12;

/// A bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassicBucket {
    /// The value of `le`.
    pub(crate) upper_bound: f64,
    /// Observations up to there.
    pub(crate) count: f64,
}

/// Returns the `q`-quantile of the observations, which are taken to lie evenly within a bucket,
/// and what had to be changed to make the counts rise.
///
/// NaN when there are no observations, fewer than two buckets or none up to +Inf; an infinity
/// when `q` is below 0 or above 1. In the highest bucket the quantile is the bound below it, in a
/// lowest bucket that ends at or below zero it is its bound. `buckets`, in any order and not
/// empty, are sorted and changed.
pub(crate) fn bucket_quantile(
    q: f64,
    buckets: &mut Vec<ClassicBucket>,
) -> (f64, Option<MonotonicityFix>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if !sort_and_coalesce(buckets) {
        return (f64::NAN, None);
    }
    let fix = make_monotonic(buckets);
    (interpolated_quantile(q, buckets), fix)
}

fn interpolated_quantile(q: f64, buckets: &[ClassicBucket]) -> f64 {
    let [.., below, highest] = buckets else {
        return f64::NAN;
    };
    if highest.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * highest.count;
    // Unlike a partition point this finds the bucket that upstream finds among NaN counts.
    let found = search(buckets.len() - 1, |index| buckets[index].count >= rank);
    if found == buckets.len() - 1 {
        return below.upper_bound;
    }
    let bucket = buckets[found];
    if found == 0 {
        if bucket.upper_bound <= 0.0 {
            return bucket.upper_bound;
        }
        return bucket.upper_bound * (rank / bucket.count);
    }
    let before = buckets[found - 1];
    let share = (rank - before.count) / (bucket.count - before.count);
    before.upper_bound + (bucket.upper_bound - before.upper_bound) * share
}

/// Returns the smallest number below `len` for which `holds` is true, or `len`, by bisection.
fn search(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Returns which part of the observations lies between `lower` and `upper`.
///
/// NaN when there are no observations, no bucket up to +Inf or a bound is NaN; 0 when the bounds
/// do not rise. `buckets`, in any order and not empty, are sorted and changed.
pub(crate) fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !sort_and_coalesce(buckets) {
        return f64::NAN;
    }
    let total = buckets.last().map_or(0.0, |bucket| bucket.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut below = RanksBelow::new(lower, upper);
    let mut from = if buckets[0].upper_bound <= 0.0 {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    for bucket in buckets.iter() {
        let rank = below.rank;
        below.see(from, bucket.upper_bound, bucket.count, |value| {
            if from == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + (bucket.count - rank) * (value - from) / (bucket.upper_bound - from)
            }
        });
        if below.is_done() {
            break;
        }
        from = bucket.upper_bound;
    }
    below.difference(total) / total
}

/// Sorts by bound and joins buckets with the same bound. Returns whether the highest one reaches
/// to +Inf.
fn sort_and_coalesce(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| {
        a.upper_bound
            .partial_cmp(&b.upper_bound)
            .unwrap_or(Ordering::Equal)
    });
    if buckets
        .last()
        .is_none_or(|bucket| bucket.upper_bound != f64::INFINITY)
    {
        return false;
    }
    buckets.dedup_by(|later, kept| {
        let same = later.upper_bound == kept.upper_bound;
        if same {
            kept.count += later.count;
        }
        same
    });
    true
}

/// Raises counts that are lower than the one before. Tiny differences in either direction are
/// evened out without a word.
fn make_monotonic(buckets: &mut [ClassicBucket]) -> Option<MonotonicityFix> {
    let (first, rest) = buckets.split_first_mut()?;
    let mut previous = first.count;
    let mut fix: Option<MonotonicityFix> = None;
    for bucket in rest {
        let current = bucket.count;
        if current == previous {
            continue;
        }
        if is_almost_equal(previous, current) {
            bucket.count = previous;
        } else if current < previous {
            bucket.count = previous;
            let fix = fix.get_or_insert(MonotonicityFix {
                min_bucket: bucket.upper_bound,
                max_bucket: bucket.upper_bound,
                max_diff: 0.0,
            });
            fix.max_bucket = bucket.upper_bound;
            fix.max_diff = fix.max_diff.max(previous - current);
        } else {
            previous = current;
        }
    }
    fix
}

fn is_almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<ClassicBucket> {
        pairs
            .iter()
            .map(|(upper_bound, count)| ClassicBucket {
                upper_bound: *upper_bound,
                count: *count,
            })
            .collect()
    }

    fn quantile(q: f64, pairs: &[(f64, f64)]) -> f64 {
        bucket_quantile(q, &mut buckets(pairs)).0
    }

    fn fraction(lower: f64, upper: f64, pairs: &[(f64, f64)]) -> f64 {
        bucket_fraction(lower, upper, &mut buckets(pairs))
    }

    #[test]
    fn quantiles_are_linear_within_a_bucket() {
        let pairs = [(INF, 8.0), (1.0, 2.0), (3.0, 6.0)];
        assert_eq!(quantile(0.125, &pairs), 0.5);
        assert_eq!(quantile(0.5, &pairs), 2.0);
        assert_eq!(quantile(0.9, &pairs), 3.0);
        assert_eq!(quantile(0.1, &[(-1.0, 2.0), (INF, 4.0)]), -1.0);
    }

    #[test]
    fn what_has_no_quantile_is_nan() {
        for pairs in [
            &[(1.0, 2.0), (2.0, 4.0)][..],
            &[(INF, 2.0)],
            &[(1.0, 0.0), (INF, 0.0)],
        ] {
            assert!(quantile(0.5, pairs).is_nan(), "{pairs:?}");
        }
        assert!(quantile(f64::NAN, &[(1.0, 2.0), (INF, 4.0)]).is_nan());
        assert_eq!(quantile(-1.0, &[(1.0, 2.0)]), -INF);
        assert_eq!(quantile(1.5, &[(1.0, 2.0)]), INF);
    }

    #[test]
    fn buckets_of_one_bound_are_added() {
        assert_eq!(
            quantile(0.5, &[(1.0, 1.0), (1.0, 3.0), (INF, 4.0), (INF, 4.0)]),
            1.0
        );
    }

    #[test]
    fn falling_counts_are_raised_and_told_but_tiny_differences_are_not() {
        let mut falling = buckets(&[
            (1.0, 10.0),
            (2.0, 8.0),
            (3.0, 20.0),
            (4.0, 15.0),
            (INF, 20.0),
        ]);
        let (value, fix) = bucket_quantile(0.5, &mut falling);
        assert_eq!(value, 1.0);
        let expected = MonotonicityFix {
            min_bucket: 2.0,
            max_bucket: 4.0,
            max_diff: 5.0,
        };
        assert_eq!(fix, Some(expected));
        let mut tiny = buckets(&[(1.0, 1e12), (2.0, 1e12 - 1.0), (INF, 1e12 + 0.5)]);
        assert_eq!(bucket_quantile(0.5, &mut tiny).1, None);
        assert!(tiny.iter().all(|bucket| bucket.count == 1e12));
    }

    #[test]
    fn fractions_are_linear_and_begin_at_zero() {
        let pairs = [(2.0, 4.0), (4.0, 6.0), (INF, 8.0)];
        assert_eq!(fraction(0.0, 1.0, &pairs), 0.25);
        assert_eq!(fraction(-5.0, 3.0, &pairs), 0.625);
        assert_eq!(fraction(4.0, INF, &pairs), 0.25);
        assert_eq!(fraction(5.0, INF, &pairs), 0.25);
        assert_eq!(fraction(-INF, INF, &pairs), 1.0);
        assert_eq!(fraction(3.0, 3.0, &pairs), 0.0);
        assert_eq!(fraction(-INF, -1.0, &[(0.0, 1.0), (INF, 4.0)]), 0.25);
        assert!(fraction(0.0, 1.0, &[(1.0, 4.0)]).is_nan());
    }
}
