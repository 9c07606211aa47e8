//! Histograms as Prometheus prints them: `{count:4, sum:3.5, [-0.1,0.1]:1, (1,2]:3}`.

use std::fmt;

use super::layout::int_counts;
use super::{Bucket, FloatHistogram, IntHistogram};
use crate::float_text::format_float_general;

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{},{}{}:{}",
            if self.lower_inclusive { '[' } else { '(' },
            format_float_general(self.lower),
            format_float_general(self.upper),
            if self.upper_inclusive { ']' } else { ')' },
            format_float_general(self.count)
        )
    }
}

/// Writes count, sum and the filled buckets in ascending order.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            format_float_general(self.count),
            format_float_general(self.sum)
        )?;
        let buckets = self
            .negative_bucket_iter()
            .rev()
            .chain(self.zero_bucket())
            .chain(self.positive_bucket_iter());
        for bucket in buckets.filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

/// Writes count, sum and the filled buckets in ascending order, counts as whole numbers.
impl fmt::Display for IntHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            self.count,
            format_float_general(self.sum)
        )?;
        let float = self.to_float();
        let counts = |spans, deltas| int_counts(spans, deltas).map(|(_, count)| count);
        let negative: Vec<i64> = counts(&self.negative_spans, &self.negative_deltas).collect();
        let buckets = float
            .negative_bucket_iter()
            .rev()
            .zip(negative.into_iter().rev())
            .chain(
                float
                    .zero_bucket()
                    .map(|bucket| (bucket, self.zero_count as i64)),
            )
            .chain(
                float
                    .positive_bucket_iter()
                    .zip(counts(&self.positive_spans, &self.positive_deltas)),
            );
        for (bucket, count) in buckets.filter(|(_, count)| *count != 0) {
            // The float's notation would show large counts with an exponent.
            let text = bucket.to_string();
            let bounds = text.rsplit_once(':').map_or("", |(bounds, _)| bounds);
            write!(f, ", {bounds}:{count}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::CUSTOM_BUCKETS_SCHEMA;
    use super::super::testing::span;
    use super::*;

    fn int() -> IntHistogram {
        IntHistogram {
            schema: 0,
            zero_threshold: 0.001,
            zero_count: 2,
            count: 3_000_014,
            sum: 12.5,
            positive_spans: vec![span(0, 3)],
            positive_deltas: vec![4, -4, 3_000_000],
            negative_spans: vec![span(1, 2)],
            negative_deltas: vec![3, 2],
            ..IntHistogram::default()
        }
    }

    #[test]
    fn buckets_ascend_and_empty_ones_are_left_out() {
        assert_eq!(
            int().to_string(),
            "{count:3000014, sum:12.5, [-4,-2):5, [-2,-1):3, [-0.001,0.001]:2, (0.5,1]:4, \
             (2,4]:3000000}"
        );
        assert_eq!(
            int().to_float().to_string(),
            "{count:3.000014e+06, sum:12.5, [-4,-2):5, [-2,-1):3, [-0.001,0.001]:2, (0.5,1]:4, \
             (2,4]:3e+06}"
        );
    }

    #[test]
    fn custom_bounds_and_odd_floats_are_printed() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 0.5,
            sum: f64::NAN,
            positive_spans: vec![span(0, 2)],
            positive_buckets: vec![0.25, f64::INFINITY],
            custom_values: [1.0].into(),
            ..FloatHistogram::default()
        };
        assert_eq!(
            histogram.to_string(),
            "{count:0.5, sum:NaN, [-Inf,1]:0.25, (1,+Inf]:+Inf}"
        );
    }
}
