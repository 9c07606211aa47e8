//! One remote: from the log to its lanes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use obsq_model::{Clock, Labels, Tenant};
use obsq_source::{LogFollower, MetricBatch, MetricLog, MetricSource};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::counters::{Counters, RemoteStats, add};
use super::lane::LaneContext;
use super::lanes::Lanes;
use super::prepare::Preparer;
use super::reader::{Prepared, Reader};
use super::sender::{Answered, Sender};
use super::tracker::Tracker;
use crate::config::{RemoteWriteConfig, WriteVersion};

/// How often the log is looked at when there is nothing in it to read.
const POLL: Duration = Duration::from_millis(100);
/// How often the position is saved.
const COMMIT_INTERVAL: Duration = Duration::from_secs(2);
/// Wait after an error of the log.
const ERROR_WAIT: Duration = Duration::from_secs(1);
/// How long requests may take to finish once the remote is to stop.
const DRAIN: Duration = Duration::from_secs(3);

/// What remotes need of the server.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) log: Arc<dyn MetricLog>,
    pub(super) source: Arc<dyn MetricSource>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) user_agent: String,
}

/// A remote that runs.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) config: Arc<RemoteWriteConfig>,
    pub(super) external_labels: Labels,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Remote {
    pub(super) fn start(
        config: RemoteWriteConfig,
        external_labels: Labels,
        surroundings: Surroundings,
    ) -> Self {
        let config = Arc::new(config);
        let counters = Arc::new(Counters::default());
        let stop = watch::Sender::new(false);
        let runner = Runner {
            config: Arc::clone(&config),
            external_labels: external_labels.clone(),
            counters: Arc::clone(&counters),
            surroundings,
            stop: stop.subscribe(),
        };
        Self {
            config,
            external_labels,
            counters,
            stop,
            task: tokio::spawn(runner.run()),
        }
    }

    pub(super) fn stats(&self) -> RemoteStats {
        let config = &self.config;
        self.counters.snapshot(&config.name, &config.shown_url())
    }

    /// Lets requests under way finish for a moment, saves the position and ends.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "remote write ended in a panic");
        }
    }
}

/// The task of a remote.
struct Runner {
    config: Arc<RemoteWriteConfig>,
    external_labels: Labels,
    counters: Arc<Counters>,
    surroundings: Surroundings,
    stop: watch::Receiver<bool>,
}

impl Runner {
    async fn run(mut self) {
        let Some((follower, sender)) = self.set_up().await else {
            return;
        };
        let abort = watch::Sender::new(false);
        let context = Arc::new(LaneContext {
            config: Arc::clone(&self.config),
            sender,
            counters: Arc::clone(&self.counters),
            clock: Arc::clone(&self.surroundings.clock),
            abort: abort.subscribe(),
        });
        let mut lanes = Lanes::start(Arc::clone(&context));
        let preparer = Preparer::new(
            Arc::clone(&self.config),
            self.external_labels.clone(),
            Arc::clone(&self.counters),
            Arc::clone(&self.surroundings.source),
        );
        let clock = Arc::clone(&self.surroundings.clock);
        let reader = Reader::new(follower, preparer, clock, Arc::clone(&self.counters));
        let mut tracker = Tracker::default();
        let mut stop = self.stop.clone();
        tokio::select! {
            () = self.pass_on(&reader, &mut lanes, &mut tracker) => {}
            () = self.describe(&reader, &context) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        if tokio::time::timeout(DRAIN, lanes.end()).await.is_err() {
            abort.send_replace(true);
            lanes.end().await;
        }
        reader.commit(tracker.done_seq()).await;
    }

    /// Tries to get at the log and to set up the client until both are there.
    async fn set_up(&mut self) -> Option<(Box<dyn LogFollower>, Sender)> {
        loop {
            let problem = match self.try_set_up().await {
                Ok(both) => return Some(both),
                Err(problem) => problem,
            };
            let remote = &self.config.name;
            tracing::error!(remote, problem, "cannot set up remote write, trying again");
            tokio::select! {
                () = tokio::time::sleep(ERROR_WAIT) => {}
                _ = self.stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    async fn try_set_up(&self) -> Result<(Box<dyn LogFollower>, Sender), String> {
        let (log, name) = (Arc::clone(&self.surroundings.log), self.config.name.clone());
        let following = tokio::task::spawn_blocking(move || log.follow(&name));
        let follower = following.await.map_err(|error| error.to_string())?;
        let follower = follower.map_err(|error| error.to_string())?;
        let (config, clock) = (&self.config, &self.surroundings.clock);
        let user_agent = &self.surroundings.user_agent;
        let sender = Sender::new(Arc::clone(config), Arc::clone(clock), user_agent).await?;
        Ok((follower, sender))
    }

    /// Reads and hands on for ever.
    async fn pass_on(&self, reader: &Reader, lanes: &mut Lanes, tracker: &mut Tracker) {
        let clock = &self.surroundings.clock;
        let mut committed_at = clock.monotonic();
        loop {
            let read = reader.read(lanes.count()).await;
            let is_idle = read.is_empty();
            for Prepared { seq, shares } in read {
                let ticket = tracker.begin(seq, shares.len());
                for share in shares {
                    let weight = share.weight as u64;
                    self.counters.pending.fetch_add(weight, Ordering::Relaxed);
                    let lane = share.lane;
                    lanes.send(lane, share.into_part(ticket.clone())).await;
                }
            }
            lanes.adapt().await;
            let now = clock.monotonic();
            if now.saturating_sub(committed_at) >= COMMIT_INTERVAL {
                reader.commit(tracker.done_seq()).await;
                committed_at = now;
            }
            if is_idle {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Sends all metadata now and then, for ever; in version 2 it goes with the series.
    async fn describe(&self, reader: &Reader, context: &LaneContext) {
        let options = self.config.metadata;
        if !options.send || self.config.version == WriteVersion::V2 {
            return std::future::pending().await;
        }
        loop {
            let interval = options.send_interval_ms.unsigned_abs();
            tokio::time::sleep(Duration::from_millis(interval)).await;
            for (tenant, families) in reader.metadata().await {
                for lot in families.chunks(options.max_per_send) {
                    let batch = MetricBatch {
                        series: Vec::new(),
                        metadata: lot.to_vec(),
                    };
                    self.send_metadata(&tenant, &batch, context).await;
                }
            }
        }
    }

    /// What fails is sent again at the next turn anyway.
    async fn send_metadata(&self, tenant: &Tenant, batch: &MetricBatch, context: &LaneContext) {
        let body = Sender::encode(WriteVersion::V1, batch);
        match context.sender.send(tenant, body, 0).await {
            Answered::Stored => add(&self.counters.metadata, batch.metadata.len()),
            Answered::Later(reason, _) | Answered::Refused(reason) => {
                let remote = &self.config.name;
                tracing::warn!(remote, reason, "cannot send metadata");
            }
        }
    }
}
