//! Outgoing remote write: from obsq to obsq and to Prometheus, and through kill -9 of either side.

use std::sync::Arc;

use obsq_model::{
    Exemplar, FloatHistogram, HistogramValue, Labels, MetricMetadata, MetricType, Sample,
};
use obsq_source::{MetricBatch, SeriesBatch};
use tempfile::TempDir;

use crate::interchange::prometheus_on;
use crate::prom_api::write;
use crate::testkit::{Server, encode, free_port, installed, request, skip};

const START_MS: i64 = 1_755_777_600_000;

/// Starts a server that passes on to `url`, with further keys of its `remote_write`.
fn start(directory: &Arc<TempDir>, url: &str, keys: &str) -> Server {
    let config = directory.path().join("obsq.yml");
    let text = format!(
        "global: {{external_labels: {{cluster: eu}}}}\nremote_write:\n- url: {url}\n  \
         queue_config: {{batch_send_deadline: 50ms, max_samples_per_send: 50, max_backoff: 200ms}}\n\
         {keys}"
    );
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap().to_owned();
    let server = Server::start_in(Arc::clone(directory), &["--config", &config]);
    server.wait_for("the position", || {
        server
            .get("/metrics")
            .text()
            .contains("obsq_remote_storage_shards")
            && directory.path().join("data/wal/metrics/cursors").is_dir()
    });
    server
}

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs)
}

/// A batch with everything that there is, and a series that is not to be sent.
fn everything() -> MetricBatch {
    let histogram = HistogramValue::Float(FloatHistogram {
        zero_count: 2.0,
        count: 2.0,
        sum: 3.0,
        ..FloatHistogram::default()
    });
    let counter = SeriesBatch {
        labels: labels(&[("__name__", "requests_total"), ("job", "a")]),
        samples: [
            Sample::float(START_MS, 1.0),
            Sample::float(START_MS + 15_000, 2.0),
        ]
        .into_iter()
        .collect(),
        exemplars: vec![Exemplar {
            labels: labels(&[("trace_id", "t1")]),
            value: 0.5,
            ts_ms: START_MS,
        }],
    };
    let latency = SeriesBatch {
        labels: labels(&[("__name__", "latency"), ("job", "a")]),
        samples: std::iter::once(Sample::histogram(START_MS, histogram)).collect(),
        exemplars: Vec::new(),
    };
    let private = SeriesBatch {
        labels: labels(&[("__name__", "private"), ("job", "a")]),
        samples: std::iter::once(Sample::float(START_MS, 1.0)).collect(),
        exemplars: Vec::new(),
    };
    let metadata = MetricMetadata {
        metric_type: MetricType::Counter,
        unit: "requests".to_owned(),
        help: "Requests served.".to_owned(),
    };
    MetricBatch {
        series: vec![counter, latency, private],
        metadata: vec![("requests_total".to_owned(), metadata)],
    }
}

#[test]
fn both_versions_pass_on_everything_that_rules_allow() {
    for version in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] {
        let receiver = Server::start();
        let keys = format!(
            "  protobuf_message: {version}\n  send_exemplars: true\n  send_native_histograms: true\n  \
             metadata_config: {{send_interval: 100ms}}\n  headers: {{X-Scope-OrgID: team}}\n  \
             write_relabel_configs:\n  - {{source_labels: [__name__], regex: private, action: drop}}\n"
        );
        let directory = folder();
        let url = format!("{}/api/v1/write", receiver.url());
        let sender = start(&directory, &url, &keys);
        assert_eq!(write(&sender, &everything()).status, 204);
        let team = [("x-scope-orgid", "team")];
        let ask = |path: &str| receiver.request("GET", path, &team, &[]).json()["data"].clone();
        let at = START_MS / 1000 + 15;
        let query = |text: &str| {
            let path = format!("/api/v1/query?time={at}&query={}", encode(text));
            ask(&path)["result"].clone()
        };
        let selector = "{cluster=\"eu\", job=\"a\"}";
        receiver.wait_for("both series", || {
            query(selector)
                .as_array()
                .is_some_and(|list| list.len() == 2)
        });
        assert_eq!(query("requests_total")[0]["value"][1], "2");
        assert_eq!(query("histogram_count(latency)")[0]["value"][1], "2");
        assert_eq!(query("private"), serde_json::json!([]));
        receiver.wait_for("metadata", || {
            ask("/api/v1/metadata")["requests_total"][0]["help"] == "Requests served."
        });
        let exemplars = format!(
            "/api/v1/query_exemplars?start={}&end={at}&query=requests_total",
            at - 60
        );
        assert_eq!(
            ask(&exemplars)[0]["exemplars"][0]["labels"]["trace_id"],
            "t1"
        );
        sender.wait_for("the counts", || {
            let page = sender.get("/metrics").text();
            let count = |name: &str, value: &str| {
                let mut lines = page.lines().filter(|line| line.starts_with(name));
                lines.any(|line| line.ends_with(value))
            };
            count("obsq_remote_storage_samples_total{", " 2")
                && count("obsq_remote_storage_histograms_total{", " 1")
                && count("obsq_remote_storage_exemplars_total{", " 1")
                && count(
                    "obsq_remote_storage_samples_dropped_total{reason=\"relabelled\"",
                    " 1",
                )
                && count("obsq_remote_storage_samples_pending{", " 0")
        });
    }
}

