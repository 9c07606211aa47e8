//! Reading a block.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use obsq_encoding::{EncodedChunk, Encoding, decode, decode_samples, encode_chunks, sample_count};
use obsq_model::{Labels, Matcher, Sample, SampleColumns, TimeRange};
use obsq_wal::Vfs;
use parking_lot::Mutex;

use super::cache::{BlockCache, OpenFiles};
use super::chunk_list::ChunkList;
use super::columns::remove_deleted;
use super::file::ReadFile;
use super::index::{INDEX_FILE, IndexReader, SeriesEntry, Window};
use super::meta::BlockMeta;
use super::segments::{ChunkRef, ChunkVisitor, SegmentReader};
use super::select::select_ids;
use super::series_page::{SeriesPage, page_of};
use super::tombstones::Tombstones;
use crate::Error;
use crate::deletion::Deletion;
use crate::selected::forget_resets;

/// A block on disk, open for reading.
///
/// Files and index tables are opened when they are needed, through a [`BlockCache`]. All reads are
/// positioned reads; nothing is mapped. The block may be read from many threads.
#[derive(Debug)]
pub struct Block {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    meta: BlockMeta,
    size_bytes: u64,
    tombstones: ArcSwap<Tombstones>,
    /// Whether damage was found in it.
    damaged: AtomicBool,
    /// Held while tombstones change.
    deleting: Mutex<()>,
    cache: Arc<BlockCache>,
    number: u64,
}

/// A series of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSeries {
    /// Its labels.
    pub labels: Labels,
    /// Its id in the block.
    pub id: u32,
    /// Its chunks that overlap the range asked for and are not wholly deleted, in order of time.
    pub chunks: ChunkList,
    /// Deleted times, sorted and apart; chunks may hold samples there, reads leave them out.
    pub deleted: Vec<TimeRange>,
}

impl Block {
    /// Opens the block in `directory`: reads meta and tombstones, and checks that index and
    /// segments begin and end as they should. Other damage is found when it is read.
    pub fn open(
        vfs: &Arc<dyn Vfs>,
        directory: &Path,
        cache: &Arc<BlockCache>,
    ) -> Result<Self, Error> {
        let meta = BlockMeta::read(vfs.as_ref(), directory)?;
        let tombstones = Tombstones::read(vfs.as_ref(), directory)?;
        let index = ReadFile::open(vfs.as_ref(), directory.join(INDEX_FILE))?;
        IndexReader::check(&index)?;
        let segments = SegmentReader::open(vfs.as_ref(), directory)?;
        Ok(Self {
            vfs: Arc::clone(vfs),
            directory: directory.to_owned(),
            size_bytes: index.size() + segments.size_bytes(),
            meta,
            tombstones: ArcSwap::from_pointee(tombstones),
            damaged: AtomicBool::new(false),
            deleting: Mutex::new(()),
            number: cache.number_block(),
            cache: Arc::clone(cache),
        })
    }

