//! Checking histograms that come from outside. The texts are Prometheus'.

use thiserror::Error;

use super::bounds::is_exponential_schema;
use super::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, FloatHistogram, IntHistogram};
use crate::float_text::format_float_general;

/// Which buckets of a histogram are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSide {
    /// The positive buckets.
    Positive,
    /// The negative buckets.
    Negative,
    /// The buckets of a histogram with custom bounds.
    Custom,
}

impl std::fmt::Display for BucketSide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive side",
            Self::Negative => "negative side",
            Self::Custom => "custom buckets",
        })
    }
}

/// Why a histogram is refused, or cannot be computed with.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// Exponential and custom buckets in one operation.
    #[error(
        "cannot apply this operation on histograms with a mix of exponential and custom bucket \
         schemas"
    )]
    IncompatibleSchemas,
    /// A schema that no histogram has.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, \
         or -53 for custom buckets, got schema {0}"
    )]
    InvalidSchema(i32),
    /// The buckets of a histogram with NaN observations hold more than its count.
    #[error(
        "{in_buckets} observations found in buckets, but the Count field is {count}: histogram's \
         observation count should be at least the number of observations found in the buckets"
    )]
    CountNotBigEnough {
        /// Sum of all buckets.
        in_buckets: u64,
        /// The histogram's count.
        count: u64,
    },
    /// The buckets do not add up to the count.
    #[error(
        "{in_buckets} observations found in buckets, but the Count field is {count}: histogram's \
         observation count should equal the number of observations found in the buckets (in \
         absence of NaN)"
    )]
    CountMismatch {
        /// Sum of all buckets.
        in_buckets: u64,
        /// The histogram's count.
        count: u64,
    },
    /// A float histogram with a negative count.
    #[error(
        "observation count is  {}: histogram's observation count is negative",
        format_float_general(*.0)
    )]
    NegativeCount(f64),
    /// A float histogram with a negative zero bucket.
    #[error(
        "zero bucket has observation count of {}: histogram has a bucket whose observation count \
         is negative",
        format_float_general(*.0)
    )]
    NegativeZeroCount(f64),
    /// A bucket with a negative count.
    #[error(
        "{side}: bucket number {number} has observation count of {}: histogram has a bucket whose \
         observation count is negative",
        format_float_general(*count)
    )]
    NegativeBucketCount {
        /// Which buckets.
        side: BucketSide,
        /// Number of the bucket, from 1.
        number: usize,
        /// Its count.
        count: f64,
    },
    /// A span that begins before the one before it ended.
    #[error(
        "{side}: span number {number} with offset {offset}: histogram has a span whose offset is \
         negative"
    )]
    NegativeSpanOffset {
        /// Which buckets.
        side: BucketSide,
        /// Number of the span, from 1.
        number: usize,
        /// Its offset.
        offset: i32,
    },
    /// More or fewer buckets than the spans say.
    #[error(
        "{side}: spans need {spanned} buckets, have {buckets} buckets: histogram spans specify \
         different number of buckets than provided"
    )]
    SpansBucketsMismatch {
        /// Which buckets.
        side: BucketSide,
        /// Buckets that the spans speak of.
        spanned: u64,
        /// Buckets that are there.
        buckets: usize,
    },
    /// More custom buckets than bounds.
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total \
         span length of {spanned}: histogram custom bounds are too few"
    )]
    TooFewBounds {
        /// Bounds that are there.
        bounds: usize,
        /// Buckets that the spans reach over, gaps included.
        spanned: u64,
    },
    /// Custom bounds that do not rise.
    #[error(
        "custom buckets: previous bound is {} and current is {}: histogram custom bounds must be \
         in strictly increasing order",
        fixed(*.previous), fixed(*.current)
    )]
    BoundsNotRising {
        /// A bound.
        previous: f64,
        /// The bound after it.
        current: f64,
    },
    /// +Inf as a custom bound.
    #[error(
        "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds \
         must be finite"
    )]
    InfiniteBound,
    /// NaN as a custom bound.
    #[error("custom buckets: histogram custom bounds must not be NaN")]
    NanBound,
    /// A zero bucket in a histogram with custom bounds.
    #[error("custom buckets: must have zero count of 0")]
    CustomWithZeroCount,
    /// A zero threshold in a histogram with custom bounds.
    #[error("custom buckets: must have zero threshold of 0")]
    CustomWithZeroThreshold,
    /// Negative spans in a histogram with custom bounds.
    #[error("custom buckets: must not have negative spans")]
    CustomWithNegativeSpans,
    /// Negative buckets in a histogram with custom bounds.
    #[error("custom buckets: must not have negative buckets")]
    CustomWithNegativeBuckets,
    /// Custom bounds in a histogram with exponential buckets.
    #[error("histogram with exponential schema must not have custom bounds")]
    ExponentialWithBounds,
}

