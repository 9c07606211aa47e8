//! From the head into blocks.
//!
//! A seal takes everything before a time: all samples in order, all late samples of windows that
//! were not sealed before, and, when they are due, all other late ones. From the moment it begins,
//! what arrives for that time is late and belongs to a later seal; so whatever one block holds was
//! acknowledged before anything for the same time in a block sealed later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use obsq_encoding::{EncodedChunk, encode_chunks};
use obsq_model::TimeRange;
use obsq_source::Error;
use ulid::Ulid;

use super::read::copy_chunks;
use super::{Head, HeadChunk, Series, WINDOW_MS};
use crate::block::BlockSpec;
use crate::blocks::{Blocks, new_ulid};
use crate::ranges::{MAX_SEALED_BLOCKS, Partition};
use crate::selected::{Rank, SelectedChunk, Source, merge};

/// What a seal takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealRequest {
    /// Everything in order before this time.
    pub(crate) until_ms: i64,
    /// Whether late samples of windows sealed before are due.
    pub(crate) late: bool,
    pub(crate) now_ms: i64,
    pub(crate) retention_ms: Option<i64>,
}

/// A series with what is sealed of it.
#[derive(Debug)]
struct SealedSeries {
    series: Arc<Series>,
    chunks: Vec<SelectedChunk>,
}

impl Head {
    /// Writes what the request asks for into blocks, publishes them and forgets it. `last_seq`
    /// returns the number of the last log record; it is asked after the seal has begun. Returns
    /// the number of blocks. On an error the head holds what it held before.
    pub(crate) fn seal(
        &self,
        request: SealRequest,
        blocks: &Blocks,
        last_seq: impl Fn() -> u64,
    ) -> Result<usize, Error> {
        let _one_at_a_time = self.sealing.lock();
        let before_ms = self.horizon().published_until_ms;
        let mark = blocks.begin_making();
        let seq = {
            let _no_append = self.append.lock();
            self.sealed_until_ms
                .fetch_max(request.until_ms, Ordering::AcqRel);
            last_seq()
        };
        let sealed = self.collect(request, before_ms);
        let written = write_blocks(&sealed, request, before_ms, seq, blocks);
        let written = match written {
            Ok(ulids) => blocks
                .publish(mark, &ulids, &[])
                .map(|()| ulids.len())
                .map_err(Error::from),
            Err(error) => {
                blocks.give_up(mark);
                Err(error)
            }
        };
        for sealed in &sealed {
            let mut state = sealed.series.state.lock();
            if written.is_ok() {
                state
                    .full
                    .retain(|chunk| chunk.max_ts_ms >= request.until_ms);
            }
            if let Some(late) = &mut state.late {
                match written {
                    Ok(_) => late.forget_sealed(),
                    Err(_) => late.restore(),
                }
            }
            if state.late.as_ref().is_some_and(|late| late.is_empty()) {
                state.late = None;
            }
        }
        if written.is_ok() {
            self.published_until_ms
                .fetch_max(request.until_ms, Ordering::AcqRel);
            if request.late {
                self.late.restart();
            }
            self.recount(request.until_ms.min(request.now_ms - WINDOW_MS / 2));
        }
        written
    }

    /// Returns a copy of all that the head holds, in order of labels, for [`HeadCopy::write`].
    pub(crate) fn copy(&self) -> HeadCopy {
        let all: Vec<_> = self.index.read().iter().cloned().collect();
        let mut sealed = Vec::new();
        for series in all {
            let mut chunks = Vec::new();
            copy_chunks(&series.state.lock(), TimeRange::ALL, &mut chunks);
            if !chunks.is_empty() {
                chunks.sort_by_key(|chunk| (chunk.min_ts_ms, chunk.rank));
                sealed.push(SealedSeries { series, chunks });
            }
        }
        sealed.sort_by(|a, b| a.series.labels.cmp(&b.series.labels));
        HeadCopy(sealed)
    }

    /// Sets apart what is to be sealed, in order of labels.
    fn collect(&self, request: SealRequest, before_ms: i64) -> Vec<SealedSeries> {
        let all: Vec<_> = self.index.read().iter().cloned().collect();
        let mut sealed = Vec::new();
        for series in all {
            let chunks = self.set_apart(&series, request, before_ms);
            if !chunks.is_empty() {
                sealed.push(SealedSeries { series, chunks });
            }
        }
        sealed.sort_by(|a, b| a.series.labels.cmp(&b.series.labels));
        sealed
    }

    fn set_apart(
        &self,
        series: &Series,
        request: SealRequest,
        before_ms: i64,
    ) -> Vec<SelectedChunk> {
        let mut state = series.state.lock();
        if state
            .open
            .max_ts_ms()
            .is_some_and(|max| max < request.until_ms)
        {
            state.cut(&self.files);
        }
        let full = state
            .full
            .iter()
            .filter(|chunk| chunk.max_ts_ms < request.until_ms);
        let mut chunks: Vec<_> = full.map(|chunk| selected(chunk, Rank::IN_ORDER)).collect();
        if let Some(late) = &mut state.late {
            let due = |min, max| max < request.until_ms && (request.late || min >= before_ms);
            let from_ms = if request.late { i64::MIN } else { before_ms };
            if late.has_loose(from_ms, request.until_ms) {
                late.cut(self.horizon(), &self.files);
            }
            late.begin_seal(|chunk| due(chunk.min_ts_ms, chunk.max_ts_ms));
            let sealing = late.sealing.iter().enumerate();
            chunks.extend(sealing.map(|(index, chunk)| selected(chunk, Rank::late(index))));
        }
        chunks.sort_by_key(|chunk| (chunk.min_ts_ms, chunk.rank));
        chunks
    }
}

