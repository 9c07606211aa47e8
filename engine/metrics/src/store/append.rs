//! Writing into the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use obsq_model::{MAX_TIME_MS, MIN_TIME_MS, MetricMetadata, Tenant};
use obsq_source::{Appended, Durable, Error, MetricAppender, MetricBatch, RejectReason};

use super::{MetricStore, Shared};
use crate::boundary::{from_wal, io, unavailable};
use crate::exemplars::check_exemplar;
use crate::head::{AppendLimits, CheckedBatch, LogTarget, Outcome, hash_of, seal_due_ms};
use crate::stats::add;
use crate::tenant::TenantStore;

/// Samples further ahead of the clock are refused.
const MAX_AHEAD_MS: i64 = 10 * 60 * 1000;

/// Writes are refused while this much of full chunks could not be written.
const MAX_WAITING_BYTES: usize = 64 << 20;

impl MetricAppender for MetricStore {
    fn append(&self, tenant: &Tenant, batch: MetricBatch) -> Result<Appended, Error> {
        let shared = &self.shared;
        shared.check_writable()?;
        let mut outcome = Outcome::default();
        let batch = shared.check(batch, &mut outcome);
        let mut appended = Appended {
            samples: 0,
            histograms: 0,
            exemplars: 0,
            rejected: 0,
            rejections: Vec::new(),
            durable: Durable::done(),
        };
        if !batch.series.is_empty() || !batch.metadata.is_empty() {
            let tenant = shared.tenant_or_new(tenant)?;
            (appended.exemplars, appended.durable) = shared.write(&tenant, batch, &mut outcome)?;
        }
        let counters = &shared.counters;
        add(&counters.samples, outcome.samples as u64);
        add(&counters.histograms, outcome.histograms as u64);
        add(&counters.exemplars, appended.exemplars as u64);
        counters.note_rejections(&outcome.counts);
        appended.samples = outcome.samples;
        appended.histograms = outcome.histograms;
        appended.rejected = outcome.rejected;
        appended.rejections = outcome.rejections;
        Ok(appended)
    }
}

impl Shared {
    fn check_writable(&self) -> Result<(), Error> {
        self.check_ready()?;
        let data_dir = &self.options.data_dir;
        let space = self
            .options
            .vfs
            .space(data_dir)
            .map_err(io("look at", data_dir))?;
        if space.is_short() {
            return Err(Error::DiskFull {
                free_bytes: space.free_bytes,
                needed_bytes: space.needed_bytes(),
            });
        }
        self.wal()?.wait_for_room().map_err(from_wal)
    }

    fn tenant_or_new(&self, name: &Tenant) -> Result<Arc<TenantStore>, Error> {
        match self.tenant(name) {
            Some(tenant) => Ok(tenant),
            None => self.open_tenant(name, None),
        }
    }

    /// Returns the tenant, opened if need be, which has `number` or gets it.
    pub(super) fn open_tenant(
        &self,
        name: &Tenant,
        number: Option<u32>,
    ) -> Result<Arc<TenantStore>, Error> {
        let mut tenants = self.tenants.write();
        tenants.get_or_open(&self.options, &self.cache, name, number)
    }

    /// Takes out what is refused whatever is stored, and returns the rest.
    fn check(&self, batch: MetricBatch, outcome: &mut Outcome) -> CheckedBatch {
        let now_ms = self.options.clock.now_ms();
        let latest_ms = now_ms.saturating_add(MAX_AHEAD_MS).min(MAX_TIME_MS);
        let retention_ms = self.retention().time_ms;
        let kept_from_ms = retention_ms.map_or(MIN_TIME_MS, |age| now_ms.saturating_sub(age));
        let refusal = |ts_ms: i64| {
            if !(MIN_TIME_MS..=MAX_TIME_MS).contains(&ts_ms) {
                Some(RejectReason::OutOfRange)
            } else if ts_ms > latest_ms {
                Some(RejectReason::TooFarInFuture)
            } else if ts_ms < kept_from_ms {
                Some(RejectReason::BeforeRetention)
            } else {
                None
            }
        };
        let mut checked = CheckedBatch {
            series: Vec::with_capacity(batch.series.len()),
            metadata: batch.metadata,
        };
        let mut dropped = 0;
        for mut series in batch.series {
            let labels = &series.labels;
            series.samples.retain(|sample| {
                if sample.start_ts_ms != 0 && !self.options.start_timestamps {
                    sample.start_ts_ms = 0;
                    dropped += 1;
                }
                let refused = refusal(sample.ts_ms);
                if let Some(reason) = &refused {
                    outcome.reject(labels, sample.ts_ms, reason.clone());
                }
                refused.is_none()
            });
            if !series.samples.is_sorted_by_key(|sample| sample.ts_ms) {
                // In order of time nothing is late; of two values for one time the first stays first.
                series.samples.sort_by_key(|sample| sample.ts_ms);
            }
            series.exemplars.retain(|exemplar| {
                let checked = check_exemplar(exemplar).map_err(RejectReason::InvalidExemplar);
                let refused = refusal(exemplar.ts_ms).or(checked.err());
                if let Some(reason) = &refused {
                    outcome.reject(labels, exemplar.ts_ms, reason.clone());
                }
                refused.is_none()
            });
            if !series.samples.is_empty() || !series.exemplars.is_empty() {
                checked.series.push((hash_of(&series.labels), series));
            }
        }
        add(&self.counters.starts_dropped, dropped);
        checked
    }

    /// Writes a batch and returns the number of its exemplars and when it is durable.
    fn write(
        &self,
        tenant: &TenantStore,
        mut batch: CheckedBatch,
        outcome: &mut Outcome,
    ) -> Result<(usize, Durable), Error> {
        let (head, wal) = (&tenant.head, self.wal()?);
        if head.files.waiting_bytes() >= MAX_WAITING_BYTES && !head.files.write_waiting() {
            return Err(unavailable("the metrics store (chunks wait for the disk)"));
        }
        // What is known is in the log before this batch, unless a write has failed since the last
        // checkpoint.
        let must_log = |family: &str, entry: &MetricMetadata| {
            wal.failures() != self.settled_failures.load(Ordering::Acquire)
                || !tenant.metadata.lock().knows(family, entry)
        };
        let (sender, durable) = Durable::pending();
        let done = Box::new(move |written: Result<(), obsq_wal::Error>| {
            // Nobody may be waiting any more.
            drop(sender.send(written.map_err(from_wal)));
        });
        let limits = AppendLimits {
            max_series: self.series_limits.read().of(&tenant.name),
            late_before_ms: seal_due_ms(self.options.clock.now_ms()),
        };
        let target = LogTarget {
            wal,
            must_log: &must_log,
            number: tenant.number(),
            name: tenant.name.as_str(),
        };
        let appending = head
            .append(target, &mut batch, limits, done, outcome)
            .map_err(from_wal)?;
        let series = batch.series.iter();
        let exemplars = series.map(|(_hash, series)| series.exemplars.len()).sum();
        tenant.take_companions(batch);
        drop(appending);
        Ok((exemplars, durable))
    }
}
