//! What single tenants may ask for, and who is kept to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use obsq_ingest::config::{LimitsConfig, TenantLimits};
use obsq_model::{Clock, Labels, Tenant};
use obsq_source::{
    Appended, Error, MemoryBudget, MetricAppender, MetricBatch, QueryContext, RejectReason,
    Rejection, SeriesBatch,
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Refusals that are reported in full.
const REPORTED_REJECTIONS: usize = 16;
/// A burst that is not configured is the rate of so many seconds.
const DEFAULT_BURST_SECONDS: f64 = 10.0;
/// Tenants whose rate is remembered; one that is forgotten may burst again.
const MAX_BUCKETS: usize = 100_000;

/// The limits in force, and the rates that are measured for them.
#[derive(Debug)]
pub(crate) struct Limits {
    config: ArcSwap<LimitsConfig>,
    buckets: Mutex<FxHashMap<Tenant, Bucket>>,
    clock: Arc<dyn Clock>,
    refused: [AtomicU64; Limit::ALL.len()],
}

/// A limit whose refusals are counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    IngestionRate,
    LabelNames,
    LabelNameLength,
    LabelValueLength,
}

impl Limit {
    pub(crate) const ALL: [Self; 4] = [
        Self::IngestionRate,
        Self::LabelNames,
        Self::LabelNameLength,
        Self::LabelValueLength,
    ];

    /// Returns the key in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IngestionRate => "ingestion_rate",
            Self::LabelNames => "max_label_names_per_series",
            Self::LabelNameLength => "max_label_name_length",
            Self::LabelValueLength => "max_label_value_length",
        }
    }
}

/// How much a tenant may still send at once. Fills up with time.
#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Duration,
}

