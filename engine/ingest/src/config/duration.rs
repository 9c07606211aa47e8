//! Durations as Prometheus writes them: `1h30m`, `15s`, `500ms`.

use std::fmt::Write as _;

/// Units from large to small: name, milliseconds, and whether it is printed only for whole multiples.
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 24 * 3_600_000, true),
    ("w", 7 * 24 * 3_600_000, true),
    ("d", 24 * 3_600_000, true),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1_000, false),
    ("ms", 1, false),
];

/// Returns the milliseconds of a duration: numbers with units, large units first, each at most
/// once; `0` needs no unit.
///
/// # Errors
/// A text in Prometheus' wording.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let invalid = || format!("not a valid duration string: {text:?}");
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        let number: i64 = number.parse().map_err(|_bad| invalid())?;
        let (_, unit_ms, _) = units.find(|(name, ..)| *name == unit).ok_or_else(invalid)?;
        total_ms = number
            .checked_mul(*unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| *ms <= i64::MAX / 1_000_000)
            .ok_or_else(|| "duration out of range".to_owned())?;
        rest = tail;
    }
    Ok(total_ms)
}

/// Returns a duration as Prometheus prints it: `1m30s`, and `7d` but `49h`.
pub fn format_duration(mut duration_ms: i64) -> String {
    if duration_ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (name, unit_ms, only_whole) in UNITS {
        if only_whole && duration_ms % unit_ms != 0 {
            continue;
        }
        let number = duration_ms / unit_ms;
        if number > 0 {
            let _infallible = write!(out, "{number}{name}");
            duration_ms -= number * unit_ms;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        let cases = [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("7d", 604_800_000, "1w"),
            ("49h", 176_400_000, "49h"),
            ("1d1h", 90_000_000, "25h"),
            ("500ms", 500, "500ms"),
            ("1y", 31_536_000_000, "1y"),
        ];
        for (text, ms, printed) in cases {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
            assert_eq!(format_duration(ms), printed);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "1",
            "s",
            "1m1h",
            "1s1s",
            "-1s",
            "1.5s",
            "1x",
            "99999999999y",
            "1 s",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
