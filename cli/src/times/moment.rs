//! Points in time: relative, civil, RFC 3339, unix.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, Zoned};
use obsq_model::{MAX_TIME_MS, MIN_TIME_MS};

use crate::times::TimeError;

/// What relative and civil times refer to.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The present in milliseconds.
    pub(crate) now_ms: i64,
    /// The zone of times that name none.
    pub(crate) zone: TimeZone,
}

/// Which end of a range is meant, where a text names more than a moment: `--to yesterday` is the
/// end of that day, `--from yesterday` its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// The start of what is named.
    Start,
    /// The end of what is named.
    End,
}

/// A unit of calendar or clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ms" => Self::Millisecond,
            "s" => Self::Second,
            "m" => Self::Minute,
            "h" => Self::Hour,
            "d" => Self::Day,
            "w" => Self::Week,
            "M" => Self::Month,
            "Q" => Self::Quarter,
            "y" => Self::Year,
            _ => return None,
        })
    }

    fn span(self, amount: i64) -> Option<Span> {
        let span = Span::new();
        match self {
            Self::Millisecond => span.try_milliseconds(amount),
            Self::Second => span.try_seconds(amount),
            Self::Minute => span.try_minutes(amount),
            Self::Hour => span.try_hours(amount),
            Self::Day => span.try_days(amount),
            Self::Week => span.try_weeks(amount),
            Self::Month => span.try_months(amount),
            Self::Quarter => span.try_months(amount.checked_mul(3)?),
            Self::Year => span.try_years(amount),
        }
        .ok()
    }

    /// Returns the start of the unit that `at` lies in. Weeks start on Monday.
    fn floor(self, at: &Zoned) -> Option<Zoned> {
        let date = at.date();
        let floored = match self {
            Self::Millisecond => return Some(at.clone()),
            Self::Second => at.datetime().with().subsec_nanosecond(0).build().ok()?,
            Self::Minute => date.at(at.hour(), at.minute(), 0, 0),
            Self::Hour => date.at(at.hour(), 0, 0, 0),
            Self::Day => date.at(0, 0, 0, 0),
            Self::Week => {
                let since_monday = i64::from(at.weekday().to_monday_zero_offset());
                let monday = date.checked_sub(since_monday.days()).ok()?;
                monday.at(0, 0, 0, 0)
            }
            Self::Month => date.first_of_month().at(0, 0, 0, 0),
            Self::Quarter => {
                let month = (date.month() - 1) / 3 * 3 + 1;
                civil::Date::new(date.year(), month, 1).ok()?.at(0, 0, 0, 0)
            }
            Self::Year => date.first_of_year().at(0, 0, 0, 0),
        };
        floored.to_zoned(at.time_zone().clone()).ok()
    }
}

/// Parses a point in time into milliseconds since the Unix epoch.
///
/// Understood: `now`, `now-1h`, `now-1d/d` (Grafana's rounding), `-30m`, `today`, `yesterday`,
/// `15:04`, `2026-01-31`, `2026-01-31 15:04`, RFC 3339, and unix time in seconds, milliseconds,
/// microseconds or nanoseconds, told apart by size.
pub(crate) fn parse_moment(text: &str, edge: Edge, frame: &Frame) -> Result<i64, TimeError> {
    let text = text.trim();
    let wrong = || TimeError::Moment(text.to_owned());
    let ms = match text {
        "today" => relative("/d", edge, frame),
        "yesterday" => relative("-1d/d", edge, frame),
        _ => match text.strip_prefix("now") {
            Some(shift) => relative(shift, edge, frame),
            None => unix(text)
                .or_else(|| absolute(text))
                .or_else(|| civil_time(text, edge, frame))
                .or_else(|| text.starts_with('-').then(|| relative(text, edge, frame))?),
        },
    };
    let ms = ms.ok_or_else(wrong)?;
    if (MIN_TIME_MS..=MAX_TIME_MS).contains(&ms) {
        Ok(ms)
    } else {
        Err(TimeError::OutOfRange(text.to_owned()))
    }
}

/// Applies `-1h+5m/h` to the present, from left to right.
fn relative(shift: &str, edge: Edge, frame: &Frame) -> Option<i64> {
    let now = Timestamp::from_millisecond(frame.now_ms).ok()?;
    let mut at = now.to_zoned(frame.zone.clone());
    let mut rest = shift;
    while let Some(sign) = rest.chars().next() {
        rest = rest.get(1..)?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, tail) = after.split_at(letters);
        let unit = Unit::parse(unit)?;
        at = match (sign, number.is_empty()) {
            ('/', true) => round(&at, unit, edge)?,
            ('+' | '-', false) => {
                let amount: i64 = number.parse().ok()?;
                let signed = if sign == '-' { -amount } else { amount };
                at.checked_add(unit.span(signed)?).ok()?
            }
            _ => return None,
        };
        rest = tail;
    }
    Some(at.timestamp().as_millisecond())
}

fn round(at: &Zoned, unit: Unit, edge: Edge) -> Option<Zoned> {
    let start = unit.floor(at)?;
    match edge {
        Edge::Start => Some(start),
        Edge::End => last_ms(&start, unit),
    }
}

/// Returns the last millisecond of the unit that begins at `start`.
fn last_ms(start: &Zoned, unit: Unit) -> Option<Zoned> {
    let next = start.checked_add(unit.span(1)?).ok()?;
    next.checked_sub(1.millisecond()).ok()
}

