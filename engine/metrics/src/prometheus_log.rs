//! The head of a Prometheus data directory, read from its log.
//!
//! ```text
//! wal/checkpoint.N/NNNNNNNN   what was left of the segments up to N
//! wal/NNNNNNNN                segments; those up to N are in the checkpoint
//! wbl/NNNNNNNN                samples that came out of order
//! ```
//!
//! Together they hold every sample that is in no block yet: a checkpoint drops only what is older
//! than the head, and `chunks_head/` repeats samples of the log. Nothing is written, so the
//! directory may be that of a running Prometheus. Not read: snapshots of the head, which repeat the
//! log as well.
//!
//! As in the head of Prometheus, a delete hides what is written into the same time later, too, and
//! only one of all times, which is how a stale series goes, holds for what came before.

mod record;
mod segment;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::{
    ErrorKind, Exemplar, HistogramValue, Labels, MetricMetadata, Sample, SampleValue, TimeRange,
};
use obsq_source::{MemoryBudget, SeriesBatch};
use obsq_wal::{DiskVfs, ReadOnlyVfs, Vfs};
use rustc_hash::FxHashMap;

use self::record::Record;
use self::segment::Segment;
use crate::Error;
use crate::block::Block;
use crate::exemplars::ExemplarStore;
use crate::head::{ChunkFiles, Head, HeadChunk, Horizon, Outcome, Series, SeriesState};
use crate::metadata::MetadataStore;
use crate::selected::Selection;

/// Most memory that what was read may take, in bytes; a little more while a segment is read.
const MAX_BYTES: u64 = 4 << 30;

/// Memory of a series without labels and samples, roughly.
const SERIES_BYTES: u64 = 512;

/// Schemas that say a resolution finer than what is stored.
const FINER_SCHEMAS: RangeInclusive<i32> = 9..=52;

/// How often the directory may change while it is being read.
const ATTEMPTS: usize = 5;

/// Hints of blocks whose end says nothing about what the head holds.
const PARTIAL_HINTS: [&str; 3] = [
    "from-out-of-order",
    "from-stale-series",
    "from-selected-series",
];

/// Takes everything in the order of the log.
const NO_HORIZON: Horizon = Horizon {
    late_before_ms: i64::MIN,
    published_until_ms: i64::MIN,
};

/// What a Prometheus data directory holds that is in no block.
#[derive(Debug)]
pub struct PrometheusLog {
    pub(crate) head: Head,
    pub(crate) exemplars: ExemplarStore,
    pub(crate) metadata: MetadataStore,
    samples: u64,
    damaged: u64,
}

