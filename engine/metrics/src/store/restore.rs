//! From a snapshot back into a data directory.

use std::path::Path;
use std::sync::Arc;

use obsq_model::Tenant;
use obsq_source::Error;
use obsq_wal::{DirectoryLock, Vfs};
use ulid::Ulid;

use super::MetricStore;
use super::snapshot::name_for_good;
use crate::block::{Block, BlockCache};
use crate::blocks::link_directory;
use crate::boundary::{from_wal, io};
use crate::options::StoreOptions;
use crate::tenant::tenant_directory;

/// Bytes of index that opening the blocks may keep.
const CACHE_BYTES: u64 = 1 << 20;

/// Puts the blocks and companions in `snapshot` into the data directory of `options` as those of
/// `tenant`, of whom nothing may be there yet, and returns the number of blocks. The snapshot may be
/// one of Prometheus. Files are linked where the file system allows it, else copied.
///
/// No other process may hold the directory. All or nothing is there afterwards.
pub fn restore(options: &StoreOptions, tenant: &Tenant, snapshot: &Path) -> Result<usize, Error> {
    let vfs = &options.vfs;
    let names = blocks_in(vfs.as_ref(), snapshot)?;
    let cache = Arc::new(BlockCache::new(CACHE_BYTES));
    for name in &names {
        Block::open(vfs, &snapshot.join(name), &cache)?;
    }
    check_unknown(options, tenant)?;
    let data_dir = &options.data_dir;
    let _lock = DirectoryLock::acquire(vfs.as_ref(), data_dir).map_err(from_wal)?;
    let metrics = tenant_directory(options, tenant);
    let unfinished = metrics.with_extension("tmp");
    vfs.remove_dir_all(&unfinished)
        .map_err(io("remove", &unfinished))?;
    let written = fill(vfs.as_ref(), snapshot, &names, &unfinished)
        .and_then(|()| name_for_good(vfs.as_ref(), &unfinished, &metrics));
    if written.is_err()
        && let Err(error) = vfs.remove_dir_all(&unfinished)
    {
        tracing::warn!(path = %unfinished.display(), %error, "cannot remove what was not restored");
    }
    written.map(|()| names.len())
}

fn blocks_in(vfs: &dyn Vfs, snapshot: &Path) -> Result<Vec<String>, Error> {
    let mut names = vfs.list(snapshot).map_err(io("list", snapshot))?;
    names.retain(|name| Ulid::from_string(name).is_ok());
    if names.is_empty() {
        let what = format!("a snapshot in {} (there is no block)", snapshot.display());
        return Err(Error::Unavailable { what, source: None });
    }
    Ok(names)
}

/// Opens the store to see that there is nothing of the tenant, neither in blocks nor in the log. It is
/// closed in order, so that no record is left that could be taken for one that the blocks hold.
fn check_unknown(options: &StoreOptions, tenant: &Tenant) -> Result<(), Error> {
    let store = MetricStore::open(StoreOptions {
        maintenance: false,
        ..options.clone()
    })?;
    let known = store.tenants().contains(tenant);
    store.close();
    if known {
        let what = format!("the tenant {tenant} (there is something of it already)");
        return Err(Error::Unavailable { what, source: None });
    }
    Ok(())
}

fn fill(vfs: &dyn Vfs, snapshot: &Path, blocks: &[String], target: &Path) -> Result<(), Error> {
    let directory = target.join("blocks");
    vfs.create_dir_all(&directory)
        .map_err(io("create", &directory))?;
    for name in blocks {
        link_directory(vfs, &snapshot.join(name), &directory.join(name))?;
    }
    vfs.sync_dir(&directory).map_err(io("sync", &directory))?;
    let names = vfs.list(snapshot).map_err(io("list", snapshot))?;
    for name in ["exemplars", "metadata"] {
        if names.iter().any(|known| known == name) {
            let (from, to) = (snapshot.join(name), target.join(name));
            vfs.link(&from, &to).map_err(io("link", &from))?;
        }
    }
    Ok(())
}
