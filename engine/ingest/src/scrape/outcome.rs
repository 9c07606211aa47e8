//! From one scrape's answer to the samples that are stored.
//!
//! Pure: what a target answered goes in, a batch comes out. A scrape counts as a whole: one sample over a
//! limit refuses all of it, and a refused or failed scrape is stored like an empty one, so that every series
//! of the last scrape is marked stale. `up` and the `scrape_*` series tell of the scrape itself.
//!
//! Source of the meaning: Prometheus 3 `jobs_instances.md` and `configuration.md#scrape_config`.

mod label_cache;
mod limits;
mod report;
mod target_labels;

use std::time::Duration;

use obsq_model::{Exemplar, Labels, MetricMetadata, Sample, SampleValue, stale_nan};
use obsq_source::{MetricBatch, SeriesBatch};
use rustc_hash::FxHashSet;

use crate::config::NameScheme;
use crate::exposition::{Scraped, ScrapedSample};
use crate::relabel::RelabelConfig;
use label_cache::LabelCache;

/// What a scrape configuration says about samples. A limit of 0 is none.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of a scrape configuration"
)]
pub struct SampleRules {
    /// Labels of the target's answer win over those of the target.
    pub honor_labels: bool,
    /// Times of the target's answer are used.
    pub honor_timestamps: bool,
    /// Series with times of their own are marked stale too when they vanish.
    pub track_timestamps_staleness: bool,
    /// Which names are accepted.
    pub name_scheme: NameScheme,
    /// Rules for the labels of every sample, applied last.
    pub metric_relabel: Vec<RelabelConfig>,
    /// Most samples after relabelling.
    pub sample_limit: usize,
    /// Most labels of a sample.
    pub label_limit: usize,
    /// Longest label name in bytes.
    pub label_name_length_limit: usize,
    /// Longest label value in bytes.
    pub label_value_length_limit: usize,
    /// Most buckets of a native histogram; its resolution is reduced as far as needed.
    pub native_histogram_bucket_limit: usize,
    /// Least growth from one bucket bound of a native histogram to the next.
    pub native_histogram_min_bucket_factor: f64,
    /// Adds `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes`.
    pub extra_scrape_metrics: bool,
}

impl Default for SampleRules {
    fn default() -> Self {
        Self {
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            name_scheme: NameScheme::Utf8,
            metric_relabel: Vec::new(),
            sample_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            extra_scrape_metrics: false,
        }
    }
}

/// Series that are remembered of failed scrapes beyond twice those of the last good one.
const KNOWN_BY_FAILURE: usize = 1_000;

/// One scrape as it went.
#[derive(Debug)]
pub struct Attempt {
    /// The time that samples without one of their own get, in milliseconds.
    pub at_ms: i64,
    /// How long the scrape took.
    pub duration: Duration,
    /// Size of the answer, unpacked; -1 when it was over its limit.
    pub body_bytes: i64,
    /// How long it was allowed to take.
    pub timeout: Duration,
    /// What the target answered, up to the error.
    pub scraped: Scraped,
    /// Why there is no usable answer; then `scraped` is counted, not stored.
    pub error: Option<String>,
}

/// What becomes of one scrape.
#[derive(Debug)]
pub struct Outcome {
    /// What to store, `up` and staleness markers included.
    pub batch: MetricBatch,
    /// Why the scrape counts as failed.
    pub error: Option<String>,
    /// Samples in the answer.
    pub samples_scraped: usize,
    /// Samples left by relabelling.
    pub samples_after_relabel: usize,
    /// Series that the last good scrape did not have.
    pub series_added: usize,
}

/// What a target's last scrapes stored.
#[derive(Debug, Default)]
pub struct SeriesMemory {
    /// Series that get a staleness marker when they are missing.
    live: FxHashSet<Labels>,
    /// Series of the last good scrape, and of those that failed since.
    known: FxHashSet<Labels>,
    /// Number of series of the last good scrape.
    last_good: usize,
    /// Labels of the series of the last scrapes, as answered and as stored.
    labels: LabelCache,
}

/// The samples of one scrape on their way into a batch.
#[derive(Debug, Default)]
struct Collected {
    series: Vec<SeriesBatch>,
    metadata: Vec<(String, MetricMetadata)>,
    live: FxHashSet<Labels>,
    known: FxHashSet<Labels>,
    scraped: usize,
    kept: usize,
    added: usize,
}

