//! Floats and timestamps as the Prometheus API writes them.

use std::io::Write as _;

/// Appends `value` in the shortest form that reads back to the same float: without an exponent,
/// but for magnitudes below 1e-6 or from 1e21 up. `NaN`, `+Inf` and `-Inf` for the rest.
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if magnitude.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if magnitude < 9e15 && value.trunc() == value {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        push_unsigned(out, magnitude as u64);
    } else if !(1e-6..1e21).contains(&magnitude) {
        push_exponent(out, value);
    } else {
        write!(out, "{value}").unwrap_or_default();
    }
}

/// Returns `value` as text, as [`push_float`] writes it.
pub(crate) fn float_text(value: f64) -> String {
    let mut out = Vec::new();
    push_float(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends `value` as a mantissa and an exponent with sign and at least two digits.
fn push_exponent(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(out, "{mantissa}e{sign}{digits:0>2}").unwrap_or_default();
}

/// Appends milliseconds as seconds with up to three decimals, as a JSON number.
pub(crate) fn push_seconds(out: &mut Vec<u8>, ts_ms: i64) {
    if ts_ms < 0 {
        out.push(b'-');
    }
    let magnitude = ts_ms.unsigned_abs();
    push_unsigned(out, magnitude / 1000);
    let fraction = magnitude % 1000;
    if fraction != 0 {
        let digit = |divisor: u64| b'0' + (fraction / divisor % 10) as u8;
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

/// Appends `value` in decimal digits.
pub(crate) fn push_unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn seconds(ts_ms: i64) -> String {
        let mut out = Vec::new();
        push_seconds(&mut out, ts_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_shortest_and_have_an_exponent_only_at_the_extremes() {
        let table = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-07"),
            (1e-9, "1e-09"),
            (-1e-100, "-1e-100"),
            (5e-324, "5e-324"),
            (123_456_789.25, "123456789.25"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in table {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn times_keep_milliseconds_as_decimals() {
        let table = [
            (0, "0"),
            (1, "0.001"),
            (-1, "-0.001"),
            (1_500, "1.500"),
            (1_435_781_451_781, "1435781451.781"),
            (-1_010, "-1.010"),
            (60_000, "60"),
            (i64::MIN, "-9223372036854775.808"),
        ];
        for (ts_ms, text) in table {
            assert_eq!(seconds(ts_ms), text);
        }
    }

    proptest! {
        #[test]
        fn every_float_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(float(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
