//! Limits, deadline and cancellation of one query.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use obsq_model::Clock;

use crate::Error;

/// A flag that ends a query early; clones share it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks every holder of a clone to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Says whether [`Self::cancel`] was called on any clone.
    pub fn is_canceled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that may be held at once; a child also counts against its parent.
///
/// The server holds one parent for all queries and one child per query, so that one query hits its
/// own limit and many together hit the global one.
#[derive(Debug)]
pub struct MemoryBudget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    parent: Option<Arc<Self>>,
}

impl MemoryBudget {
    /// Returns a budget of `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            parent: None,
        })
    }

    /// Returns a budget of `limit_bytes` whose use counts against `parent` too.
    pub fn child(parent: &Arc<Self>, limit_bytes: usize) -> Arc<Self> {
        let parent = Some(Arc::clone(parent));
        Arc::new(Self {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            parent,
        })
    }

    /// Takes `bytes`, or fails and takes nothing.
    pub fn take(&self, bytes: usize) -> Result<(), Error> {
        let used = self
            .used_bytes
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let over = used > self.limit_bytes;
        let taken = match (&self.parent, over) {
            (_, true) => Err(Error::MemoryLimit {
                limit_bytes: self.limit_bytes,
            }),
            (Some(parent), false) => parent.take(bytes),
            (None, false) => Ok(()),
        };
        if taken.is_err() {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }

    /// Gives back `bytes` that were taken.
    pub fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.give_back(bytes);
        }
    }

    /// Returns the bytes held at present.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for MemoryBudget {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.give_back(self.used_bytes());
        }
    }
}

/// How much one query may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// Most series one query may select.
    pub max_series: usize,
    /// Most samples held at once, counted as Prometheus counts `--query.max-samples`.
    pub max_samples: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self {
            max_series: 500_000,
            max_samples: 50_000_000,
        }
    }
}

/// Everything a running query carries along: limits, budget, deadline, cancellation.
#[derive(Debug, Clone)]
pub struct QueryContext {
    /// Set when the caller goes away.
    pub cancel: CancelToken,
    /// Bytes this query may hold.
    pub memory: Arc<MemoryBudget>,
    /// Limits on series and samples.
    pub limits: QueryLimits,
    clock: Arc<dyn Clock>,
    deadline: Option<Duration>,
}

impl QueryContext {
    /// Returns a context that times out `timeout` from now; `None` means never.
    pub fn new(
        clock: Arc<dyn Clock>,
        timeout: Option<Duration>,
        memory: Arc<MemoryBudget>,
    ) -> Self {
        let deadline = timeout.map(|timeout| clock.monotonic().saturating_add(timeout));
        let (cancel, limits) = (CancelToken::default(), QueryLimits::default());
        Self {
            cancel,
            memory,
            limits,
            clock,
            deadline,
        }
    }

    /// Fails once the query was cancelled or its time is over. Cheap enough to call per series.
    pub fn check(&self) -> Result<(), Error> {
        if self.cancel.is_canceled() {
            return Err(Error::Canceled);
        }
        match self.deadline {
            Some(deadline) if self.clock.monotonic() > deadline => Err(Error::Timeout),
            _ => Ok(()),
        }
    }

    /// Returns the clock that the deadline is measured by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[test]
    fn a_child_counts_against_its_parent_until_it_is_dropped() {
        let parent = MemoryBudget::new(100);
        let child = MemoryBudget::child(&parent, 80);
        assert!(child.take(90).is_err());
        child.take(60).unwrap();
        let other = MemoryBudget::child(&parent, 80);
        assert!(other.take(60).is_err());
        assert_eq!((other.used_bytes(), parent.used_bytes()), (0, 60));
        drop(child);
        other.take(60).unwrap();
        assert_eq!(parent.used_bytes(), 60);
    }

    #[test]
    fn a_query_ends_by_deadline_or_cancellation() {
        let clock = Arc::new(ManualClock::at(0));
        let timeout = Some(Duration::from_secs(1));
        let context = QueryContext::new(Arc::clone(&clock) as _, timeout, MemoryBudget::new(1));
        assert!(context.check().is_ok());
        clock.advance_ms(1_001);
        assert!(matches!(context.check(), Err(Error::Timeout)));
        context.cancel.cancel();
        assert!(matches!(context.check(), Err(Error::Canceled)));
    }
}
