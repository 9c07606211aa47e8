//! One lane: the requests of some of the series, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use obsq_model::{Clock, Tenant};
use obsq_source::MetricBatch;
use tokio::sync::{mpsc, watch};

use super::backoff::Backoff;
use super::counters::{Counters, add};
use super::part::{Part, Request, Size};
use super::prepare::drop_old;
use super::sender::{Answered, Sender};
use super::tracker::Ticket;
use crate::config::RemoteWriteConfig;

/// What the lanes of a remote share.
#[derive(Debug)]
pub(super) struct LaneContext {
    pub(super) config: Arc<RemoteWriteConfig>,
    pub(super) sender: Sender,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether requests are to be given up, to be sent again after the next start.
    pub(super) abort: watch::Receiver<bool>,
}

/// A lane's requests in the making.
struct Lane {
    context: Arc<LaneContext>,
    waiting: BTreeMap<Tenant, Request>,
    total: usize,
}

/// Sends what comes until nothing comes any more, then what is left.
pub(super) async fn run(context: Arc<LaneContext>, mut parts: mpsc::Receiver<Part>) {
    let patience = context.config.queue.batch_send_deadline_ms.max(1);
    let patience = Duration::from_millis(patience.unsigned_abs());
    let mut lane = Lane {
        context,
        waiting: BTreeMap::new(),
        total: 0,
    };
    while let Some(part) = parts.recv().await {
        lane.add(part).await;
        let deadline = tokio::time::sleep(patience);
        tokio::pin!(deadline);
        while lane.total > 0 {
            tokio::select! {
                part = parts.recv() => match part {
                    Some(part) => lane.add(part).await,
                    None => lane.send_all().await,
                },
                () = &mut deadline => lane.send_all().await,
            }
        }
    }
}

impl Lane {
    /// Adds a part, and sends what is full then.
    async fn add(&mut self, part: Part) {
        let queue = self.context.config.queue;
        let limit = queue.max_samples_per_send;
        let tenant = part.tenant.clone();
        let added = Size::of(&part.series).total();
        let waiting = self.waiting.get(&tenant).map_or(0, |request| request.total);
        if waiting > 0 && waiting + added > limit {
            self.send(&tenant).await;
        }
        let request = self.waiting.entry(tenant.clone()).or_default();
        request.add(part);
        self.total += added;
        if request.total >= limit {
            self.send(&tenant).await;
        }
        if self.total >= queue.capacity.max(limit) {
            self.send_all().await;
        }
    }

    async fn send_all(&mut self) {
        let tenants: Vec<Tenant> = self.waiting.keys().cloned().collect();
        for tenant in tenants {
            self.send(&tenant).await;
        }
    }

    async fn send(&mut self, tenant: &Tenant) {
        let Some(request) = self.waiting.remove(tenant) else {
            return;
        };
        self.total -= request.total;
        let started = self.context.clock.monotonic();
        self.context.deliver(tenant, request).await;
        let took = self.context.clock.monotonic().saturating_sub(started);
        self.context.counters.note_busy(took);
    }
}

impl LaneContext {
    /// Sends a request until it is stored or refused, or until it is to be given up.
    async fn deliver(&self, tenant: &Tenant, request: Request) {
        let mut abort = self.abort.clone();
        let delivered = tokio::select! {
            delivered = self.deliver_untimed(tenant, request) => delivered,
            _ = abort.wait_for(|abort| *abort) => return,
        };
        delivered.iter().for_each(Ticket::done);
    }

    /// Returns the tickets of what needs to be sent no more.
    async fn deliver_untimed(&self, tenant: &Tenant, request: Request) -> Vec<Ticket> {
        let all = request.total as u64;
        let (mut batch, tickets) = request.into_batch();
        let mut backoff = Backoff::new(&self.config.queue);
        for attempt in 0.. {
            batch = self.without_old(batch);
            let size = Size::of(&batch.series);
            if size.total() == 0 {
                break;
            }
            let (body, kept) = self.encoded(batch).await;
            batch = kept;
            let bytes = body.len();
            match self.sender.send(tenant, body, attempt).await {
                Answered::Stored => {
                    self.note_stored(size, bytes, &batch);
                    break;
                }
                Answered::Refused(reason) => {
                    self.note_refused(size, &reason);
                    break;
                }
                Answered::Later(reason, asked) => {
                    add(&self.counters.retries, 1);
                    self.note_failure(&reason);
                    tokio::time::sleep(backoff.wait(asked)).await;
                }
            }
        }
        self.counters.pending.fetch_sub(all, Ordering::Relaxed);
        tickets
    }

    fn without_old(&self, mut batch: MetricBatch) -> MetricBatch {
        let age_limit_ms = self.config.queue.sample_age_limit_ms;
        if age_limit_ms > 0 {
            let now_ms = self.clock.now_ms();
            for series in &mut batch.series {
                add(
                    &self.counters.too_old,
                    drop_old(series, age_limit_ms, now_ms),
                );
            }
            let is_left = |s: &obsq_source::SeriesBatch| !s.samples.is_empty();
            batch.series.retain(is_left);
        }
        batch
    }

    /// Encodes on a thread that may compute.
    async fn encoded(&self, batch: MetricBatch) -> (Vec<u8>, MetricBatch) {
        let version = self.config.version;
        let encoding = tokio::task::spawn_blocking(move || {
            let body = Sender::encode(version, &batch);
            (body, batch)
        });
        encoding.await.unwrap_or_default()
    }

    fn note_stored(&self, size: Size, bytes: usize, batch: &MetricBatch) {
        let counters = &self.counters;
        add(&counters.samples, size.floats);
        add(&counters.histograms, size.histograms);
        add(&counters.exemplars, size.exemplars);
        add(&counters.bytes, bytes);
        let times = batch.series.iter().flat_map(|series| &series.samples);
        if let Some(newest) = times.map(|sample| sample.ts_ms).max() {
            counters.newest_sent_ms.fetch_max(newest, Ordering::Relaxed);
        }
        if counters.note_failing(false) {
            tracing::info!(remote = self.config.name, "remote write works again");
        }
    }

    fn note_refused(&self, size: Size, reason: &str) {
        add(&self.counters.refused, size.total());
        let count = size.total();
        let remote = &self.config.name;
        tracing::error!(
            remote,
            count,
            reason,
            "the receiver refuses samples, they are dropped"
        );
        self.counters.note_failing(false);
    }

    fn note_failure(&self, reason: &str) {
        let remote = &self.config.name;
        if self.counters.note_failing(true) {
            tracing::warn!(remote, reason, "cannot write to the receiver, trying again");
        } else {
            tracing::debug!(remote, reason, "still cannot write to the receiver");
        }
    }
}
