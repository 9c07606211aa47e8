//! What open blocks keep in memory, with one limit for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use super::index::IndexReader;
use super::segments::SegmentReader;
use super::series_page::SeriesPage;
use crate::Error;

/// Blocks whose files are open cost at least this, so that their number is limited too.
const MIN_OPEN_BYTES: u64 = 64 << 10;
const TYPICAL_ENTRY_BYTES: u64 = 16 << 10;

/// Index tables, postings and series of blocks, shared by all blocks of the process.
///
/// Holds at most the bytes it was made for. A block that nobody asks costs nothing here: its files
/// are opened at the first question and closed when others need the room.
#[derive(Debug)]
pub struct BlockCache {
    entries: Cache<Key, Entry, Weigher>,
    next_block: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Open { block: u64 },
    Postings { block: u64, offset: u64 },
    Series { block: u64, page: u32 },
}

#[derive(Debug, Clone)]
enum Entry {
    Open(Arc<OpenFiles>),
    Postings(Arc<[u32]>),
    Series(Arc<SeriesPage>),
}

#[derive(Debug, Clone)]
struct Weigher;

impl quick_cache::Weighter<Key, Entry> for Weigher {
    fn weight(&self, _key: &Key, entry: &Entry) -> u64 {
        match entry {
            Entry::Open(open) => MIN_OPEN_BYTES + open.index.size_bytes() as u64,
            Entry::Postings(ids) => 64 + size_of_val(&**ids) as u64,
            Entry::Series(page) => 64 + page.size_bytes() as u64,
        }
    }
}

/// The open files of a block, and of its index what is kept in memory.
#[derive(Debug)]
pub(super) struct OpenFiles {
    pub(super) index: IndexReader,
    pub(super) segments: SegmentReader,
}

impl BlockCache {
    /// Returns a cache of at most `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Self {
        let typical = usize::try_from(limit_bytes / TYPICAL_ENTRY_BYTES).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with_weighter(typical.clamp(16, 1 << 16), limit_bytes, Weigher),
            next_block: AtomicU64::new(0),
        }
    }

    /// Returns the bytes that the cache holds at present.
    pub fn size_bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// Returns a number that no other block of this cache has.
    pub(super) fn number_block(&self) -> u64 {
        self.next_block.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn open(
        &self,
        block: u64,
        open: impl FnOnce() -> Result<OpenFiles, Error>,
    ) -> Result<Arc<OpenFiles>, Error> {
        let key = Key::Open { block };
        if let Some(Entry::Open(files)) = self.entries.get(&key) {
            return Ok(files);
        }
        let files = Arc::new(open()?);
        self.entries.insert(key, Entry::Open(Arc::clone(&files)));
        Ok(files)
    }

    pub(super) fn postings(
        &self,
        block: u64,
        offset: u64,
        read: impl FnOnce() -> Result<Arc<[u32]>, Error>,
    ) -> Result<Arc<[u32]>, Error> {
        let key = Key::Postings { block, offset };
        if let Some(Entry::Postings(ids)) = self.entries.get(&key) {
            return Ok(ids);
        }
        let ids = read()?;
        self.entries.insert(key, Entry::Postings(Arc::clone(&ids)));
        Ok(ids)
    }

    /// Returns the series of a page that are known.
    pub(super) fn series(&self, block: u64, page: u32) -> Arc<SeriesPage> {
        match self.entries.get(&Key::Series { block, page }) {
            Some(Entry::Series(known)) => known,
            _ => Arc::default(),
        }
    }

    /// Keeps the series of a page that are known by now.
    pub(super) fn keep_series(&self, block: u64, page: u32, known: &Arc<SeriesPage>) {
        let key = Key::Series { block, page };
        self.entries.insert(key, Entry::Series(Arc::clone(known)));
    }

    /// Closes the block's files. Its postings and series go when others need the room.
    pub(super) fn close(&self, block: u64) {
        self.entries.remove(&Key::Open { block });
    }
}
