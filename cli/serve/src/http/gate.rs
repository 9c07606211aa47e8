//! How many calls of one kind compute at once, and whose turn it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obsq_model::{Clock, Tenant};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a call may wait between two looks at whether it is its turn.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Calls that have run long step aside: they go on, but others get their slots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepAside {
    /// After this time.
    pub(crate) after: Duration,
    /// At most so many of one tenant do.
    pub(crate) most_of_tenant: usize,
    /// At most so many do.
    pub(crate) most: usize,
}

/// Lets a fixed number of calls run and the others wait for a while. A free slot goes to the tenant
/// that has the fewest calls running, so that who asks much does not keep others waiting.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
    size: usize,
    wait: Duration,
    step_aside: Option<StepAside>,
    clock: Arc<dyn Clock>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    last_ticket: u64,
    /// Whose calls run, and since when.
    running: BTreeMap<u64, (Tenant, Duration)>,
    /// Whose calls wait, and how many of them may run at once.
    waiting: BTreeMap<u64, (Tenant, usize)>,
}

/// What the running calls take, of all tenants or of one.
#[derive(Debug, Default, Clone, Copy)]
struct Use {
    /// Calls that run.
    running: usize,
    /// Those of them that have stepped aside.
    aside: usize,
}

/// A slot of a [`Gate`], free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// How long the call waited for it.
    pub(crate) waited: Duration,
    gate: Arc<Inner>,
    ticket: u64,
}

impl Gate {
    /// Returns a gate with `size` slots; a call waits for one at most `wait`.
    pub(crate) fn new(size: usize, wait: Duration, clock: Arc<dyn Clock>) -> Self {
        Self::with(size, wait, None, clock)
    }

    /// Like [`Gate::new`], with calls that step aside when they have run long.
    pub(crate) fn with(
        size: usize,
        wait: Duration,
        step_aside: Option<StepAside>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: Notify::new(),
            size,
            wait,
            step_aside,
            clock,
            refused: AtomicU64::new(0),
        }))
    }

    /// Returns a slot for a call of `tenant`, of whose calls at most `most` run at once, or `None`
    /// when none became free in time.
    pub(crate) async fn enter(&self, tenant: &Tenant, most: usize) -> Option<Slot> {
        let inner = &self.0;
        let start = inner.clock.monotonic();
        let waiting = Waiting::new(inner, tenant, most);
        let turn = async {
            loop {
                let changed = inner.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let Some(rest) = inner.try_turn(waiting.ticket) else {
                    return;
                };
                drop(tokio::time::timeout(rest, changed).await);
            }
        };
        if tokio::time::timeout(inner.wait, turn).await.is_err() {
            inner.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Slot {
            waited: inner.clock.monotonic().saturating_sub(start),
            gate: Arc::clone(inner),
            ticket: waiting.ticket,
        })
    }

    /// Returns the number of calls that run.
    pub(crate) fn running(&self) -> usize {
        self.0.state.lock().running.len()
    }

    /// Returns the number of calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.state.lock().waiting.len()
    }

    /// Returns the number of calls that waited in vain.
    pub(crate) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// Lets the waiting call with this ticket run when it is its turn; else returns after which time
    /// at the latest to look again.
    fn try_turn(&self, ticket: u64) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut state = self.state.lock();
        if self.next(&state, now) == Some(ticket) {
            if let Some((tenant, _most)) = state.waiting.remove(&ticket) {
                state.running.insert(ticket, (tenant, now));
            }
            drop(state);
            // There may be room for one more.
            self.changed.notify_waiters();
            return None;
        }
        let Some(step_aside) = self.step_aside else {
            return Some(LONGEST_REST);
        };
        let ends = state.running.values().map(|(_tenant, since)| {
            let ends = since.saturating_add(step_aside.after);
            ends.saturating_sub(now)
        });
        let soonest = ends.filter(|rest| !rest.is_zero()).min();
        let rest = soonest.unwrap_or(LONGEST_REST).min(LONGEST_REST);
        Some(rest.max(Duration::from_millis(1)))
    }

    /// Returns the ticket of the call whose turn it is.
    fn next(&self, state: &State, now: Duration) -> Option<u64> {
        let mut uses: BTreeMap<&Tenant, Use> = BTreeMap::new();
        let mut all = Use::default();
        for (tenant, since) in state.running.values() {
            let own = uses.entry(tenant).or_default();
            own.running += 1;
            all.running += 1;
            if let Some(step_aside) = self.step_aside
                && now.saturating_sub(*since) >= step_aside.after
                && own.aside < step_aside.most_of_tenant
                && all.aside < step_aside.most
            {
                own.aside += 1;
                all.aside += 1;
            }
        }
        let taken = |of: Use| of.running - of.aside;
        if taken(all) >= self.size {
            return None;
        }
        let own = |tenant: &Tenant| uses.get(tenant).copied().unwrap_or_default();
        let may_run = |tenant: &Tenant, most: usize| {
            let own = own(tenant);
            // One whose long calls fill what there is for them leaves a slot for others.
            let fills_aside = self
                .step_aside
                .is_some_and(|step_aside| own.aside >= step_aside.most_of_tenant);
            own.running < most && !(fills_aside && taken(own) + 1 >= self.size)
        };
        let waiting = state.waiting.iter();
        let eligible = waiting.filter(|(_ticket, (tenant, most))| may_run(tenant, *most));
        let next = eligible.min_by_key(|(ticket, (tenant, _))| (own(tenant).running, **ticket));
        next.map(|(ticket, _)| *ticket)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gate.state.lock().running.remove(&self.ticket);
        self.gate.changed.notify_waiters();
    }
}

