//! Writing a block.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_encoding::EncodedChunk;
use obsq_model::Labels;
use obsq_wal::Vfs;
use ulid::Ulid;

use super::index::IndexWriter;
use super::meta::{BlockMeta, BlockStats, Compaction, META_FILE};
use super::segments::{ChunkRef, SegmentWriter};
use super::tombstones::{Tombstones, write_file};
use crate::Error;

/// What a new block is called and where it comes from.
///
/// By default the range is that of the samples.
#[derive(Debug, Clone)]
pub struct BlockSpec {
    /// Its name; must be new.
    pub ulid: Ulid,
    /// Start of its range, inclusive; the samples' own start if that is earlier.
    pub min_time_ms: i64,
    /// End of its range, exclusive; behind the last sample if that is later.
    pub max_time_ms: i64,
    /// Its ancestry. With no sources the block is its own source, of level 1.
    pub compaction: Compaction,
    /// Labels that belong to every series without being stored with it.
    pub external_labels: BTreeMap<String, String>,
    /// See [`super::ObsqMeta::first_seq`].
    pub first_seq: u64,
    /// See [`super::ObsqMeta::writer_nonce`].
    pub writer_nonce: String,
}

impl Default for BlockSpec {
    fn default() -> Self {
        Self {
            ulid: Ulid::nil(),
            min_time_ms: i64::MAX,
            max_time_ms: i64::MIN,
            compaction: Compaction::default(),
            external_labels: BTreeMap::new(),
            first_seq: 0,
            writer_nonce: String::new(),
        }
    }
}

/// Writes a block, series by series.
///
/// Everything goes to `<ulid>.tmp` in the parent directory; [`BlockWriter::finish`] makes it
/// durable and gives it its name. What is dropped without that is removed as far as possible, and
/// `*.tmp` is removed at start anyway.
#[derive(Debug)]
pub struct BlockWriter {
    vfs: Arc<dyn Vfs>,
    parent: PathBuf,
    temporary: PathBuf,
    spec: BlockSpec,
    segments: SegmentWriter,
    index: IndexWriter,
    stats: BlockStats,
    last: Option<Labels>,
    range: Option<(i64, i64)>,
    guard: RemoveOnDrop,
}

/// Removes a directory unless told that it is finished.
#[derive(Debug)]
struct RemoveOnDrop {
    vfs: Arc<dyn Vfs>,
    directory: Option<PathBuf>,
}

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory
            && let Err(error) = self.vfs.remove_dir_all(directory)
        {
            tracing::warn!(directory = %directory.display(), %error, "cannot remove unfinished block");
        }
    }
}

impl BlockWriter {
    /// Starts a block in `parent`, which must exist.
    pub fn create(vfs: &Arc<dyn Vfs>, parent: &Path, mut spec: BlockSpec) -> Result<Self, Error> {
        if spec.compaction.sources.is_empty() {
            spec.compaction.sources.push(spec.ulid);
            spec.compaction.level = spec.compaction.level.max(1);
        }
        let temporary = parent.join(format!("{}.tmp", spec.ulid));
        vfs.create_dir(&temporary)
            .map_err(obsq_wal::Error::io("create", &temporary))?;
        let guard = RemoveOnDrop {
            vfs: Arc::clone(vfs),
            directory: Some(temporary.clone()),
        };
        Ok(Self {
            segments: SegmentWriter::create(vfs, &temporary)?,
            index: IndexWriter::create(vfs, &temporary)?,
            vfs: Arc::clone(vfs),
            parent: parent.to_owned(),
            temporary,
            spec,
            stats: BlockStats::default(),
            last: None,
            range: None,
            guard,
        })
    }

    /// Adds a series with its chunks, which must not overlap and be in order of time. Series come in
    /// order of their labels, each once. A series without chunks is left out.
    pub fn add_series(&mut self, labels: &Labels, chunks: &[EncodedChunk]) -> Result<(), Error> {
        self.check_order(labels, chunks)?;
        let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else {
            return Ok(());
        };
        let mut references = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            references.push(ChunkRef {
                min_ts_ms: chunk.min_ts_ms,
                max_ts_ms: chunk.max_ts_ms,
                reference: self.segments.push(chunk)?,
            });
            let samples = u64::from(chunk.samples);
            self.stats.num_samples += samples;
            if chunk.encoding.is_histogram() {
                self.stats.num_histogram_samples += samples;
            } else {
                self.stats.num_float_samples += samples;
            }
        }
        self.index.add(labels, &references)?;
        self.stats.num_chunks += chunks.len() as u64;
        self.stats.num_series += 1;
        let (min, max) = self.range.unwrap_or((i64::MAX, i64::MIN));
        self.range = Some((min.min(first.min_ts_ms), max.max(last.max_ts_ms)));
        self.last = Some(labels.clone());
        Ok(())
    }

    fn check_order(&self, labels: &Labels, chunks: &[EncodedChunk]) -> Result<(), Error> {
        if let Some(previous) = &self.last
            && previous >= labels
        {
            return Err(Error::SeriesOrder {
                labels: labels.clone(),
                previous: previous.clone(),
            });
        }
        let mut end: Option<i64> = None;
        for chunk in chunks {
            if end.is_some_and(|end| end >= chunk.min_ts_ms) || chunk.min_ts_ms > chunk.max_ts_ms {
                return Err(Error::ChunkOrder {
                    labels: labels.clone(),
                    min_ts_ms: chunk.min_ts_ms,
                });
            }
            end = Some(chunk.max_ts_ms);
        }
        Ok(())
    }

    /// Says whether no series was added.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Ends the block and returns its meta. When this returns, the block is in the parent directory
    /// for good. When it fails, the block is not there, unless only the last step failed: making its
    /// name durable.
    pub fn finish(self) -> Result<BlockMeta, Error> {
        self.finish_with(&mut |_directory| Ok(()))
    }

    /// Like [`BlockWriter::finish`], but calls `last` with the directory of the complete block right
    /// before it gets its name, so that what must be in the block when it appears can be added.
    pub(crate) fn finish_with(
        self,
        last: &mut dyn FnMut(&Path) -> Result<(), Error>,
    ) -> Result<BlockMeta, Error> {
        let Self {
            vfs,
            parent,
            temporary,
            spec,
            segments,
            index,
            stats,
            range,
            mut guard,
            ..
        } = self;
        let mut files = segments.finish()?;
        files.push(index.finish()?);
        Tombstones::default().write(vfs.as_ref(), &temporary)?;
        let (thanos, obsq) = BlockMeta::new_sections(
            spec.external_labels,
            files,
            spec.first_seq,
            spec.writer_nonce,
        );
        let (min, max) = range.unwrap_or((0, 0));
        let meta = BlockMeta {
            ulid: spec.ulid,
            min_time: spec.min_time_ms.min(min),
            max_time: spec.max_time_ms.max(max.saturating_add(1)),
            stats,
            compaction: spec.compaction,
            version: BlockMeta::VERSION,
            thanos: Some(thanos),
            obsq: Some(obsq),
        };
        write_file(vfs.as_ref(), &temporary, META_FILE, &meta.to_json())?;
        last(&temporary)?;
        let path = parent.join(spec.ulid.to_string());
        vfs.rename(&temporary, &path)
            .map_err(obsq_wal::Error::io("rename", &temporary))?;
        guard.directory = None;
        vfs.sync_dir(&parent)
            .map_err(obsq_wal::Error::io("sync", &parent))?;
        Ok(meta)
    }

    #[cfg(test)]
    pub(super) fn set_max_segment_bytes(&mut self, bytes: u64) {
        self.segments.set_max_segment_bytes(bytes);
    }
}
