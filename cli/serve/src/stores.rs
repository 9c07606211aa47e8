//! The embedded stores.

use std::sync::Arc;

use obsq_ingest::config::LimitsConfig;
use obsq_metrics::{BlockMeta, HeadStatus, MetricStore, Retention, StoreOptions, StoreStats};
use obsq_model::{Clock, Matcher, Tenant, TimeRange};
use obsq_source::{MetricAppender, MetricLog, MetricSource};

use crate::config::Loaded;
use crate::prom::ApiError;
use crate::{ServeError, ServeOptions};

/// The stores of one data directory.
#[derive(Debug)]
pub(crate) struct Stores {
    metrics: Arc<MetricStore>,
}

impl Stores {
    /// Opens the stores, which locks the directory.
    pub(crate) fn open(
        options: &ServeOptions,
        loaded: &Loaded,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ServeError> {
        let mut store = StoreOptions::new(options.data_dir.clone(), Arc::clone(clock));
        store.retention = loaded.retention(options);
        store.start_timestamps = options.start_timestamps;
        store.held_log_bytes = options.held_log_bytes;
        let metrics = MetricStore::open_early(store).map_err(|source| ServeError::Open {
            path: options.data_dir.clone(),
            source: Box::new(source),
        })?;
        Ok(Self {
            metrics: Arc::new(metrics),
        })
    }

    /// Returns what queries read.
    pub(crate) fn source(&self) -> Arc<dyn MetricSource> {
        Arc::clone(&self.metrics) as _
    }

    /// Returns what can be read in the order of writing.
    pub(crate) fn log(&self) -> Arc<dyn MetricLog> {
        Arc::clone(&self.metrics) as _
    }

    /// Returns what ingestion writes to.
    pub(crate) fn appender(&self) -> Arc<dyn MetricAppender> {
        Arc::clone(&self.metrics) as _
    }

    /// Says whether everything acknowledged before the start is there and writes are taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.metrics.is_ready()
    }

    /// Returns the numbers for `/metrics`.
    pub(crate) fn stats(&self) -> StoreStats {
        self.metrics.stats()
    }

    /// Returns what the head of `tenant` holds, at most `limit` entries per list.
    pub(crate) fn head_status(&self, tenant: &Tenant, limit: usize) -> HeadStatus {
        self.metrics.head_status(tenant, limit)
    }

    /// Returns what the blocks of `tenant` say of themselves, by their earliest time.
    pub(crate) fn block_metas(&self, tenant: &Tenant) -> Vec<BlockMeta> {
        self.metrics.block_metas(tenant)
    }

    /// Seals everything that the heads hold.
    pub(crate) fn flush(&self) -> Result<(), ApiError> {
        self.metrics.flush().map_err(ApiError::from)
    }

    /// Deletes what was acknowledged so far in `range` of the series that any selector selects.
    pub(crate) fn delete_series(
        &self,
        tenant: &Tenant,
        selectors: Vec<Vec<Matcher>>,
        range: TimeRange,
    ) -> Result<(), ApiError> {
        let deleted = self.metrics.delete_series(tenant, selectors, range);
        deleted.map_err(ApiError::from)
    }

    /// Frees the bytes of what is deleted.
    pub(crate) fn clean_tombstones(&self, tenant: &Tenant) -> Result<usize, ApiError> {
        self.metrics
            .clean_tombstones(tenant)
            .map_err(ApiError::from)
    }

    /// Makes a snapshot and returns its name below `snapshots` of the data directory.
    pub(crate) fn snapshot(&self, tenant: &Tenant, skip_head: bool) -> Result<String, ApiError> {
        let directory = self.metrics.snapshot(tenant, skip_head)?;
        let name = directory.file_name().unwrap_or_default();
        Ok(name.to_string_lossy().into_owned())
    }

    /// Lets each tenant have as many series in memory as the limits say.
    pub(crate) fn set_series_limits(&self, limits: &LimitsConfig) {
        let tenants = limits.overrides.keys();
        let own = tenants.map(|tenant| (tenant.clone(), limits.of(tenant).max_series));
        let default = limits.defaults.max_series.filter(|limit| *limit > 0);
        self.metrics.set_series_limits(default, own.collect());
    }

    /// Keeps samples as `retention` says from now on.
    pub(crate) fn set_retention(&self, retention: Retention) {
        self.metrics.set_retention(retention);
    }

    /// Ends the write-ahead log. Writes that come later fail.
    pub(crate) fn close(&self) {
        self.metrics.close();
    }
}
