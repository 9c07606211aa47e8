//! The operators `</` and `>/`: what a histogram would be without the observations above or below
//! a value. Source of the rules: Prometheus 3.x, trimming of native histogram buckets.

use super::{Bucket, FloatHistogram};

/// Which observations stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// `</`: those below the value.
    KeepBelow,
    /// `>/`: those above the value.
    KeepAbove,
}

/// What stays of a bucket: how many observations, and the value they stand for in the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kept {
    count: f64,
    midpoint: f64,
}

/// How observations are thought to lie within a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    Linear,
    PositiveExponential,
    NegativeExponential,
}

impl FloatHistogram {
    /// Removes the observations on one side of `limit`, interpolating in the bucket that it falls
    /// into. Count and sum are estimated anew from what is left, unless nothing was removed.
    pub fn trim(&mut self, limit: f64, trim: Trim) {
        let custom = self.uses_custom_buckets();
        let spread = |exponential| if custom { Spread::Linear } else { exponential };
        let positive: Vec<_> = self.positive_bucket_iter().collect();
        let negative: Vec<_> = self.negative_bucket_iter().collect();
        let has_positive = positive.iter().any(|bucket| bucket.count != 0.0);
        let has_negative = negative.iter().any(|bucket| bucket.count != 0.0);
        let mut left = Left::default();
        let positive_spread = spread(Spread::PositiveExponential);
        left.take(
            &positive,
            limit,
            trim,
            positive_spread,
            &mut self.positive_buckets,
        );
        let negative_spread = spread(Spread::NegativeExponential);
        left.take(
            &negative,
            limit,
            trim,
            negative_spread,
            &mut self.negative_buckets,
        );
        if let Some(mut zero) = self.zero_bucket()
            && zero.count > 0.0
        {
            match (has_negative, has_positive) {
                (true, false) => zero.upper = 0.0,
                (false, true) => zero.lower = 0.0,
                _ => {}
            }
            let kept = keep_of_zero_bucket(&zero, limit, trim);
            left.put(&zero, kept, &mut self.zero_count);
        }
        if left.trimmed {
            self.count = left.count;
            self.sum = left.sum;
            self.compact();
        }
    }
}

/// What is left of all buckets.
#[derive(Debug, Default)]
struct Left {
    count: f64,
    sum: f64,
    trimmed: bool,
}

impl Left {
    fn take(
        &mut self,
        buckets: &[Bucket],
        limit: f64,
        trim: Trim,
        spread: Spread,
        counts: &mut [f64],
    ) {
        for (bucket, count) in buckets.iter().zip(counts) {
            if bucket.count != 0.0 {
                self.put(bucket, keep(bucket, limit, trim, spread), count);
            }
        }
    }

    fn put(&mut self, bucket: &Bucket, kept: Option<Kept>, count: &mut f64) {
        let Some(kept) = kept else {
            *count = 0.0;
            self.trimmed = true;
            return;
        };
        self.count += kept.count;
        self.sum += kept.midpoint * kept.count;
        if bucket.count != kept.count {
            *count = kept.count;
            self.trimmed = true;
        }
    }
}

/// Returns what stays of a bucket; `None` when it lies wholly on the wrong side.
fn keep(bucket: &Bucket, limit: f64, trim: Trim, spread: Spread) -> Option<Kept> {
    let (whole, cut) = match trim {
        Trim::KeepBelow => (bucket.upper <= limit, bucket.lower < limit),
        Trim::KeepAbove => (bucket.lower >= limit, bucket.upper > limit),
    };
    if whole {
        return Some(Kept {
            count: bucket.count,
            midpoint: midpoint(bucket.lower, bucket.upper, spread),
        });
    }
    if !cut {
        return None;
    }
    if bucket.lower == f64::NEG_INFINITY {
        return Some(keep_of_lowest(bucket, limit, trim));
    }
    if bucket.upper == f64::INFINITY {
        return Some(keep_of_highest(bucket, limit, trim));
    }
    let below = bucket.count * bucket.fraction_below(limit, spread == Spread::Linear);
    Some(match trim {
        Trim::KeepBelow => Kept {
            count: below,
            midpoint: midpoint(bucket.lower, limit, spread),
        },
        Trim::KeepAbove => Kept {
            count: bucket.count - below,
            midpoint: midpoint(limit, bucket.upper, spread),
        },
    })
}

