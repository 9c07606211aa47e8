//! Reading a data directory that another process may be writing.
//!
//! Nothing is locked, written, repaired or removed. What is read is consistent all the same: blocks,
//! checkpoint and log are read one after the other, and once more when a seal, a checkpoint or a
//! compaction has changed them meanwhile. A log that merely grows changes nothing. Whatever is open
//! by then stays readable when the other process removes it.

use std::path::Path;
use std::sync::Arc;

use obsq_source::Error;
use obsq_wal::{ReadOnlyVfs, Vfs};

use super::{MetricStore, Shared, wal_directory};
use crate::boundary::{io, unavailable};
use crate::checkpoint::checkpoint_path;
use crate::options::StoreOptions;

/// How often the directory may change while it is being read.
const ATTEMPTS: usize = 20;

/// Bytes at the start of a checkpoint that tell it from the one before.
const CHECKPOINT_HEAD_BYTES: u64 = 256;

impl MetricStore {
    /// Opens a data directory for reading, whoever holds it. Every write is refused, and the samples
    /// seen are those that were acknowledged before the call.
    pub fn open_read_only(mut options: StoreOptions) -> Result<Self, Error> {
        options.maintenance = false;
        let mut failed = unavailable("the data directory (it changes all the time)");
        for _attempt in 0..ATTEMPTS {
            let before = Outline::of(&options)?;
            match Self::read(&options) {
                Ok(store) if Outline::of(&options)? == before => return Ok(store),
                Ok(_changed) => {}
                // A file was cut or removed just then; what is wrong for good is so again.
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn read(options: &StoreOptions) -> Result<Self, Error> {
        let vfs = Arc::new(ReadOnlyVfs::new(Arc::clone(&options.vfs)));
        let options = StoreOptions {
            vfs,
            ..options.clone()
        };
        let store = Self::start(options, None)?;
        store.recovery.wait()?;
        Ok(store)
    }
}

impl Shared {
    /// Keeps the files of all heads readable.
    pub(super) fn pin_files(&self) {
        for tenant in self.tenants.read().all() {
            tenant.head.files.pin();
        }
    }
}

/// What tells one state of a data directory from another.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    blocks: Vec<(String, Vec<String>)>,
    checkpoint: Option<(u64, Vec<u8>)>,
}

impl Outline {
    fn of(options: &StoreOptions) -> Result<Self, Error> {
        let vfs = options.vfs.as_ref();
        let list = |path: &Path| vfs.list(path).map_err(io("list", path));
        let tenants = options.data_dir.join("tenants");
        let mut blocks = Vec::new();
        for tenant in list(&tenants)? {
            let mut names = list(&tenants.join(&tenant).join("metrics").join("blocks"))?;
            names.retain(|name| Path::new(name).extension().is_none());
            blocks.push((tenant, names));
        }
        Ok(Self {
            blocks,
            checkpoint: checkpoint_head(vfs, &checkpoint_path(&wal_directory(options))),
        })
    }
}

/// Returns the length of the checkpoint and how it begins; `None` when there is none.
fn checkpoint_head(vfs: &dyn Vfs, path: &Path) -> Option<(u64, Vec<u8>)> {
    let file = vfs.open(path).ok()?;
    let size = file.size().ok()?;
    let mut head = vec![0; size.min(CHECKPOINT_HEAD_BYTES) as usize];
    file.read_exact_at(&mut head, 0).ok()?;
    Some((size, head))
}