impl Limits {
    pub(crate) fn new(config: LimitsConfig, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            config: ArcSwap::from_pointee(config),
            buckets: Mutex::default(),
            clock,
            refused: Default::default(),
        })
    }

    /// Holds tenants to other limits from now on.
    pub(crate) fn set(&self, config: LimitsConfig) {
        self.config.store(Arc::new(config));
    }

    /// Returns the limits of a tenant.
    pub(crate) fn of(&self, tenant: &Tenant) -> TenantLimits {
        self.config.load().of(tenant)
    }

    /// Returns how many samples or requests a limit has refused.
    pub(crate) fn refused(&self, limit: Limit) -> u64 {
        self.refused[limit as usize].load(Ordering::Relaxed)
    }

    fn note(&self, limit: Limit, count: usize) {
        self.refused[limit as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Returns how long a query of the tenant may take: what it asks for, at most what it may.
    pub(crate) fn timeout(&self, tenant: &Tenant, asked: Option<Duration>) -> Option<Duration> {
        let most = self.of(tenant).query_timeout_ms;
        let most = most.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        match (asked, most) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    /// Holds a query to what its tenant may ask for.
    pub(crate) fn restrict(&self, tenant: &Tenant, context: &mut QueryContext) {
        let limits = self.of(tenant);
        let lower = |limit: &mut usize, own: Option<usize>| {
            *limit = own.unwrap_or(usize::MAX).min(*limit);
        };
        let query = &mut context.limits;
        lower(&mut query.max_series, limits.max_fetched_series_per_query);
        lower(&mut query.max_samples, limits.max_samples_per_query);
        if let Some(bytes) = limits.max_memory_per_query {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            context.memory = MemoryBudget::child(&context.memory, bytes);
        }
    }

    /// Takes `count` out of what the tenant may send now.
    fn take(&self, tenant: &Tenant, limits: &TenantLimits, count: usize) -> Result<(), Error> {
        let Some(rate) = limits.ingestion_rate else {
            return Ok(());
        };
        let burst = match limits.ingestion_burst_size {
            Some(burst) => burst as f64,
            None => (rate * DEFAULT_BURST_SECONDS).max(1.0),
        };
        let now = self.clock.monotonic();
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MAX_BUCKETS {
            buckets.clear();
        }
        let full = || Bucket {
            left: burst,
            filled: now,
        };
        let bucket = match buckets.get_mut(tenant) {
            Some(bucket) => bucket,
            None => buckets.entry(tenant.clone()).or_insert_with(full),
        };
        let passed = now.saturating_sub(bucket.filled).as_secs_f64();
        bucket.left = (bucket.left + passed * rate).min(burst);
        bucket.filled = now;
        if bucket.left < count as f64 {
            self.note(Limit::IngestionRate, count);
            return Err(Error::RateLimited {
                count,
                rate,
                burst: burst as usize,
            });
        }
        bucket.left -= count as f64;
        Ok(())
    }
}

/// Says what is wrong with a label set, if anything.
fn check_labels(limits: &TenantLimits, labels: &Labels) -> Option<(Limit, String)> {
    let most = limits.max_label_names_per_series.unwrap_or(usize::MAX);
    if labels.len() > most {
        let text = format!(
            "the series has {} labels, the limit `max_label_names_per_series` is {most}",
            labels.len()
        );
        return Some((Limit::LabelNames, text));
    }
    let names = limits.max_label_name_length.unwrap_or(usize::MAX);
    let values = limits.max_label_value_length.unwrap_or(usize::MAX);
    labels.iter().find_map(|label| {
        let over = |limit: Limit, what: &str, bytes: usize, most: usize| {
            let (name, key) = (label.name, limit.name());
            let text = format!(
                "the {what} of label {name:?} has {bytes} bytes, the limit `{key}` is {most}"
            );
            (bytes > most).then_some((limit, text))
        };
        over(Limit::LabelNameLength, "name", label.name.len(), names)
            .or_else(|| over(Limit::LabelValueLength, "value", label.value.len(), values))
    })
}

/// Appends what tenants may send.
#[derive(Debug)]
pub(crate) struct LimitedAppender {
    inner: Arc<dyn MetricAppender>,
    limits: Arc<Limits>,
}

impl LimitedAppender {
    pub(crate) fn new(inner: Arc<dyn MetricAppender>, limits: Arc<Limits>) -> Self {
        Self { inner, limits }
    }

    /// Takes the series out of the batch that the tenant's limits forbid.
    fn refuse(&self, limits: &TenantLimits, batch: &mut MetricBatch) -> (usize, Vec<Rejection>) {
        let (mut refused, mut rejections) = (0, Vec::new());
        batch.series.retain(|series| {
            let Some((limit, text)) = check_labels(limits, &series.labels) else {
                return true;
            };
            let count = count_of(series);
            self.limits.note(limit, count);
            refused += count;
            if rejections.len() < REPORTED_REJECTIONS {
                rejections.push(Rejection {
                    labels: series.labels.clone(),
                    ts_ms: series.samples.first().map_or(0, |sample| sample.ts_ms),
                    reason: RejectReason::InvalidLabels(text),
                });
            }
            false
        });
        (refused, rejections)
    }
}

fn count_of(series: &SeriesBatch) -> usize {
    series.samples.len() + series.exemplars.len()
}

impl MetricAppender for LimitedAppender {
    fn append(&self, tenant: &Tenant, mut batch: MetricBatch) -> Result<Appended, Error> {
        let limits = self.limits.of(tenant);
        let count = batch.series.iter().map(count_of).sum();
        self.limits.take(tenant, &limits, count)?;
        let has_label_limits = limits.max_label_names_per_series.is_some()
            || limits.max_label_name_length.is_some()
            || limits.max_label_value_length.is_some();
        if !has_label_limits {
            return self.inner.append(tenant, batch);
        }
        let (refused, rejections) = self.refuse(&limits, &mut batch);
        let mut appended = self.inner.append(tenant, batch)?;
        appended.rejected += refused;
        appended.rejections.splice(0..0, rejections);
        appended.rejections.truncate(REPORTED_REJECTIONS);
        Ok(appended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::{ManualClock, Sample};
    use obsq_source::Durable;

    #[derive(Debug, Default)]
    struct Taker;

    impl MetricAppender for Taker {
        fn append(&self, _tenant: &Tenant, batch: MetricBatch) -> Result<Appended, Error> {
            Ok(Appended {
                samples: batch.series.iter().map(|series| series.samples.len()).sum(),
                histograms: 0,
                exemplars: 0,
                rejected: 0,
                rejections: Vec::new(),
                durable: Durable::done(),
            })
        }
    }

    fn appender(text: &str) -> (Arc<ManualClock>, Arc<Limits>, LimitedAppender) {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let config = obsq_ingest::config::load(std::path::Path::new("obsq.yml"), text).unwrap();
        let limits = Limits::new(config.limits, Arc::clone(&clock) as _);
        let appender = LimitedAppender::new(Arc::new(Taker), Arc::clone(&limits));
        (clock, limits, appender)
    }

    fn batch(value: &str, samples: usize) -> MetricBatch {
        let series = SeriesBatch {
            labels: Labels::from_pairs(&[("__name__", "m"), ("label", value)]),
            samples: (0..samples)
                .map(|at| Sample::float(at as i64, 1.0))
                .collect(),
            ..SeriesBatch::default()
        };
        MetricBatch {
            series: vec![series],
            metadata: Vec::new(),
        }
    }

    #[test]
    fn who_sends_faster_than_allowed_is_refused_until_time_has_passed() {
        let text = "limits: {ingestion_rate: 10, ingestion_burst_size: 50}\noverrides: {free: {ingestion_rate: 1e9}}";
        let (clock, limits, appender) = appender(text);
        let send = |tenant: &str, count| {
            let tenant = Tenant::parse(tenant).unwrap();
            appender
                .append(&tenant, batch("x", count))
                .map(|a| a.samples)
        };
        assert_eq!(send("a", 50).unwrap(), 50);
        let error = send("a", 20).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tenant sends too fast: 20 samples, where the limit `ingestion_rate` is 10 per \
             second and `ingestion_burst_size` is 50"
        );
        assert_eq!(limits.refused(Limit::IngestionRate), 20);
        assert_eq!(send("b", 50).unwrap(), 50);
        assert_eq!(send("free", 10_000).unwrap(), 10_000);
        clock.advance_ms(2_000);
        assert_eq!(send("a", 20).unwrap(), 20);
        assert!(send("a", 1).is_err());
    }

    #[test]
    fn series_with_labels_beyond_the_limits_are_refused_and_the_rest_is_stored() {
        let (_clock, limits, appender) = appender(
            "limits: {max_label_value_length: 3}\noverrides: {wide: {max_label_value_length: 10}}",
        );
        let mut both = batch("long", 2);
        both.series.extend(batch("ok", 1).series);
        let tenant = Tenant::parse("a").unwrap();
        let appended = appender.append(&tenant, both.clone()).unwrap();
        assert_eq!((appended.samples, appended.rejected), (1, 2));
        let text = appended.rejections[0].reason.to_string();
        assert_eq!(
            text,
            "the value of label \"label\" has 4 bytes, the limit `max_label_value_length` is 3"
        );
        assert_eq!(limits.refused(Limit::LabelValueLength), 2);
        let wide = Tenant::parse("wide").unwrap();
        assert_eq!(appender.append(&wide, both).unwrap().samples, 3);
    }

    #[test]
    fn a_query_gets_the_lower_of_the_limits() {
        let text =
            "limits: {max_samples_per_query: 10, max_memory_per_query: 1KB, query_timeout: 5s}";
        let (clock, limits, _appender) = appender(text);
        let mut context = QueryContext::new(clock, None, MemoryBudget::new(1 << 20));
        let before = context.limits.max_series;
        let tenant = Tenant::anonymous();
        limits.restrict(&tenant, &mut context);
        assert_eq!(context.limits.max_samples, 10);
        assert_eq!(context.limits.max_series, before);
        assert!(context.memory.take(1025).is_err());
        let timeout = |asked| limits.timeout(&tenant, asked);
        assert_eq!(timeout(None), Some(Duration::from_secs(5)));
        assert_eq!(
            timeout(Some(Duration::from_secs(1))),
            Some(Duration::from_secs(1))
        );
        assert_eq!(
            timeout(Some(Duration::from_secs(9))),
            Some(Duration::from_secs(5))
        );
    }
}