/// Returns what stays of a bucket that begins at -Inf and has `limit` within.
///
/// Where it ends above zero it is taken to begin at zero, as quantiles do; otherwise nobody knows
/// where its observations lie.
fn keep_of_lowest(bucket: &Bucket, limit: f64, trim: Trim) -> Kept {
    let upper = bucket.upper;
    let from_zero = upper > 0.0 && upper.is_finite();
    match trim {
        Trim::KeepBelow if limit > 0.0 && from_zero => Kept {
            count: bucket.count * limit / upper,
            midpoint: limit / 2.0,
        },
        Trim::KeepBelow if upper <= 0.0 => Kept {
            count: bucket.count,
            midpoint: limit,
        },
        Trim::KeepAbove if limit == f64::NEG_INFINITY => Kept {
            count: bucket.count,
            midpoint: 0.0,
        },
        Trim::KeepAbove if limit >= 0.0 && from_zero => Kept {
            count: bucket.count * (1.0 - limit / upper),
            midpoint: f64::midpoint(limit, upper),
        },
        Trim::KeepBelow | Trim::KeepAbove => Kept {
            count: 0.0,
            midpoint: finite_or_zero(upper),
        },
    }
}

/// Returns what stays of a bucket that ends at +Inf and has `limit` within.
fn keep_of_highest(bucket: &Bucket, limit: f64, trim: Trim) -> Kept {
    match trim {
        Trim::KeepAbove if limit >= bucket.lower => Kept {
            count: bucket.count,
            midpoint: limit,
        },
        Trim::KeepBelow | Trim::KeepAbove => Kept {
            count: 0.0,
            midpoint: finite_or_zero(bucket.lower),
        },
    }
}

fn keep_of_zero_bucket(zero: &Bucket, limit: f64, trim: Trim) -> Option<Kept> {
    let (lower, upper) = (zero.lower, zero.upper);
    let whole = Kept {
        count: zero.count,
        midpoint: f64::midpoint(lower, upper),
    };
    let (all, none) = match trim {
        // A limit and a threshold of zero: nothing is below, everything is above.
        Trim::KeepBelow => (limit >= upper && limit > lower, limit <= lower),
        Trim::KeepAbove => (limit <= lower, limit >= upper),
    };
    if none && !all {
        return None;
    }
    if all {
        return Some(whole);
    }
    Some(match trim {
        Trim::KeepBelow => Kept {
            count: zero.count * ((limit - lower) / (upper - lower)),
            midpoint: f64::midpoint(lower, limit),
        },
        Trim::KeepAbove => Kept {
            count: zero.count * ((upper - limit) / (upper - lower)),
            midpoint: f64::midpoint(limit, upper),
        },
    })
}

/// Returns the value that observations between the bounds stand for in the sum: the arithmetic
/// mean, for exponential buckets the geometric one, and near infinity what is known.
fn midpoint(lower: f64, upper: f64, spread: Spread) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) => match spread {
            Spread::Linear => f64::midpoint(lower, upper),
            Spread::PositiveExponential => (lower * upper).abs().sqrt(),
            Spread::NegativeExponential => -(lower * upper).abs().sqrt(),
        },
    }
}

