//! `min`, `max`, `quantile` and `mad_over_time`, and quantiles of plain values.

use std::cmp::Ordering;

use super::{RangeNote, RangeNotes, Samples, Value};

/// Returns the `q`-quantile of `values`, interpolating between neighbours: NaN when there are
/// none or `q` is NaN, an infinity when `q` is below 0 or above 1. NaN counts as the smallest
/// value. `values` is put into another order. Cost: O(values).
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower_index = (rank.floor() as usize).min(last);
    let weight = rank - rank.floor();
    let (_, lower, above) = values.select_nth_unstable_by(lower_index, |a, b| nan_first(*a, *b));
    let lower = *lower;
    let upper = above
        .iter()
        .copied()
        .min_by(|a, b| nan_first(*a, *b))
        .unwrap_or(lower);
    lower * (1.0 - weight) + upper * weight
}

fn nan_first(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    }
}

pub(super) fn quantile_over_time(
    samples: &Samples<'_>,
    q: f64,
    notes: &mut RangeNotes,
) -> Option<Value> {
    if samples.floats.is_empty() {
        return None;
    }
    if !(0.0..=1.0).contains(&q) {
        notes.note_invalid_quantile(q);
    }
    note_ignored(samples, notes);
    Some(Value::Float(quantile(q, &mut samples.floats.to_vec())))
}

