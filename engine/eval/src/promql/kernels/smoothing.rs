//! `double_exponential_smoothing`.

use super::order::note_ignored;
use super::{RangeNotes, Value, Window};

/// Returns the last smoothed value of the floats. The first parameter weighs a new value against
/// the smoothed one, the second a new trend against the one before; both have been checked to lie
/// between 0 and 1.
pub(super) fn smooth(
    window: &Window<'_>,
    params: &[f64; 2],
    notes: &mut RangeNotes,
) -> Option<Value> {
    let [smoothing, trend_factor] = *params;
    let (first, rest) = window.floats.split_first()?;
    note_ignored(window, notes);
    let second = rest.first()?;
    let mut trend = second - first;
    let mut before = 0.0;
    let mut smoothed = *first;
    for (index, value) in rest.iter().enumerate() {
        if index > 0 {
            trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (smoothed + trend);
        (before, smoothed) = (smoothed, next);
    }
    Some(Value::Float(smoothed))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{float, floats, whole};
    use super::*;

    fn of(values: &[f64]) -> Option<Value> {
        let columns = floats(1, values);
        smooth(&whole(&columns), &[0.5, 0.5], &mut RangeNotes::default())
    }

    #[test]
    fn a_straight_line_is_kept_and_a_jump_is_damped() {
        assert_eq!(float(of(&[1.0, 3.0, 5.0, 7.0])), 7.0);
        // 0.5 * 8 + 0.5 * (0 + 8), then a trend of 0.5 * 8 + 0.5 * 8.
        assert_eq!(float(of(&[0.0, 8.0, 0.0])), 8.0);
        assert_eq!(of(&[1.0]), None);
    }
}
