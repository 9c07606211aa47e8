//! The series that tell of the scrape itself.

use std::time::Duration;

use obsq_model::{Labels, METRIC_NAME, Sample, stale_nan};
use obsq_source::SeriesBatch;

use super::single;

/// Names of the series that every scrape has.
const NAMES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Names of the series that are there when asked for.
const EXTRA_NAMES: [&str; 3] = [
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];

/// What is told of one scrape.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) healthy: bool,
    pub(super) duration: Duration,
    pub(super) samples_scraped: usize,
    pub(super) samples_after_relabel: usize,
    pub(super) series_added: usize,
    pub(super) extra: Option<Extra>,
}

/// What is told when asked for.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) timeout: Duration,
    pub(super) sample_limit: usize,
    pub(super) body_bytes: i64,
}

impl Report {
    /// Returns one series per fact, all at `at_ms`.
    pub(super) fn series(&self, target: &Labels, at_ms: i64) -> Vec<SeriesBatch> {
        let values = [
            f64::from(u8::from(self.healthy)),
            self.duration.as_secs_f64(),
            self.samples_scraped as f64,
            self.samples_after_relabel as f64,
            self.series_added as f64,
        ];
        let mut facts: Vec<_> = NAMES.into_iter().zip(values).collect();
        if let Some(extra) = &self.extra {
            let (limit, bytes) = (extra.sample_limit as f64, extra.body_bytes as f64);
            facts.extend(
                EXTRA_NAMES
                    .into_iter()
                    .zip([extra.timeout.as_secs_f64(), limit, bytes]),
            );
        }
        facts
            .into_iter()
            .map(|(name, value)| fact(target, name, at_ms, value))
            .collect()
    }
}

/// Returns staleness markers for all of these series.
pub(super) fn stale(target: &Labels, extra: bool, at_ms: i64) -> Vec<SeriesBatch> {
    let extra_names = EXTRA_NAMES.iter().filter(|_| extra);
    NAMES
        .iter()
        .chain(extra_names)
        .map(|name| fact(target, name, at_ms, stale_nan()))
        .collect()
}

fn fact(target: &Labels, name: &str, at_ms: i64, value: f64) -> SeriesBatch {
    let labels = target.to_builder().set(METRIC_NAME, name).build();
    single(labels, Sample::float(at_ms, value))
}