#[test]
fn a_prometheus_receives_what_obsq_passes_on() {
    if installed("prometheus").is_none() {
        return skip("prometheus");
    }
    let directory = folder();
    let (_prometheus, address) = prometheus_on(&directory.path().join("prometheus"));
    let keys = "  send_native_histograms: true\n  send_exemplars: true\n  remote_timeout: 5s\n";
    let url = format!("http://{address}/api/v1/write");
    // The receiver may not be there yet, which is as good a reason to try again as any.
    let sender = start(&directory, &url, keys);
    assert_eq!(write(&sender, &everything()).status, 204);
    let at = START_MS / 1000 + 15;
    let path = format!(
        "/api/v1/query?time={at}&query={}",
        encode("requests_total{cluster=\"eu\"}")
    );
    sender.wait_for("the sample", || {
        let answer = request(address, "GET", &path, &[], &[]);
        answer.is_ok_and(|answer| {
            answer.status == 200 && answer.json()["data"]["result"][0]["value"][1] == "2"
        })
    });
}

/// Writes `count` requests of ten samples each and returns the number of the next.
fn write_many(server: &Server, from: i64, count: i64) -> i64 {
    for number in from..from + count {
        let series = (0..10).map(|series| SeriesBatch {
            labels: labels(&[("__name__", "many"), ("series", &series.to_string())]),
            samples: std::iter::once(Sample::float(START_MS + number * 1_000, number as f64))
                .collect(),
            exemplars: Vec::new(),
        });
        let batch = MetricBatch {
            series: series.collect(),
            metadata: Vec::new(),
        };
        let answer = write(server, &batch);
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    from + count
}

/// Returns how often requests were repeated, a fifth of a second apart at most.
fn retries(server: &Server) -> f64 {
    let page = server.get("/metrics").text();
    let name = "obsq_remote_storage_requests_retried_total{";
    let line = page.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next());
    value.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn nothing_acknowledged_is_lost_when_either_side_is_killed() {
    let address = format!("127.0.0.1:{}", free_port());
    let (receiving, sending) = (folder(), folder());
    let receive = || Server::start_in(Arc::clone(&receiving), &["--http", &address]);
    let url = format!("http://{address}/api/v1/write");
    let send = || start(&sending, &url, "");
    let mut receiver = receive();
    let mut sender = send();
    let mut number = write_many(&sender, 0, 40);
    for round in 0..6 {
        match round % 3 {
            0 => {
                sender.kill();
                sender = send();
            }
            1 => {
                receiver.kill();
                number = write_many(&sender, number, 20);
                receiver = receive();
            }
            _ => {
                // What is to be sent must outlive checkpoints.
                receiver.kill();
                number = write_many(&sender, number, 20);
                assert_eq!(sender.request("POST", "/flush", &[], &[]).status, 204);
                // Long enough that the position was saved meanwhile, which must not be too far.
                sender.wait_for("retries", || retries(&sender) >= 25.0);
                sender.kill();
                receiver = receive();
                sender = send();
            }
        }
        number = write_many(&sender, number, 20);
    }
    let at = START_MS / 1000 + number;
    let query = format!(
        "sum(count_over_time(many{{cluster=\"eu\"}}[{}s]))",
        number + 1
    );
    let expected = (number * 10).to_string();
    receiver.wait_for("every sample", || {
        receiver.query(&query, &at.to_string())[0]["value"][1] == expected.as_str()
    });
    let page = sender.get("/metrics").text();
    let lost = page
        .lines()
        .find(|line| line.starts_with("obsq_remote_storage_lost_batches_total{"));
    assert!(lost.unwrap().ends_with(" 0"), "{page}");
}

#[test]
fn a_receiver_that_is_gone_from_the_configuration_is_forgotten() {
    let directory = folder();
    let sender = start(
        &directory,
        "http://user:hunter2@127.0.0.1:1/api/v1/write",
        "",
    );
    let shown = sender.get("/api/v1/status/config").text() + &sender.get("/metrics").text();
    assert!(shown.contains("127.0.0.1:1/api/v1/write") && !shown.contains("hunter2"));
    write_many(&sender, 0, 1);
    sender.wait_for("a failure", || {
        let page = sender.get("/metrics").text();
        page.contains("obsq_remote_storage_failing{")
            && sender.stderr().contains("cannot write to the receiver")
    });
    assert!(!sender.stderr().contains("hunter2"), "{}", sender.stderr());
    std::fs::write(directory.path().join("obsq.yml"), "remote_write: []\n").unwrap();
    assert_eq!(sender.request("POST", "/-/reload", &[], b"").status, 200);
    let cursors = directory.path().join("data/wal/metrics/cursors");
    assert_eq!(std::fs::read_dir(cursors).unwrap().count(), 0);
    assert!(
        !sender
            .get("/metrics")
            .text()
            .contains("obsq_remote_storage_shards{")
    );
}
