//! Float arithmetic with the meaning that Go's `math` package gives it.

/// Returns the larger value; infinity before NaN, NaN before numbers, 0 before -0.
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else if a > b {
        a
    } else {
        b
    }
}

/// Returns the smaller value; minus infinity before NaN, NaN before numbers, -0 before 0.
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else if a < b {
        a
    } else {
        b
    }
}

/// Returns the integer part of `value`; the smallest integer for NaN and what does not fit, as
/// 64-bit Intel processors convert.
pub(crate) fn to_integer(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// Returns `value` in the shortest decimal notation that gives it back, without exponent.
pub(crate) fn to_decimal(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        let text = if value > 0.0 { "+Inf" } else { "-Inf" };
        text.to_owned()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_win_over_nan_on_their_side() {
        assert!(max(f64::NAN, f64::INFINITY).is_infinite());
        assert!(min(f64::NAN, f64::NEG_INFINITY).is_infinite());
        assert!(max(f64::NAN, f64::NEG_INFINITY).is_nan());
        assert!(min(1.0, f64::NAN).is_nan());
        assert!(max(-0.0, 0.0).is_sign_positive());
        assert!(min(0.0, -0.0).is_sign_negative());
        assert_eq!((max(1.0, 2.0), min(1.0, 2.0)), (2.0, 1.0));
    }

    #[test]
    fn what_does_not_fit_becomes_the_smallest_integer() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert_eq!(to_integer(value), i64::MIN);
        }
        assert_eq!((to_integer(1.9), to_integer(-1.9)), (1, -1));
    }

    #[test]
    fn decimals_have_no_exponent() {
        assert_eq!(to_decimal(1e21), "1000000000000000000000");
        assert_eq!(to_decimal(0.1), "0.1");
        assert_eq!(to_decimal(-2.0), "-2");
        assert_eq!(to_decimal(f64::NEG_INFINITY), "-Inf");
    }
}
