//! Scraping one target again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obsq_model::{Labels, MetricMetadata, Tenant};
use obsq_source::{Appended, Durable, MetricAppender, MetricBatch};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::environment::Environment;
use super::fetch::{FetchRequest, Fetched, MAX_BODY_BYTES, TOO_LARGE, fetch};
use super::outcome::{Attempt, Outcome, SampleRules, SeriesMemory};
use super::target::Target;
use crate::client::HttpClient;
use crate::config::ScrapeConfig;
use crate::exposition::{self, ParseOptions, ScrapeProtocol, Scraped, accept_header, format_of};

/// Scrape times are moved to the exact turn when they are this close.
const MAX_ALIGNMENT_MS: i64 = 2;
/// Scrapes for which metadata of a vanished family is kept.
const METADATA_SCRAPES: u64 = 10;

/// Whether a loop is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Run,
    /// The target is gone: its series are marked stale unless it comes back.
    Retire,
    /// Another loop goes on with the target.
    Replace,
    /// The server stops and may come back soon, so nothing is marked.
    Shutdown,
}

/// How the last scrape went.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    /// Time of the last scrape.
    pub(super) scraped_ms: Option<i64>,
    pub(super) duration: Duration,
    pub(super) error: Option<String>,
}

/// Metadata of a target's families, each with the number of the scrape that last had it.
pub(super) type FamilyMetadata = BTreeMap<String, (MetricMetadata, u64)>;

/// What was stored of a target and what it told of itself.
#[derive(Debug, Default)]
pub(super) struct TargetMemory {
    series: SeriesMemory,
    pub(super) metadata: FamilyMetadata,
    scrapes: u64,
}

/// What outlives a change of the configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Lasting {
    pub(super) memory: Arc<Mutex<TargetMemory>>,
    pub(super) status: Arc<Mutex<Status>>,
}

/// What the targets of a pool share.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) config: Arc<ScrapeConfig>,
    /// The client, or why there is none; it may be made anew at any time.
    pub(super) client: Arc<Mutex<Result<HttpClient, String>>>,
    pub(super) environment: Arc<Environment>,
}

/// A target with everything needed to scrape it.
#[derive(Debug)]
pub(super) struct TargetLoop {
    pub(super) target: Target,
    pub(super) lasting: Lasting,
    /// Why the target is not even asked, if so.
    pub(super) forced_error: Mutex<Option<String>>,
    job: Job,
    rules: SampleRules,
}

impl TargetLoop {
    pub(super) fn new(target: Target, lasting: Lasting, job: Job) -> Self {
        Self {
            rules: sample_rules(&job.config),
            target,
            lasting,
            forced_error: Mutex::default(),
            job,
        }
    }

    /// Says whether the loop was started with this configuration.
    pub(super) fn is_of(&self, config: &Arc<ScrapeConfig>) -> bool {
        Arc::ptr_eq(&self.job.config, config)
    }

    /// Scrapes until told otherwise.
    pub(super) async fn run(self: Arc<Self>, mut turn: watch::Receiver<Turn>) {
        let environment = &self.job.environment;
        let active = environment.activate(&self.target.labels);
        let now_ms = environment.clock.now_ms();
        let offset_ms = self.target.offset_ms(now_ms, environment.offset_seed);
        tokio::select! {
            () = sleep(milliseconds(offset_ms)) => self.scrape_until_told(&mut turn).await,
            _changed = turn.changed() => {}
        }
        drop(active);
        if *turn.borrow() == Turn::Retire {
            self.retire(&mut turn).await;
        }
    }

    async fn scrape_until_told(&self, turn: &mut watch::Receiver<Turn>) {
        let clock = &self.job.environment.clock;
        let interval = milliseconds(self.target.interval_ms);
        let mut ticker = interval_at(Instant::now() + interval, interval);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut turn_ms = clock.now_ms();
        while *turn.borrow() == Turn::Run {
            let now_ms = clock.now_ms();
            let missed = (now_ms - turn_ms).div_euclid(self.target.interval_ms.max(1));
            turn_ms += missed.max(0) * self.target.interval_ms;
            let started = clock.monotonic();
            let fetched = tokio::select! {
                biased;
                () = shutdown(turn) => return,
                fetched = self.fetch() => fetched,
            };
            let at_ms = aligned(now_ms, turn_ms, self.target.interval_ms);
            self.store(fetched, at_ms, started).await;
            tokio::select! {
                biased;
                _changed = turn.changed() => return,
                _tick = ticker.tick() => {}
            }
        }
    }

