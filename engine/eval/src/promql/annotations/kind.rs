//! The annotations there are, and their texts.

use std::fmt;

use obsq_model::{format_float_general, format_float_rounded, rfc3339};

use super::Severity;

/// What is done with histograms, as annotations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistogramOperation {
    /// `+`, or the correction for a counter reset.
    Addition,
    /// `-`, or the difference of two samples.
    Subtraction,
    /// `sum`, `avg`, `sum_over_time`, `avg_over_time`.
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// How far the buckets of a classic histogram were from being monotonic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MonotonicityFix {
    /// Smallest upper bound of a bucket that was raised.
    pub(crate) min_bucket: f64,
    /// Largest upper bound of a bucket that was raised.
    pub(crate) max_bucket: f64,
    /// Most that a bucket was raised by.
    pub(crate) max_diff: f64,
}

impl MonotonicityFix {
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            min_bucket: self.min_bucket.min(other.min_bucket),
            max_bucket: self.max_bucket.max(other.max_bucket),
            max_diff: self.max_diff.max(other.max_diff),
        }
    }

    pub(super) fn describe(self, first_ms: i64, last_ms: i64, samples: u64) -> String {
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {samples} samples from {} to {}",
            format_float_general(self.min_bucket),
            format_float_general(self.max_bucket),
            format_float_rounded(self.max_diff, 2),
            rfc3339_seconds(first_ms),
            rfc3339_seconds(last_ms),
        )
    }
}

/// Returns the time in UTC, cut to seconds towards zero.
fn rfc3339_seconds(ts_ms: i64) -> String {
    rfc3339(ts_ms / 1000 * 1000)
}

