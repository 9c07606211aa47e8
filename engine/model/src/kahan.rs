//! Summation that carries what rounding lost.

/// A running sum and its compensation (Kahan's method with Neumaier's improvement).
///
/// An infinite sum has no compensation, so that it stays infinite instead of turning into NaN.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct KahanSum {
    /// The plain running sum.
    pub sum: f64,
    /// What to add to it in the end.
    pub compensation: f64,
}

impl KahanSum {
    /// Returns a sum that starts with `value` and nothing lost.
    pub fn new(value: f64) -> Self {
        Self {
            sum: value,
            compensation: 0.0,
        }
    }

    /// Returns the sum after adding `value`.
    #[must_use]
    #[inline]
    pub fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let compensation = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.compensation + ((self.sum - sum) + value)
        } else {
            self.compensation + ((value - sum) + self.sum)
        };
        Self { sum, compensation }
    }

    /// Adds `value`.
    #[inline]
    pub fn add(&mut self, value: f64) {
        *self = self.plus(value);
    }

    /// Returns sum and compensation together.
    #[inline]
    pub fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(values: &[f64]) -> f64 {
        let mut sum = KahanSum::default();
        for value in values {
            sum.add(*value);
        }
        sum.total()
    }

    #[test]
    fn what_a_large_term_swallows_comes_back() {
        assert_eq!(sum_of(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum_of(&[5e15, 0.25, 0.25, 0.25, 0.25]), 5e15 + 1.0);
        assert_eq!(sum_of(&[0.1; 10]), 1.0);
    }

    #[test]
    fn infinity_stays_and_nan_spreads() {
        assert_eq!(sum_of(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert_eq!(sum_of(&[1e308, 1e308]), f64::INFINITY);
        assert!(sum_of(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(sum_of(&[f64::NAN, 1.0]).is_nan());
    }
}
