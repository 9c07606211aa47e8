//! The head of one tenant: what was accepted and is not in a block yet.
//!
//! Locks, in this order: the one of seals, the append lock (one batch at a time, so that the log has the order of the
//! inserts), the index (many readers), one series at a time. A query holds the index only while it
//! matches labels and a series only while it copies its open chunk; nothing is decoded under a lock.

mod append;
mod chunk;
mod delete;
mod file;
mod files;
mod index;
mod late;
mod postings;
mod read;
mod seal;
mod series;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

pub(crate) use append::{AppendLimits, CheckedBatch, LogTarget, Outcome};
pub(crate) use chunk::{HeadChunk, Place};
pub(crate) use files::ChunkFiles;
pub(crate) use index::{SeriesIndex, hash_of};
pub(crate) use late::Late;
pub(crate) use seal::{HeadCopy, SealRequest};
pub(crate) use series::{Kind, Series, SeriesState};

/// Length of the windows that are sealed together.
pub(crate) const WINDOW_MS: i64 = 2 * 60 * 60 * 1000;

/// Late samples of a tenant are sealed when they take this much,
const LATE_LIMIT_BYTES: u64 = 64 << 20;
/// or when they wait this long.
const LATE_LIMIT_MS: i64 = 2 * 60 * 60 * 1000;

/// A window is sealed when it ended this long ago.
const SEAL_DELAY_MS: i64 = 30 * 60 * 1000;

/// Returns the end of the windows that are to be sealed by `now_ms`. Samples before it are late,
/// whether a seal has taken place or not.
pub(crate) fn seal_due_ms(now_ms: i64) -> i64 {
    window_of(now_ms.saturating_sub(SEAL_DELAY_MS)).saturating_mul(WINDOW_MS)
}

/// Returns the number of the window that `ts_ms` lies in; windows are aligned to the epoch.
pub(crate) fn window_of(ts_ms: i64) -> i64 {
    ts_ms.div_euclid(WINDOW_MS)
}

/// How far a head is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// Samples before this time are late.
    pub(crate) late_before_ms: i64,
    /// Everything in order before this time is in blocks.
    pub(crate) published_until_ms: i64,
}

/// The head of one tenant.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) index: RwLock<SeriesIndex>,
    /// The epoch in which the log was last told the tenant's name, and how often.
    append: Mutex<(u32, u8)>,
    /// Samples before this time are late.
    sealed_until_ms: AtomicI64,
    /// Everything in order before this time is in blocks, and the late samples that were there when
    /// it was sealed. Behind [`Head::sealed_until_ms`] only while a seal runs or after it failed.
    published_until_ms: AtomicI64,
    pub(crate) files: ChunkFiles,
    /// Time of the oldest sample in order that is not sealed.
    oldest_ms: AtomicI64,
    /// Time of the newest sample that is not sealed, in order or late.
    newest_ms: AtomicI64,
    /// Held by the one seal at a time.
    sealing: Mutex<()>,
    pub(crate) late: LateTotal,
    /// Chunks of all series.
    chunks: AtomicI64,
}

/// How much has come late and is not sealed yet.
#[derive(Debug, Default)]
pub(crate) struct LateTotal {
    bytes: AtomicU64,
    /// The memory that it takes, roughly.
    memory_bytes: AtomicU64,
    memory_limit_bytes: u64,
    /// When the clock saw the first of it; 0 when nobody has looked yet.
    since_ms: AtomicI64,
}

impl LateTotal {
    /// Notes more.
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn set(&self, bytes: u64, memory_bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.memory_bytes.store(memory_bytes, Ordering::Relaxed);
    }

    /// Notes that the late samples of a series take other memory than before.
    fn change_memory(&self, before_bytes: usize, after_bytes: usize) {
        let (before, after) = (before_bytes as u64, after_bytes as u64);
        if after > before {
            self.memory_bytes
                .fetch_add(after - before, Ordering::Relaxed);
        } else if before > after {
            let less = |held: u64| Some(held.saturating_sub(before - after));
            let _was = self
                .memory_bytes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    /// Returns the memory that late samples take, roughly.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Says whether late samples take so much memory that they must leave it early.
    fn is_crowded(&self) -> bool {
        self.memory_bytes() >= self.memory_limit_bytes
    }

    /// Notes that all that had come late was sealed.
    fn restart(&self) {
        self.since_ms.store(0, Ordering::Relaxed);
    }

    /// Returns the bytes of late samples, roughly.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Says whether they are to be sealed: there are many, or they were seen long ago.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        if self.bytes() == 0 {
            return false;
        }
        let since = self.since_ms.load(Ordering::Relaxed);
        if since == 0 || since > now_ms {
            self.since_ms.store(now_ms, Ordering::Relaxed);
            return self.bytes() >= LATE_LIMIT_BYTES || self.is_crowded();
        }
        self.bytes() >= LATE_LIMIT_BYTES || self.is_crowded() || now_ms - since >= LATE_LIMIT_MS
    }
}