/// What can be said about a query besides its result. The `metric` of a variant is the series'
/// `__name__`, empty when it has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Annotation<'a> {
    /// `limit_ratio` with a ratio outside -1..=1.
    InvalidRatio { ratio: f64, capped: f64 },
    /// A quantile outside 0..=1.
    InvalidQuantile(f64),
    /// A classic bucket whose `le` is no number.
    BadBucketLabel { metric: &'a str, label: &'a str },
    /// Floats and histograms in one range.
    MixedFloatsHistograms { metric: &'a str },
    /// Floats and histograms in one group.
    MixedFloatsHistogramsInAggregation,
    /// Classic buckets and native histograms of one name.
    MixedClassicNative { metric: &'a str },
    /// A gauge histogram where a counter is expected.
    NativeHistogramNotCounter { metric: &'a str },
    /// A counter histogram where a gauge is expected.
    NativeHistogramNotGauge { metric: &'a str },
    /// Exponential and custom buckets together.
    MixedExponentialCustom { metric: &'a str },
    /// Two histograms that no operator can join.
    IncompatibleBucketLayout { operator: &'a str },
    /// `sort` or `sort_desc` in a range query.
    SortInRangeQuery,
    /// Counter resets that contradict each other.
    CounterResetCollision(HistogramOperation),
    /// A start timestamp before the sample before it.
    StartTimeOverlap { metric: &'a str, occurrences: u64 },

    /// `rate` of something without a counter's suffix.
    PossibleNonCounter { metric: &'a str },
    /// `rate` of something whose `__type__` is no counter's.
    PossibleNonCounterType {
        metric: &'a str,
        type_label: &'a str,
    },
    /// Classic buckets that had to be made monotonic.
    ForcedMonotonicity {
        metric: &'a str,
        fix: MonotonicityFix,
        ts_ms: i64,
    },
    /// A binary operator between types it is not defined for.
    IncompatibleTypes {
        left: &'a str,
        operator: &'a str,
        right: &'a str,
    },
    /// An aggregation that leaves histograms out.
    IgnoredInAggregation { aggregation: &'a str },
    /// A function that leaves the histograms of a mixed range out.
    IgnoredInMixedRange { metric: &'a str },
    /// A quantile among NaN observations.
    QuantileNanResult { metric: &'a str },
    /// A quantile that NaN observations pushed up.
    QuantileNanSkew { metric: &'a str },
    /// A fraction of a histogram with NaN observations.
    FractionNans { metric: &'a str },
    /// Custom buckets brought to the bounds they share.
    MismatchedCustomBuckets(HistogramOperation),
}

impl Annotation<'_> {
    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::InvalidRatio { .. }
            | Self::InvalidQuantile(_)
            | Self::BadBucketLabel { .. }
            | Self::MixedFloatsHistograms { .. }
            | Self::MixedFloatsHistogramsInAggregation
            | Self::MixedClassicNative { .. }
            | Self::NativeHistogramNotCounter { .. }
            | Self::NativeHistogramNotGauge { .. }
            | Self::MixedExponentialCustom { .. }
            | Self::IncompatibleBucketLayout { .. }
            | Self::SortInRangeQuery
            | Self::CounterResetCollision(_)
            | Self::StartTimeOverlap { .. } => Severity::Warning,
            Self::PossibleNonCounter { .. }
            | Self::PossibleNonCounterType { .. }
            | Self::ForcedMonotonicity { .. }
            | Self::IncompatibleTypes { .. }
            | Self::IgnoredInAggregation { .. }
            | Self::IgnoredInMixedRange { .. }
            | Self::QuantileNanResult { .. }
            | Self::QuantileNanSkew { .. }
            | Self::FractionNans { .. }
            | Self::MismatchedCustomBuckets(_) => Severity::Info,
        }
    }

    /// Returns the metric that upstream names at the end, when it has a name.
    fn named_at_the_end(&self) -> Option<&str> {
        match self {
            Self::BadBucketLabel { metric, .. }
            | Self::MixedClassicNative { metric }
            | Self::ForcedMonotonicity { metric, .. }
            | Self::QuantileNanResult { metric }
            | Self::QuantileNanSkew { metric }
            | Self::FractionNans { metric } => Some(*metric).filter(|metric| !metric.is_empty()),
            _ => None,
        }
    }
}

impl fmt::Display for Annotation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity() {
            Severity::Warning => "PromQL warning: ",
            Severity::Info => "PromQL info: ",
        })?;
        match self.severity() {
            Severity::Warning => write_warning(self, f)?,
            Severity::Info => write_info(self, f)?,
        }
        match self.named_at_the_end() {
            Some(metric) => write!(f, " for metric name {}", quote(metric)),
            None => Ok(()),
        }
    }
}

fn write_warning(annotation: &Annotation<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match annotation {
        Annotation::InvalidRatio { ratio, capped } => write!(
            f,
            "ratio value should be between -1 and 1, got {}, capping to {}",
            format_float_general(*ratio),
            format_float_general(*capped)
        ),
        Annotation::InvalidQuantile(quantile) => write!(
            f,
            "quantile value should be between 0 and 1, got {}",
            format_float_general(*quantile)
        ),
        Annotation::BadBucketLabel { label, .. } => write!(
            f,
            "bucket label \"le\" is missing or has a malformed value of {}",
            quote(label)
        ),
        Annotation::MixedFloatsHistograms { metric } => write!(
            f,
            "encountered a mix of histograms and floats for metric name {}",
            quote(metric)
        ),
        Annotation::MixedFloatsHistogramsInAggregation => {
            f.write_str("encountered a mix of histograms and floats for aggregation")
        }
        Annotation::MixedClassicNative { .. } => {
            f.write_str("vector contains a mix of classic and native histograms")
        }
        Annotation::NativeHistogramNotCounter { metric } => write!(
            f,
            "this native histogram metric is not a counter: {}",
            quote(metric)
        ),
        Annotation::NativeHistogramNotGauge { metric } => write!(
            f,
            "this native histogram metric is not a gauge: {}",
            quote(metric)
        ),
        Annotation::MixedExponentialCustom { metric } => write!(
            f,
            "vector contains a mix of histograms with exponential and custom buckets schemas \
             for metric name {}",
            quote(metric)
        ),
        Annotation::IncompatibleBucketLayout { operator } => write!(
            f,
            "incompatible bucket layout encountered for binary operator {operator}"
        ),
        Annotation::SortInRangeQuery => f.write_str(
            "sort is ineffective for range queries since results are always ordered by labels",
        ),
        Annotation::CounterResetCollision(operation) => write!(
            f,
            "conflicting counter resets during histogram {}",
            operation.as_str()
        ),
        Annotation::StartTimeOverlap { metric, .. } => write!(
            f,
            "sample has start time that overlaps with previous sample timestamp for metric {}",
            quote(metric)
        ),
        _ => Ok(()),
    }
}

fn write_info(annotation: &Annotation<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match annotation {
        Annotation::PossibleNonCounter { metric } => write!(
            f,
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            quote(metric)
        ),
        Annotation::PossibleNonCounterType { metric, type_label } => write!(
            f,
            "metric might not be a counter, __type__ label is not set to \"counter\" or \
             \"histogram\", got {}: {}",
            quote(type_label),
            quote(metric)
        ),
        Annotation::ForcedMonotonicity { .. } => f.write_str(
            "input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)",
        ),
        Annotation::IncompatibleTypes {
            left,
            operator,
            right,
        } => write!(
            f,
            "incompatible sample types encountered for binary operator {}: {left} {operator} \
             {right}",
            quote(operator)
        ),
        Annotation::IgnoredInAggregation { aggregation } => {
            write!(f, "ignored histogram in {aggregation} aggregation")
        }
        Annotation::IgnoredInMixedRange { metric } => write!(
            f,
            "ignored histograms in a range containing both floats and histograms for metric name \
             {}",
            quote(metric)
        ),
        Annotation::QuantileNanResult { .. } => {
            f.write_str("input to histogram_quantile has NaN observations, result is NaN")
        }
        Annotation::QuantileNanSkew { .. } => {
            f.write_str("input to histogram_quantile has NaN observations, result is skewed higher")
        }
        Annotation::FractionNans { .. } => f.write_str(
            "input to histogram_fraction has NaN observations, which are excluded from all \
             fractions",
        ),
        Annotation::MismatchedCustomBuckets(operation) => write!(
            f,
            "mismatched custom buckets were reconciled during {}",
            operation.as_str()
        ),
        _ => Ok(()),
    }
}

/// Returns `text` in double quotes, escaped as Prometheus does it.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        push_escaped(&mut quoted, character);
    }
    quoted.push('"');
    quoted
}

fn push_escaped(quoted: &mut String, character: char) {
    let named = match character {
        '"' | '\\' => Some(character),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{7}' => Some('a'),
        '\u{8}' => Some('b'),
        '\u{b}' => Some('v'),
        '\u{c}' => Some('f'),
        _ => None,
    };
    if let Some(named) = named {
        quoted.extend(['\\', named]);
        return;
    }
    let code = character as u32;
    if !character.is_control() {
        quoted.push(character);
    } else if code < 0x80 {
        quoted.push_str("\\x");
        push_hexadecimal(quoted, code, 2);
    } else {
        quoted.push_str("\\u");
        push_hexadecimal(quoted, code, 4);
    }
}

fn push_hexadecimal(text: &mut String, code: u32, digits: u32) {
    for digit in (0..digits).rev() {
        text.extend(char::from_digit((code >> (4 * digit)) & 0xf, 16));
    }
}
