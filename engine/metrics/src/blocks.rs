//! The blocks of one tenant.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obsq_wal::{Vfs, remove_unfinished};
use parking_lot::Mutex;
use ulid::Ulid;

use crate::Error;
use crate::block::{Block, BlockCache, BlockSpec, BlockWriter};
use crate::compaction::{compact, plan_compaction, superseded_blocks};

/// The blocks of one tenant, in the order in which their samples were acknowledged.
#[derive(Debug)]
pub(crate) struct Blocks {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    cache: Arc<BlockCache>,
    list: Mutex<Arc<[Arc<Block>]>>,
    /// Blocks that are no longer listed but may still be read.
    doomed: Mutex<Vec<Arc<Block>>>,
    /// Blocks that could not be opened.
    broken: AtomicU64,
}

impl Blocks {
    /// Returns no blocks; nothing is looked at on disk.
    pub(crate) fn new(vfs: Arc<dyn Vfs>, directory: PathBuf, cache: Arc<BlockCache>) -> Self {
        Self {
            vfs,
            directory,
            cache,
            list: Mutex::new(Arc::from([])),
            doomed: Mutex::default(),
            broken: AtomicU64::new(0),
        }
    }

    /// Opens what is on disk and removes what a crash left unfinished or what a compaction replaced.
    /// A block that cannot be opened is left alone and counted.
    pub(crate) fn open_all(&self) -> Result<(), Error> {
        remove_unfinished(self.vfs.as_ref(), &self.directory)?;
        let list = self.vfs.list(&self.directory);
        let names = list.map_err(obsq_wal::Error::io("list", &self.directory))?;
        let mut opened = Vec::new();
        for name in names.iter().filter(|name| Ulid::from_string(name).is_ok()) {
            match Block::open(&self.vfs, &self.directory.join(name), &self.cache) {
                Ok(block) => opened.push(Arc::new(block)),
                Err(error) => {
                    self.broken.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(block = %name, %error, "cannot open a block, going on without it");
                }
            }
        }
        let metas: Vec<_> = opened.iter().map(|block| block.meta()).collect();
        let replaced = superseded_blocks(&metas);
        self.change(opened, &replaced);
        self.sweep();
        Ok(())
    }

    /// Returns the blocks as they are now, those whose samples were acknowledged first in front.
    pub(crate) fn snapshot(&self) -> Arc<[Arc<Block>]> {
        Arc::clone(&self.list.lock())
    }

    /// Returns the number of blocks that could not be opened.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    pub(crate) fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.vfs
    }

    /// Begins a block among these.
    pub(crate) fn writer(&self, spec: BlockSpec) -> Result<BlockWriter, Error> {
        let create = self.vfs.create_dir_all(&self.directory);
        create.map_err(obsq_wal::Error::io("create", &self.directory))?;
        BlockWriter::create(&self.vfs, &self.directory, spec)
    }

    /// Opens blocks that were just written and lists them instead of `replaced`.
    pub(crate) fn publish(&self, written: &[Ulid], replaced: &[Ulid]) -> Result<(), Error> {
        let mut opened = Vec::new();
        for ulid in written {
            let directory = self.directory.join(ulid.to_string());
            opened.push(Arc::new(Block::open(&self.vfs, &directory, &self.cache)?));
        }
        self.change(opened, replaced);
        Ok(())
    }

    /// Carries out the most urgent compaction, if there is one, and says whether there was. `stop`
    /// is asked now and then whether to give up.
    pub(crate) fn compact(
        &self,
        now_ms: i64,
        retention_ms: Option<i64>,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, Error> {
        let list = self.snapshot();
        let metas: Vec<_> = list.iter().map(|block| block.meta()).collect();
        let Some(plan) = plan_compaction(&metas, now_ms, retention_ms) else {
            return Ok(false);
        };
        let is_parent = |block: &&Arc<Block>| plan.parents.contains(&block.meta().ulid);
        let parents: Vec<_> = list.iter().filter(is_parent).cloned().collect();
        let ulid = new_ulid(now_ms);
        let merged = compact(&self.vfs, &self.directory, &parents, ulid, stop)?;
        let written: &[Ulid] = if merged.is_some() { &[ulid] } else { &[] };
        drop((parents, list));
        self.publish(written, &plan.parents)?;
        self.sweep();
        Ok(true)
    }

    /// Takes blocks off the list; they are removed when nobody reads them any more.
    pub(crate) fn drop_blocks(&self, gone: &[Ulid]) {
        self.change(Vec::new(), gone);
        self.sweep();
    }

    fn change(&self, added: Vec<Arc<Block>>, gone: &[Ulid]) {
        let mut listed = self.list.lock();
        let mut list = listed.to_vec();
        list.extend(added);
        let is_gone = |block: &Arc<Block>| gone.contains(&block.meta().ulid);
        let doomed: Vec<_> = list
            .iter()
            .filter(|block| is_gone(block))
            .cloned()
            .collect();
        list.retain(|block| !is_gone(block));
        list.sort_by_key(|block| (block.meta().first_seq(), block.meta().ulid));
        *listed = list.into();
        drop(listed);
        self.doomed.lock().extend(doomed);
    }

    /// Removes blocks off the list that nobody reads any more.
    pub(crate) fn sweep(&self) {
        self.doomed.lock().retain(|block| {
            if Arc::strong_count(block) > 1 {
                return true;
            }
            let removed = self.remove(block.meta().ulid);
            if let Err(error) = &removed {
                tracing::warn!(block = %block.meta().ulid, %error, "cannot remove a block");
            }
            removed.is_err()
        });
    }

    /// Removes those of the blocks that are on disk. They must not be listed.
    pub(crate) fn discard(&self, written: &[Ulid]) {
        for ulid in written {
            let directory = self.directory.join(ulid.to_string());
            if directory.try_exists().unwrap_or(true)
                && let Err(error) = self.remove(*ulid)
            {
                tracing::warn!(block = %ulid, %error, "cannot remove a block that was not published");
            }
        }
    }

    /// Removes a block's directory; after a crash it is either whole or recognised as unfinished.
    fn remove(&self, ulid: Ulid) -> Result<(), Error> {
        let directory = self.directory.join(ulid.to_string());
        let unfinished = self.directory.join(format!("{ulid}.tmp"));
        let renamed = self.vfs.rename(&directory, &unfinished);
        renamed.map_err(obsq_wal::Error::io("rename", &directory))?;
        let removed = self.vfs.remove_dir_all(&unfinished);
        removed.map_err(obsq_wal::Error::io("remove", &unfinished))?;
        Ok(())
    }
}

/// Returns a new name for a block that is made at `now_ms`.
pub fn new_ulid(now_ms: i64) -> Ulid {
    use std::hash::{BuildHasher as _, RandomState};
    let random = || u128::from(RandomState::new().hash_one(now_ms));
    Ulid::from_parts(now_ms.max(0) as u64, random() << 64 | random())
}