fn finite_or_zero(value: f64) -> f64 {
    if value.is_infinite() { 0.0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::super::testing::span;
    use super::*;

    /// Zero bucket [-0.5, 0.5] with 4, (1,2] with 8, (2,4] with 16 and [-2,-1) with 2.
    fn exponential() -> FloatHistogram {
        FloatHistogram {
            schema: 0,
            zero_threshold: 0.5,
            zero_count: 4.0,
            count: 30.0,
            sum: 70.0,
            positive_spans: vec![span(1, 2)],
            positive_buckets: vec![8.0, 16.0],
            negative_spans: vec![span(1, 1)],
            negative_buckets: vec![2.0],
            ..FloatHistogram::default()
        }
    }

    fn custom() -> FloatHistogram {
        FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 7.0,
            sum: 20.0,
            positive_spans: vec![span(0, 3)],
            positive_buckets: vec![4.0, 2.0, 1.0],
            custom_values: [4.0, 8.0].into(),
            ..FloatHistogram::default()
        }
    }

    fn trimmed(mut histogram: FloatHistogram, limit: f64, trim: Trim) -> (f64, f64) {
        histogram.trim(limit, trim);
        (histogram.count, histogram.sum)
    }

    fn assert_near(found: (f64, f64), expected: (f64, f64)) {
        assert!(
            (found.0 - expected.0).abs() < 1e-9,
            "{found:?} {expected:?}"
        );
        assert!(
            (found.1 - expected.1).abs() < 1e-9,
            "{found:?} {expected:?}"
        );
    }

    #[test]
    fn limits_at_bounds_cut_whole_buckets() {
        let (one, two, root) = (1.0, 2.0, 2_f64.sqrt());
        let below_two = 8.0 * root - 2.0 * root;
        assert_near(
            trimmed(exponential(), two, Trim::KeepBelow),
            (14.0, below_two),
        );
        assert_near(
            trimmed(exponential(), one, Trim::KeepBelow),
            (6.0, -2.0 * root),
        );
        let above_two = 16.0 * 8_f64.sqrt();
        assert_near(
            trimmed(exponential(), two, Trim::KeepAbove),
            (16.0, above_two),
        );
        assert_near(
            trimmed(exponential(), -1.0, Trim::KeepAbove),
            (28.0, 8.0 * root + above_two),
        );
    }

    #[test]
    fn a_limit_within_an_exponential_bucket_cuts_on_the_logarithmic_scale() {
        let root = 2_f64.sqrt();
        let mut histogram = exponential();
        histogram.trim(root, Trim::KeepBelow);
        assert!((histogram.positive_buckets[0] - 4.0).abs() < 1e-9);
        assert_eq!(histogram.positive_spans, [span(1, 1)]);
        let mut histogram = exponential();
        histogram.trim(-root, Trim::KeepAbove);
        assert!((histogram.negative_buckets[0] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_zero_bucket_is_cut_linearly() {
        let mut histogram = exponential();
        histogram.trim(0.25, Trim::KeepBelow);
        assert_eq!(histogram.zero_count, 3.0);
        histogram.trim(-0.25, Trim::KeepAbove);
        // By now it has only negative neighbours, so that it ends at zero.
        assert_eq!((histogram.zero_count, histogram.count), (1.5, 1.5));
        // Without negative buckets it begins at zero.
        let mut positive = exponential();
        positive.negative_buckets[0] = 0.0;
        positive.trim(0.25, Trim::KeepAbove);
        assert_eq!(positive.zero_count, 2.0);
    }

    #[test]
    fn nothing_removed_leaves_count_and_sum_alone() {
        for (limit, trim) in [
            (4.0, Trim::KeepBelow),
            (f64::INFINITY, Trim::KeepBelow),
            (-2.0, Trim::KeepAbove),
        ] {
            let mut histogram = exponential();
            histogram.trim(limit, trim);
            assert_eq!(histogram, exponential());
        }
    }

    #[test]
    fn custom_buckets_are_cut_linearly_and_the_lowest_begins_at_zero() {
        assert_near(
            trimmed(custom(), 6.0, Trim::KeepBelow),
            (5.0, 4.0 * 2.0 + 5.0),
        );
        assert_near(trimmed(custom(), 1.0, Trim::KeepBelow), (1.0, 0.5));
        assert_near(
            trimmed(custom(), 1.0, Trim::KeepAbove),
            (6.0, 3.0 * 2.5 + 12.0 + 8.0),
        );
        // Nobody knows where the observations above 8 lie.
        assert_near(trimmed(custom(), 9.0, Trim::KeepBelow), (6.0, 8.0 + 12.0));
        assert_near(trimmed(custom(), 9.0, Trim::KeepAbove), (1.0, 9.0));
    }

    #[test]
    fn nothing_is_below_or_above_nan() {
        let mut histogram = exponential();
        histogram.zero_count = 0.0;
        histogram.trim(f64::NAN, Trim::KeepBelow);
        assert_eq!(
            (histogram.count, histogram.positive_buckets.len()),
            (0.0, 0)
        );
    }
}
