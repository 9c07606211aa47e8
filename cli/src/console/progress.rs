//! Progress of long work: on standard error, only on a terminal, only after a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::facts::Facts;

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_millis(300);

/// A progress bar that may be invisible.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    clock: std::sync::Arc<dyn obsq_model::Clock>,
    started: Duration,
    visible: bool,
    allowed: bool,
}

impl Progress {
    /// Starts a bar over `total` steps of `unit`; 0 means the number is not known.
    pub(crate) fn new(
        facts: &Facts,
        clock: std::sync::Arc<dyn obsq_model::Clock>,
        what: &str,
        total: u64,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(
            (total > 0).then_some(total),
            ProgressDrawTarget::hidden(),
        );
        let template = if total > 0 {
            "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} eta {eta}"
        } else {
            "{msg} {spinner} {human_pos} {per_sec}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        let started = clock.monotonic();
        Self {
            bar,
            clock,
            started,
            visible: false,
            allowed: facts.tty.err && !facts.quiet && !facts.no_progress,
        }
    }

    /// Counts `steps` more.
    pub(crate) fn add(&mut self, steps: u64) {
        self.bar.inc(steps);
        if self.allowed
            && !self.visible
            && self.clock.monotonic().saturating_sub(self.started) > PATIENCE
        {
            self.visible = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{ColourChoice, Tty};
    use crate::environment::Environment;
    use obsq_model::ManualClock;
    use std::sync::Arc;

    fn shown(err: bool, after_ms: i64) -> bool {
        let tty = Tty { err, ..Tty::NONE };
        let facts = Facts::new(ColourChoice::Never, &Environment::default(), tty);
        let clock = Arc::new(ManualClock::at(0));
        let mut progress = Progress::new(&facts, Arc::clone(&clock) as _, "importing", 10);
        clock.advance_ms(after_ms);
        progress.add(1);
        assert_eq!(progress.bar.position(), 1);
        progress.visible
    }

    #[test]
    fn a_bar_shows_only_on_a_terminal_and_only_after_a_while() {
        assert!(!shown(true, 299));
        assert!(shown(true, 301));
        assert!(!shown(false, 10_000));
    }
}
