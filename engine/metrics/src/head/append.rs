//! Taking batches into the head.

use std::sync::Arc;
use std::sync::atomic::Ordering;

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

    /// Notes the refusal of everything there is of a series.
    fn reject_series(&mut self, batch: &SeriesBatch, reason: &RejectReason) {
        let samples = batch.samples.iter().map(|sample| sample.ts_ms);
        let exemplars = batch.exemplars.iter().map(|exemplar| exemplar.ts_ms);
        for ts_ms in samples.chain(exemplars) {
            self.reject(&batch.labels, ts_ms, reason.clone());
        }
    }
}

/// Where batches are logged, and for whom, in the words of the log.
#[derive(Clone, Copy)]
pub(crate) struct LogTarget<'a> {
    pub(crate) wal: &'a Wal,
    pub(crate) number: u32,
    pub(crate) name: &'a str,
    /// Says whether metadata must be in the record, because it may be in no earlier one. Asked anew
    /// whenever a failure of the log may have changed that.
    pub(crate) must_log: &'a dyn Fn(&str, &MetricMetadata) -> bool,
}

/// A batch whose samples were checked, with its hashes.
#[derive(Debug)]
pub(crate) struct CheckedBatch {
    pub(crate) series: Vec<(u64, SeriesBatch)>,
    pub(crate) metadata: Vec<(String, MetricMetadata)>,
}

impl Head {
    /// Logs a batch and inserts it. Fails without having changed anything but the set of series.
    /// Series beyond the limit are refused and taken out of `batch`, exemplars and all.
    ///
    /// The log holds all samples of the batch, also those that lose against one that is known: replay
    /// inserts them in the same order and with the same winner.
    ///
    /// Returns the append lock. What else the record holds is to be taken before it is dropped: a
    /// checkpoint that waits for it counts on that.
    pub(crate) fn append(
        &self,
        target: LogTarget<'_>,
        batch: &mut CheckedBatch,
        limits: AppendLimits,
        done: Done,
        outcome: &mut Outcome,
    ) -> Result<MutexGuard<'_, (u32, u8)>, obsq_wal::Error> {
        let mut told = self.append.lock();
        let found = self.find_or_create(batch, limits, outcome);
        if found.is_empty() && batch.metadata.is_empty() {
            done(Ok(()));
            return Ok(told);
        }
        let mut horizon = self.horizon();
        horizon.late_before_ms = horizon.late_before_ms.max(limits.late_before_ms);
        let seq = log(target, batch, &found, &mut told, done)?;
        for ((_hash, series_batch), series) in batch.series.iter().zip(&found) {
            self.insert_run(series, &series_batch.samples, seq, horizon, outcome);
        }
        Ok(told)
    }

    /// Returns the series of the batch, from which it takes those that the limit forbids.
    fn find_or_create(
        &self,
        batch: &mut CheckedBatch,
        limits: AppendLimits,
        outcome: &mut Outcome,
    ) -> Vec<Arc<Series>> {
        let known: Vec<_> = {
            let index = self.index.read();
            let get = |(hash, batch): &(u64, SeriesBatch)| index.get(*hash, &batch.labels).cloned();
            batch.series.iter().map(get).collect()
        };
        if known.iter().all(Option::is_some) {
            return known.into_iter().flatten().collect();
        }
        let mut index = self.index.write();
        let limit = limits.max_series;
        let mut known = known.into_iter();
        let mut found = Vec::with_capacity(known.len());
        batch.series.retain(|(hash, batch)| {
            let known = known.next().flatten();
            let mut series = known.or_else(|| index.get(*hash, &batch.labels).cloned());
            if series.is_none() && index.len() < limit {
                series = Some(index.create(*hash, batch.labels.clone()));
            }
            if series.is_none() {
                outcome.reject_series(batch, &RejectReason::TooManySeries { limit });
            }
            let stays = series.is_some();
            found.extend(series);
            stays
        });
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
        let late_memory_bytes = state.late_memory_bytes();
        let chunks_before = state.chunk_count() as i64;
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
        if late > 0
            && let Some(samples) = &mut state.late
        {
            if self.late.is_crowded() {
                samples.spill(horizon, &self.files);
            }
            let memory_bytes = samples.memory_bytes();
            self.late.change_memory(late_memory_bytes, memory_bytes);
            self.late.add(late);
        }
        let more_chunks = state.chunk_count() as i64 - chunks_before;
        drop(state);
        if more_chunks != 0 {
            self.chunks.fetch_add(more_chunks, Ordering::Relaxed);
        }
        self.note_times(oldest_ms, newest_ms);
    }
}

/// Writes the batch to the log and returns its number.
fn log(
    target: LogTarget<'_>,
    batch: &CheckedBatch,
    found: &[Arc<Series>],
    told: &mut (u32, u8),
    mut done: Done,
) -> Result<u64, obsq_wal::Error> {
    let mut record = Record::with_capacity(batch.series.len() * 32);
    loop {
        let epoch = target.wal.epoch();
        // After the epoch: alone, metadata has no other record whose writing could be waited for.
        let metadata = batch.metadata.iter();
        let metadata: Vec<_> = metadata
            .filter(|(family, entry)| found.is_empty() || (target.must_log)(family, entry))
            .collect();
        record.clear();
        encode(
            &mut record,
            epoch,
            target,
            &batch.series,
            &metadata,
            found,
            told,
        );
        match target.wal.submit(record, epoch, done) {
            Ok(seq) => return Ok(seq),
            Err(refused) => {
                if let Some(error) = refused.error {
                    // What the record defined is in no log.
                    *told = (0, 0);
                    for series in found {
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
    target: LogTarget<'_>,
    batches: &[(u64, SeriesBatch)],
    metadata: &[&(String, MetricMetadata)],
    found: &[Arc<Series>],
    told: &mut (u32, u8),
) {
    let pairs = || {
        let batches = batches.iter().map(|(_hash, batch)| batch);
        batches.zip(found)
    };
    let tenant_name = must_define(told, epoch).then_some(target.name);
    let mut writer = RecordWriter::begin(record.buffer(), target.number, tenant_name);
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
    writer.count(metadata.len());
    for (family, metadata) in metadata {
        writer.metadata(family, metadata);
    }
}
