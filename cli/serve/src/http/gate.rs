//! How many calls of one kind compute at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use obsq_model::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets a fixed number of calls run and the others wait for a while.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    size: usize,
    wait: Duration,
    clock: Arc<dyn Clock>,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

/// A slot of a [`Gate`], free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// How long the call waited for it.
    pub(crate) waited: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// Returns a gate with `size` slots; a call waits for one at most `wait`.
    pub(crate) fn new(size: usize, wait: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(size)),
            size,
            wait,
            clock,
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns a slot, or `None` when none became free in time.
    pub(crate) async fn enter(&self) -> Option<Slot> {
        let start = self.clock.monotonic();
        let _waiting = Waiting::new(&self.waiting);
        let acquired = tokio::time::timeout(self.wait, Arc::clone(&self.slots).acquire_owned());
        let Ok(Ok(permit)) = acquired.await else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Slot {
            waited: self.clock.monotonic().saturating_sub(start),
            _permit: permit,
        })
    }

    /// Returns the number of calls that run.
    pub(crate) fn running(&self) -> usize {
        self.size - self.slots.available_permits()
    }

    /// Returns the number of calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the number of calls that waited in vain.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Counts a call as waiting until dropped, which a client that goes away does early.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[tokio::test(start_paused = true)]
    async fn a_full_gate_lets_calls_wait_and_then_refuses_them() {
        let clock = Arc::new(ManualClock::at(0));
        let gate = Gate::new(1, Duration::from_secs(20), clock);
        let slot = gate.enter().await.unwrap();
        assert_eq!((gate.running(), gate.waiting()), (1, 0));
        assert!(gate.enter().await.is_none());
        assert_eq!((gate.refused(), gate.waiting()), (1, 0));
        drop(slot);
        assert!(gate.enter().await.is_some());
    }
}
