//! What a selection found, and reading it.

mod lost;

use std::sync::Arc;

use obsq_encoding::{EncodedChunk, decode, decode_samples, encode_chunks};
use obsq_model::{
    CounterResetHint, HistogramValue, Labels, Sample, SampleColumns, SampleValue, TimeRange,
};
use obsq_source::{Error, MemoryBudget, RawChunk, SeriesSet};
use parking_lot::Mutex;
use smallvec::SmallVec;

use self::lost::Lost;
use crate::block::{Block, BlockSeries, ChunkRef};
use crate::boundary::damaged;
use crate::head::HeadChunk;

/// Which of two values at one time stays: the one of the lower rank, which was acknowledged first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(u32);

impl Rank {
    /// Samples of the head in order; later than any block.
    pub(crate) const IN_ORDER: Self = Self(1 << 24);
    /// Samples that came last.
    pub(crate) const NEWEST: Self = Self(u32::MAX);

    /// The late chunk made as number `index`.
    pub(crate) fn late(index: usize) -> Self {
        Self(Self::IN_ORDER.0 + 1 + index as u32)
    }

    /// The block that stands at `index` in the order of acknowledgement.
    pub(crate) fn block(index: usize) -> Self {
        Self(index as u32)
    }
}

/// Where the samples of a selected piece are.
#[derive(Debug)]
pub(crate) enum Source {
    /// A chunk of the head.
    Head(HeadChunk),
    /// Samples that are no chunk yet.
    Samples(Arc<[Sample]>),
    /// All chunks of a series that a block has in the range asked for.
    Block {
        block: Arc<Block>,
        series: BlockSeries,
    },
}

impl Source {
    /// Appends the samples in `range` to the columns.
    fn read(&self, range: TimeRange, columns: &mut SampleColumns) -> Result<(), Error> {
        match self {
            Self::Head(chunk) => {
                let bytes = chunk.bytes()?;
                decode(chunk.encoding, &bytes, range, columns)
                    .map_err(damaged("a chunk of the head"))
            }
            Self::Samples(samples) => {
                let within = samples.iter().filter(|sample| range.contains(sample.ts_ms));
                within.for_each(|sample| push(columns, sample.clone()));
                Ok(())
            }
            Self::Block { block, series } => Ok(block.read(series, range, columns)?),
        }
    }

    /// Returns the samples in `range` as they were stored.
    pub(crate) fn samples(&self, range: TimeRange) -> Result<Vec<Sample>, Error> {
        let mut samples = match self {
            Self::Samples(samples) => samples.to_vec(),
            Self::Head(chunk) => chunk.decode()?,
            Self::Block { block, series } => {
                let mut samples = Vec::new();
                block.read_exact(series, range, &mut samples)?;
                samples
            }
        };
        samples.retain(|sample| range.contains(sample.ts_ms));
        Ok(samples)
    }

    /// Returns chunks that hold the samples in `range`, and perhaps others at its edges.
    pub(crate) fn chunks(&self, range: TimeRange) -> Result<Vec<EncodedChunk>, Error> {
        match self {
            Self::Head(chunk) => Ok(vec![chunk.encoded()?]),
            Self::Samples(samples) => Ok(encode_chunks(samples)),
            Self::Block { block, series } => Ok(block.read_chunks(series, range)?),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Head(chunk) => chunk.memory_bytes(),
            Self::Samples(samples) => size_of_val::<[Sample]>(samples),
            Self::Block { series, .. } => series.chunks.len() * size_of::<ChunkRef>(),
        }
    }
}

/// A piece of a selected series: its samples do not overlap each other.
#[derive(Debug)]
pub(crate) struct SelectedChunk {
    pub(crate) min_ts_ms: i64,
    pub(crate) max_ts_ms: i64,
    pub(crate) rank: Rank,
    pub(crate) source: Source,
}

impl SelectedChunk {
    /// Returns the same, every stored chunk for itself.
    fn parts(&self) -> Vec<Self> {
        let part = |min_ts_ms, max_ts_ms, source| Self {
            min_ts_ms,
            max_ts_ms,
            rank: self.rank,
            source,
        };
        match &self.source {
            Source::Head(chunk) => {
                let source = Source::Head(chunk.clone());
                vec![part(self.min_ts_ms, self.max_ts_ms, source)]
            }
            Source::Samples(samples) => {
                let source = Source::Samples(Arc::clone(samples));
                vec![part(self.min_ts_ms, self.max_ts_ms, source)]
            }
            Source::Block { block, series } => {
                let parts = series.chunks.iter().map(|chunk| {
                    let (min, max) = (chunk.min_ts_ms, chunk.max_ts_ms);
                    let series = BlockSeries {
                        chunks: series.chunks.within(TimeRange::new(min, max)),
                        ..series.clone()
                    };
                    let block = Arc::clone(block);
                    part(min, max, Source::Block { block, series })
                });
                parts.collect()
            }
        }
    }
}

