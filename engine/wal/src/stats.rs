//! What the log counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Numbers about a log since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalStats {
    /// Records on disk.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Syncs; each takes along one or more records.
    pub syncs: u64,
    /// Time spent in syncs.
    pub sync_time: Duration,
    /// Failed writes and syncs.
    pub failures: u64,
    /// Segments created.
    pub segments_created: u64,
    /// Segment files at present.
    pub segments: u64,
    /// Damaged segments that are kept for inspection.
    pub quarantined_segments: u64,
    /// Bytes of those segments and of a damaged checkpoint.
    pub quarantined_bytes: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Bytes of segments that a checkpoint made superfluous and that are kept for followers.
    pub held_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    records: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    sync_nanos: AtomicU64,
    failures: AtomicU64,
    segments: AtomicU64,
    held_bytes: AtomicU64,
    /// The last record that is on the disk.
    durable_seq: AtomicU64,
}

impl Counters {
    pub(crate) fn note_group(&self, records: usize, bytes: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_sync(&self, took: Duration) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.sync_nanos
            .fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_failure(&self) {
        self.failures.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn note_durable(&self, seq: u64) {
        self.durable_seq.store(seq, Ordering::Release);
    }

    pub(crate) fn durable_seq(&self) -> u64 {
        self.durable_seq.load(Ordering::Acquire)
    }

    pub(crate) fn note_held(&self, bytes: u64) {
        self.held_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    pub(crate) fn note_segment(&self) {
        self.segments.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> WalStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WalStats {
            records: get(&self.records),
            bytes: get(&self.bytes),
            syncs: get(&self.syncs),
            sync_time: Duration::from_nanos(get(&self.sync_nanos)),
            failures: get(&self.failures),
            segments_created: get(&self.segments),
            held_bytes: get(&self.held_bytes),
            ..WalStats::default()
        }
    }
}
