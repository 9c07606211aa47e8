//! Durations: the grammar of PromQL, and plain seconds where a step is meant.

use crate::times::TimeError;

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Parses `1h30m`, units falling, into milliseconds. Never negative.
pub(crate) fn parse_duration(text: &str) -> Result<i64, TimeError> {
    let wrong = || TimeError::Duration(text.to_owned());
    let mut total_ms = 0_i64;
    let mut rest = text;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        let place = UNITS.iter().position(|(name, _)| *name == unit);
        let place = place
            .filter(|place| *place >= next_unit)
            .ok_or_else(wrong)?;
        let amount: i64 = number.parse().map_err(|_overflow| wrong())?;
        let scaled = amount.checked_mul(UNITS[place].1).ok_or_else(wrong)?;
        total_ms = total_ms.checked_add(scaled).ok_or_else(wrong)?;
        next_unit = place + 1;
        rest = tail;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Ok(total_ms)
}

/// Parses a duration or a plain number of seconds, as `--step 15` has it; above zero.
pub(crate) fn parse_step(text: &str) -> Result<i64, TimeError> {
    let wrong = || TimeError::Duration(text.to_owned());
    let ms = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds < 1e12 => (seconds * 1e3).round() as i64,
        Ok(_) => return Err(wrong()),
        Err(_) => parse_duration(text)?,
    };
    if ms > 0 { Ok(ms) } else { Err(wrong()) }
}

/// Writes `ms` as a duration: `1h30m`, `15s`, `0s`.
pub(crate) fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let mut text = String::from(if ms < 0 { "-" } else { "" });
    let mut rest = ms.unsigned_abs();
    for (unit, length) in UNITS {
        let length = length as u64;
        // Years and weeks are not used where days say it as well: 8d reads better than 1w1d.
        if (unit == "y" || unit == "w") && !rest.is_multiple_of(length) {
            continue;
        }
        let amount = rest / length;
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
            rest %= length;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_those_of_promql() {
        let table = [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("90s", 90_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1y", 31_536_000_000),
            ("250ms", 250),
            ("1m1ms", 60_001),
            ("0s", 0),
        ];
        for (text, ms) in table {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "5x",
            "1m1h",
            "1m1m",
            "-5m",
            "1.5h",
            "5m ",
            "99999999999y",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_step_may_be_plain_seconds_and_is_above_zero() {
        assert_eq!(parse_step("15"), Ok(15_000));
        assert_eq!(parse_step("0.5"), Ok(500));
        assert_eq!(parse_step("1m"), Ok(60_000));
        for text in ["0", "-1", "NaN", "inf", "0s", "1e300"] {
            assert!(parse_step(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(ms in 0_i64..4_000_000_000_000) {
            prop_assert_eq!(parse_duration(&format_duration(ms)), Ok(ms));
        }
    }
}
