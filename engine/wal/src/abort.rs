//! Threads without which nothing that is promised can be kept.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`, the whole work of the thread called `thread`, and aborts the process when it panics.
///
/// A store whose writing thread is gone would take requests and never answer them; what was promised
/// is safe in the log, so the process ends at once and the next start goes on from there.
pub fn abort_on_panic(thread: &str, work: impl FnOnce()) {
    on_panic(thread, work, || std::process::abort());
}

fn on_panic(thread: &str, work: impl FnOnce(), abort: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else {
        return;
    };
    let reason = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown");
    tracing::error!(
        thread,
        reason,
        "a thread of the store has panicked, which is a bug: ending the process, what was acknowledged is in the log"
    );
    abort();
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_a_panic_aborts() {
        let aborts = Cell::new(0);
        let abort = || aborts.set(aborts.get() + 1);
        on_panic("sound", || {}, abort);
        assert_eq!(aborts.get(), 0);
        on_panic("literal", || panic!("on demand"), abort);
        on_panic("formatted", || panic!("{}", 1), abort);
        assert_eq!(aborts.get(), 2);
    }
}
