//! One series of the head.

use std::sync::Arc;

use obsq_encoding::{ChunkBuilder, EncodedChunk, MAX_SAMPLES};
use obsq_model::{
    FloatHistogram, HistogramValue, IntHistogram, Labels, Sample, SampleValue, TimeRange, stale_nan,
};
use parking_lot::Mutex;

use super::chunk::HeadChunk;
use super::late::{Late, LateFate};
use super::{Horizon, window_of};

/// A series: its identity, and what the head holds of it.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) id: u32,
    pub(crate) labels: Labels,
    pub(crate) state: Mutex<SeriesState>,
}

/// What the head holds of a series.
#[derive(Debug, Default)]
pub(crate) struct SeriesState {
    /// The epoch of the log in which the series was defined last, and how often.
    pub(crate) defined: (u32, u8),
    /// Number of the last log record that named the series.
    pub(crate) last_seq: u64,
    /// Time of the newest sample in order; `None` when the head never had one.
    pub(crate) newest_ms: Option<i64>,
    /// What the newest sample in order was; decides what a staleness marker becomes.
    pub(crate) newest_kind: Kind,
    /// The chunk that grows. Never reaches over the end of a window or of what a seal takes.
    pub(crate) open: ChunkBuilder,
    /// Full chunks in order of time, each within one window.
    pub(crate) full: Vec<HeadChunk>,
    /// Samples that came late.
    pub(crate) late: Option<Box<Late>>,
}

/// The kind of a sample's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Float,
    IntHistogram,
    FloatHistogram,
}

impl Kind {
    pub(crate) fn of(value: &SampleValue) -> Self {
        match value {
            SampleValue::Float(_) => Self::Float,
            SampleValue::Histogram(histogram) => match histogram.as_ref() {
                HistogramValue::Int(_) => Self::IntHistogram,
                HistogramValue::Float(_) => Self::FloatHistogram,
            },
        }
    }

    /// Returns the kind that `byte` stands for in a checkpoint.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Float, Self::IntHistogram, Self::FloatHistogram]
            .into_iter()
            .find(|kind| kind.to_byte() == byte)
    }

    /// Returns the byte that stands for the kind in a checkpoint.
    pub(crate) fn to_byte(self) -> u8 {
        self as u8
    }

    /// Returns what a float staleness marker becomes behind a sample of this kind.
    fn stale(self) -> SampleValue {
        let sum = stale_nan();
        let histogram = match self {
            Self::Float => return SampleValue::Float(sum),
            Self::IntHistogram => HistogramValue::Int(IntHistogram {
                sum,
                ..IntHistogram::default()
            }),
            Self::FloatHistogram => HistogramValue::Float(FloatHistogram {
                sum,
                ..FloatHistogram::default()
            }),
        };
        SampleValue::Histogram(Arc::new(histogram))
    }
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the newest of its series.
    InOrder,
    /// It was stored with the late ones.
    Late,
    /// The same value is there already.
    Repeat,
    /// Another value is there already, which stays.
    Duplicate,
}

/// Where full chunks go.
pub(crate) trait ChunkSink {
    /// Stores a chunk outside of memory, if it can.
    fn store(&self, chunk: EncodedChunk) -> HeadChunk;
}

impl SeriesState {
    /// Inserts a sample. Samples before the horizon are late, whatever the series holds.
    pub(crate) fn insert(
        &mut self,
        sample: &Sample,
        horizon: Horizon,
        sink: &dyn ChunkSink,
    ) -> Fate {
        let newest = self.newest_ms.is_none_or(|newest| sample.ts_ms > newest);
        let in_order = newest && sample.ts_ms >= horizon.late_before_ms;
        // A clock that went back may ask for a time in order that came late before.
        let known_late = self.late.as_ref().filter(|_late| in_order);
        let known_late = known_late.and_then(|late| late.find(sample.ts_ms));
        if in_order && known_late.is_none() {
            self.push(sample, horizon.late_before_ms, sink);
            return Fate::InOrder;
        }
        match self.known_value(sample) {
            Some(true) => Fate::Repeat,
            Some(false) => Fate::Duplicate,
            None => match self
                .late
                .get_or_insert_default()
                .insert(sample, horizon, sink)
            {
                LateFate::Stored => Fate::Late,
                LateFate::Repeat => Fate::Repeat,
                LateFate::Duplicate => Fate::Duplicate,
            },
        }
    }

    /// Notes a sample that is in a block already, so that what follows is seen as it was then.
    pub(crate) fn pass(&mut self, sample: &Sample) {
        if self.newest_ms.is_none_or(|newest| sample.ts_ms > newest) {
            self.newest_ms = Some(sample.ts_ms);
            if !sample.is_stale() {
                self.newest_kind = Kind::of(&sample.value);
            }
        }
    }

    fn push(&mut self, sample: &Sample, late_before_ms: i64, sink: &dyn ChunkSink) {
        // What a seal that runs takes must not share a chunk with what it leaves.
        let crosses = |min: i64| min < late_before_ms || window_of(min) != window_of(sample.ts_ms);
        if self.open.min_ts_ms().is_some_and(crosses) {
            self.cut(sink);
        }
        let converted;
        let stale_float = sample.is_stale() && Kind::of(&sample.value) == Kind::Float;
        let sample = if stale_float && self.newest_kind != Kind::Float {
            converted = Sample {
                value: self.newest_kind.stale(),
                ..sample.clone()
            };
            &converted
        } else {
            sample
        };
        self.newest_kind = Kind::of(&sample.value);
        self.newest_ms = Some(sample.ts_ms);
        if let Some(full) = self.open.push(sample) {
            self.full.push(sink.store(full));
        }
        if self.open.len() >= MAX_SAMPLES {
            self.cut(sink);
        }
    }

