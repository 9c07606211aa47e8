//! The blocks of one tenant.

mod deletes;
mod plan;
mod unreadable;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::TimeRange;
use obsq_wal::{Vfs, remove_unfinished};
use parking_lot::{Mutex, MutexGuard};
use ulid::Ulid;

use crate::Error;
use crate::block::{Block, BlockCache, BlockSpec, BlockWriter, CHUNKS_DIRECTORY};
use crate::compaction::{compact_with, superseded_blocks};
use crate::deletion::Deletion;

use self::deletes::Deletes;
pub(crate) use self::deletes::Mark;
use self::plan::plan;
pub(crate) use self::unreadable::Unreadable;

/// The blocks of one tenant, in the order in which their samples were acknowledged.
#[derive(Debug)]
pub(crate) struct Blocks {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    cache: Arc<BlockCache>,
    list: Mutex<Arc<[Arc<Block>]>>,
    /// Held while samples are deleted and while new blocks are listed.
    deletes: Mutex<Deletes>,
    /// Blocks that are no longer listed but may still be read.
    doomed: Mutex<Vec<Arc<Block>>>,
    /// Blocks that could not be opened.
    unreadable: Mutex<Arc<[Unreadable]>>,
    /// Times of damaged chunks that a seal had to leave out.
    lost: Mutex<Vec<TimeRange>>,
}

impl Blocks {
    /// Returns no blocks; nothing is looked at on disk.
    pub(crate) fn new(vfs: Arc<dyn Vfs>, directory: PathBuf, cache: Arc<BlockCache>) -> Self {
        Self {
            vfs,
            directory,
            cache,
            list: Mutex::new(Arc::from([])),
            deletes: Mutex::default(),
            doomed: Mutex::default(),
            unreadable: Mutex::new(Arc::from([])),
            lost: Mutex::default(),
        }
    }

    /// Opens what is on disk and removes what a crash left unfinished or what a compaction replaced.
    /// A block that cannot be opened is left alone and listed as unreadable.
    pub(crate) fn open_all(&self) -> Result<(), Error> {
        remove_unfinished(self.vfs.as_ref(), &self.directory)?;
        let list = self.vfs.list(&self.directory);
        let names = list.map_err(obsq_wal::Error::io("list", &self.directory))?;
        let (mut opened, mut unreadable) = (Vec::new(), Vec::new());
        for name in names.iter().filter(|name| Ulid::from_string(name).is_ok()) {
            match Block::open(&self.vfs, &self.directory.join(name), &self.cache) {
                Ok(block) => opened.push(Arc::new(block)),
                // Another process has removed it meanwhile.
                Err(_gone) if self.is_gone(name) => {}
                Err(error) => {
                    tracing::error!(block = %name, %error, "cannot open a block, going on without it");
                    let directory = self.directory.join(name);
                    unreadable.push(Unreadable::new(self.vfs.as_ref(), &directory, name, &error));
                }
            }
        }
        let metas: Vec<_> = opened.iter().map(|block| block.meta()).collect();
        let replaced = superseded_blocks(&metas);
        *self.unreadable.lock() = unreadable.into();
        self.change(opened, &replaced);
        self.sweep();
        Ok(())
    }

    fn is_gone(&self, name: &str) -> bool {
        let left = self.vfs.list(&self.directory.join(name));
        left.is_ok_and(|names| names.is_empty())
    }

    /// Returns the blocks as they are now, those whose samples were acknowledged first in front.
    pub(crate) fn snapshot(&self) -> Arc<[Arc<Block>]> {
        Arc::clone(&self.list.lock())
    }

    /// Returns the blocks that could not be opened.
    pub(crate) fn unreadable(&self) -> Arc<[Unreadable]> {
        Arc::clone(&self.unreadable.lock())
    }

    /// Notes that a damaged chunk of the head, with samples in `range`, comes into no block.
    pub(crate) fn note_lost(&self, range: TimeRange) {
        self.lost.lock().push(range);
    }

    /// Returns how often [`Blocks::note_lost`] was called.
    pub(crate) fn lost(&self) -> usize {
        self.lost.lock().len()
    }

