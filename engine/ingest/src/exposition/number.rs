//! Numbers as exposition formats write them.

/// Bits of the NaN that every NaN of a body becomes, so that none can pass for a staleness marker.
const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// Reads a float as Go's `ParseFloat` does, without hexadecimal floats and underscores; a number that
/// overflows is refused.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let is_nan = unsigned.eq_ignore_ascii_case("nan");
    if text.contains(['p', 'P', '_']) || (is_nan && unsigned.len() != text.len()) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    if value.is_nan() {
        return Some(normal_nan());
    }
    let is_named = unsigned.starts_with(['i', 'I']);
    (value.is_finite() || is_named).then_some(value)
}

/// Returns the NaN of ordinary samples.
pub(super) fn normal_nan() -> f64 {
    f64::from_bits(NORMAL_NAN_BITS)
}

/// Prints a bucket bound or quantile in OpenMetrics' canonical form: always with a dot or an exponent.
pub(super) fn canonical_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let plain = shortest_general(value);
    if plain.contains(['.', 'e']) {
        plain
    } else {
        format!("{plain}.0")
    }
}

/// Prints the shortest digits that read back as `value`, with an exponent below 1e-4 and from 1e6 on
/// (Go's format `g`), where the exponent has at least two digits.
fn shortest_general(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_as_in_go() {
        let cases = [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+Inf", Some(f64::INFINITY)),
            ("-infinity", Some(f64::NEG_INFINITY)),
            ("1e400", None),
            ("0x1p4", None),
            ("1_000", None),
            ("+NaN", None),
            ("", None),
            ("a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_float(text), expected, "{text}");
        }
        assert_eq!(parse_float("nan").map(f64::to_bits), Some(NORMAL_NAN_BITS));
    }

    #[test]
    fn bounds_always_show_that_they_are_floats() {
        let cases = [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.1, "0.1"),
            (0.005, "0.005"),
            (0.00001, "1e-05"),
            (100.0, "100.0"),
            (1_000_000.0, "1e+06"),
            (2_500_000.0, "2.5e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456.5, "123456.5"),
            (1e21, "1e+21"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(canonical_float(value), expected);
        }
    }
}
