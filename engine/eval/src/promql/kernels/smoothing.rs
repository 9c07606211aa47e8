//! `double_exponential_smoothing`.

use super::order::note_ignored;
use super::{KernelError, RangeNotes, RangeParams, Samples, Value};

/// Returns the last smoothed value of the floats. The first parameter weighs a new value against
/// the smoothed one, the second a new trend against the one before.
pub(super) fn smooth(
    samples: &Samples<'_>,
    params: RangeParams,
    notes: &mut RangeNotes,
) -> Result<Option<Value>, KernelError> {
    let RangeParams {
        first: smoothing,
        second: trend_factor,
    } = params;
    if smoothing <= 0.0 || smoothing >= 1.0 {
        return Err(KernelError::SmoothingFactor(smoothing));
    }
    if trend_factor <= 0.0 || trend_factor >= 1.0 {
        return Err(KernelError::TrendFactor(trend_factor));
    }
    let Some((first, rest)) = samples.floats.split_first() else {
        return Ok(None);
    };
    note_ignored(samples, notes);
    let Some(second) = rest.first() else {
        return Ok(None);
    };
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
    Ok(Some(Value::Float(smoothed)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{float, floats};
    use super::*;

    fn of(values: &[f64], first: f64, second: f64) -> Result<Option<Value>, KernelError> {
        let columns = floats(1, values);
        let params = RangeParams { first, second };
        smooth(&Samples::new(&columns), params, &mut RangeNotes::default())
    }

    #[test]
    fn a_straight_line_is_kept_and_a_jump_is_damped() {
        assert_eq!(float(of(&[1.0, 3.0, 5.0, 7.0], 0.5, 0.5).unwrap()), 7.0);
        // 0.5 * 8 + 0.5 * (0 + 8), then a trend of 0.5 * 8 + 0.5 * 8.
        assert_eq!(float(of(&[0.0, 8.0, 0.0], 0.5, 0.5).unwrap()), 8.0);
        assert_eq!(of(&[1.0], 0.5, 0.5), Ok(None));
    }

    #[test]
    fn factors_must_lie_between_0_and_1() {
        let text = |first, second| of(&[1.0, 2.0], first, second).unwrap_err().to_string();
        assert_eq!(
            text(1.0, 0.5),
            "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000"
        );
        assert_eq!(
            text(0.5, -0.25),
            "invalid trend factor. Expected: 0 < tf < 1, got: -0.250000"
        );
        // NaN is not refused upstream either.
        assert!(float(of(&[1.0, 2.0], f64::NAN, 0.5).unwrap()).is_nan());
    }
}
