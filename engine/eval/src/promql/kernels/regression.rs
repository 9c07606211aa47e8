//! `deriv` and `predict_linear`: the line of least squares through the floats of a window.

use obsq_model::KahanSum;

use super::order::note_ignored;
use super::{RangeNotes, Samples, Value, Window};

pub(super) fn deriv(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    let origin_ms = *samples.float_ts.first()?;
    note_ignored(samples, notes);
    let line = Line::through(samples, origin_ms)?;
    Some(Value::Float(line.slope))
}

pub(super) fn predict_linear(
    window: &Window<'_>,
    seconds: f64,
    notes: &mut RangeNotes,
) -> Option<Value> {
    let samples = &window.samples;
    if samples.floats.is_empty() {
        return None;
    }
    note_ignored(samples, notes);
    let line = Line::through(samples, window.step_ms)?;
    Some(Value::Float(line.slope * seconds + line.at_origin))
}

/// A line: its slope per second and its value at the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    slope: f64,
    at_origin: f64,
}

impl Line {
    /// Returns the line through at least two floats, times being relative to `origin_ms`.
    fn through(samples: &Samples<'_>, origin_ms: i64) -> Option<Self> {
        if samples.floats.len() < 2 {
            return None;
        }
        let first = samples.floats[0];
        if samples.floats.iter().all(|value| *value == first) {
            // The formula below would give noise, or NaN.
            return Some(Self::level(first));
        }
        let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [KahanSum::default(); 4];
        for (ts, y) in samples.float_ts.iter().zip(samples.floats) {
            let x = ts.saturating_sub(origin_ms) as f64 / 1e3;
            sum_x.add(x);
            sum_y.add(*y);
            sum_xy.add(x * y);
            sum_xx.add(x * x);
        }
        let number = samples.floats.len() as f64;
        let [x, y, xy, xx] = [sum_x, sum_y, sum_xy, sum_xx].map(KahanSum::total);
        let covariance = xy - x * y / number;
        let variance = xx - x * x / number;
        let slope = covariance / variance;
        Some(Self {
            slope,
            at_origin: y / number - slope * x / number,
        })
    }

    fn level(value: f64) -> Self {
        if value.is_infinite() {
            return Self {
                slope: f64::NAN,
                at_origin: f64::NAN,
            };
        }
        Self {
            slope: 0.0,
            at_origin: value,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::RangeNote;
    use super::super::testing::{float, floats, histogram, window};
    use super::*;

    #[test]
    fn a_straight_line_is_found_and_prolonged_from_the_step() {
        let columns = floats(10_000, &[10.0, 30.0, 50.0, 70.0]);
        let mut notes = RangeNotes::default();
        assert_eq!(float(deriv(&Samples::new(&columns), &mut notes)), 2.0);
        let mut at = window(&columns, 0, 40_000);
        assert_eq!(float(predict_linear(&at, 10.0, &mut notes)), 90.0);
        // With an offset of 20 s the step is later than the window's end.
        at.step_ms = 60_000;
        assert_eq!(float(predict_linear(&at, 10.0, &mut notes)), 130.0);
    }

    #[test]
    fn a_level_has_no_slope_and_infinity_no_line() {
        let of = |values: &[f64]| {
            let columns = floats(1, values);
            float(deriv(&Samples::new(&columns), &mut RangeNotes::default()))
        };
        assert_eq!(of(&[1e300, 1e300]), 0.0);
        assert!(of(&[f64::INFINITY, f64::INFINITY]).is_nan());
        assert!(of(&[f64::NAN, f64::NAN]).is_nan());
    }

    #[test]
    fn one_float_is_not_enough_but_says_that_histograms_were_left_out() {
        let mut columns = floats(1, &[1.0]);
        columns.histogram_ts = vec![2];
        columns.histograms = vec![Arc::new(histogram(&[1.0]))];
        let mut notes = RangeNotes::default();
        assert!(deriv(&Samples::new(&columns), &mut notes).is_none());
        assert!(notes.has(RangeNote::HistogramsIgnored));
        columns.float_ts.clear();
        columns.floats.clear();
        let mut notes = RangeNotes::default();
        assert!(predict_linear(&window(&columns, 0, 9), 1.0, &mut notes).is_none());
        assert!(notes.is_empty());
    }
}
