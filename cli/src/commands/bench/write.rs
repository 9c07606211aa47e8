//! The load: rounds of samples over several connections, as a scraper's remote write sends them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use obsq_ingest::prompb::snappy;
use obsq_model::{Clock, Labels, Sample};
use obsq_source::{MetricBatch, SeriesBatch};
use tokio::sync::{Notify, mpsc};

use crate::api::{HttpApi, Reply, WriteVersion};
use crate::commands::bench::fleet::{Fleet, MARKER, Series, host_series};
use crate::commands::bench::latency::Latencies;
use crate::console::Progress;
use crate::exit::{Exit, Failure};

/// How often a request that the server could not take is sent again.
const ATTEMPTS: u32 = 6;
/// How many rounds one connection may be ahead of the slowest.
const SLACK: usize = 2;
/// Bodies made ahead for each connection.
const AHEAD: usize = 2;
/// Different errors that are kept.
const MAX_ERRORS: usize = 3;

/// How to send.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) connections: usize,
    /// Samples in one request.
    pub(super) batch: usize,
    pub(super) version: WriteVersion,
    /// When to stop, at the end of a round.
    pub(super) duration: Option<Duration>,
    /// Most samples a second.
    pub(super) rate: Option<f64>,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) refused: u64,
    pub(super) retries: u64,
    pub(super) errors: Vec<String>,
    pub(super) wall: Duration,
    pub(super) latencies: Latencies,
    /// Rounds that were sent wholly.
    pub(super) rounds: usize,
}

/// A request's body and what it holds.
struct Body {
    round: usize,
    samples: u64,
    bytes: Vec<u8>,
}

/// Sends the fleet and then the series that describes it.
pub(super) async fn write(
    api: &HttpApi,
    path: &str,
    fleet: &Fleet,
    load: &Load,
    clock: &Arc<dyn Clock>,
    progress: Progress,
) -> Result<Written, Failure> {
    let connections = load.connections.min(fleet.hosts);
    let sending = Sending {
        api,
        path,
        load,
        clock,
        started: clock.monotonic(),
        at: RefCell::new(vec![0; connections]),
        moved: Notify::new(),
        end: Cell::new(fleet.samples),
        progress: RefCell::new(progress),
        written: RefCell::default(),
    };
    try_join_all((0..connections).map(|shard| sending.connection(shard, fleet))).await?;
    let wall = clock.monotonic().saturating_sub(sending.started);
    let rounds = sending.end.get();
    let mut written = sending.written.take();
    (written.wall, written.rounds) = (wall, rounds);
    if written.acked > 0 {
        let marker = snappy(&load.version.encode(&marker(fleet, rounds, clock.now_ms())));
        let reply = sending.post(marker).await?;
        if !(200..300).contains(&reply.status) {
            written.note(&reply);
        }
    }
    Ok(written)
}

/// A write under way.
struct Sending<'a> {
    api: &'a HttpApi,
    path: &'a str,
    load: &'a Load,
    clock: &'a Arc<dyn Clock>,
    started: Duration,
    /// The round that each connection is in.
    at: RefCell<Vec<usize>>,
    /// Told whenever a connection goes on.
    moved: Notify,
    /// The round to stop before.
    end: Cell<usize>,
    progress: RefCell<Progress>,
    written: RefCell<Written>,
}