/// Returns the median of the distances from the median; NaN when any value is.
pub(super) fn median_deviation(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    if samples.floats.is_empty() {
        return None;
    }
    note_ignored(samples, notes);
    if samples.floats.iter().any(|value| value.is_nan()) {
        return Some(Value::Float(f64::NAN));
    }
    let mut values = samples.floats.to_vec();
    let median = quantile(0.5, &mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    Some(Value::Float(quantile(0.5, &mut values)))
}

/// Which value of a window is looked for, and which of equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

impl Extreme {
    /// Says whether `value` takes the place of `best`, as the value of the window.
    pub(super) fn beats(self, value: f64, best: f64) -> bool {
        best.is_nan()
            || match self {
                Self::Min => value < best,
                Self::Max => value > best,
            }
    }

    /// Says whether `value`, being later, takes the place of `best`, as the time of the extreme:
    /// the latest of equal ones counts.
    pub(super) fn beats_or_ties(self, value: f64, best: f64) -> bool {
        value == best || self.beats(value, best)
    }
}

pub(super) fn min(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    value_of(samples, Extreme::Min, notes)
}

pub(super) fn max(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    value_of(samples, Extreme::Max, notes)
}

pub(super) fn time_of_min(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    time_of(samples, Extreme::Min, notes)
}

pub(super) fn time_of_max(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    time_of(samples, Extreme::Max, notes)
}

fn value_of(samples: &Samples<'_>, extreme: Extreme, notes: &mut RangeNotes) -> Option<Value> {
    let (first, rest) = samples.floats.split_first()?;
    note_ignored(samples, notes);
    let mut best = *first;
    for value in rest {
        if extreme.beats(*value, best) {
            best = *value;
        }
    }
    Some(Value::Float(best))
}

fn time_of(samples: &Samples<'_>, extreme: Extreme, notes: &mut RangeNotes) -> Option<Value> {
    let mut best = *samples.floats.first()?;
    note_ignored(samples, notes);
    let mut at = 0;
    for (index, value) in samples.floats.iter().enumerate() {
        if extreme.beats_or_ties(*value, best) {
            (best, at) = (*value, index);
        }
    }
    Some(Value::Float(samples.float_ts[at] as f64 / 1000.0))
}

/// Notes that a function over floats leaves histograms out.
pub(super) fn note_ignored(samples: &Samples<'_>, notes: &mut RangeNotes) {
    if !samples.histograms.is_empty() {
        notes.note(RangeNote::HistogramsIgnored);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::testing::{float, floats, histogram, histograms};
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn quantiles_interpolate_between_neighbours() {
        let of = |q, values: &[f64]| quantile(q, &mut values.to_vec());
        assert_eq!(of(0.5, &[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(0.25, &[4.0, 2.0]), 2.5);
        assert_eq!(of(0.0, &[4.0, 2.0]), 2.0);
        assert_eq!(of(1.0, &[4.0, 2.0]), 4.0);
        assert_eq!(of(-0.1, &[1.0]), f64::NEG_INFINITY);
        assert_eq!(of(1.1, &[1.0]), f64::INFINITY);
        assert!(of(NAN, &[1.0]).is_nan() && of(0.5, &[]).is_nan());
        assert!(of(0.0, &[1.0, NAN]).is_nan());
        assert_eq!(of(1.0, &[NAN, 1.0]), 1.0);
    }

    #[test]
    fn extremes_pass_over_nan_and_take_the_first_or_the_latest_of_equals() {
        let columns = floats(1_000, &[NAN, 3.0, 1.0, NAN, 3.0, 1.0]);
        let samples = Samples::new(&columns);
        let mut notes = RangeNotes::default();
        assert_eq!(float(min(&samples, &mut notes)), 1.0);
        assert_eq!(float(max(&samples, &mut notes)), 3.0);
        assert_eq!(float(time_of_min(&samples, &mut notes)), 6.0);
        assert_eq!(float(time_of_max(&samples, &mut notes)), 5.0);
        let columns = floats(1_000, &[NAN, NAN]);
        let samples = Samples::new(&columns);
        assert!(float(max(&samples, &mut notes)).is_nan());
        assert_eq!(float(time_of_max(&samples, &mut notes)), 2.0);
        assert!(notes.is_empty());
    }

    #[test]
    fn histograms_are_left_out_with_a_note_and_alone_give_nothing() {
        let mut columns = floats(1, &[1.0, 5.0]);
        columns.histogram_ts = vec![3];
        columns.histograms = vec![Arc::new(histogram(&[1.0]))];
        let mut notes = RangeNotes::default();
        assert_eq!(float(max(&Samples::new(&columns), &mut notes)), 5.0);
        assert!(notes.has(RangeNote::HistogramsIgnored));
        let alone = histograms(1, vec![histogram(&[1.0])]);
        let samples = Samples::new(&alone);
        let mut notes = RangeNotes::default();
        assert!(min(&samples, &mut notes).is_none());
        assert!(quantile_over_time(&samples, 7.0, &mut notes).is_none());
        assert!(median_deviation(&samples, &mut notes).is_none());
        assert!(notes.is_empty());
    }

    #[test]
    fn a_quantile_out_of_range_is_noted() {
        let columns = floats(1, &[1.0, 5.0]);
        let mut notes = RangeNotes::default();
        let value = quantile_over_time(&Samples::new(&columns), 2.0, &mut notes);
        assert_eq!(float(value), f64::INFINITY);
        assert!(!notes.is_empty());
    }

    #[test]
    fn the_median_deviation_is_undefined_with_nan() {
        let of = |values: &[f64]| {
            let columns = floats(1, values);
            float(median_deviation(
                &Samples::new(&columns),
                &mut RangeNotes::default(),
            ))
        };
        assert_eq!(of(&[4.0, 6.0, 2.0, 1.0, 999.0, 1.0, 2.0]), 1.0);
        assert!(of(&[1.0, NAN]).is_nan());
    }

    proptest! {
        #[test]
        fn selecting_is_as_good_as_sorting(
            values in prop::collection::vec(prop_oneof![Just(NAN), -9.0..9.0], 1..30),
            q in 0.0_f64..=1.0,
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| nan_first(*a, *b));
            let rank = q * (sorted.len() - 1) as f64;
            let lower = rank.floor() as usize;
            let upper = (lower + 1).min(sorted.len() - 1);
            let weight = rank - rank.floor();
            let expected = sorted[lower] * (1.0 - weight) + sorted[upper] * weight;
            let found = quantile(q, &mut values.clone());
            prop_assert!(found == expected || (found.is_nan() && expected.is_nan()));
        }
    }
}
