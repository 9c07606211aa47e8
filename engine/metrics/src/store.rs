//! The store as the rest of the program sees it.

mod append;
mod backoff;
mod cursors;
mod delete;
mod follow;
mod maintain;
mod read_only;
mod recover;
mod restore;
mod retention;
mod snapshot;
mod source;
mod status;
mod tenants;
mod thread;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use obsq_model::Tenant;
use obsq_source::Error;
use obsq_wal::{DirectoryLock, Wal};
use parking_lot::{Mutex, RwLock};

pub(crate) use self::backoff::Backoff;
pub use self::restore::restore;
pub(crate) use self::source::from_block;

use self::cursors::Cursors;
use self::maintain::Maintenance;
use self::recover::RecoveryThread;
use self::tenants::Tenants;
use self::thread::MaintenanceThread;
use crate::block::BlockCache;
use crate::boundary::{from_wal, io, unavailable};
use crate::options::{Retention, StoreOptions};
use crate::stats::{Counters, StoreStats};
use crate::tenant::TenantStore;

/// Stores the metrics of all tenants in one data directory.
///
/// Dropping without [`MetricStore::close`] stops as a crash would:
/// nothing that was acknowledged is lost, the next start replays the log.
#[derive(Debug)]
pub struct MetricStore {
    shared: Arc<Shared>,
    recovery: RecoveryThread,
    threads: [MaintenanceThread; 2],
}

/// What the store's callers and its own thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) counters: Counters,
    pub(crate) tenants: RwLock<Tenants>,
    cache: Arc<BlockCache>,
    /// The log, once it was replayed.
    wal: OnceLock<Wal>,
    /// Whether writes are taken.
    ready: AtomicBool,
    /// Whether long work shall give up.
    stopping: AtomicBool,
    replayed_records: AtomicU64,
    missing_records: AtomicU64,
    corruptions: AtomicU64,
    /// Whether the checkpoint that lies there was found damaged and has no copy yet.
    checkpoint_damaged: AtomicBool,
    /// Failed log writes of which the last checkpoint holds what the heads took.
    settled_failures: AtomicU64,
    maintenance: Mutex<Maintenance>,
    series_limits: RwLock<SeriesLimits>,
    /// What is kept; the options say only what it was at first.
    retention: RwLock<Retention>,
    checkpointing: Backoff,
    /// How far the followers of the log have come.
    cursors: Mutex<Cursors>,
    /// Held by the one compaction at a time.
    compacting: Mutex<()>,
    /// `None` for a store that is only read.
    lock: Option<DirectoryLock>,
}

/// What writers are told.
const NOT_READY: &str = "the metrics store (it is starting or stopping)";

/// Returns where the log of metrics lies.
fn wal_directory(options: &StoreOptions) -> PathBuf {
    options.data_dir.join("wal").join("metrics")
}

impl MetricStore {
    /// Opens the store in a data directory, which is created when missing, and replays the log.
    /// Fails when another process holds the directory or when it is of a newer format, never because
    /// of damaged bytes.
    pub fn open(options: StoreOptions) -> Result<Self, Error> {
        let store = Self::open_early(options)?;
        store.recovery.wait()?;
        Ok(store)
    }

    /// Like [`MetricStore::open`], but returns as soon as blocks are open. Reads are served from
    /// then on, with a warning until the log is replayed; writes once [`MetricStore::is_ready`]
    /// holds. A replay that fails is logged, and the store never becomes ready.
    pub fn open_early(options: StoreOptions) -> Result<Self, Error> {
        let data_dir = &options.data_dir;
        options
            .vfs
            .create_dir_all(data_dir)
            .map_err(io("create", data_dir))?;
        let lock = DirectoryLock::acquire(options.vfs.as_ref(), data_dir).map_err(from_wal)?;
        Self::start(options, Some(lock))
    }

