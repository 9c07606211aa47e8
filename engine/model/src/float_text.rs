//! Floats as text in the general notation that Prometheus uses in histograms and annotations.

/// Returns the shortest text that reads back as `value`, with an exponent when that is below -4 or
/// at least 6: `0.0001`, `1e-05`, `123456`, `1e+06`, `+Inf`, `NaN`.
///
/// This is the notation of C's `%g` with as many digits as needed, the exponent having a sign and
/// two digits at least.
pub fn format_float_general(value: f64) -> String {
    if !value.is_finite() {
        return non_finite(value).to_owned();
    }
    general(&format!("{value:e}"), 6)
}

/// Returns `value` rounded to `digits` significant digits, in the notation of C's `%.<digits>g`.
pub fn format_float_rounded(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return non_finite(value).to_owned();
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = split(&scientific);
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    general(&format!("{mantissa}e{exponent}"), digits as i32)
}

fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

fn split(scientific: &str) -> (&str, i32) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

/// Turns `d.ddde±x` into plain notation unless the exponent is below -4 or at least `limit`.
fn general(scientific: &str, limit: i32) -> String {
    let (mantissa, exponent) = split(scientific);
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = exponent as usize + 1;
    if digits.len() <= point {
        return format!("{sign}{digits:0<point$}");
    }
    let (whole, fraction) = digits.split_at(point);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn general_notation_changes_at_six_digits_and_at_one_ten_thousandth() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (123_456.0, "123456"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.000_12, "0.00012"),
            (0.000_01, "1e-05"),
            (2.938_735_877_055_719e-39, "2.938735877055719e-39"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(format_float_general(value), expected);
        }
    }

    #[test]
    fn rounded_notation_keeps_so_many_digits_and_drops_trailing_zeros() {
        let cases = [
            (0.0, "0"),
            (5.0, "5"),
            (10.0, "10"),
            (99.6, "1e+02"),
            (123.0, "1.2e+02"),
            (0.0123, "0.012"),
            (0.000_012_3, "1.2e-05"),
            (1.0, "1"),
        ];
        for (value, expected) in cases {
            assert_eq!(format_float_rounded(value, 2), expected);
        }
    }

    proptest! {
        #[test]
        fn general_notation_reads_back_as_the_same_float(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let read: f64 = format_float_general(value).parse().unwrap();
            prop_assert_eq!(read.to_bits(), value.to_bits());
        }
    }
}
