//! A server to scrape and a store to write to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obsq_model::{Sample, SampleValue, Tenant};
use obsq_source::{Appended, Durable, Error, MetricAppender, MetricBatch};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::config::{Config, load};

/// A request as a server sees it; header names are in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
}

/// An answer to send.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Whether nothing is sent at all.
    hangs: bool,
}

impl Answer {
    pub(super) fn text(body: &str) -> Self {
        Self {
            status: "200 OK",
            headers: vec![("content-type", "text/plain; version=0.0.4".to_owned())],
            body: body.as_bytes().to_vec(),
            hangs: false,
        }
    }

    pub(super) fn status(status: &'static str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            ..Self::text("")
        }
    }

    pub(super) fn hanging() -> Self {
        Self {
            hangs: true,
            ..Self::text("")
        }
    }

    pub(super) fn body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// Starts a server on a free port; it ends with the runtime.
pub(super) async fn serve(
    handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler: Handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, Arc::clone(&handler)));
        }
    });
    address
}

async fn talk(mut stream: TcpStream, handler: Handler) {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut request = Request::default();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((name, value)) = line.split_once(": ") {
            request
                .headers
                .insert(name.to_ascii_lowercase(), value.to_owned());
        } else if !line.is_empty() {
            request.path = line.split(' ').nth(1).unwrap().to_owned();
        } else {
            let answer = handler(&std::mem::take(&mut request));
            if answer.hangs {
                std::future::pending::<()>().await;
            }
            let mut head = format!("HTTP/1.1 {}\r\n", answer.status);
            for (name, value) in &answer.headers {
                head += name;
                head += ": ";
                head += value;
                head += "\r\n";
            }
            head += "content-length: ";
            head += &answer.body.len().to_string();
            head += "\r\n\r\n";
            write.write_all(head.as_bytes()).await.unwrap();
            write.write_all(&answer.body).await.unwrap();
        }
    }
}

/// Keeps what is appended as lines of text, without what depends on the run.
#[derive(Debug)]
pub(super) struct Recorder {
    lines: Mutex<Vec<String>>,
    changes: watch::Sender<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            lines: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl MetricAppender for Recorder {
    fn append(&self, _tenant: &Tenant, batch: MetricBatch) -> Result<Appended, Error> {
        let mut lines = self.lines.lock().unwrap();
        let before = lines.len();
        for series in &batch.series {
            let name = series.labels.metric_name();
            for sample in &series.samples {
                let timing = name == "scrape_duration_seconds" && !sample.is_stale();
                let value = if timing {
                    "some".to_owned()
                } else {
                    value_text(sample)
                };
                lines.push(format!("{} {value} @{}", series.labels, sample.ts_ms));
            }
        }
        let samples = lines.len() - before;
        for (family, metadata) in &batch.metadata {
            lines.push(format!("{family}: {}", metadata.metric_type.as_str()));
        }
        self.changes.send_modify(|changes| *changes += 1);
        Ok(Appended {
            samples,
            histograms: 0,
            exemplars: 0,
            rejected: 0,
            rejections: Vec::new(),
            durable: Durable::done(),
        })
    }
}

fn value_text(sample: &Sample) -> String {
    match &sample.value {
        _ if sample.is_stale() => "stale".to_owned(),
        SampleValue::Float(value) => value.to_string(),
        SampleValue::Histogram(_) => "histogram".to_owned(),
    }
}

impl Recorder {
    /// Returns what was appended since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    /// Waits until a line was appended for which `wanted` holds.
    pub(super) async fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                let line = self
                    .lines
                    .lock()
                    .unwrap()
                    .iter()
                    .find(|line| wanted(line))
                    .cloned();
                if let Some(line) = line {
                    return line;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found)
            .await
            .unwrap_or_else(|_| panic!("not among {:#?}", self.take()))
    }
}

/// Returns the configuration of jobs given as YAML list elements.
pub(super) fn config(jobs: &str) -> Config {
    let text = format!("scrape_configs:\n{jobs}");
    load(std::path::Path::new("/x/obsq.yml"), &text).unwrap()
}