    /// Stores an answer, or that there is none, as of `at_ms`; returns when it is on disk.
    async fn store(&self, fetched: Result<Fetched, String>, at_ms: i64, started: Duration) {
        let environment = &self.job.environment;
        let clock = &environment.clock;
        let permit = environment.compute_permit().await;
        let work = Work {
            fetched,
            at_ms,
            spent: clock.monotonic().saturating_sub(started),
            timeout: milliseconds(self.target.timeout_ms),
            labels: self.target.labels.clone(),
            parse: self.parse_settings(),
            rules: self.rules.clone(),
            memory: Arc::clone(&self.lasting.memory),
            appender: Arc::clone(&environment.appender),
            tenant: environment.tenant.clone(),
        };
        let done = tokio::task::spawn_blocking(move || work.run()).await;
        drop(permit);
        let duration = clock.monotonic().saturating_sub(started);
        match done {
            Ok(done) => self.report(at_ms, duration, done).await,
            Err(error) => tracing::error!(target = %self.target.url, %error, "scrape panicked"),
        }
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        if let Some(error) = lock(&self.forced_error).clone() {
            return Err(error);
        }
        let client = lock(&self.job.client).clone()?;
        let config = &self.job.config;
        let limit = config.limits.body_size_bytes;
        let request = FetchRequest {
            url: self.target.url.clone(),
            accept: accept_header(&config.scrape_protocols, config.escaping_scheme.as_str()),
            enable_compression: config.enable_compression,
            timeout: milliseconds(self.target.timeout_ms),
            body_limit: if limit == 0 { MAX_BODY_BYTES } else { limit },
        };
        fetch(&client, request)
            .await
            .map_err(|error| error.to_string())
    }

    fn parse_settings(&self) -> ParseSettings {
        let fallback = self.job.config.fallback_scrape_protocol;
        ParseSettings {
            fallback: fallback.map(ScrapeProtocol::format),
            created_as_start: self.job.environment.created_as_start,
            histograms: self.target.histograms,
        }
    }

    async fn report(&self, at_ms: i64, duration: Duration, done: Done) {
        if let Some(error) = &done.error {
            tracing::debug!(target = %self.target.url, %error, "scrape failed");
        }
        *lock(&self.lasting.status) = Status {
            scraped_ms: Some(at_ms),
            duration,
            error: done.error,
        };
        self.settle(done.appended).await;
    }

    /// Waits until the batch is on disk; what cannot be stored is only told, as there is nobody
    /// who could send it again.
    async fn settle(&self, appended: Result<Appended, obsq_source::Error>) {
        let durable = match appended {
            Ok(appended) => {
                if let Some(first) = appended.rejections.first() {
                    let (count, reason) = (appended.rejected, &first.reason);
                    let series = &first.labels;
                    tracing::warn!(target = %self.target.url, count, %reason, %series, "samples refused");
                }
                appended.durable
            }
            Err(error) => {
                tracing::warn!(target = %self.target.url, %error, "cannot store scrape");
                Durable::done()
            }
        };
        if let Err(error) = durable.wait().await {
            tracing::warn!(target = %self.target.url, %error, "cannot store scrape");
        }
    }

