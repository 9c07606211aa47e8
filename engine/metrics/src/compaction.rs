//! Making few large blocks of many small ones.
//!
//! [`plan_compaction`] says which blocks to merge next, from their metas alone; [`compact`] merges
//! them. A crash may leave the new block beside the old ones: [`superseded_blocks`] names those to
//! leave out.
//!
//! Blocks of the same time are merged sample by sample. Of two values for a series and a time that of
//! the block with the lower `first_seq` stays. Deleted samples are left out for good.

mod cursor;
mod merge;
mod plan;

pub use plan::{CompactionPlan, plan_compaction, superseded_blocks};

use std::path::Path;
use std::sync::Arc;

use obsq_encoding::EncodedChunk;
use obsq_model::{Labels, TimeRange};
use obsq_wal::Vfs;
use ulid::Ulid;

use crate::Error;
use crate::block::{Block, BlockMeta, BlockSeries, BlockSpec, BlockWriter, Compaction};
use cursor::SeriesCursor;
use merge::merge_chunks;

/// Merges blocks into one block in `parent` and returns its meta; `None` when all samples are deleted,
/// so that there is no new block. In both cases the caller then removes `blocks`.
///
/// In memory are, per block, 4 bytes for each series and the chunks of the series in work, and what
/// [`BlockWriter`] holds. `stop` is asked once per series; when it says yes the result is
/// [`Error::Stopped`] and nothing is left behind.
///
/// A [`Block::delete`] from one of `blocks` while this runs may miss the new block: the caller repeats it
/// there before it publishes the block.
pub fn compact(
    vfs: &Arc<dyn Vfs>,
    parent: &Path,
    blocks: &[Arc<Block>],
    ulid: Ulid,
    stop: &dyn Fn() -> bool,
) -> Result<Option<BlockMeta>, Error> {
    compact_with(vfs, parent, blocks, ulid, stop, &mut |_directory| Ok(()))
}

/// Like [`compact`], but calls `last` with the directory of the new block right before the block
/// appears under its name; not when there is no new block.
pub(crate) fn compact_with(
    vfs: &Arc<dyn Vfs>,
    parent: &Path,
    blocks: &[Arc<Block>],
    ulid: Ulid,
    stop: &dyn Fn() -> bool,
    last: &mut dyn FnMut(&Path) -> Result<(), Error>,
) -> Result<Option<BlockMeta>, Error> {
    // The one whose values stay comes first.
    let mut ranked: Vec<&Block> = blocks.iter().map(AsRef::as_ref).collect();
    ranked.sort_by_key(|block| (block.meta().first_seq(), block.meta().ulid));
    let mut writer = BlockWriter::create(vfs, parent, spec_of(&ranked, ulid))?;
    let mut cursors = Vec::with_capacity(ranked.len());
    for block in &ranked {
        cursors.push(SeriesCursor::start(block)?);
    }
    while let Some(labels) = lowest(&cursors) {
        if stop() {
            return Err(Error::Stopped);
        }
        let (mut sources, mut read) = (Vec::<Vec<EncodedChunk>>::new(), Vec::new());
        for (cursor, block) in cursors.iter_mut().zip(&ranked) {
            if let Some(series) = cursor.take(&labels)? {
                sources.push(block.read_chunks(&series, TimeRange::ALL)?);
                read.push((*block, series));
            }
        }
        let chunks = merge_chunks(sources)
            .map_err(|source| named(&read).unwrap_or_else(|| Error::corrupt(parent, 0)(source)))?;
        writer.add_series(&labels, &chunks)?;
    }
    if writer.is_empty() {
        return Ok(None);
    }
    writer.finish_with(last).map(Some)
}

/// Returns the error that names the block whose samples of a series cannot be decoded.
fn named(read: &[(&Block, BlockSeries)]) -> Option<Error> {
    read.iter().find_map(|(block, series)| {
        let mut samples = Vec::new();
        block.read_exact(series, TimeRange::ALL, &mut samples).err()
    })
}

/// Returns the labels of the next series of all blocks.
fn lowest(cursors: &[SeriesCursor<'_>]) -> Option<Labels> {
    cursors
        .iter()
        .filter_map(SeriesCursor::labels)
        .min()
        .cloned()
}

fn spec_of(ranked: &[&Block], ulid: Ulid) -> BlockSpec {
    let metas = || ranked.iter().map(|block| block.meta());
    let level = metas().map(|meta| meta.compaction.level).max().unwrap_or(0);
    let mut sources: Vec<Ulid> = metas()
        .flat_map(|meta| match meta.compaction.sources.as_slice() {
            [] => vec![meta.ulid],
            sources => sources.to_vec(),
        })
        .collect();
    sources.sort_unstable();
    sources.dedup();
    let mut parents: Vec<_> = metas().map(BlockMeta::desc).collect();
    parents.sort_unstable_by_key(|parent| (parent.min_time, parent.ulid));
    let labels = metas().find_map(|meta| Some(meta.thanos.as_ref()?.labels.clone()));
    BlockSpec {
        ulid,
        min_time_ms: metas().map(|meta| meta.min_time).min().unwrap_or(0),
        max_time_ms: metas().map(|meta| meta.max_time).max().unwrap_or(0),
        compaction: Compaction {
            level: level + 1,
            sources,
            parents,
            ..Compaction::default()
        },
        external_labels: labels.unwrap_or_default(),
        first_seq: metas().map(BlockMeta::first_seq).min().unwrap_or(0),
        writer_nonce: String::new(),
    }
}

#[cfg(test)]
mod tests;