/// Returns `value` with six decimals.
fn fixed(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.6}")
    } else {
        format_float_general(value)
    }
}

impl IntHistogram {
    /// Checks spans, counts and fields against each other.
    ///
    /// # Errors
    ///
    /// The first contradiction. Buckets must add up to the count, unless the sum is NaN: NaN
    /// observations are in no bucket, so the count may then be higher.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let layout = Layout {
            schema: self.schema,
            zero_count_is_zero: self.zero_count == 0,
            zero_threshold: self.zero_threshold,
            positive: (&self.positive_spans, self.positive_deltas.len()),
            negative: (&self.negative_spans, self.negative_deltas.len()),
            custom_values: &self.custom_values,
        };
        let negative = || sum_deltas(&self.negative_deltas, BucketSide::Negative);
        let in_negative = layout.check(negative)?;
        let in_positive = sum_deltas(&self.positive_deltas, BucketSide::Positive)?;
        let in_buckets = in_negative
            .wrapping_add(in_positive)
            .wrapping_add(self.zero_count);
        let count = self.count;
        if self.sum.is_nan() {
            if in_buckets > count {
                return Err(HistogramError::CountNotBigEnough { in_buckets, count });
            }
        } else if in_buckets != count {
            return Err(HistogramError::CountMismatch { in_buckets, count });
        }
        Ok(())
    }
}

impl FloatHistogram {
    /// Checks spans, counts and fields against each other, but not whether the buckets add up to
    /// the count, which rounding may prevent.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let layout = Layout {
            schema: self.schema,
            zero_count_is_zero: self.zero_count == 0.0,
            zero_threshold: self.zero_threshold,
            positive: (&self.positive_spans, self.positive_buckets.len()),
            negative: (&self.negative_spans, self.negative_buckets.len()),
            custom_values: &self.custom_values,
        };
        layout.check(|| {
            check_counts(&self.negative_buckets, BucketSide::Negative)?;
            if self.zero_count < 0.0 {
                return Err(HistogramError::NegativeZeroCount(self.zero_count));
            }
            Ok(0)
        })?;
        if self.count < 0.0 {
            return Err(HistogramError::NegativeCount(self.count));
        }
        check_counts(&self.positive_buckets, BucketSide::Positive)
    }
}