    /// Returns what `meta.json` says.
    pub fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// Returns where the block lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the length of index and segments.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the times that the block may hold samples for.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.meta.min_time, self.meta.max_time.saturating_sub(1))
    }

    /// Notes that damage was found; the first is logged.
    pub(crate) fn note_damage(&self, error: &dyn Display) {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            let block = self.meta.ulid;
            tracing::error!(%block, %error, "a block is damaged, what cannot be read of it is lost");
        }
    }

    /// Says whether damage was found since it was opened. Such a block is not merged with others.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Says whether samples were deleted that are still in the chunks.
    pub fn has_tombstones(&self) -> bool {
        !self.tombstones.load().is_empty()
    }

    /// Returns the series that fulfil all matchers and have chunks in `range`, sorted by labels.
    pub fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<BlockSeries>, Error> {
        let mut found = Vec::new();
        self.visit_series(matchers, range, &mut |series| {
            found.push(series);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Calls `visit` with the series that [`Block::select`] returns, one by one, until it breaks.
    pub fn visit_series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        visit: &mut dyn FnMut(BlockSeries) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if !range.overlaps(self.range()) {
            return Ok(());
        }
        let view = self.view()?;
        let tombstones = self.tombstones.load_full();
        let ids = select_ids(&view, matchers)?;
        let mut window = Window::default();
        for ids in ids.chunk_by(|a, b| page_of(*a) == page_of(*b)) {
            let page = view.series(ids, &mut window)?;
            for entry in page.of(ids) {
                let chunks = entry.chunks.within(range);
                if let Some(series) = without_deleted(entry, chunks, &tombstones)
                    && visit(series).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns the ids of all series, in order of their labels.
    pub(crate) fn series_ids(&self) -> Result<Arc<[u32]>, Error> {
        self.view()?.all_series()
    }

    /// Returns the series with these ids, which rise; those of which nothing is left are missing.
    pub(crate) fn series_of(&self, ids: &[u32]) -> Result<Vec<BlockSeries>, Error> {
        let tombstones = self.tombstones.load();
        let entries = self.files()?.index.series(ids, &mut Window::default())?;
        let left = entries
            .iter()
            .filter_map(|entry| without_deleted(entry, entry.chunks.clone(), &tombstones));
        Ok(left.collect())
    }

    /// Appends the samples of `series` in `range` to `columns`.
    ///
    /// Those already there must be earlier, or the caller sorts.
    pub fn read(
        &self,
        series: &BlockSeries,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) -> Result<(), Error> {
        let before = (columns.float_ts.len(), columns.histogram_ts.len());
        self.visit_chunks(series, range, &mut |chunk, encoding, bytes| {
            let (floats, histograms) = (columns.float_ts.len(), columns.histogram_ts.len());
            decode(encoding, bytes, range, columns)?;
            for times in [
                &columns.float_ts[floats..],
                &columns.histogram_ts[histograms..],
            ] {
                chunk.check_times(times.first().copied(), times.last().copied())?;
            }
            Ok(())
        })?;
        remove_deleted(columns, before, &series.deleted);
        Ok(())
    }

    /// Appends the samples of `series` in `range` to `samples`, integer histograms as integers.
    pub fn read_exact(
        &self,
        series: &BlockSeries,
        range: TimeRange,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        self.visit_chunks(series, range, &mut |chunk, encoding, bytes| {
            let mut decoded = decode_samples(encoding, bytes)?;
            let time = |sample: &Sample| sample.ts_ms;
            chunk.check_times(decoded.first().map(time), decoded.last().map(time))?;
            take_deleted(&mut decoded, &series.deleted);
            let decoded = decoded.into_iter();
            samples.extend(decoded.filter(|sample| range.contains(sample.ts_ms)));
            Ok(())
        })
    }

    /// Returns the chunks of `series` that overlap `range`. They may hold samples outside of it, but
    /// none that are deleted: chunks that do are encoded anew.
    pub fn read_chunks(
        &self,
        series: &BlockSeries,
        range: TimeRange,
    ) -> Result<Vec<EncodedChunk>, Error> {
        let mut chunks = Vec::new();
        let mut previous_end = None;
        self.visit_chunks(series, range, &mut |place, encoding, bytes| {
            let gap = TimeRange::new(previous_end.unwrap_or(i64::MIN), place.min_ts_ms);
            previous_end = Some(place.max_ts_ms);
            let whole = TimeRange::new(place.min_ts_ms, place.max_ts_ms);
            if series.deleted.iter().any(|deleted| deleted.overlaps(whole)) {
                let mut samples = decode_samples(encoding, bytes)?;
                take_deleted(&mut samples, &series.deleted);
                chunks.extend(encode_chunks(&samples));
            } else {
                let mut chunk = EncodedChunk {
                    encoding,
                    min_ts_ms: place.min_ts_ms,
                    max_ts_ms: place.max_ts_ms,
                    samples: sample_count(encoding, bytes)?,
                    bytes: bytes.to_vec(),
                };
                if series.deleted.iter().any(|deleted| deleted.overlaps(gap)) {
                    chunk.forget_reset();
                }
                chunks.push(chunk);
            }
            Ok(())
        })?;
        Ok(chunks)
    }

    /// Calls `visit` with place, encoding and data of each chunk of `series` that overlaps `range`,
    /// in order. CRCs are checked; chunks that lie side by side are read in one piece.
    pub fn visit_chunks(
        &self,
        series: &BlockSeries,
        range: TimeRange,
        visit: &mut ChunkVisitor<'_>,
    ) -> Result<(), Error> {
        let overlaps =
            |chunk: &ChunkRef| range.overlaps(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms));
        let first = series.chunks.iter().position(overlaps).unwrap_or(0);
        let chunks = &series.chunks[first..];
        let number = chunks.iter().take_while(|chunk| overlaps(chunk)).count();
        self.files()?.segments.read(&chunks[..number], visit)
    }

    /// Returns the names of the labels of the series that fulfil all matchers and have chunks in
    /// `range`, sorted. Without matchers all names of the block.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        if matchers.is_empty() {
            return Ok(self.files()?.index.label_names());
        }
        let mut names = BTreeSet::new();
        self.visit_series(matchers, range, &mut |series| {
            for label in &series.labels {
                if !names.contains(label.name) {
                    names.insert(label.name.to_owned());
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(names.into_iter().collect())
    }

    /// Returns the values of label `name` of the series that fulfil all matchers and have chunks in
    /// `range`, sorted. Without matchers all values in the block.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, Error> {
        let mut values = BTreeSet::new();
        if matchers.is_empty() {
            self.files()?
                .index
                .visit_values(name, "", &mut |value, _| {
                    if !value.is_empty() {
                        values.insert(value.to_owned());
                    }
                    ControlFlow::Continue(())
                })?;
        } else {
            self.visit_series(matchers, range, &mut |series| {
                if let Some(value) = series.labels.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(values.into_iter().collect())
    }

    /// Marks the samples in `range` of all series that fulfil the matchers as deleted, durably.
    /// Returns the number of series concerned.
    pub fn delete(&self, matchers: &[Matcher], range: TimeRange) -> Result<usize, Error> {
        self.delete_any([matchers], range)
    }

    /// Marks what a deletion covers. Like [`Block::delete`] else.
    pub(crate) fn delete_all_of(&self, deletion: &Deletion) -> Result<usize, Error> {
        let selectors = deletion.selectors.iter().map(Vec::as_slice);
        self.delete_any(selectors, deletion.range)
    }

    fn delete_any<'a>(
        &self,
        selectors: impl IntoIterator<Item = &'a [Matcher]>,
        range: TimeRange,
    ) -> Result<usize, Error> {
        let _one_at_a_time = self.deleting.lock();
        let mut series = Vec::new();
        for matchers in selectors {
            series.extend(self.select(matchers, range)?);
        }
        if series.is_empty() {
            return Ok(0);
        }
        let mut tombstones = Tombstones::clone(&self.tombstones.load());
        let mut concerned = BTreeSet::new();
        for series in &series {
            let first = series.chunks.first().map(|chunk| chunk.min_ts_ms);
            let last = series.chunks.last().map(|chunk| chunk.max_ts_ms);
            if let Some((first, last)) = first.zip(last) {
                let within = TimeRange::new(first.max(range.start_ms), last.min(range.end_ms));
                tombstones.add(series.id, within);
                concerned.insert(series.id);
            }
        }
        tombstones.write(self.vfs.as_ref(), &self.directory)?;
        self.tombstones.store(Arc::new(tombstones));
        Ok(concerned.len())
    }

    /// Calls `visit` with every series of the index, as if nothing was deleted, until it breaks.
    pub(super) fn visit_all_series(
        &self,
        visit: &mut dyn FnMut(BlockSeries) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        const LOT: usize = 256;
        let (files, ids) = (self.files()?, self.series_ids()?);
        let nothing = Tombstones::default();
        for ids in ids.chunks(LOT) {
            for entry in &files.index.series(ids, &mut Window::default())? {
                if let Some(series) = without_deleted(entry, entry.chunks.clone(), &nothing)
                    && visit(series).is_break()
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Checks every section of the index.
    pub(super) fn verify_index(&self) -> Result<(), Error> {
        self.files()?.index.verify()
    }

    /// Returns the ids of series of which something is deleted.
    pub(super) fn deleted_series(&self) -> Vec<u32> {
        self.tombstones.load().series().collect()
    }

    /// Reads everything and checks every CRC. Expensive: for import and for repair.
    pub fn verify(&self) -> Result<(), Error> {
        self.files()?.index.verify()?;
        let mut failed = None;
        self.visit_series(&[], TimeRange::ALL, &mut |series| {
            let result = self.visit_chunks(&series, TimeRange::ALL, &mut |_, encoding, bytes| {
                if encoding == Encoding::Aggr {
                    return Ok(());
                }
                decode_samples(encoding, bytes).map(|_| ())
            });
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn files(&self) -> Result<Arc<OpenFiles>, Error> {
        self.cache.open(self.number, || {
            let index = ReadFile::open(self.vfs.as_ref(), self.directory.join(INDEX_FILE))?;
            Ok(OpenFiles {
                index: IndexReader::open(index)?,
                segments: SegmentReader::open(self.vfs.as_ref(), &self.directory)?,
            })
        })
    }

    fn view(&self) -> Result<BlockView<'_>, Error> {
        Ok(BlockView {
            files: self.files()?,
            cache: &self.cache,
            number: self.number,
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.cache.close(self.number);
    }
}

/// Returns the series with those of its chunks, and what is deleted of it; `None` when nothing is left.
fn without_deleted(
    entry: &SeriesEntry,
    mut chunks: ChunkList,
    tombstones: &Tombstones,
) -> Option<BlockSeries> {
    let deleted = tombstones.get(entry.id);
    let is_left = |chunk: &ChunkRef| {
        !deleted
            .iter()
            .any(|range| range.contains(chunk.min_ts_ms) && range.contains(chunk.max_ts_ms))
    };
    if !deleted.is_empty() && !chunks.iter().all(is_left) {
        let left = chunks.iter().copied().filter(is_left);
        chunks = left.collect::<Vec<_>>().into();
    }
    if chunks.is_empty() {
        return None;
    }
    Some(BlockSeries {
        labels: entry.labels.clone(),
        id: entry.id,
        chunks,
        deleted: deleted.to_vec(),
    })
}

/// Removes the deleted samples of a chunk. Where some were, what is left does not know what lay before
/// it.
fn take_deleted(samples: &mut Vec<Sample>, deleted: &[TimeRange]) {
    let before = samples.len();
    let is_deleted = |ts_ms: i64| deleted.iter().any(|range| range.contains(ts_ms));
    samples.retain(|sample| !is_deleted(sample.ts_ms));
    if samples.len() < before {
        for sample in samples {
            forget_resets(sample);
        }
    }
}

/// A block's index with its cache.
pub(super) struct BlockView<'a> {
    files: Arc<OpenFiles>,
    cache: &'a BlockCache,
    number: u64,
}

impl BlockView<'_> {
    /// Returns the series with this label pair.
    pub(super) fn find(&self, name: &str, value: &str) -> Result<Option<Arc<[u32]>>, Error> {
        match self.files.index.find(name, value)? {
            Some(offset) => self.postings(offset).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn all_series(&self) -> Result<Arc<[u32]>, Error> {
        Ok(self.find("", "")?.unwrap_or_default())
    }

    pub(super) fn visit_values(
        &self,
        name: &str,
        from: &str,
        visit: &mut dyn FnMut(&str, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.files.index.visit_values(name, from, visit)
    }

    pub(super) fn read_all(&self, offsets: &[u64]) -> Result<Vec<Arc<[u32]>>, Error> {
        offsets
            .iter()
            .map(|offset| self.postings(*offset))
            .collect()
    }

    /// Returns a page that has all series of `ids`, which rise and belong to one page.
    fn series(&self, ids: &[u32], window: &mut Window) -> Result<Arc<SeriesPage>, Error> {
        let page = ids.first().map_or(0, |id| page_of(*id));
        let known = self.cache.series(self.number, page);
        let missing = known.missing(ids);
        if missing.is_empty() {
            return Ok(known);
        }
        let more = self.files.index.series(&missing, window)?;
        let known = Arc::new(known.with(more));
        self.cache.keep_series(self.number, page, &known);
        Ok(known)
    }

    fn postings(&self, offset: u64) -> Result<Arc<[u32]>, Error> {
        self.cache
            .postings(self.number, offset, || self.files.index.postings(offset))
    }
}