/// A selected series with its chunks from every part of the store.
#[derive(Debug)]
pub(crate) struct SelectedSeries {
    pub(crate) labels: Labels,
    pub(crate) chunks: SmallVec<[SelectedChunk; 1]>,
}

/// A snapshot of selected series.
#[derive(Debug)]
pub(crate) struct Selection {
    series: Vec<SelectedSeries>,
    range: TimeRange,
    warnings: Vec<String>,
    /// What turned out to be damaged while it was read.
    lost: Mutex<Lost>,
    budget: Arc<MemoryBudget>,
    taken_bytes: usize,
}

impl Selection {
    /// Unites series with equal labels and sorts by labels. Charges what it holds to `budget` until
    /// it is dropped.
    pub(crate) fn new(
        found: Vec<SelectedSeries>,
        range: TimeRange,
        warnings: Vec<String>,
        budget: Arc<MemoryBudget>,
    ) -> Result<Self, Error> {
        // What comes from one block is.
        let mut series = if found.is_sorted_by(|a, b| a.labels < b.labels) {
            found
        } else {
            unite(found)
        };
        let mut taken_bytes = 0;
        for selected in &mut series {
            selected
                .chunks
                .sort_by_key(|chunk| (chunk.min_ts_ms, chunk.rank));
            let sources = selected.chunks.iter();
            taken_bytes += sources
                .map(|chunk| 64 + chunk.source.size_bytes())
                .sum::<usize>();
        }
        budget.take(taken_bytes)?;
        Ok(Self {
            series,
            range,
            warnings,
            lost: Mutex::default(),
            budget,
            taken_bytes,
        })
    }

    /// Calls `on_group` with runs of chunks that overlap each other and touch `range`, in order of
    /// time. When it meets damage it is called again without what is damaged; it must then have
    /// left nothing behind.
    fn for_groups(
        &self,
        index: usize,
        range: TimeRange,
        mut on_group: impl FnMut(&[&SelectedChunk]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(series) = self.series.get(index) else {
            return Ok(());
        };
        let mut group: Vec<&SelectedChunk> = Vec::new();
        let mut group_end = i64::MIN;
        for chunk in &series.chunks {
            if !range.overlaps(TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms)) {
                continue;
            }
            if !group.is_empty() && chunk.min_ts_ms > group_end {
                self.visit_group(index, range, &group, &mut on_group)?;
                group.clear();
            }
            group.push(chunk);
            group_end = group_end.max(chunk.max_ts_ms);
        }
        if group.is_empty() {
            return Ok(());
        }
        self.visit_group(index, range, &group, &mut on_group)
    }

    fn visit_group(
        &self,
        index: usize,
        range: TimeRange,
        group: &[&SelectedChunk],
        on_group: &mut impl FnMut(&[&SelectedChunk]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match on_group(group) {
            Err(Error::Corrupt { .. }) => {}
            done => return done,
        }
        let mut sound = Vec::new();
        for part in group.iter().flat_map(|chunk| chunk.parts()) {
            match part.source.samples(range) {
                Ok(_) => sound.push(part),
                Err(error @ Error::Corrupt { .. }) => {
                    self.lost.lock().note(index, &part.source, &error);
                }
                Err(error) => return Err(error),
            }
        }
        if sound.is_empty() {
            return Ok(());
        }
        on_group(&sound.iter().collect::<Vec<_>>())
    }
}

/// Sorts by labels and unites series with equal ones.
fn unite(mut found: Vec<SelectedSeries>) -> Vec<SelectedSeries> {
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut series: Vec<SelectedSeries> = Vec::with_capacity(found.len());
    for next in found {
        match series.last_mut() {
            Some(last) if last.labels == next.labels => last.chunks.extend(next.chunks),
            _ => series.push(next),
        }
    }
    series
}

impl Drop for Selection {
    fn drop(&mut self) {
        self.budget.give_back(self.taken_bytes);
    }
}

impl SeriesSet for Selection {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.series[index].labels
    }

    fn read(
        &self,
        index: usize,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) -> Result<(), Error> {
        columns.clear();
        self.for_groups(index, range, |group| {
            if let [chunk] = group {
                let before = lengths(columns);
                let done = chunk.source.read(range, columns);
                if done.is_err() {
                    truncate(columns, before);
                }
                return done;
            }
            for sample in merge(group, range)? {
                push(columns, sample);
            }
            Ok(())
        })?;
        pad_starts(columns);
        Ok(())
    }

    fn read_exact(
        &self,
        index: usize,
        range: TimeRange,
        samples: &mut Vec<Sample>,
    ) -> Result<(), Error> {
        self.for_groups(index, range, |group| {
            samples.extend(merge(group, range)?);
            Ok(())
        })
    }

