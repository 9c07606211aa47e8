//! Durations: the grammar of PromQL, and plain seconds where a step is meant.

use obsq_query_lang::promql;

use crate::times::TimeError;

/// Parses `1h30m`, units falling, into milliseconds. Never negative.
pub(crate) fn parse_duration(text: &str) -> Result<i64, TimeError> {
    promql::parse_duration(text).map_err(|_upstream| TimeError::Duration(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
