//! Samples that came late: older than the newest of their series, or of a sealed window.

use obsq_encoding::encode_chunks;
use obsq_model::{Sample, TimeRange};

use super::chunk::HeadChunk;
use super::series::{ChunkSink, find, same_or_stale};
use super::window_of;

/// Samples kept as they are before they become chunks.
const BUFFERED_SAMPLES: usize = 120;
/// Chunks over one time that are searched for another value. Beyond, a second value is stored and
/// loses when it is read.
const SEARCHED_CHUNKS: usize = 8;

/// The late samples of one series. Of two values at one time the one that came first is first in
/// `chunks`, and chunks come before the buffer.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// Sorted by time, each time once.
    pub(crate) buffer: Vec<Sample>,
    /// In the order of their making.
    pub(crate) chunks: Vec<HeadChunk>,
}

/// What became of a late sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LateFate {
    Stored,
    Repeat,
    Duplicate,
}

impl Late {
    pub(crate) fn insert(
        &mut self,
        sample: &Sample,
        sealed_until_ms: i64,
        sink: &dyn ChunkSink,
    ) -> LateFate {
        let known = self
            .in_chunks(sample.ts_ms)
            .or_else(|| find(&self.buffer, sample.ts_ms));
        if let Some(known) = known {
            if same_or_stale(&known, sample) {
                return LateFate::Repeat;
            }
            return LateFate::Duplicate;
        }
        let at = self
            .buffer
            .partition_point(|known| known.ts_ms < sample.ts_ms);
        self.buffer.insert(at, sample.clone());
        if self.buffer.len() >= BUFFERED_SAMPLES {
            self.cut(sealed_until_ms, sink);
        }
        LateFate::Stored
    }

    fn in_chunks(&self, ts_ms: i64) -> Option<Sample> {
        let covering = self.chunks.iter().filter(|chunk| chunk.covers(ts_ms));
        covering
            .rev()
            .take(SEARCHED_CHUNKS)
            .find_map(|chunk| find(&chunk.decode().ok()?, ts_ms))
    }

    /// Turns the buffer into chunks. Those of windows that are not sealed yet stay within their
    /// window, so that a seal takes whole chunks.
    pub(crate) fn cut(&mut self, sealed_until_ms: i64, sink: &dyn ChunkSink) {
        let group =
            |sample: &Sample| (sample.ts_ms >= sealed_until_ms).then(|| window_of(sample.ts_ms));
        let buffer = std::mem::take(&mut self.buffer);
        for run in buffer.chunk_by(|a, b| group(a) == group(b)) {
            let chunks = encode_chunks(run);
            self.chunks
                .extend(chunks.into_iter().map(|chunk| sink.store(chunk)));
        }
    }

    pub(crate) fn overlaps(&self, range: TimeRange) -> bool {
        let chunk =
            |chunk: &HeadChunk| range.overlaps(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms));
        self.buffer
            .iter()
            .any(|sample| range.contains(sample.ts_ms))
            || self.chunks.iter().any(chunk)
    }

    /// Returns the times of the oldest and the newest sample of every part.
    pub(crate) fn time_ranges(&self) -> impl Iterator<Item = (i64, i64)> {
        let buffer = self.buffer.first().zip(self.buffer.last());
        let buffer = buffer.map(|(first, last)| (first.ts_ms, last.ts_ms));
        let chunks = self
            .chunks
            .iter()
            .map(|chunk| (chunk.min_ts_ms, chunk.max_ts_ms));
        chunks.chain(buffer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.chunks.is_empty()
    }
}