    /// Opens blocks and begins to replay the log. Without the lock nothing may be written.
    fn start(options: StoreOptions, lock: Option<DirectoryLock>) -> Result<Self, Error> {
        let cache = Arc::new(BlockCache::new(options.block_cache_bytes));
        snapshot::remove_unfinished_snapshots(&options)?;
        let tenants = Tenants::open_all(&options, &cache)?;
        let cursors = Cursors::open(&options, &wal_directory(&options))?;
        let shared = Arc::new(Shared {
            counters: Counters::default(),
            tenants: RwLock::new(tenants),
            cache,
            wal: OnceLock::new(),
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            replayed_records: AtomicU64::new(0),
            missing_records: AtomicU64::new(0),
            corruptions: AtomicU64::new(0),
            checkpoint_damaged: AtomicBool::new(false),
            settled_failures: AtomicU64::new(0),
            maintenance: Mutex::new(Maintenance::begin(&options)),
            cursors: Mutex::new(cursors),
            checkpointing: Backoff::new("checkpoint", 1000, 10_000),
            compacting: Mutex::default(),
            retention: RwLock::new(options.retention),
            series_limits: RwLock::new(SeriesLimits::new(options.max_series)),
            options,
            lock,
        });
        let threads = [
            MaintenanceThread::start(&shared, "metrics-store", Shared::maintain)?,
            MaintenanceThread::start(&shared, "metrics-compact", Shared::compact)?,
        ];
        let recovery = RecoveryThread::start(&shared)?;
        Ok(Self {
            shared,
            recovery,
            threads,
        })
    }

    /// Says whether writes are taken.
    pub fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
    }

    /// Seals everything that the heads of all tenants hold into blocks, now, and writes a
    /// checkpoint.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.check_ready()?;
        self.shared.flush()
    }

    /// Does what is due by the clock: seals, checkpoints, compactions, retention.
    pub fn tick(&self) -> Result<(), Error> {
        self.shared.check_ready()?;
        self.shared.maintain()?;
        self.shared.compact()
    }

    /// Writes a checkpoint, ends the log and stops. Writes are refused from now on.
    pub fn close(&self) {
        self.shared.stop();
        self.recovery.end();
        self.shared.stop();
        for thread in &self.threads {
            thread.stop();
        }
        let Ok(wal) = self.shared.wal() else {
            return;
        };
        if let Err(error) = self.shared.checkpoint() {
            tracing::warn!(%error, "no last checkpoint, the next start replays the log");
        }
        wal.close();
    }

    /// Returns the numbers for `/metrics`.
    pub fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    /// Returns the tenants known, sorted.
    pub fn tenants(&self) -> Vec<Tenant> {
        let mut names: Vec<_> = self.shared.tenants.read().all();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names.iter().map(|tenant| tenant.name.clone()).collect()
    }
}

/// How many series tenants may have in their heads.
#[derive(Debug)]
pub(crate) struct SeriesLimits {
    default: usize,
    own: BTreeMap<Tenant, usize>,
}

impl SeriesLimits {
    fn new(default: usize) -> Self {
        Self {
            default,
            own: BTreeMap::new(),
        }
    }

    fn of(&self, tenant: &Tenant) -> usize {
        self.own.get(tenant).copied().unwrap_or(self.default)
    }
}

impl MetricStore {
    /// From now on lets a tenant have as many series in its head as `own` says of it or, when it is
    /// not there, `default`; `None` stands for what the options say. Series that are there stay.
    pub fn set_series_limits(&self, default: Option<usize>, own: BTreeMap<Tenant, Option<usize>>) {
        let limit = |limit: Option<usize>| limit.unwrap_or(self.shared.options.max_series);
        *self.shared.series_limits.write() = SeriesLimits {
            default: limit(default),
            own: own.into_iter().map(|(of, own)| (of, limit(own))).collect(),
        };
    }
}

impl Drop for MetricStore {
    fn drop(&mut self) {
        self.shared.stop();
        self.recovery.end();
    }
}

impl Shared {
    /// Refuses writes and lets replay and compaction give up.
    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.ready.store(false, Ordering::Release);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn wal(&self) -> Result<&Wal, Error> {
        self.wal.get().ok_or_else(|| unavailable(NOT_READY))
    }

    fn check_ready(&self) -> Result<(), Error> {
        if self.ready.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(unavailable(NOT_READY))
        }
    }

    fn tenant(&self, name: &Tenant) -> Option<Arc<TenantStore>> {
        self.tenants.read().get(name)
    }
}

#[cfg(test)]
mod tests;
