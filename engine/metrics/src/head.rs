//! The head of one tenant: what was accepted and is not in a block yet.
//!
//! Locks, in this order: the append lock (one batch at a time, so that the log has the order of the
//! inserts), the index (many readers), one series at a time. A query holds the index only while it
//! matches labels and a series only while it copies its open chunk; nothing is decoded under a lock.

mod append;
mod chunk;
mod file;
mod files;
mod index;
mod late;
mod postings;
mod read;
mod series;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

pub(crate) use append::{AppendLimits, CheckedBatch, LogName, Outcome};
pub(crate) use chunk::HeadChunk;
pub(crate) use files::ChunkFiles;
pub(crate) use index::SeriesIndex;
pub(crate) use series::{Series, SeriesState};

/// Length of the windows that are sealed together.
pub(crate) const WINDOW_MS: i64 = 2 * 60 * 60 * 1000;

/// Returns the number of the window that `ts_ms` lies in; windows are aligned to the epoch.
pub(crate) fn window_of(ts_ms: i64) -> i64 {
    ts_ms.div_euclid(WINDOW_MS)
}

/// The head of one tenant.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) index: RwLock<SeriesIndex>,
    /// The epoch in which the log was last told the tenant's name, and how often.
    append: Mutex<(u32, u8)>,
    /// Samples before this time are late; all windows before it are sealed.
    sealed_until_ms: AtomicI64,
    pub(crate) files: ChunkFiles,
    /// Late samples that are not sealed yet.
    pub(crate) late_samples: AtomicU64,
}

impl Head {
    pub(crate) fn new(files: ChunkFiles) -> Self {
        Self {
            index: RwLock::default(),
            append: Mutex::default(),
            sealed_until_ms: AtomicI64::new(i64::MIN),
            files,
            late_samples: AtomicU64::new(0),
        }
    }

    /// Returns the time before which everything is sealed.
    pub(crate) fn sealed_until_ms(&self) -> i64 {
        self.sealed_until_ms.load(Ordering::Acquire)
    }

    /// Waits until no batch is being inserted, so that whatever was logged before is in the series.
    pub(crate) fn settle(&self) {
        drop(self.append.lock());
    }
}