/// The parts that integer and float histograms check alike: per side the spans and the number of
/// buckets.
struct Layout<'a> {
    schema: i32,
    zero_count_is_zero: bool,
    zero_threshold: f64,
    positive: (&'a [BucketSpan], usize),
    negative: (&'a [BucketSpan], usize),
    custom_values: &'a [f64],
}

impl Layout<'_> {
    /// Checks all but the positive counts. `negative` checks the negative ones, which only
    /// exponential histograms have, and returns their sum.
    fn check(
        &self,
        negative: impl FnOnce() -> Result<u64, HistogramError>,
    ) -> Result<u64, HistogramError> {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            return self.check_custom().map(|()| 0);
        }
        if !is_exponential_schema(self.schema) {
            return Err(HistogramError::InvalidSchema(self.schema));
        }
        check_spans(self.positive, BucketSide::Positive)?;
        check_spans(self.negative, BucketSide::Negative)?;
        let sum = negative()?;
        if !self.custom_values.is_empty() {
            return Err(HistogramError::ExponentialWithBounds);
        }
        Ok(sum)
    }

    fn check_custom(&self) -> Result<(), HistogramError> {
        self.check_bounds()?;
        let (spans, _) = self.positive;
        if let Some(first) = spans.first()
            && first.offset < 0
        {
            return Err(HistogramError::NegativeSpanOffset {
                side: BucketSide::Custom,
                number: 1,
                offset: first.offset,
            });
        }
        check_spans(self.positive, BucketSide::Custom)?;
        let reach =
            |span: &BucketSpan| u64::from(span.length) + u64::from(span.offset.unsigned_abs());
        let spanned = spans.iter().map(reach).sum::<u64>();
        if (self.custom_values.len() as u64) + 1 < spanned {
            return Err(HistogramError::TooFewBounds {
                bounds: self.custom_values.len(),
                spanned,
            });
        }
        if !self.zero_count_is_zero {
            return Err(HistogramError::CustomWithZeroCount);
        }
        if self.zero_threshold != 0.0 {
            return Err(HistogramError::CustomWithZeroThreshold);
        }
        let (negative_spans, negative_buckets) = self.negative;
        if !negative_spans.is_empty() {
            return Err(HistogramError::CustomWithNegativeSpans);
        }
        if negative_buckets > 0 {
            return Err(HistogramError::CustomWithNegativeBuckets);
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), HistogramError> {
        let mut previous: Option<f64> = None;
        for current in self.custom_values.iter().copied() {
            if current.is_nan() {
                return Err(HistogramError::NanBound);
            }
            if let Some(previous) = previous
                && current <= previous
            {
                return Err(HistogramError::BoundsNotRising { previous, current });
            }
            previous = Some(current);
        }
        if previous == Some(f64::INFINITY) {
            return Err(HistogramError::InfiniteBound);
        }
        Ok(())
    }
}

fn check_spans(
    (spans, buckets): (&[BucketSpan], usize),
    side: BucketSide,
) -> Result<(), HistogramError> {
    let mut spanned = 0_u64;
    for (index, span) in spans.iter().enumerate() {
        if index > 0 && span.offset < 0 {
            return Err(HistogramError::NegativeSpanOffset {
                side,
                number: index + 1,
                offset: span.offset,
            });
        }
        spanned += u64::from(span.length);
    }
    if spanned != buckets as u64 {
        return Err(HistogramError::SpansBucketsMismatch {
            side,
            spanned,
            buckets,
        });
    }
    Ok(())
}

fn check_counts(counts: &[f64], side: BucketSide) -> Result<(), HistogramError> {
    match counts.iter().position(|count| *count < 0.0) {
        None => Ok(()),
        Some(index) => Err(HistogramError::NegativeBucketCount {
            side,
            number: index + 1,
            count: counts[index],
        }),
    }
}