    fn chunks(&self, index: usize) -> Result<Vec<RawChunk>, Error> {
        let mut chunks = Vec::new();
        self.for_groups(index, self.range, |group| {
            let encoded = match group {
                [chunk] => chunk.source.chunks(self.range)?,
                _ => encode_chunks(&merge(group, self.range)?),
            };
            let mut plain = Vec::with_capacity(encoded.len());
            for chunk in encoded {
                push_plain(&mut plain, chunk)?;
            }
            chunks.append(&mut plain);
            Ok(())
        })?;
        Ok(chunks)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        warnings.extend(self.lost.lock().warnings());
        warnings
    }
}

/// Appends a chunk, encoded anew without start timestamps if it has any.
fn push_plain(chunks: &mut Vec<RawChunk>, chunk: EncodedChunk) -> Result<(), Error> {
    if !chunk.encoding.has_start_timestamps() {
        chunks.push(raw(chunk));
        return Ok(());
    }
    let decoded = decode_samples(chunk.encoding, &chunk.bytes);
    let mut samples = decoded.map_err(damaged("a chunk"))?;
    for sample in &mut samples {
        sample.start_ts_ms = 0;
    }
    chunks.extend(encode_chunks(&samples).into_iter().map(raw));
    Ok(())
}

fn raw(chunk: EncodedChunk) -> RawChunk {
    RawChunk {
        encoding: chunk.encoding.to_byte(),
        min_ts_ms: chunk.min_ts_ms,
        max_ts_ms: chunk.max_ts_ms,
        bytes: chunk.bytes,
    }
}

/// Returns the samples in `range` in order of time, of each time the one with the lowest rank.
pub(crate) fn merge(group: &[&SelectedChunk], range: TimeRange) -> Result<Vec<Sample>, Error> {
    if let [chunk] = group {
        return chunk.source.samples(range);
    }
    let mut ranked: Vec<(Rank, Sample)> = Vec::new();
    for chunk in group {
        let samples = chunk.source.samples(range)?;
        ranked.extend(samples.into_iter().map(|sample| (chunk.rank, sample)));
    }
    ranked.sort_by_key(|(rank, sample)| (sample.ts_ms, *rank));
    ranked.dedup_by_key(|(_rank, sample)| sample.ts_ms);
    let samples = ranked.into_iter().map(|(_rank, mut sample)| {
        forget_resets(&mut sample);
        sample
    });
    Ok(samples.collect())
}

/// Clears what a histogram's chunk said about resets: what lay before it there may not be what lies
/// before it after a merge.
pub(crate) fn forget_resets(sample: &mut Sample) {
    if let SampleValue::Histogram(histogram) = &mut sample.value {
        let hint = match Arc::make_mut(histogram) {
            HistogramValue::Int(histogram) => &mut histogram.counter_reset_hint,
            HistogramValue::Float(histogram) => &mut histogram.counter_reset_hint,
        };
        if *hint != CounterResetHint::Gauge {
            *hint = CounterResetHint::Unknown;
        }
    }
}

/// Returns the length of every column.
fn lengths(columns: &SampleColumns) -> [usize; 4] {
    [
        columns.floats.len(),
        columns.float_start_ts.len(),
        columns.histograms.len(),
        columns.histogram_start_ts.len(),
    ]
}

/// Takes back what was appended since the columns had these lengths.
fn truncate(columns: &mut SampleColumns, lengths: [usize; 4]) {
    let [floats, float_starts, histograms, histogram_starts] = lengths;
    columns.float_ts.truncate(floats);
    columns.floats.truncate(floats);
    columns.float_start_ts.truncate(float_starts);
    columns.histogram_ts.truncate(histograms);
    columns.histograms.truncate(histograms);
    columns.histogram_start_ts.truncate(histogram_starts);
}

/// Appends a sample to the columns.
fn push(columns: &mut SampleColumns, sample: Sample) {
    let start = sample.start_ts_ms;
    match sample.value {
        SampleValue::Float(value) => {
            push_start(&mut columns.float_start_ts, columns.floats.len(), start);
            columns.float_ts.push(sample.ts_ms);
            columns.floats.push(value);
        }
        SampleValue::Histogram(histogram) => {
            push_start(
                &mut columns.histogram_start_ts,
                columns.histograms.len(),
                start,
            );
            columns.histogram_ts.push(sample.ts_ms);
            columns.histograms.push(Arc::new(histogram.to_float()));
        }
    }
}

/// Appends to a start column, which stays empty as long as there is no start timestamp.
fn push_start(column: &mut Vec<i64>, before: usize, start_ms: i64) {
    if column.is_empty() && start_ms == 0 {
        return;
    }
    column.resize(before, 0);
    column.push(start_ms);
}

/// Gives the start columns the length of their samples, where they are not empty.
fn pad_starts(columns: &mut SampleColumns) {
    if !columns.float_start_ts.is_empty() {
        columns.float_start_ts.resize(columns.floats.len(), 0);
    }
    if !columns.histogram_start_ts.is_empty() {
        columns
            .histogram_start_ts
            .resize(columns.histograms.len(), 0);
    }
}