impl PrometheusLog {
    /// Reads the log of `data_dir`, without the samples that `blocks`, which are those of the same
    /// directory, hold already. Damaged parts are passed over and counted. A directory without a log
    /// gives an empty one, and one that takes more than 4 GiB of memory is refused
    /// ([`Error::LogTooLarge`]).
    pub fn read(data_dir: &Path, blocks: &[Arc<Block>]) -> Result<Self, Error> {
        let blocks_end_ms = blocks_end_ms(blocks);
        let mut failed = None;
        for _attempt in 0..ATTEMPTS {
            match Replay::run(data_dir, blocks_end_ms, MAX_BYTES) {
                Err(error) if error.kind() == ErrorKind::LimitExceeded => return Err(error),
                Ok(log) => return Ok(log),
                // A checkpoint takes the place of segments while they are read.
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.expect("invariant: every attempt before has failed"))
    }

    /// Returns the number of samples read.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns how many stretches and records could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Returns the first and last time that there are samples for; `None` when there are none.
    pub fn range(&self) -> Option<TimeRange> {
        let index = self.head.index.read();
        let times = index
            .iter()
            .filter_map(|series| series.state.lock().time_range());
        times
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
            .map(|(start_ms, end_ms)| TimeRange::new(start_ms, end_ms))
    }

    /// Returns the series, sorted by labels.
    pub fn series(&self) -> Vec<Labels> {
        let index = self.head.index.read();
        let mut all: Vec<Labels> = index.iter().map(|series| series.labels.clone()).collect();
        all.sort();
        all
    }

    /// Returns the samples of one series with its exemplars.
    pub fn batch(&self, labels: &Labels) -> Result<SeriesBatch, obsq_source::Error> {
        let series = self.head.index.read().get(labels.hash64(), labels).cloned();
        let samples = match series {
            Some(series) => read_all(&series)?,
            None => Vec::new(),
        };
        Ok(SeriesBatch {
            labels: labels.clone(),
            samples: samples.into(),
            exemplars: self.exemplars.of_series(labels).to_vec(),
        })
    }

    /// Returns metadata by family.
    pub fn metadata(&self) -> Vec<(String, MetricMetadata)> {
        let entries = self.metadata.entries(None).into_iter();
        entries
            .map(|entry| (entry.metric, entry.metadata))
            .collect()
    }
}

/// Returns the time before which everything that came in order is in blocks.
fn blocks_end_ms(blocks: &[Arc<Block>]) -> i64 {
    let is_partial = |hint: &String| PARTIAL_HINTS.contains(&hint.as_str());
    let whole = blocks.iter().map(|block| block.meta());
    whole
        .filter(|meta| !meta.compaction.hints.iter().any(is_partial))
        .map(|meta| meta.max_time)
        .max()
        .unwrap_or(i64::MIN)
}

fn read_all(series: &Series) -> Result<Vec<Sample>, obsq_source::Error> {
    let mut samples = Vec::new();
    if let Some(found) = series.snapshot(TimeRange::ALL) {
        let budget = MemoryBudget::new(usize::MAX);
        let selection = Selection::new(vec![found], TimeRange::ALL, Vec::new(), budget)?;
        obsq_source::SeriesSet::read_exact(&selection, 0, TimeRange::ALL, &mut samples)?;
    }
    Ok(samples)
}

/// Returns a value as it can be stored: a histogram of a finer resolution than any that is stored is
/// reduced. `None` when it is none.
fn sound(value: SampleValue) -> Option<SampleValue> {
    let SampleValue::Histogram(mut histogram) = value else {
        return Some(value);
    };
    let valid = match Arc::make_mut(&mut histogram) {
        HistogramValue::Int(histogram) => {
            let schema = histogram.schema;
            histogram.schema = coarsened(schema);
            let valid = histogram.validate().is_ok();
            histogram.schema = schema;
            valid.then(|| histogram.reduce_resolution(coarsened(schema)))
        }
        HistogramValue::Float(histogram) => {
            let schema = histogram.schema;
            histogram.schema = coarsened(schema);
            let valid = histogram.validate().is_ok();
            histogram.schema = schema;
            valid.then(|| histogram.reduce_resolution(coarsened(schema)))
        }
    };
    valid.map(|()| SampleValue::Histogram(histogram))
}

/// Returns the schema that is stored for one that was read.
fn coarsened(schema: i32) -> i32 {
    if FINER_SCHEMAS.contains(&schema) {
        *FINER_SCHEMAS.start() - 1
    } else {
        schema
    }
}

/// A log that is being read.
struct Replay {
    log: PrometheusLog,
    series: FxHashMap<u64, Arc<Series>>,
    /// What comes in order before this time is in blocks.
    blocks_end_ms: i64,
    /// Deleted times, which hold to the end of the log.
    deleted: BTreeMap<Labels, (Arc<Series>, Vec<TimeRange>)>,
    max_bytes: u64,
}

impl Replay {
    fn run(data_dir: &Path, blocks_end_ms: i64, max_bytes: u64) -> Result<PrometheusLog, Error> {
        let vfs: Arc<dyn Vfs> = Arc::new(ReadOnlyVfs::new(Arc::new(DiskVfs)));
        // No chunk is ever written: the files stay in memory.
        let files = ChunkFiles::new(Arc::clone(&vfs), data_dir.join("head"));
        let mut replay = Self {
            log: PrometheusLog {
                head: Head::new(files, i64::MIN, u64::MAX),
                exemplars: ExemplarStore::default(),
                metadata: MetadataStore::default(),
                samples: 0,
                damaged: 0,
            },
            series: FxHashMap::default(),
            blocks_end_ms,
            deleted: BTreeMap::new(),
            max_bytes,
        };
        for path in segments(vfs.as_ref(), &data_dir.join("wal"))? {
            replay.read(vfs.as_ref(), &path)?;
        }
        replay.blocks_end_ms = i64::MIN;
        for path in segments(vfs.as_ref(), &data_dir.join("wbl"))? {
            replay.read(vfs.as_ref(), &path)?;
        }
        replay.apply_deletes();
        Ok(replay.log)
    }

    fn read(&mut self, vfs: &dyn Vfs, path: &Path) -> Result<(), Error> {
        let mut segment = Segment::open(vfs, path)?;
        while let Some(bytes) = segment.next_record()? {
            match Record::decode(&bytes) {
                Some(record) => self.take(record),
                None => self.log.damaged += 1,
            }
        }
        self.log.damaged += segment.damaged();
        if self.memory_bytes() > self.max_bytes {
            return Err(Error::LogTooLarge {
                path: path.to_owned(),
                limit_bytes: self.max_bytes,
            });
        }
        Ok(())
    }

