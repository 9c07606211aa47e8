//! The store as the rest of the program sees it.

mod append;
mod maintain;
mod recover;
mod source;
mod status;
mod tenants;
mod thread;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use obsq_model::Tenant;
use obsq_source::Error;
use obsq_wal::{DirectoryLock, Wal, WalOptions};
use parking_lot::{Mutex, RwLock};

pub(crate) use self::source::from_block;

use self::maintain::Maintenance;
use self::recover::recover;
use self::tenants::Tenants;
use self::thread::MaintenanceThread;
use crate::block::BlockCache;
use crate::boundary::{from_wal, io, unavailable};
use crate::options::StoreOptions;
use crate::stats::{Counters, StoreStats};
use crate::tenant::TenantStore;

/// Stores the metrics of all tenants in one data directory.
///
/// Reads are served as soon as [`MetricStore::open`] returns, writes once
/// [`MetricStore::is_ready`] holds. Dropping without [`MetricStore::close`] stops as a crash would:
/// nothing that was acknowledged is lost, the next start replays the log.
#[derive(Debug)]
pub struct MetricStore {
    shared: Arc<Shared>,
    threads: [MaintenanceThread; 2],
}

/// What the store's callers and its own thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) counters: Counters,
    pub(crate) tenants: RwLock<Tenants>,
    cache: Arc<BlockCache>,
    wal: Wal,
    ready: AtomicBool,
    replayed_records: u64,
    missing_records: u64,
    maintenance: Mutex<Maintenance>,
    /// Held by the one compaction at a time.
    compacting: Mutex<()>,
    _lock: DirectoryLock,
}

/// Returns where the log of metrics lies.
fn wal_directory(options: &StoreOptions) -> PathBuf {
    options.data_dir.join("wal").join("metrics")
}

impl MetricStore {
    /// Opens the store in a data directory, which is created when missing. Fails when another
    /// process holds the directory or when it is of a newer format, never because of damaged bytes.
    pub fn open(options: StoreOptions) -> Result<Self, Error> {
        let data_dir = &options.data_dir;
        options
            .vfs
            .create_dir_all(data_dir)
            .map_err(io("create", data_dir))?;
        let lock = DirectoryLock::acquire(data_dir).map_err(from_wal)?;
        let wal_options = WalOptions::new(
            Arc::clone(&options.vfs),
            Arc::clone(&options.clock),
            wal_directory(&options),
        );
        let cache = Arc::new(BlockCache::new(options.block_cache_bytes));
        let recovered = recover(&wal_options, &options, &cache)?;
        let wal = Wal::open(wal_options, recovered.replayed).map_err(from_wal)?;
        let shared = Arc::new(Shared {
            counters: Counters::default(),
            tenants: RwLock::new(recovered.tenants),
            cache,
            wal,
            ready: AtomicBool::new(true),
            replayed_records: recovered.records,
            missing_records: recovered.missing,
            maintenance: Mutex::new(Maintenance::begin(&options)),
            compacting: Mutex::default(),
            options,
            _lock: lock,
        });
        let threads = [
            MaintenanceThread::start(&shared, "metrics-store", Shared::maintain)?,
            MaintenanceThread::start(&shared, "metrics-compact", Shared::compact)?,
        ];
        Ok(Self { shared, threads })
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
        self.shared.ready.store(false, Ordering::Release);
        for thread in &self.threads {
            thread.stop();
        }
        if let Err(error) = self.shared.checkpoint() {
            tracing::warn!(%error, "no last checkpoint, the next start replays the log");
        }
        self.shared.wal.close();
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

impl Drop for MetricStore {
    fn drop(&mut self) {
        // Compactions give up when they see this.
        self.shared.ready.store(false, Ordering::Release);
    }
}

impl Shared {
    fn check_ready(&self) -> Result<(), Error> {
        if self.ready.load(Ordering::Acquire) {
            Ok(())
        } else {
            Err(unavailable(
                "the metrics store (it is starting or stopping)",
            ))
        }
    }

    fn tenant(&self, name: &Tenant) -> Option<Arc<TenantStore>> {
        self.tenants.read().get(name)
    }
}

#[cfg(test)]
mod tests;
