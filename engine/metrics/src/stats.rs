//! What the store tells about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use obsq_source::RejectReason;
use obsq_wal::WalStats;

/// Numbers about the whole store: counts since it was opened, and sizes at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Float samples accepted.
    pub samples_appended: u64,
    /// Histogram samples accepted.
    pub histograms_appended: u64,
    /// Exemplars accepted.
    pub exemplars_appended: u64,
    /// Samples and exemplars refused, by reason.
    pub rejected: RejectedCounts,
    /// What the log counts.
    pub wal: WalStats,
    /// Log records that were replayed at the start.
    pub replayed_records: u64,
    /// Log records that should have been there at the start but were not.
    pub missing_records: u64,
    /// Places where log, checkpoint or companions were found damaged at the start.
    pub corruptions: u64,
    /// Start timestamps that were dropped because they are not stored.
    pub start_timestamps_dropped: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Checkpoints, seals and compactions that failed.
    pub maintenance_failures: u64,
    /// Tasks whose last try failed.
    pub failing: FailingTasks,
    /// Blocks sealed from the head.
    pub seals: u64,
    /// Compactions done.
    pub compactions: u64,
    /// Requests to delete carried out.
    pub deletions: u64,
    /// Tenants known.
    pub tenants: u64,
    /// Series in all heads.
    pub head_series: u64,
    /// Chunks in all heads.
    pub head_chunks: u64,
    /// Bytes of files of all heads.
    pub head_file_bytes: u64,
    /// Bytes of late samples that wait for their seal, roughly.
    pub late_bytes: u64,
    /// Blocks of all tenants.
    pub blocks: u64,
    /// Bytes of those blocks.
    pub block_bytes: u64,
    /// Blocks that could not be opened.
    pub broken_blocks: u64,
    /// Damaged chunks of heads that were left out when the rest was sealed.
    pub lost_chunks: u64,
    /// Blocks that were opened and in which damage was found since.
    pub damaged_blocks: u64,
}

/// Tasks that fail at present and are tried again, ever more rarely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailingTasks {
    /// Tenants whose head cannot be sealed.
    pub seals: u64,
    /// 1 when checkpoints cannot be written.
    pub checkpoints: u64,
    /// Tenants whose blocks cannot be merged.
    pub compactions: u64,
}

/// Refused samples and exemplars by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RejectedCounts {
    /// Another value is stored for the same series and time.
    pub duplicate_sample: u64,
    /// Too far ahead of the clock.
    pub too_far_in_future: u64,
    /// Before the retention.
    pub before_retention: u64,
    /// Outside year 1 to 9999.
    pub out_of_range: u64,
    /// Anything that is wrong in itself.
    pub invalid: u64,
    /// The tenant has reached its number of series.
    pub too_many_series: u64,
}

impl RejectedCounts {
    /// Counts one refusal.
    pub(crate) fn note(&mut self, reason: &RejectReason) {
        let counter = match reason {
            RejectReason::DuplicateSample => &mut self.duplicate_sample,
            RejectReason::TooFarInFuture => &mut self.too_far_in_future,
            RejectReason::BeforeRetention => &mut self.before_retention,
            RejectReason::OutOfRange => &mut self.out_of_range,
            RejectReason::TooManySeries { .. } => &mut self.too_many_series,
            _ => &mut self.invalid,
        };
        *counter += 1;
    }
}

/// A name and a number, for lists of what is largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCount {
    /// What is counted.
    pub name: String,
    /// How often, or how many bytes.
    pub value: u64,
}

/// What one tenant's head holds, as `/api/v1/status/tsdb` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadStatus {
    /// Number of series.
    pub series: u64,
    /// Number of distinct label pairs.
    pub label_pairs: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Time of the oldest sample, if there is one.
    pub min_time_ms: Option<i64>,
    /// Time of the newest sample, if there is one.
    pub max_time_ms: Option<i64>,
    /// Metric names with the most series.
    pub series_by_metric_name: Vec<NamedCount>,
    /// Label names with the most values.
    pub values_by_label_name: Vec<NamedCount>,
    /// Label names whose values take the most bytes over all series.
    pub bytes_by_label_name: Vec<NamedCount>,
    /// Label pairs, as `name=value`, with the most series.
    pub series_by_label_pair: Vec<NamedCount>,
}

/// Counters of the store; all relaxed, they only ever grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) samples: AtomicU64,
    pub(crate) histograms: AtomicU64,
    pub(crate) exemplars: AtomicU64,
    pub(crate) duplicate: AtomicU64,
    pub(crate) future: AtomicU64,
    pub(crate) retention: AtomicU64,
    pub(crate) range: AtomicU64,
    pub(crate) invalid: AtomicU64,
    pub(crate) series: AtomicU64,
    pub(crate) starts_dropped: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) seals: AtomicU64,
    pub(crate) compactions: AtomicU64,
    pub(crate) deletions: AtomicU64,
}

impl Counters {
    /// Counts refusals.
    pub(crate) fn note_rejections(&self, counts: &RejectedCounts) {
        add(&self.duplicate, counts.duplicate_sample);
        add(&self.future, counts.too_far_in_future);
        add(&self.retention, counts.before_retention);
        add(&self.range, counts.out_of_range);
        add(&self.invalid, counts.invalid);
        add(&self.series, counts.too_many_series);
    }

    /// Copies the counters into `stats`.
    pub(crate) fn fill(&self, stats: &mut StoreStats) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        stats.samples_appended = get(&self.samples);
        stats.histograms_appended = get(&self.histograms);
        stats.exemplars_appended = get(&self.exemplars);
        stats.rejected = RejectedCounts {
            duplicate_sample: get(&self.duplicate),
            too_far_in_future: get(&self.future),
            before_retention: get(&self.retention),
            out_of_range: get(&self.range),
            invalid: get(&self.invalid),
            too_many_series: get(&self.series),
        };
        stats.start_timestamps_dropped = get(&self.starts_dropped);
        stats.checkpoints = get(&self.checkpoints);
        stats.maintenance_failures = get(&self.failures);
        stats.seals = get(&self.seals);
        stats.compactions = get(&self.compactions);
        stats.deletions = get(&self.deletions);
    }
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
