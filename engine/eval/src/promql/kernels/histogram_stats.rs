//! Mean, variance and standard deviation of the observations in a native histogram.

use obsq_model::histogram::Bucket;
use obsq_model::{FloatHistogram, KahanSum};

/// Returns the mean of the observations.
pub(crate) fn histogram_average(histogram: &FloatHistogram) -> f64 {
    histogram.sum / histogram.count
}

/// Returns the estimated standard deviation of the observations.
pub(crate) fn histogram_stddev(histogram: &FloatHistogram) -> f64 {
    histogram_stdvar(histogram).sqrt()
}

/// Returns the estimated variance of the observations, all observations of a bucket being taken
/// to lie at one place in it.
pub(crate) fn histogram_stdvar(histogram: &FloatHistogram) -> f64 {
    let mean = histogram_average(histogram);
    let custom = histogram.uses_custom_buckets();
    let mut squares = KahanSum::default();
    for bucket in histogram.api_buckets() {
        let delta = middle(&bucket, custom) - mean;
        squares.add(bucket.count * delta * delta);
    }
    squares.total() / histogram.count
}

/// Returns the arithmetic middle of a custom bucket, zero for the zero bucket, else the geometric
/// middle.
fn middle(bucket: &Bucket, custom: bool) -> f64 {
    if custom {
        return f64::midpoint(bucket.lower, bucket.upper);
    }
    if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
        return 0.0;
    }
    let middle = (bucket.upper * bucket.lower).sqrt();
    if bucket.upper < 0.0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{custom, histogram};
    use super::*;

    #[test]
    fn the_variance_takes_the_middle_of_each_bucket() {
        // Observations at sqrt(1/2), sqrt(2) and sqrt(8) with a mean of 2.
        let mut exponential = histogram(&[1.0, 1.0, 1.0]);
        exponential.sum = 6.0;
        let expected = [0.5_f64, 2.0, 8.0]
            .map(|square| (square.sqrt() - 2.0).powi(2))
            .iter()
            .sum::<f64>()
            / 3.0;
        assert_eq!(histogram_average(&exponential), 2.0);
        assert!((histogram_stdvar(&exponential) - expected).abs() < 1e-12);
        assert!((histogram_stddev(&exponential) - expected.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn custom_buckets_have_an_arithmetic_middle() {
        let mut bounded = custom(&[0.0, 2.0, 6.0], &[0.0, 1.0, 1.0]);
        bounded.sum = 5.0;
        // 1 and 4, around a mean of 2.5.
        assert_eq!(histogram_stdvar(&bounded), 2.25);
    }

    #[test]
    fn no_observations_have_no_mean() {
        let empty = FloatHistogram::default();
        assert!(histogram_average(&empty).is_nan() && histogram_stdvar(&empty).is_nan());
    }
}
