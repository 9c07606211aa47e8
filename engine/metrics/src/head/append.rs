//! Taking batches into the head.

use std::sync::Arc;

use obsq_model::{Exemplar, Labels, MetricMetadata, Sample};
use obsq_source::{RejectReason, Rejection, SeriesBatch};
use obsq_wal::{Done, Record, Wal};
use parking_lot::MutexGuard;

use super::late::sample_bytes;
use super::series::{Fate, Series};
use super::{Head, Horizon, SeriesState};
use crate::record::{DEFINITIONS_PER_EPOCH, RecordWriter};
use crate::stats::RejectedCounts;

/// Refusals that are reported in full.
const REPORTED_REJECTIONS: usize = 16;

/// What the head takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppendLimits {
    pub(crate) max_series: usize,
    /// Samples before this time are late, whatever is sealed.
    pub(crate) late_before_ms: i64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) samples: usize,
    pub(crate) histograms: usize,
    pub(crate) rejected: usize,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) counts: RejectedCounts,
}

impl Outcome {
    /// Notes a refusal.
    pub(crate) fn reject(&mut self, labels: &Labels, ts_ms: i64, reason: RejectReason) {
        self.rejected += 1;
        self.counts.note(&reason);
        if self.rejections.len() < REPORTED_REJECTIONS {
            self.rejections.push(Rejection {
                labels: labels.clone(),
                ts_ms,
                reason,
            });
        }
    }
}

/// Who the batch is for, in the words of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogName<'a> {
    pub(crate) number: u32,
    pub(crate) name: &'a str,
}

/// A batch whose samples were checked, with its hashes.
#[derive(Debug)]
pub(crate) struct CheckedBatch {
    pub(crate) series: Vec<(u64, SeriesBatch)>,
    pub(crate) metadata: Vec<(String, MetricMetadata)>,
}

impl Head {
    /// Logs a batch and inserts it. Fails without having changed anything but the set of series.
    ///
    /// The log holds all samples of the batch, also those that lose against one that is known: replay
    /// inserts them in the same order and with the same winner.
    ///
    /// Returns the append lock. What else the record holds is to be taken before it is dropped: a
    /// checkpoint that waits for it counts on that.
    pub(crate) fn append(
        &self,
        wal: &Wal,
        name: LogName<'_>,
        batch: &CheckedBatch,
        limits: AppendLimits,
        done: Done,
        outcome: &mut Outcome,
    ) -> Result<MutexGuard<'_, (u32, u8)>, obsq_wal::Error> {
        let mut told = self.append.lock();
        let found = self.find_or_create(batch, limits, outcome);
        let mut horizon = self.horizon();
        horizon.late_before_ms = horizon.late_before_ms.max(limits.late_before_ms);
        let seq = log(wal, name, batch, &found, &mut told, done)?;
        for ((_hash, series_batch), series) in batch.series.iter().zip(&found) {
            if let Some(series) = series {
                self.insert_run(series, &series_batch.samples, seq, horizon, outcome);
            }
        }
        Ok(told)
    }

    /// Returns the series of the batch; `None` where the limit forbids a new one.
    fn find_or_create(
        &self,
        batch: &CheckedBatch,
        limits: AppendLimits,
        outcome: &mut Outcome,
    ) -> Vec<Option<Arc<Series>>> {
        let mut found: Vec<_> = {
            let index = self.index.read();
            let get = |(hash, batch): &(u64, SeriesBatch)| index.get(*hash, &batch.labels).cloned();
            batch.series.iter().map(get).collect()
        };
        if found.iter().all(Option::is_some) {
            return found;
        }
        let mut index = self.index.write();
        let limit = limits.max_series;
        for (found, (hash, batch)) in found.iter_mut().zip(&batch.series) {
            if found.is_some() {
                continue;
            }
            *found = index.get(*hash, &batch.labels).cloned();
            if found.is_none() && index.len() < limit {
                *found = Some(index.create(*hash, batch.labels.clone()));
            }
            if found.is_none() {
                for sample in &batch.samples {
                    let reason = RejectReason::TooManySeries { limit };
                    outcome.reject(&batch.labels, sample.ts_ms, reason);
                }
            }
        }
        found
    }

    /// Inserts samples that are in the log under `seq`.
    pub(crate) fn insert_run(
        &self,
        series: &Series,
        samples: &[Sample],
        seq: u64,
        horizon: Horizon,
        outcome: &mut Outcome,
    ) {
        let (mut late, mut oldest_ms, mut newest_ms) = (0, i64::MAX, i64::MIN);
        let mut state = series.state.lock();
        state.last_seq = seq;
        for sample in samples {
            match state.insert(sample, horizon, &self.files) {
                Fate::Duplicate => {
                    outcome.reject(&series.labels, sample.ts_ms, RejectReason::DuplicateSample);
                    continue;
                }
                Fate::Late => late += sample_bytes(sample),
                Fate::InOrder => oldest_ms = oldest_ms.min(sample.ts_ms),
                Fate::Repeat => {}
            }
            newest_ms = newest_ms.max(sample.ts_ms);
            match &sample.value {
                obsq_model::SampleValue::Float(_) => outcome.samples += 1,
                obsq_model::SampleValue::Histogram(_) => outcome.histograms += 1,
            }
        }
        drop(state);
        self.note_times(oldest_ms, newest_ms);
        if late > 0 {
            self.late.add(late);
        }
    }
}

