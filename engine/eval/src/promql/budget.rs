//! Memory that intermediate results take.

use std::sync::Arc;

use obsq_source::{MemoryBudget, QueryContext};

use super::error::QueryError;

/// Bytes taken from a query's budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Reservation {
    /// Takes nothing yet.
    pub(crate) fn empty(context: &QueryContext) -> Self {
        Self {
            budget: Arc::clone(&context.memory),
            bytes: 0,
        }
    }

    /// Takes `bytes`, or fails.
    pub(crate) fn of(context: &QueryContext, bytes: usize) -> Result<Self, QueryError> {
        let mut reservation = Self::empty(context);
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Takes `bytes` more, or fails and keeps what it has.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), QueryError> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Joins two reservations.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[test]
    fn what_is_taken_is_given_back_once() {
        let memory = MemoryBudget::new(100);
        let clock = Arc::new(ManualClock::default());
        let context = QueryContext::new(clock, None, Arc::clone(&memory));
        let mut first = Reservation::of(&context, 40).unwrap();
        let second = Reservation::of(&context, 50).unwrap();
        assert!(first.grow(20).is_err());
        first.absorb(second);
        assert_eq!(memory.used_bytes(), 90);
        drop(first);
        assert_eq!(memory.used_bytes(), 0);
    }
}
