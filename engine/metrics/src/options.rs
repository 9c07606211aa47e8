//! How a metrics store is set up.

use std::path::PathBuf;
use std::sync::Arc;

use obsq_model::Clock;
use obsq_wal::{DiskVfs, Vfs, WalOptions};

/// What a store keeps. By default everything.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Retention {
    /// Age in milliseconds above which samples are refused and blocks go.
    pub time_ms: Option<i64>,
    /// Bytes of all blocks and head files above which the oldest blocks go, of the tenant that has
    /// most first.
    pub bytes: Option<u64>,
    /// The same as a percentage of the size of the disk; wins over `bytes`.
    pub percentage: Option<f64>,
}

/// Where a metrics store lies and what it keeps.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data directory, shared with the other signals.
    pub data_dir: PathBuf,
    /// Tells when windows end.
    pub clock: Arc<dyn Clock>,
    /// What is kept; may be changed later.
    pub retention: Retention,
    /// Whether start timestamps are stored. Chunks that hold one need Prometheus 3.14 to be read.
    pub start_timestamps: bool,
    /// Most series that one tenant may have in its head.
    pub max_series: usize,
    /// Memory in bytes that the late samples of one tenant may take before they are put into files and
    /// sealed early, whatever their number.
    pub late_memory_bytes: u64,
    /// Bytes of index tables, postings and series of blocks that are kept in memory.
    pub block_cache_bytes: u64,
    /// Bytes of log that are kept for followers which have not read them yet.
    pub held_log_bytes: u64,
    /// Whether a thread of the store seals, checkpoints and compacts when it is time. Without it
    /// the caller calls [`crate::MetricStore::tick`].
    pub maintenance: bool,
    /// The file system under log, checkpoints and head.
    pub vfs: Arc<dyn Vfs>,
    /// Changes the options of the log before it is opened.
    pub tune_log: fn(&mut WalOptions),
}

impl StoreOptions {
    /// Returns the defaults: everything is kept, start timestamps too, at most 1.5 million series
    /// per tenant, maintained by a thread of its own.
    pub fn new(data_dir: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            data_dir,
            clock,
            retention: Retention::default(),
            start_timestamps: true,
            max_series: 1_500_000,
            late_memory_bytes: 256 << 20,
            block_cache_bytes: 256 << 20,
            held_log_bytes: 4 << 30,
            maintenance: true,
            vfs: Arc::new(DiskVfs),
            tune_log: |_options| {},
        }
    }
}