impl SeriesMemory {
    /// Turns a scrape into what is stored and remembers it. `target_labels` are the target's labels
    /// after relabelling, without those that begin with `__`.
    pub fn store(
        &mut self,
        target_labels: &Labels,
        rules: &SampleRules,
        attempt: Attempt,
    ) -> Outcome {
        let (at_ms, body_bytes) = (attempt.at_ms, attempt.body_bytes);
        let (duration, timeout) = (attempt.duration, attempt.timeout);
        let mut collected = Collected::default();
        self.labels.begin(target_labels, rules);
        let result = collected.add(attempt, &mut self.labels, rules, &self.known);
        self.labels.end(result.is_ok());
        let error = result.err();
        let seen = std::mem::take(&mut collected.known);
        if error.is_some() {
            collected.series.clear();
            collected.metadata.clear();
            collected.live.clear();
            self.learn_from_failure(seen);
        } else {
            self.last_good = seen.len();
            self.known = seen;
        }
        let mut series = collected.series;
        series.extend(self.vanished(&collected.live, at_ms));
        self.live = collected.live;
        let told = report::Report {
            healthy: error.is_none(),
            duration,
            samples_scraped: collected.scraped,
            samples_after_relabel: collected.kept,
            series_added: collected.added,
            extra: rules.extra_scrape_metrics.then_some(report::Extra {
                timeout,
                sample_limit: rules.sample_limit,
                body_bytes,
            }),
        };
        series.extend(told.series(target_labels, at_ms));
        Outcome {
            batch: MetricBatch {
                series,
                metadata: collected.metadata,
            },
            error,
            samples_scraped: collected.scraped,
            samples_after_relabel: collected.kept,
            series_added: collected.added,
        }
    }

    /// Remembers the series of a scrape that was refused, for they are not new at the next one. A
    /// target whose series differ each time is not remembered forever.
    fn learn_from_failure(&mut self, seen: FxHashSet<Labels>) {
        if self.known.len() + seen.len() > 2 * self.last_good + KNOWN_BY_FAILURE {
            self.known = seen;
        } else {
            self.known.extend(seen);
        }
    }

    /// Returns staleness markers for everything the target had, `up` included, and forgets it.
    pub fn end(
        &mut self,
        target_labels: &Labels,
        extra_scrape_metrics: bool,
        at_ms: i64,
    ) -> MetricBatch {
        let mut series = self.vanished(&FxHashSet::default(), at_ms);
        series.extend(report::stale(target_labels, extra_scrape_metrics, at_ms));
        *self = Self::default();
        MetricBatch {
            series,
            metadata: Vec::new(),
        }
    }

    /// Returns markers for what was live and is not in `still`, in order of labels.
    fn vanished(&self, still: &FxHashSet<Labels>, at_ms: i64) -> Vec<SeriesBatch> {
        let mut gone: Vec<_> = self.live.difference(still).cloned().collect();
        gone.sort_unstable();
        gone.into_iter()
            .map(|labels| single(labels, Sample::float(at_ms, stale_nan())))
            .collect()
    }
}

impl Collected {
    /// Adds an answer. Labels that cannot be stored end it, as an error in its text does; samples over
    /// a limit are still counted.
    fn add(
        &mut self,
        attempt: Attempt,
        cache: &mut LabelCache,
        rules: &SampleRules,
        known: &FxHashSet<Labels>,
    ) -> Result<(), String> {
        self.metadata = attempt.scraped.metadata;
        let mut over_limit = None;
        for sample in attempt.scraped.samples {
            self.scraped += 1;
            let Some(labels) = cache.stored_labels(&sample.labels, rules)? else {
                continue;
            };
            self.kept += 1;
            if rules.sample_limit > 0 && self.kept > rules.sample_limit {
                over_limit = Some("sample limit exceeded".to_owned());
            }
            if over_limit.is_none() {
                over_limit = self.push(labels, sample, rules, attempt.at_ms, known).err();
            }
        }
        attempt.error.or(over_limit).map_or(Ok(()), Err)
    }

    fn push(
        &mut self,
        labels: Labels,
        sample: ScrapedSample,
        rules: &SampleRules,
        at_ms: i64,
        known: &FxHashSet<Labels>,
    ) -> Result<(), String> {
        let own_ts = sample.ts_ms.filter(|_| rules.honor_timestamps);
        let is_repeat = !self.known.insert(labels.clone());
        if is_repeat && own_ts.is_none() {
            return Ok(());
        }
        if !is_repeat && !known.contains(&labels) {
            self.added += 1;
        }
        if own_ts.is_none() || rules.track_timestamps_staleness {
            self.live.insert(labels.clone());
        }
        let value = limits::fit_histogram(sample.value, rules)?;
        let ts_ms = own_ts.unwrap_or(at_ms);
        let is_histogram = matches!(value, SampleValue::Histogram(_));
        let exemplars = sample.exemplars.into_iter().filter_map(|exemplar| {
            let ts_ms = exemplar.ts_ms.or((!is_histogram).then_some(ts_ms))?;
            Some(Exemplar {
                labels: exemplar.labels,
                value: exemplar.value,
                ts_ms,
            })
        });
        self.series.push(SeriesBatch {
            exemplars: exemplars.collect(),
            samples: [Sample {
                ts_ms,
                start_ts_ms: sample.start_ts_ms,
                value,
            }]
            .into(),
            labels,
        });
        Ok(())
    }
}

fn single(labels: Labels, sample: Sample) -> SeriesBatch {
    SeriesBatch {
        labels,
        samples: [sample].into(),
        exemplars: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
