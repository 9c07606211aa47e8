//! `sum`, `avg`, `count`, `first` and `last_over_time`.

use std::sync::Arc;

use obsq_model::KahanSum;
use obsq_model::histogram::{Combined, HistogramMean, HistogramSum};

use super::{RangeNote, RangeNotes, Samples, Value};

pub(super) fn sum(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    if is_mixed(samples, notes) {
        return None;
    }
    if samples.floats.is_empty() {
        let (first, rest) = samples.histograms.split_first()?;
        let mut sum = HistogramSum::new((**first).clone());
        let added = rest.iter().try_for_each(|histogram| sum.add(histogram));
        if added.is_err() {
            notes.note(RangeNote::MixedExponentialCustom);
            return None;
        }
        note_combined(sum.combined(), notes);
        return Some(Value::Histogram(Arc::new(sum.finish())));
    }
    Some(Value::Float(sum_of(samples.floats)))
}

/// Returns the compensated sum of `floats`.
fn sum_of(floats: &[f64]) -> f64 {
    let mut sum = KahanSum::default();
    for value in floats {
        sum.add(*value);
    }
    if sum.sum.is_infinite() {
        return sum.sum;
    }
    sum.total()
}

pub(super) fn average(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    if is_mixed(samples, notes) {
        return None;
    }
    if samples.floats.is_empty() {
        let (first, rest) = samples.histograms.split_first()?;
        let mut mean = HistogramMean::new((**first).clone());
        let added = rest.iter().try_for_each(|histogram| mean.add(histogram));
        if added.is_err() {
            notes.note(RangeNote::MixedExponentialCustom);
            return None;
        }
        note_combined(mean.combined(), notes);
        return Some(Value::Histogram(Arc::new(mean.finish())));
    }
    average_of(samples.floats).map(Value::Float)
}

/// Returns the mean: the compensated sum by the number, or where the sum would overflow, a mean
/// adjusted by each value.
fn average_of(floats: &[f64]) -> Option<f64> {
    let (first, rest) = floats.split_first()?;
    let mut sum = KahanSum::new(*first);
    for (index, value) in rest.iter().enumerate() {
        let next = sum.plus(*value);
        if next.sum.is_infinite() {
            return Some(adjusted_mean(sum, index + 1, &rest[index..]));
        }
        sum = next;
    }
    let number = floats.len() as f64;
    Some(sum.sum / number + sum.compensation / number)
}

/// Returns the mean of `seen` values, which add up to `sum`, and `rest`.
fn adjusted_mean(sum: KahanSum, seen: usize, rest: &[f64]) -> f64 {
    let mut number = seen as f64;
    let mut mean = KahanSum {
        sum: sum.sum / number,
        compensation: sum.compensation / number,
    };
    for value in rest {
        number += 1.0;
        let kept = (number - 1.0) / number;
        mean = KahanSum {
            sum: kept * mean.sum,
            compensation: kept * mean.compensation,
        }
        .plus(value / number);
    }
    mean.total()
}

fn is_mixed(samples: &Samples<'_>, notes: &mut RangeNotes) -> bool {
    if samples.is_mixed() {
        notes.note(RangeNote::MixedFloatsHistograms);
    }
    samples.is_mixed()
}

fn note_combined(combined: Combined, notes: &mut RangeNotes) {
    if combined.reset_collision {
        notes.note(RangeNote::ResetCollision);
    }
    if combined.bounds_reconciled {
        notes.note(RangeNote::ReconciledByAggregation);
    }
}

pub(super) fn count(samples: &Samples<'_>) -> Value {
    let number = samples.floats.len() + samples.histograms.len();
    Value::Float(number as f64)
}

pub(super) fn first(samples: &Samples<'_>) -> Option<Value> {
    let float = samples.float_ts.first().zip(samples.floats.first());
    let histogram = samples.histogram_ts.first().zip(samples.histograms.first());
    match (float, histogram) {
        (Some((float_ts, float)), other) if other.is_none_or(|(ts, _)| float_ts < ts) => {
            Some(Value::Float(*float))
        }
        (_, other) => other.map(|(_, histogram)| Value::Histogram(Arc::clone(histogram))),
    }
}

pub(super) fn last(samples: &Samples<'_>) -> Option<Value> {
    let float = samples.float_ts.last().zip(samples.floats.last());
    let histogram = samples.histogram_ts.last().zip(samples.histograms.last());
    match (float, histogram) {
        (Some((float_ts, float)), other) if other.is_none_or(|(ts, _)| ts < float_ts) => {
            Some(Value::Float(*float))
        }
        (_, other) => other.map(|(_, histogram)| Value::Histogram(Arc::clone(histogram))),
    }
}

pub(super) fn time_of_first(samples: &Samples<'_>) -> Option<Value> {
    let times = [samples.float_ts.first(), samples.histogram_ts.first()];
    let earliest = times.into_iter().flatten().min()?;
    Some(Value::Float(*earliest as f64 / 1000.0))
}

