//! Snapshots: what one tenant has at one time, as blocks that anybody can open.
//!
//! ```text
//! data/snapshots/<name>/<ULID>      links to the tenant's blocks, and new ones of its head
//! data/snapshots/<name>/exemplars   companions
//! data/snapshots/<name>/metadata
//! ```
//!
//! A snapshot is written as `<name>.tmp` and renamed when all of it is on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::{Tenant, rfc3339};
use obsq_source::Error;
use obsq_wal::{Vfs, remove_unfinished};

use super::{MetricStore, Shared};
use crate::blocks::{Blocks, new_ulid};
use crate::boundary::{from_wal, io};
use crate::options::StoreOptions;
use crate::tenant::TenantStore;

/// Removes what crashes left of snapshots.
pub(super) fn remove_unfinished_snapshots(options: &StoreOptions) -> Result<(), Error> {
    let removed = remove_unfinished(options.vfs.as_ref(), &snapshots_directory(options));
    removed.map_err(from_wal)?;
    Ok(())
}

fn snapshots_directory(options: &StoreOptions) -> PathBuf {
    options.data_dir.join("snapshots")
}

impl MetricStore {
    /// Makes a snapshot of everything of `tenant` that was acknowledged before the call, but with
    /// `skip_head` only of its blocks, and returns the directory. Blocks are linked and take no room
    /// as long as they are there; what they hold deleted is deleted in the snapshot, too.
    pub fn snapshot(&self, tenant: &Tenant, skip_head: bool) -> Result<PathBuf, Error> {
        let shared = &self.shared;
        shared.check_ready()?;
        let directory = snapshots_directory(&shared.options);
        let vfs = shared.options.vfs.as_ref();
        vfs.create_dir_all(&directory)
            .map_err(io("create", &directory))?;
        let name = name_at(shared.options.clock.now_ms());
        let (unfinished, finished) = (directory.join(format!("{name}.tmp")), directory.join(&name));
        vfs.create_dir(&unfinished)
            .map_err(io("create", &unfinished))?;
        let written = shared
            .write_snapshot(tenant, skip_head, &unfinished)
            .and_then(|()| name_for_good(vfs, &unfinished, &finished));
        if written.is_err()
            && let Err(error) = vfs.remove_dir_all(&unfinished)
        {
            let path = unfinished.display();
            tracing::warn!(%path, %error, "cannot remove an unfinished snapshot");
        }
        written.map(|()| finished)
    }
}

impl Shared {
    fn write_snapshot(
        &self,
        tenant: &Tenant,
        skip_head: bool,
        directory: &Path,
    ) -> Result<(), Error> {
        let Some(tenant) = self.tenant(tenant) else {
            return Ok(());
        };
        let seq = self.wal()?.last_seq();
        let held = Self::hold_still(&tenant, skip_head, directory)?;
        if let Some(head) = held {
            let (vfs, cache) = (Arc::clone(&self.options.vfs), Arc::clone(&self.cache));
            let blocks = Blocks::new(vfs, directory.to_owned(), cache);
            head.write(self.options.clock.now_ms(), seq, &blocks)?;
        }
        Ok(())
    }

    /// Copies the head and links the blocks while nothing is deleted and nothing moves from the one
    /// into the others.
    fn hold_still(
        tenant: &TenantStore,
        skip_head: bool,
        directory: &Path,
    ) -> Result<Option<crate::head::HeadCopy>, Error> {
        let _no_seal = tenant.head.hold_seals();
        tenant.head.settle();
        let head = (!skip_head).then(|| tenant.head.copy());
        tenant.blocks.link_all(directory)?;
        tenant.copy_companions(directory)?;
        Ok(head)
    }
}

/// Gives a complete directory its name, durably.
pub(super) fn name_for_good(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), Error> {
    vfs.sync_dir(from).map_err(io("sync", from))?;
    vfs.rename(from, to).map_err(io("rename", from))?;
    let parent = to.parent().unwrap_or(Path::new("."));
    vfs.sync_dir(parent).map_err(io("sync", parent))
}

/// Returns a new name that begins with the time, as Prometheus writes it.
fn name_at(now_ms: i64) -> String {
    let seconds = now_ms.div_euclid(1000) * 1000;
    let time: String = rfc3339(seconds)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let random = new_ulid(now_ms).random() as u64;
    format!("{time}-{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_the_time_and_differ() {
        let names = [name_at(1_767_225_600_123), name_at(1_767_225_600_123)];
        assert!(names[0].starts_with("20260101T000000Z-"), "{}", names[0]);
        assert_ne!(names[0], names[1]);
        assert_eq!(names[0].len(), names[1].len());
    }
}