fn sum_deltas(deltas: &[i64], side: BucketSide) -> Result<u64, HistogramError> {
    let mut count = 0_i64;
    let mut sum = 0_u64;
    for (index, delta) in deltas.iter().enumerate() {
        count = count.wrapping_add(*delta);
        if count < 0 {
            return Err(HistogramError::NegativeBucketCount {
                side,
                number: index + 1,
                count: count as f64,
            });
        }
        sum = sum.wrapping_add(count as u64);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::super::testing::span;
    use super::*;

    /// A change and the text it leads to.
    type Case<H> = (fn(&mut H), &'static str);

    fn int() -> IntHistogram {
        IntHistogram {
            schema: 1,
            zero_count: 1,
            count: 10,
            positive_spans: vec![span(-2, 1), span(3, 1)],
            positive_deltas: vec![3, 1],
            negative_spans: vec![span(0, 1)],
            negative_deltas: vec![2],
            ..IntHistogram::default()
        }
    }

    fn custom() -> FloatHistogram {
        FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            positive_spans: vec![span(0, 1), span(1, 1)],
            positive_buckets: vec![1.0, 2.0],
            custom_values: [1.0, 2.0].into(),
            ..FloatHistogram::default()
        }
    }

    fn int_text(change: impl FnOnce(&mut IntHistogram)) -> String {
        let mut histogram = int();
        change(&mut histogram);
        histogram
            .validate()
            .map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    fn custom_text(change: impl FnOnce(&mut FloatHistogram)) -> String {
        let mut histogram = custom();
        change(&mut histogram);
        histogram
            .validate()
            .map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn integer_histograms_must_add_up_unless_there_are_nans() {
        assert_eq!(int_text(|_| {}), "ok");
        assert_eq!(
            int_text(|h| h.count = 11),
            "10 observations found in buckets, but the Count field is 11: histogram's observation \
             count should equal the number of observations found in the buckets (in absence of NaN)"
        );
        let nan = |count| {
            int_text(move |h| {
                h.count = count;
                h.sum = f64::NAN;
            })
        };
        assert_eq!(nan(11), "ok");
        assert_eq!(
            nan(9),
            "10 observations found in buckets, but the Count field is 9: histogram's observation \
             count should be at least the number of observations found in the buckets"
        );
    }

    #[test]
    fn spans_and_counts_are_checked_side_by_side() {
        let cases: [Case<IntHistogram>; 6] = [
            (
                |h| h.positive_spans[1].offset = -1,
                "positive side: span number 2 with offset -1: histogram has a span whose offset \
                 is negative",
            ),
            (
                |h| h.negative_spans[0].length = 2,
                "negative side: spans need 2 buckets, have 1 buckets: histogram spans specify \
                 different number of buckets than provided",
            ),
            (
                |h| h.positive_deltas[1] = -4,
                "positive side: bucket number 2 has observation count of -1: histogram has a \
                 bucket whose observation count is negative",
            ),
            (
                |h| h.schema = 9,
                "histogram has an invalid schema, which must be between -4 and 8 for exponential \
                 buckets, or -53 for custom buckets, got schema 9",
            ),
            (
                |h| h.custom_values = [1.0].into(),
                "histogram with exponential schema must not have custom bounds",
            ),
            (
                |h| h.schema = CUSTOM_BUCKETS_SCHEMA,
                "custom buckets: span number 1 with offset -2: histogram has a span whose offset \
                 is negative",
            ),
        ];
        for (change, text) in cases {
            assert_eq!(int_text(change), text);
        }
    }

    #[test]
    fn custom_bounds_must_rise_and_cover_the_buckets() {
        let cases: [Case<FloatHistogram>; 10] = [
            (|_| {}, "ok"),
            (|h| h.custom_values = [f64::NEG_INFINITY, 2.0].into(), "ok"),
            (
                |h| h.custom_values = [1.0].into(),
                "custom buckets: only 1 custom bounds defined which is insufficient to cover \
                 total span length of 3: histogram custom bounds are too few",
            ),
            (
                |h| h.custom_values = [2.0, 2.0].into(),
                "custom buckets: previous bound is 2.000000 and current is 2.000000: histogram \
                 custom bounds must be in strictly increasing order",
            ),
            (
                |h| h.custom_values = [2.0, f64::INFINITY].into(),
                "custom buckets: last +Inf bound must not be explicitly defined: histogram custom \
                 bounds must be finite",
            ),
            (
                |h| h.custom_values = [2.0, f64::NAN].into(),
                "custom buckets: histogram custom bounds must not be NaN",
            ),
            (
                |h| h.zero_count = 1.0,
                "custom buckets: must have zero count of 0",
            ),
            (
                |h| h.zero_threshold = 1.0,
                "custom buckets: must have zero threshold of 0",
            ),
            (
                |h| h.negative_spans = vec![span(0, 0)],
                "custom buckets: must not have negative spans",
            ),
            (
                |h| h.negative_buckets = vec![0.0],
                "custom buckets: must not have negative buckets",
            ),
        ];
        for (change, text) in cases {
            assert_eq!(custom_text(change), text);
        }
    }

    #[test]
    fn float_histograms_refuse_negative_counts() {
        assert_eq!(
            custom_text(|h| h.count = -1.5),
            "observation count is  -1.5: histogram's observation count is negative"
        );
        let mut exponential = int().to_float();
        assert_eq!(exponential.validate(), Ok(()));
        exponential.zero_count = -2.0;
        assert_eq!(
            exponential.validate().unwrap_err().to_string(),
            "zero bucket has observation count of -2: histogram has a bucket whose observation \
             count is negative"
        );
        exponential.negative_buckets[0] = -0.25;
        assert_eq!(
            exponential.validate().unwrap_err().to_string(),
            "negative side: bucket number 1 has observation count of -0.25: histogram has a \
             bucket whose observation count is negative"
        );
    }
}
