//! A log to read, a store that knows metadata, and a receiver.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obsq_model::{Labels, MetricMetadata, Sample, Tenant};
use obsq_source::{
    Error, ExemplarSeries, LabelRequest, LogBatch, LogFollower, MetricBatch, MetricLog,
    MetricMetadataEntry, MetricSource, QueryContext, SelectRequest, SeriesBatch, SeriesSet,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::IngestLimits;
use crate::remote_write::{decode_v1, decode_v2, decompress};

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeLog(Arc<Mutex<LogState>>);

#[derive(Debug, Default)]
struct LogState {
    batches: Vec<LogBatch>,
    committed: u64,
    names: Vec<String>,
}

impl FakeLog {
    pub(super) fn push(&self, tenant: &str, batch: MetricBatch) {
        let mut state = self.0.lock().unwrap();
        let seq = state.batches.len() as u64 + 1;
        let tenant = Tenant::parse(tenant).unwrap();
        state.batches.push(LogBatch { seq, tenant, batch });
    }

    pub(super) fn committed(&self) -> u64 {
        self.0.lock().unwrap().committed
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().names.clone()
    }
}

impl MetricLog for FakeLog {
    fn follow(&self, name: &str) -> Result<Box<dyn LogFollower>, Error> {
        let mut state = self.0.lock().unwrap();
        state.names.push(name.to_owned());
        let next = state.committed as usize;
        let log = self.clone();
        Ok(Box::new(FakeFollower { log, next }))
    }

    fn forget_followers_but(&self, names: &[String]) -> Result<(), Error> {
        self.0
            .lock()
            .unwrap()
            .names
            .retain(|name| names.contains(name));
        Ok(())
    }
}

#[derive(Debug)]
struct FakeFollower {
    log: FakeLog,
    next: usize,
}

impl LogFollower for FakeFollower {
    fn has_more(&self) -> bool {
        self.next < self.log.0.lock().unwrap().batches.len()
    }

    fn next(&mut self) -> Result<Option<LogBatch>, Error> {
        let state = self.log.0.lock().unwrap();
        let batch = state.batches.get(self.next).cloned();
        self.next += usize::from(batch.is_some());
        Ok(batch)
    }

    fn commit(&mut self, through_seq: u64) -> Result<(), Error> {
        self.log.0.lock().unwrap().committed = through_seq;
        Ok(())
    }

    fn lost_batches(&self) -> u64 {
        0
    }
}

/// A store that knows the metadata of `known_total`.
#[derive(Debug)]
pub(super) struct FakeSource;

impl MetricSource for FakeSource {
    fn select(
        &self,
        _: &Tenant,
        _: &SelectRequest,
        _: &QueryContext,
    ) -> Result<Box<dyn SeriesSet>, Error> {
        panic!("nobody selects here")
    }

    fn label_names(
        &self,
        _: &Tenant,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn label_values(
        &self,
        _: &Tenant,
        _: &str,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    fn series(&self, _: &Tenant, _: &LabelRequest, _: &QueryContext) -> Result<Vec<Labels>, Error> {
        Ok(Vec::new())
    }

    fn exemplars(
        &self,
        _: &Tenant,
        _: &LabelRequest,
        _: &QueryContext,
    ) -> Result<Vec<ExemplarSeries>, Error> {
        Ok(Vec::new())
    }

    fn metadata(&self, _: &Tenant, _: Option<&str>) -> Result<Vec<MetricMetadataEntry>, Error> {
        Ok(vec![MetricMetadataEntry {
            metric: "known".to_owned(),
            metadata: MetricMetadata {
                help: "of the store".to_owned(),
                ..MetricMetadata::default()
            },
        }])
    }
}

/// A request as the receiver got it.
#[derive(Debug, Clone, Default)]
pub(super) struct Got {
    pub(super) headers: Vec<(String, String)>,
    pub(super) batch: MetricBatch,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A receiver that answers in turn as it is told, and then 204.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    changes: Arc<watch::Sender<usize>>,
}

impl Receiver {
    pub(super) async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        };
        let mut answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        answers.reverse();
        let answers = Arc::new(Mutex::new(answers));
        let running = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(running.clone().talk(stream, Arc::clone(&answers)));
            }
        });
        receiver
    }

    async fn talk(self, mut stream: TcpStream, answers: Arc<Mutex<Vec<String>>>) {
        let (read, mut write) = stream.split();
        let mut read = BufReader::new(read);
        loop {
            let (mut got, mut length, mut line) = (Got::default(), 0, String::new());
            while read.read_line(&mut line).await.unwrap_or(0) > 2 {
                if let Some((name, value)) = line.trim_end().split_once(": ") {
                    let name = name.to_ascii_lowercase();
                    if name == "content-length" {
                        length = value.parse().unwrap();
                    }
                    got.headers.push((name, value.to_owned()));
                }
                line.clear();
            }
            if got.headers.is_empty() {
                return;
            }
            let mut body = vec![0; length];
            read.read_exact(&mut body).await.unwrap();
            let limits = IngestLimits::default();
            let message = decompress(&body, &limits).unwrap();
            let second = got.header("x-prometheus-remote-write-version") == Some("2.0.0");
            let decode = if second { decode_v2 } else { decode_v1 };
            got.batch = decode(&message, &limits).unwrap().batch;
            let answer = answers.lock().unwrap().pop();
            let answer = answer.unwrap_or_else(|| "204 No Content\r\n".to_owned());
            self.got.lock().unwrap().push(got);
            self.changes.send_modify(|changes| *changes += 1);
            let head = format!("HTTP/1.1 {answer}content-length: 0\r\n\r\n");
            write.write_all(head.as_bytes()).await.unwrap();
        }
    }

    /// Waits for this many requests and returns them.
    pub(super) async fn requests(&self, count: usize) -> Vec<Got> {
        let mut changes = self.changes.subscribe();
        let enough = changes.wait_for(|changes| *changes >= count);
        let waited = tokio::time::timeout(Duration::from_secs(20), enough).await;
        drop(waited.expect("so many requests came").unwrap());
        self.got.lock().unwrap().clone()
    }

    /// Returns the number of requests so far.
    pub(super) fn count(&self) -> usize {
        *self.changes.borrow()
    }
}

/// A series with float samples at these times, each its own value.
pub(super) fn series(name: &str, times: &[i64]) -> SeriesBatch {
    SeriesBatch {
        labels: Labels::from_pairs(&[("__name__", name)]),
        samples: times
            .iter()
            .map(|ts_ms| Sample::float(*ts_ms, *ts_ms as f64))
            .collect(),
        exemplars: Vec::new(),
    }
}

pub(super) fn batch(series: Vec<SeriesBatch>) -> MetricBatch {
    MetricBatch {
        series,
        metadata: Vec::new(),
    }
}
