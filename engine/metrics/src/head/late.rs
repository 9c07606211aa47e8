//! Samples that came late: older than the newest of their series, or of a sealed window.

use obsq_encoding::encode_chunks;
use obsq_model::{Sample, SampleValue, TimeRange};

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
    /// Chunks that are being sealed; they came before all others.
    pub(crate) sealing: Vec<HeadChunk>,
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
        published_until_ms: i64,
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
            self.cut(published_until_ms, sink);
        }
        LateFate::Stored
    }

    /// Returns all chunks, those whose samples came first in front.
    pub(crate) fn all_chunks(&self) -> impl DoubleEndedIterator<Item = &HeadChunk> {
        self.sealing.iter().chain(&self.chunks)
    }

    /// Sets the chunks apart for which `is_due` holds. They stay visible until
    /// [`Late::forget_sealed`] or, when the seal has failed, [`Late::restore`].
    pub(crate) fn begin_seal(&mut self, is_due: impl Fn(&HeadChunk) -> bool) {
        debug_assert!(self.sealing.is_empty(), "two seals at once");
        for chunk in std::mem::take(&mut self.chunks) {
            let part = if is_due(&chunk) {
                &mut self.sealing
            } else {
                &mut self.chunks
            };
            part.push(chunk);
        }
    }

    /// Drops the chunks that were set apart: they are in a block now.
    pub(crate) fn forget_sealed(&mut self) {
        self.sealing = Vec::new();
    }

    /// Takes the chunks that were set apart back.
    pub(crate) fn restore(&mut self) {
        let mut chunks = std::mem::take(&mut self.sealing);
        chunks.append(&mut self.chunks);
        self.chunks = chunks;
    }

    fn in_chunks(&self, ts_ms: i64) -> Option<Sample> {
        let covering = self.all_chunks().filter(|chunk| chunk.covers(ts_ms));
        covering
            .rev()
            .take(SEARCHED_CHUNKS)
            .find_map(|chunk| find(&chunk.decode().ok()?, ts_ms))
    }

    /// Turns the buffer into chunks. Those of windows that are not sealed yet stay within their
    /// window, so that a seal takes whole chunks.
    pub(crate) fn cut(&mut self, published_until_ms: i64, sink: &dyn ChunkSink) {
        let group =
            |sample: &Sample| (sample.ts_ms >= published_until_ms).then(|| window_of(sample.ts_ms));
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
            .all_chunks()
            .map(|chunk| (chunk.min_ts_ms, chunk.max_ts_ms));
        chunks.chain(buffer)
    }

    /// Returns the bytes of the samples, roughly.
    pub(crate) fn size_bytes(&self) -> u64 {
        let buffer: u64 = self.buffer.iter().map(sample_bytes).sum();
        let chunks = self.all_chunks().map(|chunk| u64::from(chunk.samples) * 16);
        buffer + chunks.sum::<u64>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.chunks.is_empty() && self.sealing.is_empty()
    }
}

/// Returns the bytes of a sample, roughly.
pub(crate) fn sample_bytes(sample: &Sample) -> u64 {
    match &sample.value {
        SampleValue::Float(_) => 16,
        SampleValue::Histogram(_) => 256,
    }
}
