//! Variance and standard deviation of plain values.

use obsq_model::KahanSum;

use super::order::note_ignored;
use super::{RangeNotes, Samples, Value};

/// A running variance (Welford's method, compensated).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Variance {
    number: f64,
    mean: KahanSum,
    squares: KahanSum,
}

impl Variance {
    /// Adds `value`.
    fn add(&mut self, value: f64) {
        self.number += 1.0;
        let delta = value - self.mean.total();
        self.mean.add(delta / self.number);
        self.squares.add(delta * (value - self.mean.total()));
    }

    /// Returns the variance of the values so far; NaN when there are none.
    fn value(&self) -> f64 {
        self.squares.total() / self.number
    }
}

pub(super) fn stdvar_over_time(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    variance_of(samples, notes).map(Value::Float)
}

pub(super) fn stddev_over_time(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    variance_of(samples, notes).map(|variance| Value::Float(variance.sqrt()))
}

fn variance_of(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<f64> {
    if samples.floats.is_empty() {
        return None;
    }
    note_ignored(samples, notes);
    let mut variance = Variance::default();
    for value in samples.floats {
        variance.add(*value);
    }
    Some(variance.value())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{float, floats};
    use super::*;

    #[test]
    fn the_variance_is_that_of_the_whole_population() {
        let columns = floats(1, &[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        let samples = Samples::new(&columns);
        let mut notes = RangeNotes::default();
        assert_eq!(float(stdvar_over_time(&samples, &mut notes)), 4.0);
        assert_eq!(float(stddev_over_time(&samples, &mut notes)), 2.0);
        let none = stddev_over_time(&Samples::default(), &mut notes);
        assert!(none.is_none());
    }

    #[test]
    fn a_large_offset_does_not_drown_the_variance() {
        let columns = floats(1, &[1e9, 1e9 + 1.0, 1e9 + 2.0]);
        let variance = stdvar_over_time(&Samples::new(&columns), &mut RangeNotes::default());
        assert!((float(variance) - 2.0 / 3.0).abs() < 1e-12);
    }
}
