//! Times as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Returns RFC 3339 in `zone`; milliseconds only where there are some. A time that no calendar
/// holds is shown as unix seconds.
pub(crate) fn format_time(ts_ms: i64, zone: &TimeZone) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(ts_ms) else {
        return format_seconds(ts_ms);
    };
    let zoned = timestamp.to_zoned(zone.clone());
    let precision = if ts_ms.rem_euclid(1000) == 0 {
        ""
    } else {
        "%.3f"
    };
    let offset = if zoned.offset().is_zero() { "Z" } else { "%:z" };
    zoned
        .strftime(&format!("%Y-%m-%dT%H:%M:%S{precision}{offset}"))
        .to_string()
}

/// Returns RFC 3339 in UTC, always with milliseconds, as log lines have it.
pub(crate) fn rfc3339_ms(ts_ms: i64) -> String {
    match Timestamp::from_millisecond(ts_ms) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        Err(_) => format_seconds(ts_ms),
    }
}

/// Returns unix seconds with as many decimals as needed, as the Prometheus API takes them.
pub(crate) fn format_seconds(ts_ms: i64) -> String {
    let sign = if ts_ms < 0 { "-" } else { "" };
    let ms = ts_ms.unsigned_abs();
    let (seconds, rest) = (ms / 1000, ms % 1000);
    if rest == 0 {
        return format!("{sign}{seconds}");
    }
    let decimals = format!("{rest:03}");
    format!("{sign}{seconds}.{}", decimals.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_their_milliseconds() {
        let table = [
            (0, "0"),
            (1_500, "1.5"),
            (-1, "-0.001"),
            (-2_000, "-2"),
            (1_435_781_451_781, "1435781451.781"),
        ];
        for (ms, text) in table {
            assert_eq!(format_seconds(ms), text);
        }
    }

    #[test]
    fn times_are_rfc_3339_in_the_zone() {
        assert_eq!(format_time(0, &TimeZone::UTC), "1970-01-01T00:00:00Z");
        assert_eq!(
            format_time(1_020, &TimeZone::UTC),
            "1970-01-01T00:00:01.020Z"
        );
        let east = crate::times::parse_zone("+02:00").unwrap();
        assert_eq!(format_time(0, &east), "1970-01-01T02:00:00+02:00");
        assert_eq!(format_time(i64::MAX, &east), "9223372036854775.807");
        assert_eq!(rfc3339_ms(1_000), "1970-01-01T00:00:01.000Z");
    }
}
