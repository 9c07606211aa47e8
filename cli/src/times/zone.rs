//! Time zones of `--tz`.

use jiff::tz::{Offset, TimeZone};

use crate::times::TimeError;

/// Parses `UTC`, `local`, an IANA name, or an offset such as `+02:00`.
pub(crate) fn parse_zone(text: &str) -> Result<TimeZone, TimeError> {
    match text {
        "UTC" | "utc" | "Z" => Ok(TimeZone::UTC),
        "local" => Ok(TimeZone::system()),
        _ => match parse_offset(text) {
            Some(offset) => Ok(offset.to_time_zone()),
            None => TimeZone::get(text).map_err(|_unknown| TimeError::Zone(text.to_owned())),
        },
    }
}

fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=18).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_utc_offsets_and_names() {
        assert_eq!(parse_zone("UTC"), Ok(TimeZone::UTC));
        let offset = |text| parse_offset(text).map(Offset::seconds);
        assert_eq!(offset("+02:00"), Some(7200));
        assert_eq!(offset("-3:30"), Some(-12_600));
        assert_eq!(offset("+5"), Some(18_000));
        assert_eq!(offset("+99"), None);
        assert_eq!(
            parse_zone("Mars/Base"),
            Err(TimeError::Zone("Mars/Base".into()))
        );
    }
}
