//! Counting what a request brought that cannot be stored.

use obsq_model::Labels;
use obsq_source::{RejectReason, Rejection};

/// Most refusals that are kept with their reason.
const KEPT: usize = 16;

/// Samples and exemplars refused before they reached a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Number of refused samples, exemplars and series without samples.
    pub count: usize,
    /// The first refusals, at most 16.
    pub first: Vec<Rejection>,
}

impl Refused {
    /// Notes `count` refusals of one series for one reason.
    pub(crate) fn note(&mut self, count: usize, labels: &Labels, ts_ms: i64, reason: RejectReason) {
        self.count += count;
        if self.first.len() < KEPT {
            self.first.push(Rejection {
                labels: labels.clone(),
                ts_ms,
                reason,
            });
        }
    }

    /// Says whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
