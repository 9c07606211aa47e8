//! One tenant's part of the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use obsq_model::Tenant;
use obsq_source::{Error, SeriesBatch};
use obsq_wal::remove_unfinished;
use parking_lot::Mutex;

use crate::block::BlockCache;
use crate::blocks::Blocks;
use crate::boundary::from_wal;
use crate::companions::{read_companions, write_exemplars, write_metadata};
use crate::exemplars::ExemplarStore;
use crate::head::{CheckedBatch, ChunkFiles, Head, seal_due_ms};
use crate::metadata::MetadataStore;
use crate::options::StoreOptions;
use crate::store::Backoff;

/// The longest that seals rest after failures,
const SEAL_REST_MS: i64 = 5 * 60 * 1000;
/// and compactions.
const COMPACTION_REST_MS: i64 = 60 * 60 * 1000;

/// What the store holds of one tenant.
#[derive(Debug)]
pub(crate) struct TenantStore {
    pub(crate) name: Tenant,
    /// The tenant's number in the log; 0 as long as it has none.
    number: AtomicU32,
    pub(crate) head: Head,
    pub(crate) blocks: Blocks,
    pub(crate) exemplars: Mutex<ExemplarStore>,
    pub(crate) metadata: Mutex<MetadataStore>,
    directory: PathBuf,
    /// Companions that were found damaged at the start.
    pub(crate) damaged_companions: u64,
    /// Versions of exemplars and metadata that are in the companions.
    saved: Mutex<(u64, u64)>,
    pub(crate) sealing: Backoff,
    pub(crate) compacting: Backoff,
}

impl TenantStore {
    /// Returns the tenant with the blocks and companions that are on disk. Nothing is created there
    /// before there is something to write.
    pub(crate) fn open(
        options: &StoreOptions,
        cache: &Arc<BlockCache>,
        name: Tenant,
        number: u32,
    ) -> Result<Self, Error> {
        let directory = tenant_directory(options, &name);
        let vfs = &options.vfs;
        let files = ChunkFiles::new(Arc::clone(vfs), directory.join("head"));
        let blocks = Blocks::new(Arc::clone(vfs), directory.join("blocks"), Arc::clone(cache));
        blocks.open_all()?;
        remove_unfinished(vfs.as_ref(), &directory).map_err(from_wal)?;
        let (mut exemplars, mut metadata) = (ExemplarStore::default(), MetadataStore::default());
        let damaged_companions =
            read_companions(vfs.as_ref(), &directory, &mut exemplars, &mut metadata)?;
        Ok(Self {
            name,
            number: AtomicU32::new(number),
            head: Head::new(
                files,
                seal_due_ms(options.clock.now_ms()),
                options.late_memory_bytes,
            ),
            blocks,
            saved: Mutex::new((exemplars.version, metadata.version)),
            exemplars: Mutex::new(exemplars),
            metadata: Mutex::new(metadata),
            directory,
            damaged_companions,
            sealing: Backoff::new("seal", 1000, SEAL_REST_MS),
            compacting: Backoff::new("compaction", 60 * 1000, COMPACTION_REST_MS),
        })
    }

    /// Returns the tenant's number in the log; 0 as long as it has none.
    pub(crate) fn number(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// Returns the time of the newest sample, roughly; the smallest time when there is none.
    pub(crate) fn newest_ms(&self) -> i64 {
        let blocks = self.blocks.snapshot();
        let in_blocks = blocks.iter().map(|block| block.meta().max_time).max();
        self.head.newest_ms().max(in_blocks.unwrap_or(i64::MIN))
    }

    /// Gives the tenant its number.
    pub(crate) fn set_number(&self, number: u32) {
        self.number.store(number, Ordering::Release);
    }

    /// Writes the companions as they are now into another directory.
    pub(crate) fn copy_companions(&self, directory: &Path) -> Result<(), Error> {
        let vfs = self.blocks.vfs().as_ref();
        write_exemplars(vfs, directory, &self.exemplars.lock())?;
        write_metadata(vfs, directory, &self.metadata.lock())
    }

    /// Writes the companions whose content has changed.
    pub(crate) fn save_companions(&self) -> Result<(), Error> {
        let mut saved = self.saved.lock();
        let vfs = self.blocks.vfs().as_ref();
        {
            let exemplars = self.exemplars.lock();
            if exemplars.version != saved.0 {
                write_exemplars(vfs, &self.directory, &exemplars)?;
                saved.0 = exemplars.version;
            }
        }
        let metadata = self.metadata.lock();
        if metadata.version != saved.1 {
            write_metadata(vfs, &self.directory, &metadata)?;
            saved.1 = metadata.version;
        }
        Ok(())
    }

    /// Takes exemplars and metadata of a batch that is in the log.
    pub(crate) fn take_companions(&self, batch: CheckedBatch) {
        let with_exemplars = |batch: &SeriesBatch| !batch.exemplars.is_empty();
        if batch
            .series
            .iter()
            .any(|(_hash, batch)| with_exemplars(batch))
        {
            let mut exemplars = self.exemplars.lock();
            for (_hash, series) in batch.series {
                for exemplar in series.exemplars {
                    exemplars.add(&series.labels, exemplar);
                }
            }
        }
        if !batch.metadata.is_empty() {
            let mut known = self.metadata.lock();
            for (family, metadata) in batch.metadata {
                known.add(&family, metadata);
            }
        }
    }
}

/// Returns the directory of a tenant's metrics.
pub(crate) fn tenant_directory(options: &StoreOptions, name: &Tenant) -> PathBuf {
    let tenants = options.data_dir.join("tenants");
    tenants.join(name.directory_name()).join("metrics")
}
