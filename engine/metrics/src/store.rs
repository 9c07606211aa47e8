//! The store as the rest of the program sees it.

mod append;
mod replay;
mod source;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use obsq_model::Tenant;
use obsq_source::Error;
use obsq_wal::{DirectoryLock, Wal, WalOptions};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

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
}

/// What the store's callers and its own thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) counters: Counters,
    pub(crate) tenants: RwLock<Tenants>,
    wal: Wal,
    ready: AtomicBool,
    replayed_records: AtomicU64,
    missing_records: AtomicU64,
    _lock: DirectoryLock,
}

/// Tenants by name and by number.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    by_name: FxHashMap<Tenant, Arc<TenantStore>>,
    by_number: FxHashMap<u32, Arc<TenantStore>>,
    next_number: u32,
}

impl Tenants {
    /// Returns the tenant of that name, new if need be.
    pub(crate) fn get_or_create(
        &mut self,
        options: &StoreOptions,
        name: &Tenant,
        number: Option<u32>,
    ) -> Arc<TenantStore> {
        if let Some(known) = self.by_name.get(name) {
            return Arc::clone(known);
        }
        let number = number.unwrap_or(self.next_number);
        self.next_number = self.next_number.max(number.saturating_add(1));
        let tenant = Arc::new(TenantStore::new(options, name.clone(), number));
        self.by_name.insert(name.clone(), Arc::clone(&tenant));
        self.by_number.insert(number, Arc::clone(&tenant));
        tenant
    }

    /// Returns all tenants in order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<TenantStore>> {
        let mut all: Vec<_> = self.by_number.values().cloned().collect();
        all.sort_by_key(|tenant| tenant.number);
        all
    }
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
        let mut tenants = Tenants {
            next_number: 1,
            ..Tenants::default()
        };
        let replayed = replay::replay(&wal_options, &options, &mut tenants, 0)?;
        let (records, missing) = (replayed.records, replayed.damage.missing_records());
        let wal = Wal::open(wal_options, replayed).map_err(from_wal)?;
        let shared = Arc::new(Shared {
            options,
            counters: Counters::default(),
            tenants: RwLock::new(tenants),
            wal,
            ready: AtomicBool::new(true),
            replayed_records: AtomicU64::new(records),
            missing_records: AtomicU64::new(missing),
            _lock: lock,
        });
        Ok(Self { shared })
    }

    /// Says whether writes are taken.
    pub fn is_ready(&self) -> bool {
        self.shared.ready.load(Ordering::Acquire)
    }

    /// Seals everything that the heads of all tenants hold into blocks, now.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.check_ready()
    }

    /// Does what is due by the clock: seals, checkpoints, compactions, retention.
    pub fn tick(&self) -> Result<(), Error> {
        self.shared.check_ready()
    }

    /// Ends the log and stops. Writes are refused from now on.
    pub fn close(&self) {
        self.shared.ready.store(false, Ordering::Release);
        self.shared.wal.close();
    }

    /// Returns the numbers for `/metrics`.
    pub fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    /// Returns the tenants known, sorted.
    pub fn tenants(&self) -> Vec<Tenant> {
        let tenants = self.shared.tenants.read();
        let mut names: Vec<Tenant> = tenants.by_name.keys().cloned().collect();
        names.sort();
        names
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
        self.tenants.read().by_name.get(name).cloned()
    }
}

#[cfg(test)]
mod tests;
