//! What a remote counts about itself.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Numbers about one remote since it was started, and its present state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteStats {
    /// The remote's name.
    pub name: String,
    /// Its URL, without a password.
    pub url: String,
    /// Float samples acknowledged.
    pub samples: u64,
    /// Histogram samples acknowledged.
    pub histograms: u64,
    /// Exemplars acknowledged.
    pub exemplars: u64,
    /// Metadata entries acknowledged, where they are sent by themselves.
    pub metadata: u64,
    /// Bytes of acknowledged requests, compressed.
    pub bytes: u64,
    /// Samples and exemplars that the receiver refused for good.
    pub refused: u64,
    /// Samples that a rule dropped.
    pub relabelled_away: u64,
    /// Samples that became older than is sent.
    pub too_old: u64,
    /// Histograms that version 1 is not told to send.
    pub not_sendable: u64,
    /// Requests that are to be repeated, each time that they are.
    pub retries: u64,
    /// Batches of the log that were gone before they were read.
    pub lost_batches: u64,
    /// Samples that wait to be acknowledged.
    pub pending: u64,
    /// Requests that may be under way at once.
    pub shards: u64,
    /// Whether the last request failed.
    pub is_failing: bool,
    /// Time of the newest sample that was read from the log, in milliseconds.
    pub newest_read_ms: i64,
    /// Time of the newest sample that was acknowledged, in milliseconds.
    pub newest_sent_ms: i64,
}

/// The same, while it changes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) samples: AtomicU64,
    pub(super) histograms: AtomicU64,
    pub(super) exemplars: AtomicU64,
    pub(super) metadata: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) relabelled_away: AtomicU64,
    pub(super) too_old: AtomicU64,
    pub(super) not_sendable: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) lost_batches: AtomicU64,
    pub(super) pending: AtomicU64,
    pub(super) shards: AtomicU64,
    pub(super) is_failing: AtomicBool,
    pub(super) newest_read_ms: AtomicI64,
    pub(super) newest_sent_ms: AtomicI64,
    busy_nanos: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

impl Counters {
    /// Counts time that a lane spent on a request.
    pub(super) fn note_busy(&self, took: Duration) {
        let nanos = took.as_nanos() as u64;
        self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Returns the time that lanes spent on requests since the last call.
    pub(super) fn take_busy(&self) -> Duration {
        Duration::from_nanos(self.busy_nanos.swap(0, Ordering::Relaxed))
    }

    /// Notes whether a request went well; says whether that is news.
    pub(super) fn note_failing(&self, is_failing: bool) -> bool {
        self.is_failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    pub(super) fn snapshot(&self, name: &str, url: &str) -> RemoteStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RemoteStats {
            name: name.to_owned(),
            url: url.to_owned(),
            samples: get(&self.samples),
            histograms: get(&self.histograms),
            exemplars: get(&self.exemplars),
            metadata: get(&self.metadata),
            bytes: get(&self.bytes),
            refused: get(&self.refused),
            relabelled_away: get(&self.relabelled_away),
            too_old: get(&self.too_old),
            not_sendable: get(&self.not_sendable),
            retries: get(&self.retries),
            lost_batches: get(&self.lost_batches),
            pending: get(&self.pending),
            shards: get(&self.shards),
            is_failing: self.is_failing.load(Ordering::Relaxed),
            newest_read_ms: self.newest_read_ms.load(Ordering::Relaxed),
            newest_sent_ms: self.newest_sent_ms.load(Ordering::Relaxed),
        }
    }
}