/// Writes the batch to the log and returns its number.
fn log(
    wal: &Wal,
    name: LogName<'_>,
    batch: &CheckedBatch,
    found: &[Option<Arc<Series>>],
    told: &mut (u32, u8),
    mut done: Done,
) -> Result<u64, obsq_wal::Error> {
    let mut record = Record::with_capacity(batch.series.len() * 32);
    loop {
        let epoch = wal.epoch();
        record.clear();
        encode(&mut record, epoch, name, batch, found, told);
        match wal.submit(record, epoch, done) {
            Ok(seq) => return Ok(seq),
            Err(refused) => {
                if let Some(error) = refused.error {
                    // What the record defined is in no log.
                    *told = (0, 0);
                    for series in found.iter().flatten() {
                        series.state.lock().defined = (0, 0);
                    }
                    return Err(error);
                }
                (record, done) = (refused.record, refused.done);
            }
        }
    }
}

/// Says whether something that was defined as `told` says must be defined in `epoch` (again), and
/// notes that it is.
fn must_define(told: &mut (u32, u8), epoch: u32) -> bool {
    if told.0 != epoch {
        *told = (epoch, 0);
    }
    let must = told.1 < DEFINITIONS_PER_EPOCH;
    told.1 += u8::from(must);
    must
}

fn encode(
    record: &mut Record,
    epoch: u32,
    name: LogName<'_>,
    batch: &CheckedBatch,
    found: &[Option<Arc<Series>>],
    told: &mut (u32, u8),
) {
    let pairs = || {
        let found = batch.series.iter().zip(found);
        found.filter_map(|((_hash, batch), series)| Some((batch, series.as_ref()?)))
    };
    let tenant_name = must_define(told, epoch).then_some(name.name);
    let mut writer = RecordWriter::begin(record.buffer(), name.number, tenant_name);
    let define = |state: &mut SeriesState| must_define(&mut state.defined, epoch);
    let undefined: Vec<&Arc<Series>> = pairs()
        .map(|(_batch, series)| series)
        .filter(|series| define(&mut series.state.lock()))
        .collect();
    writer.count(undefined.len());
    for series in undefined {
        writer.definition(series.id, &series.labels);
    }
    let with_samples = || pairs().filter(|(batch, _series)| !batch.samples.is_empty());
    writer.count(with_samples().count());
    for (batch, series) in with_samples() {
        writer.samples(series.id, &batch.samples);
    }
    let exemplars = || {
        pairs().flat_map(|(batch, series)| {
            let exemplar = |exemplar| -> (u32, &Exemplar) { (series.id, exemplar) };
            batch.exemplars.iter().map(exemplar)
        })
    };
    writer.count(exemplars().count());
    for (id, exemplar) in exemplars() {
        writer.exemplar(id, exemplar);
    }
    writer.count(batch.metadata.len());
    for (family, metadata) in &batch.metadata {
        writer.metadata(family, metadata);
    }
}