impl Sending<'_> {
    /// Sends the shard of one connection, in order of time.
    async fn connection(&self, shard: usize, fleet: &Fleet) -> Result<(), Failure> {
        let (sender, mut bodies) = mpsc::channel(AHEAD);
        let maker = Maker {
            fleet: fleet.clone(),
            shard,
            shards: self.at.borrow().len(),
            batch: self.load.batch,
            version: self.load.version,
        };
        // It ends when nobody takes its bodies any more.
        drop(tokio::task::spawn_blocking(move || maker.run(&sender)));
        while let Some(body) = bodies.recv().await {
            if !self.enter(shard, body.round).await {
                break;
            }
            self.pace().await;
            self.send(body).await?;
        }
        self.enter(shard, usize::MAX).await;
        Ok(())
    }

    /// Waits until no connection is far behind; says whether the round is to be sent at all.
    async fn enter(&self, shard: usize, round: usize) -> bool {
        if self.at.borrow()[shard] != round {
            self.at.borrow_mut()[shard] = round;
            self.moved.notify_waiters();
        }
        if round == usize::MAX {
            return true;
        }
        loop {
            let moved = self.moved.notified();
            let behind = self.at.borrow().iter().copied().min().unwrap_or(round);
            if round - behind <= SLACK {
                break;
            }
            moved.await;
        }
        self.stop_when_time_is_up();
        round < self.end.get()
    }

    /// Lets all connections stop after the round that the first of them is in.
    fn stop_when_time_is_up(&self) {
        let elapsed = self.clock.monotonic().saturating_sub(self.started);
        if self.load.duration.is_some_and(|limit| elapsed >= limit) {
            let at = self.at.borrow();
            let rounds = at.iter().filter(|round| **round != usize::MAX);
            let first = rounds.max().map_or(usize::MAX, |round| round + 1);
            self.end.set(self.end.get().min(first));
        }
    }

    /// Waits until one more request keeps to the rate asked for.
    async fn pace(&self) {
        let Some(rate) = self.load.rate else {
            return;
        };
        let due = Duration::from_secs_f64(self.written.borrow().sent as f64 / rate);
        let elapsed = self.clock.monotonic().saturating_sub(self.started);
        tokio::time::sleep(due.saturating_sub(elapsed)).await;
    }

    async fn send(&self, body: Body) -> Result<(), Failure> {
        let samples = body.samples;
        self.written.borrow_mut().sent += samples;
        let begun = self.clock.monotonic();
        let reply = self.post(body.bytes).await;
        let took = self.clock.monotonic().saturating_sub(begun);
        let mut written = self.written.borrow_mut();
        let reply = match reply {
            Ok(reply) => reply,
            // A server that was never there is another matter than one that went.
            Err(failure) if written.acked == 0 => return Err(failure),
            Err(failure) => {
                written.refused += samples;
                written.note_text(failure.text());
                return Ok(());
            }
        };
        written.latencies.add(took);
        match reply.status {
            200..300 => written.acked += samples,
            401 | 403 => {
                let text = format!("{} does not let us write", self.api.url(self.path));
                return Err(Failure::new(Exit::Denied, text));
            }
            404 if written.acked == 0 => {
                let text = format!("{} takes no remote write", self.api.url(self.path));
                return Err(Failure::failed(text).hint(
                    "`--write-url` names another path; Prometheus needs `--web.enable-remote-write-receiver`",
                ));
            }
            _ => {
                written.refused += samples;
                written.note(&reply);
            }
        }
        self.progress.borrow_mut().add(samples);
        Ok(())
    }

    /// Sends a body until the server takes or refuses it.
    async fn post(&self, body: Vec<u8>) -> Result<Reply, Failure> {
        let headers = self.load.version.headers();
        let mut attempt = 0;
        loop {
            let reply = self.api.post(self.path, &headers, body.clone()).await;
            attempt += 1;
            let again = match &reply {
                Ok(reply) => matches!(reply.status, 429 | 502 | 503),
                Err(failure) => failure.exit == Exit::Unreachable && self.has_acked(),
            };
            if !again || attempt == ATTEMPTS {
                return reply;
            }
            self.written.borrow_mut().retries += 1;
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
    }

    fn has_acked(&self) -> bool {
        self.written.borrow().acked > 0
    }
}

impl Written {
    fn note(&mut self, reply: &Reply) {
        let text: String = String::from_utf8_lossy(&reply.body)
            .trim()
            .chars()
            .take(200)
            .collect();
        self.note_text(format!("status {}: {text}", reply.status));
    }

    fn note_text(&mut self, text: String) {
        if self.errors.len() < MAX_ERRORS && !self.errors.contains(&text) {
            self.errors.push(text);
        }
    }
}

/// Makes the bodies of one connection: all hosts whose number leaves the rest `shard`.
struct Maker {
    fleet: Fleet,
    shard: usize,
    shards: usize,
    batch: usize,
    version: WriteVersion,
}

impl Maker {
    /// Makes bodies until there are no more or nobody wants them.
    fn run(&self, sender: &mpsc::Sender<Body>) {
        let fleet = &self.fleet;
        let hosts = (self.shard..fleet.hosts).step_by(self.shards);
        let mut series: Vec<(Series, Labels)> = Vec::new();
        for one in hosts.flat_map(|host| host_series(fleet.seed, host)) {
            let labels = fleet.labels(&one);
            series.push((one.unlabelled(), labels));
        }
        for round in 0..fleet.samples {
            for part in series.chunks(self.batch) {
                let body = Body {
                    round,
                    samples: part.len() as u64,
                    bytes: snappy(&self.version.encode(&self.request(part, round))),
                };
                if sender.blocking_send(body).is_err() {
                    return;
                }
            }
        }
    }

    fn request(&self, part: &[(Series, Labels)], round: usize) -> MetricBatch {
        let ts_ms = self.fleet.ts_ms(round);
        let batch = |(series, labels): &(Series, Labels)| SeriesBatch {
            labels: labels.clone(),
            samples: [Sample::float(ts_ms, self.fleet.value(series, round))].into(),
            exemplars: Vec::new(),
        };
        MetricBatch {
            series: part.iter().map(batch).collect(),
            metadata: Vec::new(),
        }
    }
}

/// Returns the series that describes what was written; its value is the present.
fn marker(fleet: &Fleet, rounds: usize, now_ms: i64) -> MetricBatch {
    let end_ms = fleet.ts_ms(rounds.saturating_sub(1));
    let pairs = [
        ("__name__", MARKER.to_owned()),
        // Not `bench_run`, which only what is counted has.
        ("run", fleet.run.clone()),
        ("hosts", fleet.hosts.to_string()),
        ("interval_ms", fleet.interval_ms.to_string()),
        ("samples", rounds.to_string()),
        ("seed", fleet.seed.to_string()),
        ("start_ms", fleet.start_ms.to_string()),
    ];
    MetricBatch {
        series: vec![SeriesBatch {
            labels: Labels::from_pairs(&pairs),
            samples: [Sample::float(end_ms, now_ms as f64 / 1e3)].into(),
            exemplars: Vec::new(),
        }],
        metadata: Vec::new(),
    }
}
