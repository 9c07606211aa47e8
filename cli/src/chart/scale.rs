//! From values and times to dots.

/// The values that a chart spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueScale {
    /// Value of the bottom edge.
    pub(crate) low: f64,
    /// Value of the top edge.
    pub(crate) high: f64,
    /// Distance of the labels.
    pub(crate) tick: f64,
}

impl ValueScale {
    /// Returns a scale that holds all finite values, its ends and labels on round numbers. Starts
    /// at zero unless the values lie close together far from it.
    pub(crate) fn of(values: impl Iterator<Item = f64>, rows: usize) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low > 0.0 && low < high * 0.5 {
            low = 0.0;
        }
        if high < 0.0 && high > low * 0.5 {
            high = 0.0;
        }
        if low == high {
            let margin = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - margin, high + margin);
        }
        let ticks = (rows as f64 / 2.5).max(1.0);
        let tick = round_up(high / ticks - low / ticks);
        let scale = Self {
            low: (low / tick).floor() * tick,
            high: (high / tick).ceil() * tick,
            tick,
        };
        if scale.low.is_finite() && scale.high.is_finite() && scale.low < scale.high {
            scale
        } else {
            Self { low, high, tick }
        }
    }

    /// Returns the row of `value` among `rows`, 0 at the top.
    pub(crate) fn row(&self, value: f64, rows: usize) -> usize {
        // Halved so that the span of the widest floats does not overflow.
        let span = self.high / 2.0 - self.low / 2.0;
        let share = (self.high / 2.0 - value / 2.0) / span;
        let last = rows.saturating_sub(1) as f64;
        (share.clamp(0.0, 1.0) * last).round() as usize
    }

    /// Returns the value in the middle of `row` among `rows`.
    pub(crate) fn value(&self, row: usize, rows: usize) -> f64 {
        let last = rows.saturating_sub(1).max(1) as f64;
        let share = row as f64 / last;
        self.high * (1.0 - share) + self.low * share
    }
}

/// Returns the next of 1, 2, 5, 10, ... times a power of ten that is at least `value`.
fn round_up(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fitting = steps.iter().map(|step| step * magnitude);
    let found = fitting.clone().find(|step| *step >= value * (1.0 - 1e-9));
    let found = found.unwrap_or(magnitude * 10.0);
    if found.is_finite() && found > 0.0 {
        found
    } else {
        value.abs().max(f64::MIN_POSITIVE)
    }
}

/// The times that a chart spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeScale {
    /// Time of the left edge.
    pub(crate) start_ms: i64,
    /// Time of the right edge, later than the left.
    pub(crate) end_ms: i64,
}

impl TimeScale {
    /// Returns the column of `ts_ms` among `columns`.
    pub(crate) fn column(self, ts_ms: i64, columns: usize) -> usize {
        let span = self.end_ms as f64 - self.start_ms as f64;
        let share = (ts_ms as f64 - self.start_ms as f64) / span;
        let last = columns.saturating_sub(1) as f64;
        (share.clamp(0.0, 1.0) * last).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(values: &[f64]) -> (f64, f64, f64) {
        let scale = ValueScale::of(values.iter().copied(), 12);
        (scale.low, scale.high, scale.tick)
    }

    #[test]
    fn ends_are_round_and_start_at_zero_unless_far_from_it() {
        assert_eq!(scale(&[3.0, 97.0]), (0.0, 100.0, 50.0));
        assert_eq!(scale(&[95.0, 97.0]), (95.0, 97.0, 0.5));
        assert_eq!(scale(&[]), (0.0, 1.0, 0.5));
        assert_eq!(scale(&[0.0]), (-1.0, 1.0, 0.5));
        assert_eq!(scale(&[-97.0, -3.0]), (-100.0, 0.0, 50.0));
        assert_eq!(scale(&[f64::NAN, f64::INFINITY]), (0.0, 1.0, 0.5));
    }

    #[test]
    fn the_highest_value_is_at_the_top() {
        let scale = ValueScale::of([0.0, 10.0].into_iter(), 8);
        assert_eq!(scale.row(10.0, 8), 0);
        assert_eq!(scale.row(0.0, 8), 7);
        let time = TimeScale {
            start_ms: 0,
            end_ms: 100,
        };
        assert_eq!(
            (
                time.column(0, 11),
                time.column(50, 11),
                time.column(999, 11)
            ),
            (0, 5, 10)
        );
    }

    proptest! {
        #[test]
        fn any_values_have_a_scale_that_holds_them(values in proptest::collection::vec(any::<f64>(), 0..9)) {
            let scale = ValueScale::of(values.iter().copied(), 12);
            prop_assert!(scale.low <= scale.high, "{scale:?}");
            for value in values.iter().filter(|value| value.is_finite()) {
                prop_assert!(scale.row(*value, 12) < 12);
            }
        }
    }
}
