//! Sums and means of many histograms, with what rounding lost put back in the end.

use super::zero::Lost;
use super::{Combined, CounterResetHint, FloatHistogram, HistogramError};

/// A running sum of histograms.
#[derive(Debug, Clone)]
pub struct HistogramSum {
    total: FloatHistogram,
    /// `None` until a second histogram came.
    lost: Option<Lost>,
    seen: Seen,
}

/// What the histograms of a sum had in them.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    reset: bool,
    not_reset: bool,
    bounds_reconciled: bool,
}

impl Seen {
    fn hint(&mut self, hint: CounterResetHint) {
        match hint {
            CounterResetHint::Reset => self.reset = true,
            CounterResetHint::NotReset => self.not_reset = true,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
    }

    fn combined(self) -> Combined {
        Combined {
            reset_collision: self.reset && self.not_reset,
            bounds_reconciled: self.bounds_reconciled,
        }
    }
}

impl HistogramSum {
    /// Returns a sum of `first` alone.
    pub fn new(first: FloatHistogram) -> Self {
        let mut seen = Seen::default();
        seen.hint(first.counter_reset_hint);
        Self {
            total: first,
            lost: None,
            seen,
        }
    }

    /// Adds `other`.
    ///
    /// # Errors
    ///
    /// [`HistogramError::IncompatibleSchemas`] when one has exponential and the other custom
    /// buckets; the sum is then unchanged.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<(), HistogramError> {
        self.seen.hint(other.counter_reset_hint);
        self.add_value(other)
    }

    /// Returns what all additions found out. A collision is one among all histograms, not only
    /// between neighbours.
    pub fn combined(&self) -> Combined {
        self.seen.combined()
    }

    /// Returns the sum; empty buckets are kept.
    pub fn finish(self) -> FloatHistogram {
        let mut total = self.total;
        if let Some(lost) = &self.lost {
            put_back(&mut total, lost, 1.0);
        }
        total
    }

    fn add_value(&mut self, other: &FloatHistogram) -> Result<(), HistogramError> {
        let lost = self.lost.get_or_insert_with(|| Lost::none(&self.total));
        let combined = self.total.add_compensated(other, lost)?;
        self.seen.bounds_reconciled |= combined.bounds_reconciled;
        Ok(())
    }

    fn scale(
        &mut self,
        change: impl Fn(f64) -> f64 + Copy,
        scale_total: impl Fn(&mut FloatHistogram),
    ) {
        scale_total(&mut self.total);
        if let Some(lost) = &mut self.lost {
            lost.change(change);
        }
    }
}

/// A running mean of histograms: their sum by their number, or, where that sum would overflow,
/// a mean that is adjusted by each histogram.
#[derive(Debug, Clone)]
pub struct HistogramMean {
    sum: HistogramSum,
    histograms: f64,
    incremental: bool,
}

impl HistogramMean {
    /// Returns the mean of `first` alone.
    pub fn new(first: FloatHistogram) -> Self {
        Self {
            sum: HistogramSum::new(first),
            histograms: 1.0,
            incremental: false,
        }
    }

    /// Adds `other`.
    ///
    /// # Errors
    ///
    /// [`HistogramError::IncompatibleSchemas`] when one has exponential and the other custom
    /// buckets; what the mean is then means nothing.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<(), HistogramError> {
        self.histograms += 1.0;
        self.sum.seen.hint(other.counter_reset_hint);
        if !self.incremental {
            if is_far_from_overflow(&self.sum.total) && is_far_from_overflow(other) {
                return self.sum.add_value(other);
            }
            let mut next = self.sum.clone();
            next.add_value(other)?;
            if !next.total.has_overflow() {
                self.sum = next;
                return Ok(());
            }
            self.incremental = true;
            // The reconciliation that the abandoned sum saw is seen again below.
            let divisor = self.histograms - 1.0;
            self.sum
                .scale(|value| value / divisor, |total| total.div(divisor));
        }
        let kept = (self.histograms - 1.0) / self.histograms;
        self.sum
            .scale(|value| value * kept, |total| total.mul(kept));
        let mut part = other.clone();
        part.div(self.histograms);
        self.sum.add_value(&part)
    }

    /// Returns what all additions found out.
    pub fn combined(&self) -> Combined {
        self.sum.combined()
    }

    /// Returns the mean; empty buckets are kept.
    pub fn finish(self) -> FloatHistogram {
        if self.incremental {
            return self.sum.finish();
        }
        let HistogramSum {
            mut total, lost, ..
        } = self.sum;
        total.div(self.histograms);
        if let Some(lost) = &lost {
            put_back(&mut total, lost, self.histograms);
        }
        total
    }
}