/// A call in the queue until it runs or this is dropped, which a client that goes away does early.
struct Waiting<'a> {
    gate: &'a Inner,
    ticket: u64,
}

impl<'a> Waiting<'a> {
    fn new(gate: &'a Inner, tenant: &Tenant, most: usize) -> Self {
        let mut state = gate.state.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.waiting.insert(ticket, (tenant.clone(), most.max(1)));
        Self { gate, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.gate.state.lock().waiting.remove(&self.ticket);
        if waited.is_some() {
            // It may have been the next one.
            self.gate.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    const WAIT: Duration = Duration::from_secs(20);

    fn tenant(name: &str) -> Tenant {
        Tenant::parse(name).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_gate_lets_calls_wait_and_then_refuses_them() {
        let clock = Arc::new(ManualClock::at(0));
        let gate = Gate::new(1, WAIT, clock);
        let slot = gate.enter(&tenant("a"), usize::MAX).await.unwrap();
        assert_eq!((gate.running(), gate.waiting()), (1, 0));
        assert!(gate.enter(&tenant("b"), usize::MAX).await.is_none());
        assert_eq!((gate.refused(), gate.waiting()), (1, 0));
        drop(slot);
        assert!(gate.enter(&tenant("b"), usize::MAX).await.is_some());
        assert_eq!(gate.running(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_slot_goes_to_who_has_the_fewest_calls_running() {
        let gate = Gate::new(2, WAIT, Arc::new(ManualClock::at(0)));
        let first = gate.enter(&tenant("a"), usize::MAX).await.unwrap();
        let _second = gate.enter(&tenant("a"), usize::MAX).await.unwrap();
        let wait_for = |name: &'static str| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(&tenant(name), usize::MAX).await })
        };
        let third = wait_for("a");
        tokio::task::yield_now().await;
        let other = wait_for("b");
        tokio::task::yield_now().await;
        assert_eq!(gate.waiting(), 2);
        drop(first);
        let other = other.await.unwrap();
        assert!(other.is_some() && !third.is_finished());
        drop(other);
        assert!(third.await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_no_more_calls_running_than_it_may() {
        let gate = Gate::new(4, WAIT, Arc::new(ManualClock::at(0)));
        let _slot = gate.enter(&tenant("a"), 1).await.unwrap();
        assert!(gate.enter(&tenant("a"), 1).await.is_none());
        assert!(gate.enter(&tenant("b"), 1).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_run_long_step_aside_and_leave_room_for_other_tenants() {
        let clock = Arc::new(ManualClock::at(0));
        let step_aside = StepAside {
            after: Duration::from_millis(500),
            most_of_tenant: 3,
            most: 10,
        };
        let gate = Gate::with(2, WAIT, Some(step_aside), Arc::clone(&clock) as _);
        let mut slots = Vec::new();
        for _round in 0..2 {
            for _slot in 0..2 {
                slots.push(gate.enter(&tenant("a"), usize::MAX).await.unwrap());
            }
            clock.advance_ms(500);
        }
        // Three have stepped aside, one holds a slot; the other one is not for this tenant.
        assert!(gate.enter(&tenant("a"), usize::MAX).await.is_none());
        let other = gate.enter(&tenant("b"), usize::MAX).await;
        assert!(other.is_some());
        slots.pop();
        assert!(gate.enter(&tenant("a"), usize::MAX).await.is_some());
    }
}