fn unix(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(match whole.unsigned_abs() {
            0..100_000_000_000 => whole.checked_mul(1_000)?,
            100_000_000_000..100_000_000_000_000 => whole,
            100_000_000_000_000..100_000_000_000_000_000 => whole.div_euclid(1_000),
            _ => whole.div_euclid(1_000_000),
        });
    }
    let seconds: f64 = text.parse().ok()?;
    (seconds.abs() < 1e11).then(|| (seconds * 1e3).round() as i64)
}

fn absolute(text: &str) -> Option<i64> {
    let timestamp: Timestamp = text.parse().ok()?;
    Some(timestamp.as_millisecond())
}

/// A date, a date with a time, or a time of today, in the frame's zone.
fn civil_time(text: &str, edge: Edge, frame: &Frame) -> Option<i64> {
    if let Ok(date) = text.parse::<civil::Date>()
        && !text.contains(['T', 't', ' '])
    {
        let start = date.to_zoned(frame.zone.clone()).ok()?;
        let at = match edge {
            Edge::Start => start,
            Edge::End => last_ms(&start, Unit::Day)?,
        };
        return Some(at.timestamp().as_millisecond());
    }
    let datetime = if let Ok(datetime) = text.parse::<civil::DateTime>() {
        datetime
    } else {
        let time: civil::Time = text.parse().ok().filter(|_| text.contains(':'))?;
        let now = Timestamp::from_millisecond(frame.now_ms).ok()?;
        now.to_zoned(frame.zone.clone()).date().to_datetime(time)
    };
    let zoned = datetime.to_zoned(frame.zone.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::{format_time, parse_zone};
    use proptest::prelude::*;

    /// Wednesday.
    const NOW: &str = "2026-11-18T10:57:39.250Z";

    fn frame(zone: &str) -> Frame {
        Frame {
            now_ms: NOW.parse::<Timestamp>().unwrap().as_millisecond(),
            zone: parse_zone(zone).unwrap(),
        }
    }

    fn utc(text: &str, edge: Edge) -> String {
        match parse_moment(text, edge, &frame("UTC")) {
            Ok(ms) => format_time(ms, &TimeZone::UTC),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn relative_times_shift_and_round() {
        let table = [
            ("now", NOW),
            ("now-1h", "2026-11-18T09:57:39.250Z"),
            ("now-1h/h", "2026-11-18T09:00:00Z"),
            ("now-1d+2h", "2026-11-17T12:57:39.250Z"),
            ("now/d", "2026-11-18T00:00:00Z"),
            ("now/w", "2026-11-16T00:00:00Z"),
            ("now-1M/M", "2026-10-01T00:00:00Z"),
            ("now/Q", "2026-10-01T00:00:00Z"),
            ("now/y", "2026-01-01T00:00:00Z"),
            ("-3h", "2026-11-18T07:57:39.250Z"),
            ("-500ms", "2026-11-18T10:57:38.750Z"),
            ("today", "2026-11-18T00:00:00Z"),
            ("yesterday", "2026-11-17T00:00:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(utc(text, Edge::Start), expected, "{text}");
        }
    }

    #[test]
    fn the_end_of_what_is_named_is_meant_by_to() {
        let table = [
            ("yesterday", "2026-11-17T23:59:59.999Z"),
            ("now/h", "2026-11-18T10:59:59.999Z"),
            ("2026-02-28", "2026-02-28T23:59:59.999Z"),
            ("2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z"),
            ("now", NOW),
        ];
        for (text, expected) in table {
            assert_eq!(utc(text, Edge::End), expected, "{text}");
        }
    }

    #[test]
    fn absolute_times_are_unix_of_any_unit_rfc_3339_or_civil() {
        let table = [
            ("0", "1970-01-01T00:00:00Z"),
            ("-1.5", "1969-12-31T23:59:58.500Z"),
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.123", "2023-11-14T22:13:20.123Z"),
            ("1700000000123", "2023-11-14T22:13:20.123Z"),
            ("1700000000123456", "2023-11-14T22:13:20.123Z"),
            ("1700000000123456789", "2023-11-14T22:13:20.123Z"),
            ("2026-01-31T15:04:05+02:00", "2026-01-31T13:04:05Z"),
            ("2026-01-31 15:04", "2026-01-31T15:04:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("15:04", "2026-11-18T15:04:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(utc(text, Edge::Start), expected, "{text}");
        }
    }

    #[test]
    fn civil_times_are_of_the_zone_and_days_have_the_zones_length() {
        let east = frame("+02:00");
        let ms = parse_moment("2026-01-31 15:04", Edge::Start, &east).unwrap();
        assert_eq!(format_time(ms, &TimeZone::UTC), "2026-01-31T13:04:00Z");
        let day = parse_moment("now/d", Edge::Start, &east).unwrap();
        assert_eq!(format_time(day, &TimeZone::UTC), "2026-11-17T22:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now-",
            "now-1",
            "nowish",
            "1h",
            "now/5m",
            "now-1x",
            "25:99",
            "2026-13-01",
        ] {
            let error = parse_moment(text, Edge::Start, &frame("UTC")).unwrap_err();
            assert_eq!(error, TimeError::Moment(text.into()));
        }
        let far = parse_moment("now+9000y", Edge::Start, &frame("UTC"));
        assert!(far.is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _any = parse_moment(&text, Edge::End, &frame("UTC"));
        }

        #[test]
        fn no_expression_makes_it_panic(text in "now([-+/][0-9]{0,12}(ms|s|m|h|d|w|M|Q|y)){0,4}") {
            let _any = parse_moment(&text, Edge::End, &frame("UTC"));
        }
    }
}