impl Lost {
    fn change(&mut self, change: impl Fn(f64) -> f64) {
        let heads = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let buckets = self.positive.iter_mut().chain(&mut self.negative);
        for value in heads.into_iter().chain(buckets) {
            *value = change(*value);
        }
    }
}

/// Adds `lost`, divided by `divisor`, to the histogram that it was lost from.
fn put_back(total: &mut FloatHistogram, lost: &Lost, divisor: f64) {
    total.zero_count += lost.zero_count / divisor;
    total.count += lost.count / divisor;
    total.sum += lost.sum / divisor;
    let buckets = total.positive_buckets.iter_mut().zip(&lost.positive);
    for (count, lost) in buckets.chain(total.negative_buckets.iter_mut().zip(&lost.negative)) {
        *count += lost / divisor;
    }
}

/// Says whether adding another such histogram cannot overflow.
fn is_far_from_overflow(histogram: &FloatHistogram) -> bool {
    const LIMIT: f64 = 1e300;
    [histogram.zero_count, histogram.count, histogram.sum]
        .iter()
        .chain(&histogram.positive_buckets)
        .chain(&histogram.negative_buckets)
        .chain(&*histogram.custom_values)
        .all(|value| value.abs() < LIMIT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_custom, any_exponential, span};
    use super::*;

    fn with_count(count: f64) -> FloatHistogram {
        FloatHistogram {
            count,
            sum: -count,
            zero_count: count,
            positive_spans: vec![span(0, 1)],
            positive_buckets: vec![count],
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn what_a_large_histogram_swallows_comes_back() {
        let mut sum = HistogramSum::new(with_count(1.0));
        for count in [1e100, 1.0, -1e100] {
            sum.add(&with_count(count)).unwrap();
        }
        assert_eq!(sum.finish(), with_count(2.0));
    }

    #[test]
    fn the_mean_of_large_histograms_does_not_overflow() {
        let mut mean = HistogramMean::new(with_count(8e307));
        for _ in 0..7 {
            mean.add(&with_count(8e307)).unwrap();
        }
        let result = mean.finish();
        for value in [
            result.count,
            -result.sum,
            result.zero_count,
            result.positive_buckets[0],
        ] {
            assert!((value / 8e307 - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_collision_is_one_among_all() {
        let hinted = |hint| FloatHistogram {
            counter_reset_hint: hint,
            ..with_count(1.0)
        };
        let mut sum = HistogramSum::new(hinted(CounterResetHint::Reset));
        sum.add(&hinted(CounterResetHint::Unknown)).unwrap();
        assert!(!sum.combined().reset_collision);
        sum.add(&hinted(CounterResetHint::NotReset)).unwrap();
        assert!(sum.combined().reset_collision);
        assert_eq!(sum.finish().counter_reset_hint, CounterResetHint::Unknown);
    }

    #[test]
    fn mixed_schemas_leave_the_sum_as_it_was() {
        let mut sum = HistogramSum::new(with_count(1.0));
        let custom = FloatHistogram {
            schema: super::super::CUSTOM_BUCKETS_SCHEMA,
            ..FloatHistogram::default()
        };
        assert!(sum.add(&custom).is_err());
        assert_eq!(sum.finish(), with_count(1.0));
    }

    fn plain_sum(histograms: &[FloatHistogram]) -> FloatHistogram {
        let mut total = histograms[0].clone();
        for histogram in &histograms[1..] {
            total.add(histogram).unwrap();
        }
        total
    }

    proptest! {
        #[test]
        fn whole_numbers_sum_up_as_without_compensation(
            histograms in prop::collection::vec(any_exponential(), 1..5),
        ) {
            let mut sum = HistogramSum::new(histograms[0].clone());
            for histogram in &histograms[1..] {
                sum.add(histogram).unwrap();
            }
            prop_assert_eq!(sum.finish(), plain_sum(&histograms));
        }

        #[test]
        fn the_mean_is_the_sum_by_the_number(
            histograms in prop::collection::vec(any_custom(), 1..5),
        ) {
            let mut mean = HistogramMean::new(histograms[0].clone());
            for histogram in &histograms[1..] {
                mean.add(histogram).unwrap();
            }
            let mut expected = plain_sum(&histograms);
            expected.div(histograms.len() as f64);
            prop_assert_eq!(mean.finish(), expected);
        }
    }
}
