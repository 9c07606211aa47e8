//! `min`, `max`, `ts_of_min` and `ts_of_max_over_time` with a monotonic queue: of the samples in
//! the window, those that may still become the extreme of a later one.

use std::collections::VecDeque;

use super::super::Window;
use super::super::order::Extreme;
use super::Seen;

/// The extreme of a window, or its time.
#[derive(Debug)]
pub(super) struct Extremes {
    extreme: Extreme,
    times: bool,
    seen: Seen,
    /// Times and values; no NaN.
    queue: VecDeque<(i64, f64)>,
}

impl Extremes {
    /// Returns the queue for the extreme itself: the first of equal ones.
    pub(super) fn values(extreme: Extreme) -> Self {
        Self {
            extreme,
            times: false,
            seen: Seen::default(),
            queue: VecDeque::new(),
        }
    }

    /// Returns the queue for the time of the extreme: the latest of equal ones.
    pub(super) fn times(extreme: Extreme) -> Self {
        Self {
            times: true,
            ..Self::values(extreme)
        }
    }

    /// Returns the extreme, or its time in seconds. NaN is one only where there is nothing else,
    /// and then the latest.
    pub(super) fn evaluate(&mut self, window: &Window<'_>) -> Option<f64> {
        let first = self.seen.advance(window);
        for (ts, value) in window.float_ts.iter().zip(window.floats).skip(first) {
            self.push(*ts, *value);
        }
        let begin = *window.float_ts.first()?;
        while self.queue.front().is_some_and(|(ts, _)| *ts < begin) {
            self.queue.pop_front();
        }
        let latest = || {
            window
                .float_ts
                .last()
                .copied()
                .zip(window.floats.last().copied())
        };
        let (ts, value) = self.queue.front().copied().or_else(latest)?;
        Some(if self.times {
            ts as f64 / 1000.0
        } else {
            value
        })
    }

    fn push(&mut self, ts: i64, value: f64) {
        if value.is_nan() {
            return;
        }
        let beats = |best| {
            if self.times {
                self.extreme.beats_or_ties(value, best)
            } else {
                self.extreme.beats(value, best)
            }
        };
        while self.queue.back().is_some_and(|(_, best)| beats(*best)) {
            self.queue.pop_back();
        }
        self.queue.push_back((ts, value));
    }
}
