//! How long to wait before a request is repeated.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::config::QueueOptions;

/// Longest wait that a receiver can ask for.
const MAX_ASKED: Duration = Duration::from_hours(1);

/// Waits that double from one to the next, each shortened by chance so that many senders do not
/// come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(queue: &QueueOptions) -> Self {
        let ms = |ms: i64| Duration::from_millis(ms.max(1).unsigned_abs());
        Self {
            next: ms(queue.min_backoff_ms),
            max: ms(queue.max_backoff_ms.max(queue.min_backoff_ms)),
        }
    }

    /// Returns the next wait; `asked` is what the receiver asks for.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.max);
        match asked {
            Some(asked) => asked.min(MAX_ASKED),
            None => wait.mul_f64(0.5 + 0.5 * chance()),
        }
    }
}

/// Returns a number from 0 to 1 that nobody can tell in advance.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns what a `Retry-After` header asks for: seconds, or a date.
pub(super) fn retry_after(value: &str, now_ms: i64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    let wait_ms = date.timestamp().as_millisecond().saturating_sub(now_ms);
    Some(Duration::from_millis(wait_ms.max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_are_shortened_by_at_most_half() {
        let mut backoff = Backoff::new(&QueueOptions::default());
        for full_ms in [30, 60, 120, 240, 480, 960, 1_920, 3_840, 5_000, 5_000] {
            let wait = backoff.wait(None);
            let full = Duration::from_millis(full_ms);
            assert!(wait >= full / 2 && wait <= full, "{wait:?} {full:?}");
        }
        let asked = Duration::from_secs(7);
        assert_eq!(backoff.wait(Some(asked)), asked);
        assert_eq!(backoff.wait(Some(Duration::MAX)), MAX_ASKED);
    }

    #[test]
    fn the_receiver_may_ask_in_seconds_or_by_date() {
        let at = "Fri, 02 Jan 1970 00:00:10 GMT";
        let cases = [
            ("120", Some(120)),
            (at, Some(10)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (value, seconds) in cases {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, 86_400_000), expected, "{value}");
        }
    }
}
