//! Trying again what fails, ever more rarely.

use std::fmt::Display;

use parking_lot::Mutex;

/// When a task that fails is tried again: at first after a short rest, which doubles with every
/// failure up to a limit. A success ends it.
///
/// Tells the log when the task begins to fail and when it succeeds again, and nothing in between.
#[derive(Debug)]
pub(crate) struct Backoff {
    task: &'static str,
    first_ms: i64,
    most_ms: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success.
    failures: u32,
    failed_ms: i64,
}

impl Backoff {
    /// Returns a task that has not failed yet, with its first and its longest rest.
    pub(crate) fn new(task: &'static str, first_ms: i64, most_ms: i64) -> Self {
        Self {
            task,
            first_ms,
            most_ms,
            state: Mutex::default(),
        }
    }

    /// Says whether the last try failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.state.lock().failures > 0
    }

    /// Says whether the task is to be left alone at `now_ms`. A clock that goes back ends the rest.
    pub(crate) fn rests(&self, now_ms: i64) -> bool {
        let state = self.state.lock();
        let doublings = state.failures.saturating_sub(1).min(32);
        let rest_ms = self.first_ms.saturating_mul(1 << doublings);
        let until_ms = state.failed_ms.saturating_add(rest_ms.min(self.most_ms));
        state.failures > 0 && (state.failed_ms..until_ms).contains(&now_ms)
    }

    /// Takes note of what came of a try, for `subject`.
    pub(crate) fn note<T, E: Display>(
        &self,
        now_ms: i64,
        subject: impl Display,
        result: &Result<T, E>,
    ) {
        let mut state = self.state.lock();
        let task = self.task;
        match result {
            Ok(_) if state.failures == 0 => {}
            Ok(_) => {
                let failures = state.failures;
                *state = State::default();
                tracing::info!(task, %subject, failures, "a task of the metrics store succeeds again");
            }
            Err(error) => {
                if state.failures == 0 {
                    tracing::warn!(task, %subject, %error, "a task of the metrics store fails and will be tried again");
                } else {
                    tracing::debug!(task, %subject, %error, "a task of the metrics store still fails");
                }
                state.failures = state.failures.saturating_add(1);
                state.failed_ms = now_ms;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<(), &str> = Err("no");

    #[test]
    fn rests_double_up_to_the_limit_and_end_with_a_success() {
        let backoff = Backoff::new("seal", 1000, 5000);
        assert!(!backoff.rests(0));
        let mut now_ms = 0;
        for rest_ms in [1000, 2000, 4000, 5000, 5000] {
            backoff.note(now_ms, "t", &FAILED);
            assert!(backoff.rests(now_ms) && backoff.rests(now_ms + rest_ms - 1));
            now_ms += rest_ms;
            assert!(!backoff.rests(now_ms));
        }
        assert!(backoff.is_failing());
        backoff.note(now_ms, "t", &Ok::<_, &str>(()));
        assert!(!backoff.is_failing() && !backoff.rests(now_ms));
        backoff.note(now_ms, "t", &FAILED);
        assert!(backoff.rests(now_ms + 999) && !backoff.rests(now_ms + 1000));
    }

    #[test]
    fn a_clock_that_goes_back_and_countless_failures_do_no_harm() {
        let backoff = Backoff::new("seal", 1000, i64::MAX);
        for _failure in 0..100 {
            backoff.note(1_000_000, "t", &FAILED);
        }
        assert!(backoff.rests(1_000_000 + (1000 << 32) - 1));
        assert!(!backoff.rests(999_999));
    }
}
