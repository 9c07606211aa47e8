//! Dates of Unix times, in UTC and the Gregorian calendar without end.

/// What a clock and a calendar show at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Astronomical year: 0 is the year before year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// Day of the year, from 1.
    pub day_of_year: i64,
    /// 0 is Sunday.
    pub weekday: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
}

const DAY_SECONDS: u64 = 86_400;
/// Days from the time from which Go counts, 1 March of the year -292277022400, to 1970.
const EPOCH_DAYS: i64 = 730_692_556 * 146_097 + 306 + 719_162;

impl Civil {
    /// Returns the date of a time in seconds since 1970.
    ///
    /// Times outside of the 2^64 seconds that Go can tell apart wrap around, as they do there.
    pub fn of(unix_seconds: i64) -> Self {
        let origin = (EPOCH_DAYS as u64).wrapping_mul(DAY_SECONDS);
        let seconds = (unix_seconds as u64).wrapping_add(origin);
        let days = (seconds / DAY_SECONDS) as i64 - EPOCH_DAYS;
        let second_of_day = (seconds % DAY_SECONDS) as i64;
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            day_of_year: days - days_from_civil(year, 1, 1) + 1,
            weekday: (days + 4).rem_euclid(7),
            hour: second_of_day / 3_600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    /// Returns the number of days in the month.
    pub fn days_in_month(&self) -> i64 {
        days_in_month(self.year, self.month)
    }
}

/// Returns a time in milliseconds as RFC 3339 in UTC, with milliseconds where there are any.
pub fn rfc3339(ts_ms: i64) -> String {
    let civil = Civil::of(ts_ms.div_euclid(1000));
    let fraction = match ts_ms.rem_euclid(1000) {
        0 => String::new(),
        millis => format!(".{millis:03}"),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
    )
}

/// Returns the number of days in a month, 1 to 12, of a year.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days since 1970 of a date of the proleptic Gregorian calendar.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Returns year, month and day of a number of days since 1970.
///
/// Counts from 1 March of year 0, so that the leap day is the last one of its year, in eras of 400
/// years, which all have the same length.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        let epoch = Civil::of(0);
        assert_eq!((epoch.year, epoch.month, epoch.day), (1970, 1, 1));
        assert_eq!((epoch.weekday, epoch.day_of_year), (4, 1));
        let leap_day = Civil::of(951_782_400);
        assert_eq!((leap_day.month, leap_day.day), (2, 29));
        assert_eq!((leap_day.days_in_month(), leap_day.day_of_year), (29, 60));
        assert_eq!(Civil::of(-1).year, 1969);
        // Anything goes, and nothing overflows.
        assert!(Civil::of(i64::MAX).year > 0);
        assert!(Civil::of(i64::MIN).month > 0);
    }

    #[test]
    fn times_are_written_in_utc() {
        for (ts_ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_433_337_718_555, "2015-06-03T13:21:58.555Z"),
            (1_709_166_600_000, "2024-02-29T00:30:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(ts_ms), text);
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_a_calendar_library(seconds in -60_000_000_000..250_000_000_000_i64) {
            let time = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(TimeZone::UTC);
            let civil = Civil::of(seconds);
            prop_assert_eq!(civil.year, i64::from(time.year()));
            prop_assert_eq!(civil.month, i64::from(time.month()));
            prop_assert_eq!(civil.day, i64::from(time.day()));
            prop_assert_eq!(civil.day_of_year, i64::from(time.day_of_year()));
            prop_assert_eq!(civil.weekday, i64::from(time.weekday().to_sunday_zero_offset()));
            prop_assert_eq!(civil.hour, i64::from(time.hour()));
            prop_assert_eq!(civil.minute, i64::from(time.minute()));
            prop_assert_eq!(civil.second, i64::from(time.second()));
            prop_assert_eq!(civil.days_in_month(), i64::from(time.days_in_month()));
            let days = days_from_civil(civil.year, civil.month, civil.day);
            prop_assert_eq!(days, seconds.div_euclid(86_400));
        }
    }
}