    /// Returns what to tell whoever asks for samples in `range`, when not all can be there.
    pub(crate) fn warnings(&self, range: TimeRange) -> Vec<String> {
        let unreadable = self.unreadable();
        let mut warnings: Vec<_> = unreadable
            .iter()
            .filter_map(|block| block.warning(range))
            .collect();
        let lost = self.lost.lock();
        let number = lost.iter().filter(|lost| lost.overlaps(range)).count();
        if number > 0 {
            warnings.push(format!(
                "the head was damaged: {number} chunks of it are lost"
            ));
        }
        warnings
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

    /// Links every block into `directory`, durably but for their own names there.
    pub(crate) fn link_all(&self, directory: &Path) -> Result<(), Error> {
        for block in self.snapshot().iter() {
            let name = block.meta().ulid.to_string();
            link_directory(self.vfs.as_ref(), block.directory(), &directory.join(name))?;
        }
        Ok(())
    }

    /// Notes that blocks are about to be made of what can be read now. Whatever is deleted from now on
    /// is deleted from them too when they are published.
    pub(crate) fn begin_making(&self) -> Mark {
        self.deletes.lock().begin()
    }

    /// Marks what the deletion covers as deleted in all blocks, durably, those that are being made
    /// included. Returns the number of series concerned, one of several blocks counted in each. On an
    /// error some blocks may have it and some not.
    pub(crate) fn delete(&self, deletion: &Deletion) -> Result<usize, Error> {
        // Blocks that are listed meanwhile wait, so that every block is met here or by its maker.
        let mut deletes = self.deletes.lock();
        deletes.note(deletion);
        let mut series = 0;
        // Values that lose go first, and none after one that stays: a deletion that ends half way
        // must not let a value be seen that another one hid.
        for block in self.snapshot().iter().rev() {
            series += block.delete_all_of(deletion)?;
        }
        Ok(series)
    }

    /// Opens blocks that were made since `mark` and lists them instead of `replaced`. When it fails,
    /// they are removed.
    pub(crate) fn publish(
        &self,
        mark: Mark,
        written: &[Ulid],
        replaced: &[Ulid],
    ) -> Result<(), Error> {
        self.publish_under(self.deletes.lock(), mark, written, replaced)
    }

    fn publish_under(
        &self,
        mut deletes: MutexGuard<'_, Deletes>,
        mark: Mark,
        written: &[Ulid],
        replaced: &[Ulid],
    ) -> Result<(), Error> {
        let open = |ulid: &Ulid| {
            let directory = self.directory.join(ulid.to_string());
            let block = Block::open(&self.vfs, &directory, &self.cache)?;
            deletes.repeat(&mark, &block)?;
            Ok(Arc::new(block))
        };
        let opened: Result<Vec<_>, Error> = written.iter().map(open).collect();
        deletes.end(mark);
        match opened {
            Ok(opened) => self.change(opened, replaced),
            Err(error) => {
                // Left there, they would stand for what they were made of at the next start.
                self.discard(written);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Notes that nothing comes of what was begun at `mark`.
    pub(crate) fn give_up(&self, mark: Mark) {
        self.deletes.lock().end(mark);
    }

    /// Carries out the most urgent compaction, if there is one, and says whether there was. `stop`
    /// is asked now and then whether to give up. A block that turns out to be damaged is left as it
    /// is, now and later, and the rest is merged without it.
    pub(crate) fn compact(
        &self,
        now_ms: i64,
        retention_ms: Option<i64>,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, Error> {
        while let Some(parents) = plan(&self.snapshot(), now_ms, retention_ms) {
            let replaced: Vec<_> = parents.iter().map(|block| block.meta().ulid).collect();
            let merged = self.merge(parents.clone(), &replaced, new_ulid(now_ms), stop);
            match merged {
                Ok(()) => {
                    drop(parents);
                    self.sweep();
                    return Ok(true);
                }
                Err(error) if note_damaged(&parents, &error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Writes the blocks that have tombstones anew without what is deleted, and returns how many
    /// there were. `stop` as for [`Blocks::compact`]. One at a time, and not beside a compaction. A
    /// damaged block stays as it is; the rest is written anew before the error is returned.
    pub(crate) fn clean(&self, now_ms: i64, stop: &dyn Fn() -> bool) -> Result<usize, Error> {
        let list = self.snapshot();
        let mut marked: Vec<_> = list.iter().cloned().collect();
        drop(list);
        marked.retain(|block| block.has_tombstones());
        let count = marked.len();
        let mut damaged = None;
        for block in marked {
            let replaced = [block.meta().ulid];
            let merged = self.merge(vec![Arc::clone(&block)], &replaced, new_ulid(now_ms), stop);
            match merged {
                Ok(()) => drop(block),
                Err(error) if note_damaged(&[block], &error) => damaged = Some(error),
                Err(error) => return Err(error),
            }
            self.sweep();
        }
        damaged.map_or(Ok(count), Err)
    }

    fn merge(
        &self,
        parents: Vec<Arc<Block>>,
        replaced: &[Ulid],
        ulid: Ulid,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let mark = self.begin_making();
        let mut held = None;
        // Before the block appears, so that no crash brings back what was deleted meanwhile; and no
        // delete comes between this and the new list.
        let mut last = |directory: &Path| {
            let deletes = self.deletes.lock();
            if deletes.any_since(&mark) {
                deletes.repeat(&mark, &Block::open(&self.vfs, directory, &self.cache)?)?;
            }
            held = Some(deletes);
            Ok(())
        };
        let merged = compact_with(&self.vfs, &self.directory, &parents, ulid, stop, &mut last);
        let mut deletes = held.unwrap_or_else(|| self.deletes.lock());
        match merged {
            Ok(merged) => {
                drop(parents);
                let written: &[Ulid] = if merged.is_some() { &[ulid] } else { &[] };
                self.publish_under(deletes, mark, written, replaced)
            }
            Err(error) => {
                deletes.end(mark);
                // It may be there all the same, when only making its name durable has failed.
                self.discard(&[ulid]);
                Err(error)
            }
        }
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
            if self.vfs.exists(&directory).unwrap_or(true)
                && let Err(error) = self.remove(*ulid)
            {
                tracing::warn!(block = %ulid, %error, "cannot remove a block that was not published");
            }
        }
    }

    /// Removes a block's directory; after a crash it is either whole or recognised as unfinished. May
    /// be called again after a failure.
    fn remove(&self, ulid: Ulid) -> Result<(), Error> {
        let failed = |path| obsq_wal::Error::io("remove", path);
        let directory = self.directory.join(ulid.to_string());
        let unfinished = self.directory.join(format!("{ulid}.tmp"));
        if self.vfs.exists(&directory).map_err(failed(&directory))? {
            let renamed = self.vfs.rename(&directory, &unfinished);
            renamed.map_err(failed(&directory))?;
        }
        // Before anything in it goes: a power cut must not bring the name back without the content.
        let synced = self.vfs.sync_dir(&self.directory);
        synced.map_err(failed(&self.directory))?;
        let removed = self.vfs.remove_dir_all(&unfinished);
        Ok(removed.map_err(failed(&unfinished))?)
    }
}

/// Marks the block as damaged in which `error` says that something is not what its format says, and
/// says whether there is one.
fn note_damaged(blocks: &[Arc<Block>], error: &Error) -> bool {
    let Error::Corrupt { path, .. } = error else {
        return false;
    };
    let named = blocks
        .iter()
        .find(|block| path.starts_with(block.directory()));
    named.inspect(|block| block.note_damage(error)).is_some()
}

/// Makes the directory `to` with links to all files in `from` and the directories below it.
pub(crate) fn link_directory(vfs: &dyn Vfs, from: &Path, to: &Path) -> Result<(), Error> {
    let failed = || obsq_wal::Error::io("link", from);
    vfs.create_dir(to).map_err(failed())?;
    for name in vfs.list(from).map_err(failed())? {
        let (source, target) = (from.join(&name), to.join(&name));
        if name == CHUNKS_DIRECTORY {
            link_directory(vfs, &source, &target)?;
        } else if Path::new(&name).extension().is_none_or(|end| end != "tmp") {
            vfs.link(&source, &target).map_err(failed())?;
        }
    }
    vfs.sync_dir(to).map_err(failed())?;
    Ok(())
}

/// Returns a new name for a block that is made at `now_ms`.
pub fn new_ulid(now_ms: i64) -> Ulid {
    use std::hash::{BuildHasher as _, RandomState};
    #[cfg(test)]
    if let Some(random) = names::next_ulid() {
        return Ulid::from_parts(now_ms.max(0) as u64, random);
    }
    let random = || u128::from(RandomState::new().hash_one(now_ms));
    Ulid::from_parts(now_ms.max(0) as u64, random() << 64 | random())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::Ordering;

    use obsq_model::Matcher;

    use super::*;
    use crate::block::tests::{Model, disk, floats, labels, read_all, spec, write};
    use obsq_wal::{FaultVfs, Faults};

    const LATER_MS: i64 = 1 << 50;

    fn model(from: i64) -> Model {
        let series = |name: &str| labels(&[("__name__", name)]);
        [
            (series("a"), floats(from..from + 100, 10)),
            (series("b"), floats(from..from + 100, 10)),
        ]
        .into()
    }

    fn blocks(vfs: Arc<dyn Vfs>, folder: &Path) -> Blocks {
        let blocks = Blocks::new(vfs, folder.to_owned(), Arc::new(BlockCache::new(1 << 20)));
        blocks.open_all().unwrap();
        blocks
    }

    fn read(blocks: &Blocks) -> Model {
        let blocks = blocks.snapshot();
        assert_eq!(blocks.len(), 1);
        read_all(&blocks[0], &[], TimeRange::ALL)
    }

    #[test]
    fn a_delete_that_meets_a_compaction_is_in_the_new_block() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &model(0), spec(1));
        write(folder.path(), &model(50), spec(2));
        let blocks = blocks(disk(), folder.path());
        let deletion = Deletion {
            selectors: vec![vec![Matcher::equal("__name__", "a")]],
            range: TimeRange::ALL,
        };
        let calls = Cell::new(0);
        let delete_at_the_second_series = || {
            calls.set(calls.get() + 1);
            if calls.get() == 2 {
                assert_eq!(blocks.delete(&deletion).unwrap(), 2);
            }
            false
        };
        let compacted = blocks.compact(LATER_MS, None, &delete_at_the_second_series);
        assert!(compacted.unwrap());
        let names = |model: &Model| model.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&read(&blocks)), [labels(&[("__name__", "b")])]);
        drop(blocks);
        let again = self::blocks(disk(), folder.path());
        assert_eq!(names(&read(&again)), [labels(&[("__name__", "b")])]);
    }

    fn flip(folder: &Path, number: u128, at: usize) {
        let segment = folder.join(Ulid(number).to_string()).join("chunks/000001");
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
    }

    fn sources(blocks: &Blocks) -> Vec<Vec<Ulid>> {
        let blocks = blocks.snapshot();
        let metas = blocks.iter().map(|block| block.meta());
        metas.map(|meta| meta.compaction.sources.clone()).collect()
    }

    #[test]
    fn a_damaged_block_is_left_as_it_is_and_the_rest_is_compacted() {
        let folder = tempfile::tempdir().unwrap();
        // Two pairs that overlap, and one block of the first is damaged.
        for (number, from) in [(1, 0), (2, 50), (3, 10_000), (4, 10_050)] {
            write(folder.path(), &model(from), spec(number));
        }
        let blocks = blocks(disk(), folder.path());
        flip(folder.path(), 2, 30);
        let mut compactions = 0;
        while blocks.compact(LATER_MS, None, &|| false).unwrap() {
            compactions += 1;
            assert!(compactions < 9);
        }
        let sources = sources(&blocks);
        assert!(sources.contains(&vec![Ulid(2)]), "{sources:?}");
        let merged = sources.iter().any(|of| of.ends_with(&[Ulid(3), Ulid(4)]));
        assert!(merged, "{sources:?}");
        let damaged = blocks.snapshot();
        let damaged = damaged.iter().filter(|block| block.is_damaged());
        assert_eq!(damaged.count(), 1);
    }

    #[test]
    fn a_merge_around_a_damaged_block_leaves_the_order_in_which_values_win() {
        let folder = tempfile::tempdir().unwrap();
        for (number, from, first_seq) in [(1, 0, 1), (2, 0, 2), (3, 50, 3)] {
            let spec = BlockSpec {
                first_seq,
                ..spec(number)
            };
            write(folder.path(), &model(from), spec);
        }
        let blocks = blocks(disk(), folder.path());
        flip(folder.path(), 2, 30);
        assert!(!blocks.compact(LATER_MS, None, &|| false).unwrap());
        // The third would have come before the second.
        assert_eq!(sources(&blocks), [1, 2, 3].map(|number| vec![Ulid(number)]));
    }

    #[test]
    fn a_merged_block_that_cannot_be_published_leaves_its_parents_alone() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &model(0), spec(1));
        write(folder.path(), &model(50), spec(2));
        let faults = Arc::new(Faults::default());
        let blocks = blocks(Arc::new(FaultVfs::new(Arc::clone(&faults))), folder.path());
        // Tombstones, meta, the block itself.
        faults.failing_rename.store(3, Ordering::SeqCst);
        blocks.compact(LATER_MS, None, &|| false).unwrap_err();
        assert_eq!(blocks.snapshot().len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(blocks.compact(LATER_MS, None, &|| false).unwrap());
        assert_eq!(read(&blocks).len(), 2);
    }
}

#[cfg(test)]
pub(crate) mod names {
    use std::cell::Cell;

    thread_local! {
        /// Counts the names given on this thread, for tests that shall do the same every time.
        static NAMES: Cell<Option<u128>> = const { Cell::new(None) };
    }

    /// Lets the names given on this thread count on from `from`, or be random again, and returns
    /// where they were.
    pub(crate) fn count_ulids(from: Option<u128>) -> Option<u128> {
        NAMES.replace(from)
    }

    pub(super) fn next_ulid() -> Option<u128> {
        let next = NAMES.get()? + 1;
        NAMES.set(Some(next));
        Some(next)
    }
}
