//! Times and durations as the Prometheus API takes them.

mod rfc3339;

use rfc3339::parse_rfc3339;

/// The earliest time that an absent `start` stands for, and its spelling in queries.
pub(crate) const MIN_TIME: (i64, &str) = (
    (i64::MIN / 1000 + 62_135_596_801) * 1000,
    "-292273086-05-16T16:47:06Z",
);
/// The latest time that an absent `end` stands for, and its spelling in queries.
pub(crate) const MAX_TIME: (i64, &str) = (
    (i64::MAX / 1000 - 62_135_596_801) * 1000 + 999,
    "292277025-08-18T07:12:54.999999999Z",
);

/// Returns the milliseconds since the epoch that `text` names: seconds as a decimal number,
/// rounded to milliseconds, or RFC 3339, cut to milliseconds.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    let refused = || format!("cannot parse {text:?} to a valid timestamp");
    if let Ok(seconds) = text.parse::<f64>() {
        let (whole, fraction) = (seconds.trunc(), (seconds.fract() * 1000.0).round());
        let limit = (i64::MAX / 1000) as f64;
        if !seconds.is_finite() || whole.abs() >= limit {
            return Err(refused());
        }
        return Ok(whole as i64 * 1000 + fraction as i64);
    }
    for (ts_ms, spelling) in [MIN_TIME, MAX_TIME] {
        if text == spelling {
            return Ok(ts_ms);
        }
    }
    parse_rfc3339(text.as_bytes()).ok_or_else(refused)
}

/// Returns the nanoseconds that `text` names: seconds as a decimal number, or a duration such as
/// `1h30m`.
pub(crate) fn parse_duration_ns(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * 1e9;
        if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
            return Err(format!(
                "cannot parse {text:?} to a valid duration. It overflows int64"
            ));
        }
        return Ok(if nanos.is_nan() {
            i64::MIN
        } else {
            nanos as i64
        });
    }
    parse_units(text).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

/// Units from the largest to the smallest, the order in which they must be written.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

fn parse_units(text: &str) -> Option<i64> {
    let (mut rest, mut next_unit, mut total_ms) = (text, 0, 0_i64);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (unit, tail) = tail.split_at_checked(letters)?;
        let index = UNITS.iter().position(|(name, _)| *name == unit)?;
        if index < next_unit {
            return None;
        }
        let part_ms = number.parse::<i64>().ok()?.checked_mul(UNITS[index].1)?;
        total_ms = total_ms.checked_add(part_ms)?;
        (rest, next_unit) = (tail, index + 1);
    }
    if next_unit == 0 {
        return None;
    }
    total_ms.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let table = [
            ("0", 0),
            ("1435781451.781", 1_435_781_451_781),
            ("-1.5", -1_500),
            ("1e3", 1_000_000),
            ("123.1234", 123_123),
            ("1757000000000", 1_757_000_000_000_000),
            ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
            ("2015-06-03T14:21:58.5559999+01:00", 1_433_337_718_555),
            ("1970-01-01T00:00:00Z", 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("2024-02-29T00:00:00-00:30", 1_709_166_600_000),
            ("-292273086-05-16T16:47:06Z", MIN_TIME.0),
            ("292277025-08-18T07:12:54.999999999Z", MAX_TIME.0),
        ];
        for (text, ts_ms) in table {
            assert_eq!(parse_time(text), Ok(ts_ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let table = [
            "",
            "zz",
            "NaN",
            "+Inf",
            "1e308",
            "9223372036854775807",
            "2015-06-03",
            "2015-06-03 13:21:58Z",
            "2015-13-03T13:21:58Z",
            "2023-02-29T00:00:00Z",
            "2015-06-03T13:21:58",
            "2015-06-03T24:00:00Z",
            "2015-06-03T13:21:58.Z",
            "2015-06-03T13:21:58+0100",
            "2015-06-03T13:21:58Zx",
            "-9e18",
        ];
        for text in table {
            let refused = format!("cannot parse {text:?} to a valid timestamp");
            assert_eq!(parse_time(text), Err(refused));
        }
    }

    #[test]
    fn durations_are_seconds_or_units_in_falling_order() {
        let table = [
            ("15", Some(15_000_000_000)),
            ("0.001", Some(1_000_000)),
            ("-1", Some(-1_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1y2w3d4h5m6s7ms", Some(33_019_506_007_000_000)),
            ("0s", Some(0)),
            ("NaN", Some(i64::MIN)),
            ("1ns", None),
            ("1m1h", None),
            ("1m1m", None),
            ("5x", None),
            ("", None),
            ("m", None),
            ("1000y", None),
            ("1e30", None),
        ];
        for (text, nanos) in table {
            assert_eq!(parse_duration_ns(text).ok(), nanos, "{text}");
        }
    }
}
