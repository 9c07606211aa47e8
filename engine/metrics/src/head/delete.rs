//! Deleting from the head, for good.

use std::mem;

use obsq_encoding::{ChunkBuilder, EncodedChunk, decode_samples, encode_chunks};
use obsq_model::TimeRange;
use obsq_source::Error;
use rustc_hash::FxHashSet;

use super::series::ChunkSink;
use super::{Head, HeadChunk, Series, SeriesState};
use crate::boundary::damaged;
use crate::deletion::Deletion;
use crate::selected::forget_resets;

impl Head {
    /// Logs a deletion and applies it; `log` returns its number. No seal may run.
    ///
    /// Fails when a chunk of which a part is to go cannot be read now; the rest is deleted all the
    /// same.
    pub(crate) fn delete(
        &self,
        deletion: &Deletion,
        log: impl FnOnce() -> Result<u64, Error>,
    ) -> Result<(), Error> {
        let no_append = self.append.lock();
        let seq = log()?;
        let applied = self.apply(deletion, seq);
        drop(no_append);
        self.recount(i64::MIN);
        applied
    }

    /// Removes what a deletion covers that is in the log as record `seq`.
    pub(crate) fn apply(&self, deletion: &Deletion, seq: u64) -> Result<(), Error> {
        let (mut emptied, mut applied) = (FxHashSet::default(), Ok(()));
        for matchers in &deletion.selectors {
            let selected = self.index.read().select(matchers);
            for series in selected {
                let mut state = series.state.lock();
                // What is newer was written behind the deletion. When equal it is repeated.
                if seq < state.last_seq || !state.overlaps(deletion.range) {
                    continue;
                }
                state.last_seq = seq;
                if let Err(error) = state.delete(deletion.range, &self.files) {
                    applied = Err(error);
                }
                if state.is_empty() {
                    emptied.insert(series.id);
                }
            }
        }
        if !emptied.is_empty() {
            let is_gone = |series: &Series| emptied.contains(&series.id);
            self.index.write().remove(is_gone);
        }
        applied
    }
}

impl SeriesState {
    /// Removes the samples in `range`. Chunks that are damaged stay as they are. On any other error the
    /// chunk that it concerns stays, too.
    fn delete(&mut self, range: TimeRange, sink: &dyn ChunkSink) -> Result<(), Error> {
        let (mut chunks, mut done) = (Vec::new(), Ok(()));
        let mut note = |result: Result<(), Error>| {
            if result.is_err() {
                done = result;
            }
        };
        note(cut_out(&mut self.full, range, sink));
        note(rebuild(&mut self.open, range, &mut chunks));
        let rebuilt = chunks.into_iter().map(|chunk| sink.store(chunk));
        self.full.extend(rebuilt);
        if let Some(late) = &mut self.late {
            debug_assert!(late.sealing.is_empty(), "a seal runs");
            note(cut_out(&mut late.chunks, range, sink));
            let mut chunks = Vec::new();
            note(rebuild(&mut late.open, range, &mut chunks));
            let rebuilt = chunks.into_iter().map(|chunk| sink.store(chunk));
            late.chunks.extend(rebuilt);
            late.forget_buffered(range);
            if late.is_empty() {
                self.late = None;
            }
        }
        done
    }
}

/// Removes the samples in `range` from chunks of which none shares a time with its neighbour, or that
/// are told apart by their order.
fn cut_out(
    chunks: &mut Vec<HeadChunk>,
    range: TimeRange,
    sink: &dyn ChunkSink,
) -> Result<(), Error> {
    let overlaps = |min, max| range.overlaps(TimeRange::new(min, max));
    if !chunks.iter().any(|c| overlaps(c.min_ts_ms, c.max_ts_ms)) {
        return Ok(());
    }
    let (mut kept, mut done) = (Vec::with_capacity(chunks.len()), Ok(()));
    let mut after_gap = false;
    for chunk in mem::take(chunks) {
        let concerned = overlaps(chunk.min_ts_ms, chunk.max_ts_ms);
        let whole = range.contains(chunk.min_ts_ms) && range.contains(chunk.max_ts_ms);
        // What a histogram's chunk says about the one before is not true any more.
        let stale_header = after_gap && chunk.encoding.is_histogram();
        after_gap = concerned;
        if whole {
            continue;
        }
        if !concerned && !stale_header {
            kept.push(chunk);
            continue;
        }
        match rest_of(&chunk, range, sink) {
            Ok(rest) => kept.extend(rest),
            Err(error) => {
                kept.push(chunk);
                if !matches!(error, Error::Corrupt { .. }) {
                    done = Err(error);
                }
            }
        }
    }
    *chunks = kept;
    done
}

/// Returns what is left of a chunk without `range`.
fn rest_of(
    chunk: &HeadChunk,
    range: TimeRange,
    sink: &dyn ChunkSink,
) -> Result<Vec<HeadChunk>, Error> {
    let mut samples = chunk.decode()?;
    samples.retain(|sample| !range.contains(sample.ts_ms));
    samples.iter_mut().for_each(forget_resets);
    let encoded = encode_chunks(&samples).into_iter();
    Ok(encoded.map(|chunk| sink.store(chunk)).collect())
}

/// Builds the chunk that grows anew without `range`; full ones go to `chunks`.
fn rebuild(
    open: &mut ChunkBuilder,
    range: TimeRange,
    chunks: &mut Vec<EncodedChunk>,
) -> Result<(), Error> {
    let Some((min_ms, max_ms)) = open.min_ts_ms().zip(open.max_ts_ms()) else {
        return Ok(());
    };
    let Some((encoding, bytes)) = open.open_bytes() else {
        return Ok(());
    };
    if !encoding.is_histogram() && !range.overlaps(TimeRange::new(min_ms, max_ms)) {
        return Ok(());
    }
    let decoded = decode_samples(encoding, bytes).map_err(damaged("the open chunk"))?;
    *open = ChunkBuilder::default();
    for mut sample in decoded {
        if !range.contains(sample.ts_ms) {
            forget_resets(&mut sample);
            chunks.extend(open.push(&sample));
        }
    }
    Ok(())
}
