//! A store in a temporary directory with a clock and faults of the test's own.

use std::sync::Arc;

use obsq_model::{Labels, ManualClock, MatchOp, Matcher, Sample, Tenant, TimeRange};
use obsq_source::{
    Appended, Error, LabelRequest, MemoryBudget, MetricAppender as _, MetricBatch,
    MetricSource as _, QueryContext, SelectRequest, SeriesBatch, SeriesSet, compile_matcher,
};
use obsq_wal::{FaultVfs, Faults};
use tempfile::TempDir;

use crate::{BlockMeta, MetricStore, StoreOptions};

/// 2026-01-01T00:00:00Z, the start of a window.
pub(super) const NOW_MS: i64 = 1_767_225_600_000;

pub(super) struct Bench {
    pub(super) directory: TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) faults: Arc<Faults>,
    store: Option<MetricStore>,
    change: fn(&mut StoreOptions),
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|_options| {})
    }

    pub(super) fn with(change: fn(&mut StoreOptions)) -> Self {
        let mut bench = Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at(NOW_MS)),
            faults: Arc::default(),
            store: None,
            change,
        };
        bench.crash();
        bench
    }

    pub(super) fn options(&self) -> StoreOptions {
        let clock = Arc::clone(&self.clock);
        let mut options = StoreOptions::new(self.directory.path().join("data"), clock);
        options.vfs = Arc::new(FaultVfs::new(Arc::clone(&self.faults)));
        options.maintenance = false;
        (self.change)(&mut options);
        options
    }

    pub(super) fn store(&self) -> &MetricStore {
        self.store.as_ref().unwrap()
    }

    /// Drops the store as a crash would and opens it again.
    pub(super) fn crash(&mut self) {
        self.store = None;
        self.store = Some(MetricStore::open(self.options()).unwrap());
    }

    /// Drops the store as a crash would and opens it again without waiting for the replay.
    pub(super) fn open_early(&mut self) {
        self.store = None;
        self.store = Some(MetricStore::open_early(self.options()).unwrap());
    }

    /// Drops the store as a crash would.
    pub(super) fn stop(&mut self) {
        self.store = None;
    }

    /// Returns the meta of the block whose samples were acknowledged first.
    pub(super) fn meta_of_first_block(&self) -> BlockMeta {
        let tenant = self.store().shared.tenant(&Tenant::anonymous()).unwrap();
        tenant.blocks.snapshot()[0].meta().clone()
    }

    /// Closes the store in order and opens it again.
    pub(super) fn restart(&mut self) {
        self.store().close();
        self.crash();
    }

    pub(super) fn append(&self, series: Vec<SeriesBatch>) -> Appended {
        let batch = MetricBatch {
            series,
            metadata: Vec::new(),
        };
        self.store().append(&Tenant::anonymous(), batch).unwrap()
    }

    /// Appends and waits for the disk.
    pub(super) fn write(&self, series: Vec<SeriesBatch>) -> Result<(usize, usize), Error> {
        let appended = self.append(series);
        let counts = (appended.samples + appended.histograms, appended.rejected);
        appended.durable.wait_blocking()?;
        Ok(counts)
    }

    /// Deletes from the series that one matcher selects.
    pub(super) fn delete(
        &self,
        name: &str,
        op: MatchOp,
        value: &str,
        range: TimeRange,
    ) -> Result<(), Error> {
        let matcher = compile_matcher(name, op, value).unwrap();
        let selectors = vec![vec![matcher]];
        self.store()
            .delete_series(&Tenant::anonymous(), selectors, range)
    }

    pub(super) fn context(&self) -> QueryContext {
        let clock = Arc::clone(&self.clock);
        QueryContext::new(clock, None, MemoryBudget::new(1 << 30))
    }

    pub(super) fn select(&self, matchers: Vec<Matcher>, range: TimeRange) -> Box<dyn SeriesSet> {
        let request = SelectRequest { range, matchers };
        let tenant = Tenant::anonymous();
        self.store()
            .select(&tenant, &request, &self.context())
            .unwrap()
    }

    /// Returns all samples of the series `n="value"`.
    pub(super) fn samples(&self, value: &str) -> Vec<Sample> {
        let set = self.select(vec![Matcher::equal("n", value)], TimeRange::ALL);
        let mut samples = Vec::new();
        if !set.is_empty() {
            set.read_exact(0, TimeRange::ALL, &mut samples).unwrap();
        }
        samples
    }
}

/// Returns the labels of the series that [`Bench::samples`] finds.
pub(super) fn labels(value: &str) -> Labels {
    Labels::from_pairs(&[("__name__", "m"), ("n", value)])
}

/// Returns a batch of floats for one series.
pub(super) fn floats(value: &str, samples: &[(i64, f64)]) -> SeriesBatch {
    SeriesBatch {
        labels: labels(value),
        samples: samples
            .iter()
            .map(|(ts, v)| Sample::float(*ts, *v))
            .collect(),
        exemplars: Vec::new(),
    }
}

pub(super) fn everything() -> LabelRequest {
    LabelRequest {
        range: TimeRange::ALL,
        selectors: Vec::new(),
        limit: 0,
    }
}

impl MetricStore {
    /// Waits until the log is replayed.
    pub(super) fn wait_until_ready(&self) {
        self.recovery.wait().unwrap();
    }

    /// Writes a checkpoint, due or not.
    pub(super) fn checkpoint_now(&self) {
        self.shared.checkpoint().unwrap();
    }
}