    /// Ends the open chunk.
    pub(crate) fn cut(&mut self, sink: &dyn ChunkSink) {
        if let Some(chunk) = self.open.take() {
            self.full.push(sink.store(chunk));
        }
    }

    /// Says whether the sample in order at the same time, if there is one, has the same value.
    fn known_value(&self, sample: &Sample) -> Option<bool> {
        let open = self.open.min_ts_ms().is_some_and(|min| min <= sample.ts_ms);
        let known = if open {
            let (encoding, bytes) = self.open.open_bytes()?;
            find(
                &obsq_encoding::decode_samples(encoding, bytes).ok()?,
                sample.ts_ms,
            )
        } else {
            let next = self
                .full
                .partition_point(|chunk| chunk.max_ts_ms < sample.ts_ms);
            let chunk = self
                .full
                .get(next)
                .filter(|chunk| chunk.covers(sample.ts_ms))?;
            // A chunk that cannot be read shows no value: the sample is kept and loses on reading.
            find(&chunk.decode().ok()?, sample.ts_ms)
        };
        known.map(|known| same_or_stale(&known, sample))
    }

    /// Says whether the series has samples in `range`, as far as its chunks tell.
    pub(crate) fn overlaps(&self, range: TimeRange) -> bool {
        let within = |min, max| range.overlaps(TimeRange::new(min, max));
        let open = self.open.min_ts_ms().zip(self.open.max_ts_ms());
        open.is_some_and(|(min, max)| within(min, max))
            || self
                .full
                .iter()
                .any(|chunk| within(chunk.min_ts_ms, chunk.max_ts_ms))
            || self.late.as_ref().is_some_and(|late| late.overlaps(range))
    }

    /// Returns the number of chunks, the open one and a buffer of late samples included.
    pub(crate) fn chunk_count(&self) -> usize {
        let late = self.late.as_ref();
        let late = late.map_or(0, |late| {
            {
                late.all_chunks().count()
                    + usize::from(!late.buffer.is_empty())
                    + usize::from(!late.open.is_empty())
            }
        });
        self.full.len() + usize::from(!self.open.is_empty()) + late
    }

    /// Returns the times of the oldest and the newest sample.
    pub(crate) fn time_range(&self) -> Option<(i64, i64)> {
        let open = self.open.min_ts_ms().zip(self.open.max_ts_ms());
        let full = self
            .full
            .iter()
            .map(|chunk| (chunk.min_ts_ms, chunk.max_ts_ms));
        let late = self.late.iter().flat_map(|late| late.time_ranges());
        full.chain(open)
            .chain(late)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Returns the times of the oldest and the newest sample in order that the head holds.
    pub(crate) fn in_order_range(&self) -> Option<(i64, i64)> {
        let first = self.full.first().map(|chunk| chunk.min_ts_ms);
        let last = self.full.last().map(|chunk| chunk.max_ts_ms);
        first
            .or(self.open.min_ts_ms())
            .zip(self.open.max_ts_ms().or(last))
    }

    /// Says whether the series holds nothing and was not written to in order since `since_ms`.
    pub(crate) fn is_idle(&self, since_ms: i64) -> bool {
        self.is_empty() && self.newest_ms.is_none_or(|newest| newest < since_ms)
    }

    /// Drops what lies wholly in `range`, because a block holds it.
    pub(crate) fn forget(&mut self, range: TimeRange) {
        let holds = |min, max| range.contains(min) && range.contains(max);
        if let Some((min, max)) = self.open.min_ts_ms().zip(self.open.max_ts_ms())
            && holds(min, max)
        {
            self.open = ChunkBuilder::default();
        }
        self.full
            .retain(|chunk| !holds(chunk.min_ts_ms, chunk.max_ts_ms));
        if let Some(late) = &mut self.late {
            late.chunks
                .retain(|chunk| !holds(chunk.min_ts_ms, chunk.max_ts_ms));
            late.forget_buffered(range);
        }
        if self.late.as_ref().is_some_and(|late| late.is_empty()) {
            self.late = None;
        }
    }

    /// Returns the memory of the late samples, roughly.
    pub(crate) fn late_memory_bytes(&self) -> usize {
        self.late.as_ref().map_or(0, |late| late.memory_bytes())
    }

    /// Says whether the head holds no sample of the series.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.full.is_empty()
            && self.late.as_ref().is_none_or(|late| late.is_empty())
    }
}

/// Returns the sample at `ts_ms`.
pub(crate) fn find(samples: &[Sample], ts_ms: i64) -> Option<Sample> {
    let at = samples
        .binary_search_by_key(&ts_ms, |sample| sample.ts_ms)
        .ok()?;
    samples.get(at).cloned()
}

/// Says whether a repeat of `sample` is what `known` was stored from: the same value, or a
/// staleness marker that was stored as a stale histogram.
pub(crate) fn same_or_stale(known: &Sample, sample: &Sample) -> bool {
    known.same_value(sample) || (known.is_stale() && sample.is_stale())
}
