//! What a selection found, and reading it.

use std::sync::Arc;

use obsq_encoding::{Encoding, decode, encode_chunks};
use obsq_model::{CounterResetHint, Labels, Sample, SampleColumns, SampleValue, TimeRange};
use obsq_source::{Error, MemoryBudget, RawChunk, SeriesSet};

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

/// Where the samples of a selected chunk are.
#[derive(Debug)]
pub(crate) enum Source {
    Head(HeadChunk),
    Samples(Arc<[Sample]>),
}

impl Source {
    fn encoded(&self) -> Result<Option<(Encoding, Arc<[u8]>)>, Error> {
        match self {
            Self::Head(chunk) => Ok(Some((chunk.encoding, chunk.bytes()?))),
            Self::Samples(_) => Ok(None),
        }
    }

    fn samples(&self) -> Result<Vec<Sample>, Error> {
        match self {
            Self::Samples(samples) => Ok(samples.to_vec()),
            Self::Head(chunk) => chunk.decode(),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Head(chunk) => chunk.memory_bytes(),
            Self::Samples(samples) => size_of_val::<[Sample]>(samples),
        }
    }
}

/// A chunk of a selected series.
#[derive(Debug)]
pub(crate) struct SelectedChunk {
    pub(crate) min_ts_ms: i64,
    pub(crate) max_ts_ms: i64,
    pub(crate) rank: Rank,
    pub(crate) source: Source,
}

/// A selected series with its chunks from every part of the store.
#[derive(Debug)]
pub(crate) struct SelectedSeries {
    pub(crate) labels: Labels,
    pub(crate) chunks: Vec<SelectedChunk>,
}

/// A snapshot of selected series.
#[derive(Debug)]
pub(crate) struct Selection {
    series: Vec<SelectedSeries>,
    range: TimeRange,
    warnings: Vec<String>,
    budget: Arc<MemoryBudget>,
    taken_bytes: usize,
}

impl Selection {
    /// Unites series with equal labels and sorts by labels. Charges what it holds to `budget` until
    /// it is dropped.
    pub(crate) fn new(
        mut found: Vec<SelectedSeries>,
        range: TimeRange,
        warnings: Vec<String>,
        budget: Arc<MemoryBudget>,
    ) -> Result<Self, Error> {
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut series: Vec<SelectedSeries> = Vec::with_capacity(found.len());
        for next in found {
            match series.last_mut() {
                Some(last) if last.labels == next.labels => last.chunks.extend(next.chunks),
                _ => series.push(next),
            }
        }
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
            budget,
            taken_bytes,
        })
    }

    /// Calls `on_group` with runs of chunks that overlap each other and touch `range`, in order of
    /// time.
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
                on_group(&group)?;
                group.clear();
            }
            group.push(chunk);
            group_end = group_end.max(chunk.max_ts_ms);
        }
        if group.is_empty() {
            return Ok(());
        }
        on_group(&group)
    }
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
            if let [chunk] = group
                && let Some((encoding, bytes)) = chunk.source.encoded()?
            {
                return decode(encoding, &bytes, range, columns).map_err(damaged("a chunk"));
            }
            for sample in merge(group)? {
                if range.contains(sample.ts_ms) {
                    push(columns, sample);
                }
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
            let merged = merge(group)?;
            samples.extend(
                merged
                    .into_iter()
                    .filter(|sample| range.contains(sample.ts_ms)),
            );
            Ok(())
        })
    }

    fn chunks(&self, index: usize) -> Result<Vec<RawChunk>, Error> {
        let mut chunks = Vec::new();
        self.for_groups(index, self.range, |group| {
            if let [chunk] = group
                && let Some((encoding, bytes)) = chunk.source.encoded()?
                && is_plain(encoding)
            {
                chunks.push(RawChunk {
                    encoding: encoding.to_byte(),
                    min_ts_ms: chunk.min_ts_ms,
                    max_ts_ms: chunk.max_ts_ms,
                    bytes: bytes.to_vec(),
                });
                return Ok(());
            }
            let mut samples = merge(group)?;
            samples.iter_mut().for_each(|sample| sample.start_ts_ms = 0);
            chunks.extend(encode_chunks(&samples).into_iter().map(|chunk| RawChunk {
                encoding: chunk.encoding.to_byte(),
                min_ts_ms: chunk.min_ts_ms,
                max_ts_ms: chunk.max_ts_ms,
                bytes: chunk.bytes,
            }));
            Ok(())
        })?;
        Ok(chunks)
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

fn is_plain(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::Xor | Encoding::Histogram | Encoding::FloatHistogram
    )
}

/// Returns the samples of chunks in order of time, of each time the one with the lowest rank.
fn merge(group: &[&SelectedChunk]) -> Result<Vec<Sample>, Error> {
    if let [chunk] = group {
        return chunk.source.samples();
    }
    let mut ranked: Vec<(Rank, Sample)> = Vec::new();
    for chunk in group {
        let samples = chunk.source.samples()?;
        ranked.extend(samples.into_iter().map(|sample| (chunk.rank, sample)));
    }
    ranked.sort_by_key(|(rank, sample)| (sample.ts_ms, *rank));
    ranked.dedup_by_key(|(_rank, sample)| sample.ts_ms);
    Ok(ranked.into_iter().map(|(_rank, sample)| sample).collect())
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
            let mut histogram = histogram.to_float();
            if histogram.counter_reset_hint != CounterResetHint::Gauge {
                // What lay before it in its chunk may not be what lies before it here.
                histogram.counter_reset_hint = CounterResetHint::Unknown;
            }
            push_start(
                &mut columns.histogram_start_ts,
                columns.histograms.len(),
                start,
            );
            columns.histogram_ts.push(sample.ts_ms);
            columns.histograms.push(Arc::new(histogram));
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