/// What a head held at one time.
#[derive(Debug)]
pub(crate) struct HeadCopy(Vec<SealedSeries>);

impl HeadCopy {
    /// Writes it into `blocks` as a seal would have; `seq` is the number of the last log record.
    pub(crate) fn write(&self, now_ms: i64, seq: u64, blocks: &Blocks) -> Result<(), Error> {
        let chunks = self.0.iter().flat_map(|sealed| &sealed.chunks);
        let Some(newest_ms) = chunks.map(|chunk| chunk.max_ts_ms).max() else {
            return Ok(());
        };
        let request = SealRequest {
            until_ms: newest_ms.saturating_add(1),
            late: true,
            now_ms,
            retention_ms: None,
        };
        write_blocks(&self.0, request, i64::MIN, seq, blocks)?;
        Ok(())
    }
}

fn selected(chunk: &HeadChunk, rank: Rank) -> SelectedChunk {
    SelectedChunk {
        min_ts_ms: chunk.min_ts_ms,
        max_ts_ms: chunk.max_ts_ms,
        rank,
        source: Source::Head(chunk.clone()),
    }
}

/// Says whether a chunk can be read. One that is damaged is lost, and must not keep the rest from
/// being sealed.
fn is_sound(series: &Series, chunk: &SelectedChunk, blocks: &Blocks) -> bool {
    match chunk.source.samples(TimeRange::ALL) {
        Err(error @ Error::Corrupt { .. }) => {
            tracing::error!(series = %series.labels, %error, "a chunk of the head is lost");
            blocks.note_lost(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms));
            false
        }
        _ => true,
    }
}

fn write_blocks(
    sealed: &[SealedSeries],
    request: SealRequest,
    before_ms: i64,
    seq: u64,
    blocks: &Blocks,
) -> Result<Vec<Ulid>, Error> {
    let mut failed = None;
    let (partition, starts) =
        Partition::choose(request.now_ms, request.retention_ms, |partition| {
            let starts = block_starts(sealed, partition);
            starts.unwrap_or_else(|error| {
                failed = Some(error);
                BTreeSet::new()
            })
        });
    if let Some(error) = failed {
        return Err(error);
    }
    if starts.len() > MAX_SEALED_BLOCKS {
        tracing::info!(blocks = starts.len(), "sealing more blocks than wanted");
    }
    let mut written = Vec::new();
    for start_ms in starts {
        let (start_ms, end_ms) = partition.range_of(start_ms);
        let spec = BlockSpec {
            ulid: new_ulid(request.now_ms),
            // A seal without old late samples says nothing about the time before it.
            min_time_ms: if request.late {
                start_ms
            } else {
                start_ms.max(before_ms)
            },
            max_time_ms: end_ms.min(request.until_ms),
            first_seq: seq,
            ..BlockSpec::default()
        };
        written.push(spec.ulid);
        if let Err(error) = write_block(sealed, (start_ms, end_ms), spec, blocks) {
            // The next try writes all of them again.
            blocks.discard(&written);
            return Err(error);
        }
    }
    Ok(written)
}

fn block_starts(sealed: &[SealedSeries], partition: Partition) -> Result<BTreeSet<i64>, Error> {
    let mut starts = BTreeSet::new();
    for chunk in sealed.iter().flat_map(|sealed| &sealed.chunks) {
        let (start_ms, end_ms) = partition.range_of(chunk.min_ts_ms);
        starts.insert(start_ms);
        if chunk.max_ts_ms >= end_ms {
            let samples = match chunk.source.samples(TimeRange::ALL) {
                Err(Error::Corrupt { .. }) => continue,
                samples => samples?,
            };
            starts.extend(
                samples
                    .iter()
                    .map(|sample| partition.range_of(sample.ts_ms).0),
            );
        }
    }
    Ok(starts)
}

fn write_block(
    sealed: &[SealedSeries],
    (start_ms, end_ms): (i64, i64),
    spec: BlockSpec,
    blocks: &Blocks,
) -> Result<(), Error> {
    let mut writer = blocks.writer(spec)?;
    for sealed in sealed {
        let within =
            |chunk: &&SelectedChunk| chunk.min_ts_ms < end_ms && chunk.max_ts_ms >= start_ms;
        let chunks: Vec<&SelectedChunk> = sealed.chunks.iter().filter(within).collect();
        let encoded = match encode_range(&chunks, start_ms, end_ms) {
            Err(Error::Corrupt { .. }) => {
                let sound = |chunk: &&SelectedChunk| is_sound(&sealed.series, chunk, blocks);
                let sound: Vec<_> = chunks.into_iter().filter(sound).collect();
                encode_range(&sound, start_ms, end_ms)?
            }
            encoded => encoded?,
        };
        if !encoded.is_empty() {
            writer.add_series(&sealed.series.labels, &encoded)?;
        }
    }
    writer.finish()?;
    Ok(())
}

/// Returns the chunks as they are when they lie side by side within the range, else encoded anew.
fn encode_range(
    chunks: &[&SelectedChunk],
    start_ms: i64,
    end_ms: i64,
) -> Result<Vec<EncodedChunk>, Error> {
    let apart = chunks
        .windows(2)
        .all(|pair| pair[0].max_ts_ms < pair[1].min_ts_ms);
    let within = |chunk: &&SelectedChunk| chunk.min_ts_ms >= start_ms && chunk.max_ts_ms < end_ms;
    if apart && chunks.iter().all(within) {
        let mut encoded = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            encoded.extend(chunk.source.chunks(TimeRange::ALL)?);
        }
        return Ok(encoded);
    }
    let samples = merge(chunks, TimeRange::new(start_ms, end_ms - 1))?;
    Ok(encode_chunks(&samples))
}