    /// Returns the memory of what was read, roughly. O(series).
    fn memory_bytes(&self) -> u64 {
        let index = self.log.head.index.read();
        let of_series = |series: &Arc<Series>| {
            let state = series.state.lock();
            let full: usize = state.full.iter().map(HeadChunk::memory_bytes).sum();
            let labels = series.labels.iter();
            let text: usize = labels
                .map(|label| label.name.len() + label.value.len())
                .sum();
            SERIES_BYTES + (full + text + state.late_memory_bytes()) as u64
        };
        index.iter().map(of_series).sum()
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Series(all) => {
                for (reference, labels) in all {
                    self.define(reference, labels);
                }
            }
            Record::Samples(all) => {
                for (reference, sample) in all {
                    self.insert(reference, sample);
                }
            }
            Record::Deletes(all) => {
                for (reference, range) in all {
                    self.delete(reference, range);
                }
            }
            Record::Exemplars(all) => {
                for (reference, exemplar) in all {
                    self.add_exemplar(reference, exemplar);
                }
            }
            Record::Metadata(all) => {
                for (reference, metadata) in all {
                    if let Some(series) = self.series.get(&reference) {
                        let family = series.labels.value("__name__");
                        self.log.metadata.add(family, metadata);
                    }
                }
            }
            Record::Other => {}
        }
    }

    fn define(&mut self, reference: u64, labels: Labels) {
        let hash = labels.hash64();
        let mut index = self.log.head.index.write();
        let known = index.get(hash, &labels).cloned();
        let series = known.unwrap_or_else(|| index.create(hash, labels));
        self.series.insert(reference, series);
    }

    fn insert(&mut self, reference: u64, mut sample: Sample) {
        if sample.ts_ms < self.blocks_end_ms {
            return;
        }
        let Some(series) = self.series.get(&reference) else {
            self.log.damaged += 1;
            return;
        };
        let Some(value) = sound(sample.value) else {
            self.log.damaged += 1;
            return;
        };
        sample.value = value;
        self.log.samples += 1;
        let outcome = &mut Outcome::default();
        self.log
            .head
            .insert_run(series, &[sample], 0, NO_HORIZON, outcome);
    }

    fn delete(&mut self, reference: u64, range: TimeRange) {
        let Some(series) = self.series.get(&reference) else {
            return;
        };
        if range == TimeRange::ALL {
            self.deleted.remove(&series.labels);
            *series.state.lock() = SeriesState::default();
            return;
        }
        let labels = series.labels.clone();
        let new = || (Arc::clone(series), Vec::new());
        self.deleted.entry(labels).or_insert_with(new).1.push(range);
    }

    /// Takes away what was deleted.
    fn apply_deletes(&mut self) {
        for (_labels, (series, ranges)) in std::mem::take(&mut self.deleted) {
            let Ok(mut samples) = read_all(&series) else {
                self.log.damaged += 1;
                continue;
            };
            let is_deleted =
                |sample: &Sample| ranges.iter().any(|range| range.contains(sample.ts_ms));
            samples.retain(|sample| !is_deleted(sample));
            *series.state.lock() = SeriesState::default();
            let outcome = &mut Outcome::default();
            let head = &self.log.head;
            head.insert_run(&series, &samples, 0, NO_HORIZON, outcome);
        }
    }

    fn add_exemplar(&mut self, reference: u64, exemplar: Exemplar) {
        if let Some(series) = self.series.get(&reference) {
            self.log.exemplars.add(&series.labels, exemplar);
        }
    }
}

/// Returns the segments to read, in order: those of the last checkpoint, then those behind it.
fn segments(vfs: &dyn Vfs, directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let names = list(vfs, directory)?;
    let last = names
        .iter()
        .filter_map(|name| Some((name.strip_prefix("checkpoint.")?.parse::<u64>().ok()?, name)))
        .max();
    let mut found = Vec::new();
    if let Some((_number, name)) = last {
        let checkpoint = directory.join(name);
        found.extend(numbered(&list(vfs, &checkpoint)?, &checkpoint));
    }
    let behind = numbered(&names, directory);
    let is_behind = |number: u64| last.is_none_or(|(checkpoint, _name)| number > checkpoint);
    found.extend(
        behind
            .into_iter()
            .filter(|(number, _path)| is_behind(*number)),
    );
    Ok(found.into_iter().map(|(_number, path)| path).collect())
}

fn list(vfs: &dyn Vfs, directory: &Path) -> Result<Vec<String>, Error> {
    let names = vfs.list(directory);
    Ok(names.map_err(obsq_wal::Error::io("list", directory))?)
}

fn numbered(names: &[String], directory: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = names
        .iter()
        .filter_map(|name| Some((name.parse().ok()?, directory.join(name))))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests;
