//! RFC 3339.

use obsq_model::{days_from_civil, days_in_month};

/// Parses `2006-01-02T15:04:05[.999](Z|±07:00)`, cut to milliseconds; the year has four digits.
pub(super) fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    let mut text = Cursor(text);
    let year = text.digits(4)?;
    let month = text.byte(b"-").and_then(|_| text.digits(2))?;
    let day = text.byte(b"-").and_then(|_| text.digits(2))?;
    let hour = text.byte(b"Tt").and_then(|_| text.digits(2))?;
    let minute = text.byte(b":").and_then(|_| text.digits(2))?;
    let second = text.byte(b":").and_then(|_| text.digits(2))?;
    let millis = match text.byte(b".,") {
        Some(_) => text.fraction_ms()?,
        None => 0,
    };
    let offset_minutes = text.offset_minutes()?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || !text.0.is_empty() {
        return None;
    }
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

/// What is left of the text.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Takes one byte out of `allowed`.
    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !allowed.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// Takes exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let mut number = 0;
        for _ in 0..count {
            number = number * 10 + i64::from(self.byte(b"0123456789")? - b'0');
        }
        Some(number)
    }

    /// Takes all digits, at least one; only the first three count.
    fn fraction_ms(&mut self) -> Option<i64> {
        let (mut millis, mut unit) = (self.digits(1)? * 100, 10);
        while let Some(digit) = self.digits(1) {
            millis += digit * unit;
            unit /= 10;
        }
        Some(millis)
    }

    fn offset_minutes(&mut self) -> Option<i64> {
        let sign = match self.byte(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.digits(2)?;
        let minutes = self.byte(b":").and_then(|_| self.digits(2))?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}
