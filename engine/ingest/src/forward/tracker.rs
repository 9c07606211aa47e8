//! How far everything is acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The parts of one batch that are still to be acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Ticket(Arc<AtomicUsize>);

impl Ticket {
    /// Notes that one part needs to be sent no more.
    pub(super) fn done(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// The batches that are under way, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    under_way: VecDeque<(u64, Ticket)>,
    done_seq: u64,
}

impl Tracker {
    /// Notes a batch of which `parts` are to be sent.
    pub(super) fn begin(&mut self, seq: u64, parts: usize) -> Ticket {
        let ticket = Ticket(Arc::new(AtomicUsize::new(parts)));
        self.under_way.push_back((seq, ticket.clone()));
        ticket
    }

    /// Returns the number up to which nothing needs to be sent again; 0 when there is none.
    pub(super) fn done_seq(&mut self) -> u64 {
        while let Some((seq, ticket)) = self.under_way.front() {
            if ticket.0.load(Ordering::Acquire) > 0 {
                break;
            }
            self.done_seq = *seq;
            self.under_way.pop_front();
        }
        self.done_seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_done_without_a_gap_counts() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.done_seq(), 0);
        let first = tracker.begin(3, 2);
        let second = tracker.begin(5, 1);
        tracker.begin(6, 0);
        second.done();
        assert_eq!(tracker.done_seq(), 0);
        first.done();
        assert_eq!(tracker.done_seq(), 0);
        first.done();
        assert_eq!(tracker.done_seq(), 6);
        tracker.begin(9, 1);
        assert_eq!(tracker.done_seq(), 6);
    }
}