    /// Marks the series of a target that is gone, as of the turn it missed. The target gets two
    /// turns to come back, and nothing is marked when another one has the same labels by then.
    async fn retire(&self, turn: &mut watch::Receiver<Turn>) {
        let Some(scraped_ms) = lock(&self.lasting.status).scraped_ms else {
            return;
        };
        let interval_ms = self.target.interval_ms;
        tokio::select! {
            () = sleep(milliseconds(2 * interval_ms + interval_ms / 10)) => {}
            () = shutdown(turn) => return,
        }
        if self.job.environment.is_active(&self.target.labels) {
            return;
        }
        let batch = lock(&self.lasting.memory).series.end(
            &self.target.labels,
            self.job.config.extra_scrape_metrics,
            scraped_ms + interval_ms,
        );
        let appended = self.job.environment.append(batch).await;
        self.settle(appended).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn shutdown(turn: &mut watch::Receiver<Turn>) {
    // A sender that is gone says the same.
    drop(turn.wait_for(|turn| *turn == Turn::Shutdown).await);
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}

/// Returns the exact turn when `now_ms` is close to it: at most 2 ms and 1 % of the interval.
fn aligned(now_ms: i64, turn_ms: i64, interval_ms: i64) -> i64 {
    let tolerance_ms = (interval_ms / 100).min(MAX_ALIGNMENT_MS);
    if (now_ms - turn_ms).abs() <= tolerance_ms {
        turn_ms
    } else {
        now_ms
    }
}

fn sample_rules(config: &ScrapeConfig) -> SampleRules {
    SampleRules {
        honor_labels: config.honor_labels,
        honor_timestamps: config.honor_timestamps,
        track_timestamps_staleness: config.track_timestamps_staleness,
        name_scheme: config.name_scheme,
        metric_relabel: config.metric_relabel_configs.clone(),
        sample_limit: config.limits.samples,
        label_limit: config.limits.labels,
        label_name_length_limit: config.limits.label_name_bytes,
        label_value_length_limit: config.limits.label_value_bytes,
        native_histogram_bucket_limit: config.histograms.bucket_limit,
        native_histogram_min_bucket_factor: config.histograms.min_bucket_factor,
        extra_scrape_metrics: config.extra_scrape_metrics,
    }
}

/// How an answer is read.
#[derive(Debug, Clone, Copy)]
struct ParseSettings {
    fallback: Option<exposition::Format>,
    created_as_start: bool,
    histograms: crate::config::HistogramOptions,
}

/// What a body says, and the error that ended it.
type Answer = (Scraped, Option<String>);

/// Everything a scrape needs after the answer is there; runs outside of the async workers.
#[derive(Debug)]
struct Work {
    fetched: Result<Fetched, String>,
    at_ms: i64,
    spent: Duration,
    timeout: Duration,
    labels: Labels,
    parse: ParseSettings,
    rules: SampleRules,
    memory: Arc<Mutex<TargetMemory>>,
    appender: Arc<dyn MetricAppender>,
    tenant: Tenant,
}

#[derive(Debug)]
struct Done {
    error: Option<String>,
    appended: Result<Appended, obsq_source::Error>,
}

impl Work {
    fn run(self) -> Done {
        let (body_bytes, answer) = self.parse.read(self.fetched);
        let (scraped, error) = answer.unwrap_or_else(|error| (Scraped::default(), Some(error)));
        let attempt = Attempt {
            at_ms: self.at_ms,
            duration: self.spent,
            body_bytes,
            timeout: self.timeout,
            scraped,
            error,
        };
        let mut memory = lock(&self.memory);
        let Outcome {
            mut batch, error, ..
        } = memory.series.store(&self.labels, &self.rules, attempt);
        memory.note_metadata(&mut batch);
        Done {
            error,
            appended: self.appender.append(&self.tenant, batch),
        }
    }
}

impl ParseSettings {
    /// Returns the size of the body and what it says, up to an error in it.
    fn read(self, fetched: Result<Fetched, String>) -> (i64, Result<Answer, String>) {
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => return (failed_size(&error), Err(error)),
        };
        let format = format_of(fetched.content_type.as_deref(), self.fallback);
        let body = match fetched.into_body() {
            Ok(body) => body,
            Err(error) => {
                let error = error.to_string();
                return (failed_size(&error), Err(error));
            }
        };
        let answer = format.map(|format| {
            let options = ParseOptions {
                created_as_start_timestamps: self.created_as_start,
                keep_classic_histograms: self.histograms.always_classic,
                convert_classic_histograms: self.histograms.convert_classic,
                ignore_native_histograms: !self.histograms.native,
                ..ParseOptions::new(format)
            };
            let (scraped, result) = exposition::parse_until_error(&body, options);
            (scraped, result.err().map(|error| error.to_string()))
        });
        (body.len() as i64, answer)
    }
}

fn failed_size(error: &str) -> i64 {
    if error == TOO_LARGE { -1 } else { 0 }
}

impl TargetMemory {
    /// Keeps the metadata of a scrape and leaves in the batch only what is new.
    fn note_metadata(&mut self, batch: &mut MetricBatch) {
        self.scrapes += 1;
        let scrape = self.scrapes;
        batch
            .metadata
            .retain(|(family, metadata)| match self.metadata.get_mut(family) {
                Some((known, last_scrape)) if known == metadata => {
                    *last_scrape = scrape;
                    false
                }
                _ => {
                    let entry = (metadata.clone(), scrape);
                    self.metadata.insert(family.clone(), entry);
                    true
                }
            });
        self.metadata
            .retain(|_, (_, last_scrape)| scrape - *last_scrape <= METADATA_SCRAPES);
    }
}

#[cfg(test)]
mod tests;
