//! Samples that came late: older than the newest of their series, or of a sealed window.

use obsq_encoding::{ChunkBuilder, MAX_SAMPLES, decode_samples, encode_chunks};
use obsq_model::{Sample, SampleValue, TimeRange};

use super::chunk::HeadChunk;
use super::series::{ChunkSink, find, same_or_stale};
use super::{Horizon, window_of};

/// Samples kept as they are before they become chunks.
const BUFFERED_SAMPLES: usize = 120;
/// With fewer samples a chunk and the note of its place take no less memory than the buffer.
const SPILLED_SAMPLES: usize = 8;
/// Memory of a chunk that grows, roughly.
const OPEN_CHUNK_BYTES: usize = 128;
/// Chunks over one time that are searched for another value. Beyond, a second value is stored and
/// loses when it is read.
const SEARCHED_CHUNKS: usize = 8;

/// The late samples of one series. Of two values at one time the one that came first is first in
/// `chunks`, and chunks come before the rest.
///
/// Samples that come in order of time, as a backfill sends them, grow a chunk; the others wait in a
/// sorted buffer.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// The chunk that grows.
    pub(crate) open: ChunkBuilder,
    /// Samples older than the newest of the open chunk, sorted by time, each time once.
    pub(crate) buffer: Vec<Sample>,
    /// Memory of the samples in the buffer, roughly.
    buffer_bytes: usize,
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
        horizon: Horizon,
        sink: &dyn ChunkSink,
    ) -> LateFate {
        let known = self.find(sample.ts_ms);
        if let Some(known) = known {
            if same_or_stale(&known, sample) {
                return LateFate::Repeat;
            }
            return LateFate::Duplicate;
        }
        if self.open.max_ts_ms().is_none_or(|max| max < sample.ts_ms) {
            self.push(sample, horizon, sink);
            return LateFate::Stored;
        }
        let at = self
            .buffer
            .partition_point(|known| known.ts_ms < sample.ts_ms);
        self.buffer.insert(at, sample.clone());
        self.buffer_bytes += buffered_bytes(sample);
        if self.buffer.len() >= BUFFERED_SAMPLES {
            self.cut_buffer(horizon, sink);
        }
        LateFate::Stored
    }

    fn push(&mut self, sample: &Sample, horizon: Horizon, sink: &dyn ChunkSink) {
        let group = |ts_ms| group_of(ts_ms, horizon);
        let min_ms = self.open.min_ts_ms();
        if min_ms.is_some_and(|min_ms| group(min_ms) != group(sample.ts_ms)) {
            self.cut_open(sink);
        }
        if let Some(full) = self.open.push(sample) {
            self.chunks.push(sink.store(full));
        }
        if self.open.len() >= MAX_SAMPLES {
            self.cut_open(sink);
        }
    }

    /// Returns the sample at that time, as far as it is looked for.
    pub(crate) fn find(&self, ts_ms: i64) -> Option<Sample> {
        self.in_chunks(ts_ms)
            .or_else(|| find(&self.buffer, ts_ms))
            .or_else(|| self.in_open(ts_ms))
    }

    fn in_open(&self, ts_ms: i64) -> Option<Sample> {
        let (min_ms, max_ms) = self.open.min_ts_ms().zip(self.open.max_ts_ms())?;
        if ts_ms < min_ms || max_ms < ts_ms {
            return None;
        }
        let (encoding, bytes) = self.open.open_bytes()?;
        find(&decode_samples(encoding, bytes).ok()?, ts_ms)
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

    /// Turns everything into chunks. Those of windows that are not sealed yet stay within their
    /// window, so that a seal takes whole chunks.
    pub(crate) fn cut(&mut self, horizon: Horizon, sink: &dyn ChunkSink) {
        self.cut_open(sink);
        self.cut_buffer(horizon, sink);
    }

    fn cut_open(&mut self, sink: &dyn ChunkSink) {
        if let Some(chunk) = self.open.take() {
            self.chunks.push(sink.store(chunk));
        }
    }

    fn cut_buffer(&mut self, horizon: Horizon, sink: &dyn ChunkSink) {
        let group = |sample: &Sample| group_of(sample.ts_ms, horizon);
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer_bytes = 0;
        for run in buffer.chunk_by(|a, b| group(a) == group(b)) {
            let chunks = encode_chunks(run);
            self.chunks
                .extend(chunks.into_iter().map(|chunk| sink.store(chunk)));
        }
    }

    /// Turns the buffer into chunks before it is full, unless that saves nothing.
    pub(crate) fn spill(&mut self, horizon: Horizon, sink: &dyn ChunkSink) {
        if self.buffer.len() >= SPILLED_SAMPLES {
            self.cut_buffer(horizon, sink);
        }
    }

    /// Takes over samples that waited in the buffer of an earlier run.
    pub(crate) fn set_buffer(&mut self, buffer: Vec<Sample>) {
        self.buffer_bytes = buffer.iter().map(buffered_bytes).sum();
        self.buffer = buffer;
    }

    /// Removes the samples in `range` from the buffer.
    pub(crate) fn forget_buffered(&mut self, range: TimeRange) {
        self.buffer.retain(|sample| !range.contains(sample.ts_ms));
        self.buffer_bytes = self.buffer.iter().map(buffered_bytes).sum();
    }

    /// Returns the memory that is taken by what is in no file, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.len() + self.sealing.len();
        size_of::<Self>() + OPEN_CHUNK_BYTES + self.buffer_bytes + chunks * size_of::<HeadChunk>()
    }

    /// Says whether a sample that is in no chunk yet lies between the times, the end exclusive.
    pub(crate) fn has_loose(&self, start_ms: i64, end_ms: i64) -> bool {
        let within = |ts_ms: i64| start_ms <= ts_ms && ts_ms < end_ms;
        self.open.min_ts_ms().is_some_and(within)
            || self.buffer.iter().any(|sample| within(sample.ts_ms))
    }

    pub(crate) fn overlaps(&self, range: TimeRange) -> bool {
        let within = |(min_ms, max_ms)| range.overlaps(TimeRange::new(min_ms, max_ms));
        let buffer = self.buffer.iter().map(|sample| sample.ts_ms);
        buffer.into_iter().any(|ts_ms| range.contains(ts_ms)) || self.chunk_ranges().any(within)
    }

    fn chunk_ranges(&self) -> impl Iterator<Item = (i64, i64)> {
        let chunks = self.all_chunks();
        chunks
            .map(|chunk| (chunk.min_ts_ms, chunk.max_ts_ms))
            .chain(self.open.min_ts_ms().zip(self.open.max_ts_ms()))
    }

    /// Returns the times of the oldest and the newest sample of every part.
    pub(crate) fn time_ranges(&self) -> impl Iterator<Item = (i64, i64)> {
        let buffer = self.buffer.first().zip(self.buffer.last());
        let buffer = buffer.map(|(first, last)| (first.ts_ms, last.ts_ms));
        self.chunk_ranges().chain(buffer)
    }

    /// Returns the bytes of the samples, roughly.
    pub(crate) fn size_bytes(&self) -> u64 {
        let buffer: u64 = self.buffer.iter().map(sample_bytes).sum();
        let chunks = self.all_chunks().map(|chunk| u64::from(chunk.samples) * 16);
        buffer + chunks.sum::<u64>() + u64::from(self.open.len()) * 16
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.buffer.is_empty()
            && self.chunks.is_empty()
            && self.sealing.is_empty()
    }
}

/// Returns what samples of one chunk have in common: that they are sealed, or else their window and
/// whether a seal that runs takes them.
fn group_of(ts_ms: i64, horizon: Horizon) -> Option<(i64, bool)> {
    let taken = ts_ms < horizon.late_before_ms;
    (ts_ms >= horizon.published_until_ms).then(|| (window_of(ts_ms), taken))
}

/// Returns the bytes of a sample, roughly.
pub(crate) fn sample_bytes(sample: &Sample) -> u64 {
    match &sample.value {
        SampleValue::Float(_) => 16,
        SampleValue::Histogram(_) => 256,
    }
}

/// Returns the memory that a sample in a buffer takes, roughly.
fn buffered_bytes(sample: &Sample) -> usize {
    let heap = match &sample.value {
        SampleValue::Float(_) => 0,
        SampleValue::Histogram(_) => 1024,
    };
    // A vector that grows has a third more room than it needs.
    size_of::<Sample>() * 4 / 3 + heap
}