impl Head {
    /// Returns an empty head. Windows before `sealed_until_ms` count as sealed. Late samples leave
    /// memory early when they take more than `late_memory_bytes`.
    pub(crate) fn new(files: ChunkFiles, sealed_until_ms: i64, late_memory_bytes: u64) -> Self {
        Self {
            index: RwLock::default(),
            append: Mutex::default(),
            sealed_until_ms: AtomicI64::new(sealed_until_ms),
            published_until_ms: AtomicI64::new(sealed_until_ms),
            files,
            oldest_ms: AtomicI64::new(i64::MAX),
            newest_ms: AtomicI64::new(i64::MIN),
            sealing: Mutex::default(),
            chunks: AtomicI64::new(0),
            late: LateTotal {
                memory_limit_bytes: late_memory_bytes,
                ..LateTotal::default()
            },
        }
    }

    /// Returns the times before which samples are late and sealed.
    pub(crate) fn horizon(&self) -> Horizon {
        Horizon {
            late_before_ms: self.sealed_until_ms.load(Ordering::Acquire),
            published_until_ms: self.published_until_ms.load(Ordering::Acquire),
        }
    }

    /// Takes over how far an earlier run had sealed.
    pub(crate) fn set_horizon(&self, horizon: Horizon) {
        let late_before = &self.sealed_until_ms;
        late_before.store(horizon.late_before_ms, Ordering::Release);
        let published = &self.published_until_ms;
        published.store(horizon.published_until_ms, Ordering::Release);
    }

    /// Moves the horizon forward to what blocks hold.
    pub(crate) fn advance_horizon(&self, horizon: Horizon) {
        let before = &self.sealed_until_ms;
        before.fetch_max(horizon.late_before_ms, Ordering::AcqRel);
        let published = &self.published_until_ms;
        published.fetch_max(horizon.published_until_ms, Ordering::AcqRel);
    }

    /// Returns the time of the oldest sample in order that is not sealed, or the largest time.
    pub(crate) fn oldest_ms(&self) -> i64 {
        self.oldest_ms.load(Ordering::Relaxed)
    }

    /// Returns the time of the newest sample that is not sealed, or the smallest time. It may have
    /// come late.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.newest_ms.load(Ordering::Relaxed)
    }

    /// Returns the end, exclusive, of the window of [`Head::newest_ms`].
    pub(crate) fn newest_window_end_ms(&self) -> i64 {
        window_of(self.newest_ms())
            .saturating_add(1)
            .saturating_mul(WINDOW_MS)
    }

    /// Returns the number of chunks of all series.
    pub(crate) fn chunk_count(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed).max(0) as u64
    }

    /// Takes note of the oldest sample in order and the newest of all.
    fn note_times(&self, oldest_ms: i64, newest_ms: i64) {
        // Most often neither changes, and looking is cheaper than writing.
        if oldest_ms < self.oldest_ms() {
            self.oldest_ms.fetch_min(oldest_ms, Ordering::Relaxed);
        }
        if newest_ms > self.newest_ms() {
            self.newest_ms.fetch_max(newest_ms, Ordering::Relaxed);
        }
    }

    /// Looks through all series for what is not sealed, and removes those of which the head holds
    /// nothing and that were not written to since `idle_since_ms`.
    pub(crate) fn recount(&self, idle_since_ms: i64) {
        let _no_append = self.append.lock();
        let (mut bytes, mut memory_bytes, mut chunks) = (0, 0, 0);
        let (mut oldest_ms, mut newest_ms) = (i64::MAX, i64::MIN);
        let mut idle = false;
        for series in self.index.read().iter() {
            let state = series.state.lock();
            bytes += state.late.as_ref().map_or(0, |late| late.size_bytes());
            memory_bytes += state.late_memory_bytes() as u64;
            chunks += state.chunk_count() as i64;
            if let Some((oldest, _newest)) = state.in_order_range() {
                oldest_ms = oldest_ms.min(oldest);
            }
            if let Some((_oldest, newest)) = state.time_range() {
                newest_ms = newest_ms.max(newest);
            }
            idle |= state.is_idle(idle_since_ms);
        }
        self.late.set(bytes, memory_bytes);
        self.chunks.store(chunks, Ordering::Relaxed);
        self.oldest_ms.store(oldest_ms, Ordering::Relaxed);
        self.newest_ms.store(newest_ms, Ordering::Relaxed);
        if idle {
            self.index
                .write()
                .remove(|series| series.state.lock().is_idle(idle_since_ms));
        }
    }

    /// Keeps seals from running until what is returned is dropped; waits for one that runs.
    pub(crate) fn hold_seals(&self) -> parking_lot::MutexGuard<'_, ()> {
        self.sealing.lock()
    }

    /// Waits until no batch is being inserted, so that whatever was logged before is in the series.
    pub(crate) fn settle(&self) {
        drop(self.append.lock());
    }
}