pub(super) fn time_of_last(samples: &Samples<'_>) -> Option<Value> {
    let times = [samples.float_ts.last(), samples.histogram_ts.last()];
    let latest = times.into_iter().flatten().max()?;
    Some(Value::Float(*latest as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use obsq_model::{CounterResetHint, SampleColumns};

    use super::super::testing::{custom, float, floats, histogram, histogram_of, histograms};
    use super::*;

    fn of_floats(values: &[f64]) -> (f64, f64) {
        let columns = floats(1, values);
        let samples = Samples::new(&columns);
        let mut notes = RangeNotes::default();
        (
            float(sum(&samples, &mut notes)),
            float(average(&samples, &mut notes)),
        )
    }

    #[test]
    fn sums_and_means_keep_what_rounding_loses() {
        assert_eq!(of_floats(&[1.0, 1e100, 1.0, -1e100]), (2.0, 0.5));
        assert_eq!(of_floats(&[0.1; 10]), (1.0, 0.1));
        let (sum, average) = of_floats(&[1.0, f64::INFINITY, 2.0]);
        assert_eq!((sum, average), (f64::INFINITY, f64::INFINITY));
        assert!(of_floats(&[f64::INFINITY, f64::NEG_INFINITY]).1.is_nan());
    }

    #[test]
    fn a_mean_exists_where_the_sum_overflows() {
        let (sum, average) = of_floats(&[1.5e308, 1.7e308, 1.6e308]);
        assert_eq!(sum, f64::INFINITY);
        assert!((average / 1.6e308 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn histograms_are_summed_and_averaged() {
        let columns = histograms(1, vec![histogram(&[1.0, 3.0]), histogram(&[2.0, 6.0])]);
        let samples = Samples::new(&columns);
        let mut notes = RangeNotes::default();
        let sum = histogram_of(sum(&samples, &mut notes));
        assert_eq!(sum.positive_buckets, [3.0, 9.0]);
        let mean = histogram_of(average(&samples, &mut notes));
        assert_eq!(mean.positive_buckets, [1.5, 4.5]);
        assert!(notes.is_empty());
    }

    #[test]
    fn what_does_not_fit_together_is_noted() {
        let noted = |columns: &SampleColumns| {
            let mut notes = RangeNotes::default();
            let value = sum(&Samples::new(columns), &mut notes);
            let mut same = RangeNotes::default();
            let mean = average(&Samples::new(columns), &mut same);
            assert_eq!(notes, same);
            assert_eq!(value.is_none(), mean.is_none());
            (value.is_some(), notes)
        };
        let hinted = |hint| {
            let mut one = histogram(&[1.0]);
            one.counter_reset_hint = hint;
            one
        };
        let (some, notes) = noted(&histograms(
            1,
            vec![
                hinted(CounterResetHint::Reset),
                hinted(CounterResetHint::NotReset),
            ],
        ));
        assert!(some && notes.has(RangeNote::ResetCollision));
        let (some, notes) = noted(&histograms(
            1,
            vec![custom(&[1.0], &[1.0]), custom(&[2.0], &[1.0])],
        ));
        assert!(some && notes.has(RangeNote::ReconciledByAggregation));
        let (some, notes) = noted(&histograms(
            1,
            vec![custom(&[1.0], &[1.0]), histogram(&[1.0])],
        ));
        assert!(!some && notes.has(RangeNote::MixedExponentialCustom));
        let mut mixed = floats(1, &[1.0]);
        mixed.histogram_ts = vec![2];
        mixed.histograms = vec![Arc::new(histogram(&[1.0]))];
        let (some, notes) = noted(&mixed);
        assert!(!some && notes.has(RangeNote::MixedFloatsHistograms));
    }

    #[test]
    fn first_and_last_look_at_both_columns() {
        let mut columns = floats(1_000, &[1.0, 2.0]);
        let samples = Samples::new(&columns);
        assert_eq!(float(first(&samples)), 1.0);
        assert_eq!(float(last(&samples)), 2.0);
        columns.histogram_ts = vec![500, 1_500];
        columns.histograms = vec![Arc::new(histogram(&[1.0])), Arc::new(histogram(&[2.0]))];
        let samples = Samples::new(&columns);
        assert_eq!(histogram_of(first(&samples)).count, 1.0);
        assert_eq!(float(last(&samples)), 2.0);
        assert_eq!(float(Some(count(&samples))), 4.0);
        assert_eq!(float(time_of_first(&samples)), 0.5);
        assert_eq!(float(time_of_last(&samples)), 2.0);
        columns.histogram_ts = vec![1_500, 2_500];
        let samples = Samples::new(&columns);
        assert_eq!(float(first(&samples)), 1.0);
        assert_eq!(histogram_of(last(&samples)).count, 2.0);
    }
}
