//! Deleting, snapshots and restoring, by the command line and over HTTP, through kill -9.

use std::path::Path;
use std::process::Output;

use obsq_ingest::prompb::{snappy, write_request};
use obsq_model::{Labels, Sample};
use obsq_source::{MetricBatch, SeriesBatch};
use serde_json::Value;

use crate::testkit::{Server, obsq};

const START_MS: i64 = 1_755_777_600_000;
const POINTS: i64 = 300;

fn write(server: &Server, value: f64) {
    let series = ["api", "db"].map(|job| SeriesBatch {
        labels: Labels::from_pairs(&[("__name__", "up"), ("job", job)]),
        samples: (0..POINTS)
            .map(|point| Sample::float(START_MS + point * 15_000, value))
            .collect(),
        exemplars: Vec::new(),
    });
    let batch = MetricBatch {
        series: series.to_vec(),
        metadata: Vec::new(),
    };
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
    ];
    let body = snappy(&write_request(&batch));
    let answer = server.request("POST", "/api/v1/write", &headers, &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// Samples by job, and their sum.
fn counts(server: &Server) -> Vec<(String, String, String)> {
    let time = ((START_MS + POINTS * 15_000) / 1000).to_string();
    let sums = server.query("sort_by_label(sum_over_time(up[1d]), \"job\")", &time);
    let counts = server.query("sort_by_label(count_over_time(up[1d]), \"job\")", &time);
    let pairs = counts.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    pairs
        .zip(sums.as_array().unwrap())
        .map(|(count, sum)| {
            (
                text(&count["metric"]["job"]),
                text(&count["value"][1]),
                text(&sum["value"][1]),
            )
        })
        .collect()
}

fn row(job: &str, count: i64, sum: i64) -> (String, String, String) {
    (job.to_owned(), count.to_string(), sum.to_string())
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let output = obsq(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn what_is_deleted_stays_away_and_what_is_written_then_stays() {
    let server = Server::start_with(&["--web.enable-admin-api"]);
    write(&server, 1.0);
    let url = server.url();
    let directory = server.directory();
    let folder = directory.path();
    let selector = "up{job=\"api\"}";
    let dry = run(folder, &["delete", selector, "--dry-run", "--server", &url]);
    assert_eq!(out(&dry), "1");
    assert_eq!(counts(&server)[0], row("api", POINTS, POINTS));
    run(folder, &["delete", selector, "--server", &url, "--clean"]);
    assert_eq!(counts(&server), [row("db", POINTS, POINTS)]);
    let server = Server::start_in(server.kill(), &["--web.enable-admin-api"]);
    assert_eq!(counts(&server), [row("db", POINTS, POINTS)]);
    // Of the other job the first values win, of the deleted one those that come now.
    let flushed = server.request("POST", "/flush", &[], &[]);
    assert_eq!(flushed.status, 204);
    write(&server, 2.0);
    let both = [row("api", POINTS, 2 * POINTS), row("db", POINTS, POINTS)];
    assert_eq!(counts(&server), both);
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(counts(&server), both);
    let denied = obsq(folder)
        .args(["delete", selector, "--server", &server.url()])
        .output();
    assert_eq!(denied.unwrap().status.code(), Some(4));
}

#[test]
fn a_snapshot_becomes_a_data_directory_again() {
    let server = Server::start_with(&["--web.enable-admin-api"]);
    write(&server, 1.0);
    let flushed = server.request("POST", "/flush", &[], &[]);
    assert_eq!(flushed.status, 204);
    let directory = server.directory();
    let folder = directory.path();
    let name = out(&run(folder, &["snapshot", "--server", &server.url()]));
    let snapshot = server.data().join("snapshots").join(name);
    let snapshot = snapshot.to_str().unwrap();
    let read = ["query", "count(up)", "--at", "1755777660", "-o", "raw"];
    let read = run(folder, &[&read[..], &["--data", snapshot]].concat());
    assert_eq!(out(&read), "2");

    let other = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let data = other.path().join("data");
    let data = data.to_str().unwrap();
    run(folder, &["restore", snapshot, "--data", data]);
    let again = obsq(folder)
        .args(["restore", snapshot, "--data", data])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1));
    let selector = "up{job=\"db\"}";
    run(
        folder,
        &["delete", selector, "--to", "1755777614", "--data", data],
    );
    let second = out(&run(folder, &["snapshot", "--data", data]));
    assert!(second.starts_with(data), "{second}");
    assert_eq!(out(&run(folder, &["verify", data, snapshot])), "");
    let index = std::fs::read_dir(&second).unwrap();
    let index = index.map(|entry| entry.unwrap().path().join("index"));
    let index = index.into_iter().find(|path| path.is_file()).unwrap();
    // The snapshot's files are links: a copy is damaged.
    let mut bytes = std::fs::read(&index).unwrap();
    bytes[100] ^= 1;
    std::fs::remove_file(&index).unwrap();
    std::fs::write(&index, bytes).unwrap();
    let verified = obsq(folder).args(["verify", &second]).output().unwrap();
    assert_eq!(verified.status.code(), Some(1));
    assert!(out(&verified).contains("/index: "), "{verified:?}");
    let restored = Server::start_in(other, &[]);
    let expected = [
        row("api", POINTS, POINTS),
        row("db", POINTS - 1, POINTS - 1),
    ];
    assert_eq!(counts(&restored), expected);
}

#[test]
fn a_place_must_be_named_and_selectors_must_select() {
    let folder = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| {
        let output = obsq(folder.path()).args(arguments).output().unwrap();
        output.status.code()
    };
    assert_eq!(code(&["delete", "up"]), Some(2));
    assert_eq!(code(&["snapshot"]), Some(2));
    assert_eq!(code(&["delete", "{}", "--data", "nowhere"]), Some(2));
    assert_eq!(code(&["restore", "nowhere", "--data", "other"]), Some(1));
}

#[test]
fn a_tenant_is_held_to_its_limits_and_others_are_not() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let config = folder.path().join("obsq.yml");
    let text = "limits: {max_series: 3, max_label_value_length: 10}\noverrides:\n  \
                slow: {ingestion_rate: 1, ingestion_burst_size: 5}\n  \
                large: {max_series: 0, query_timeout: 1s, max_samples_per_query: 50}\n";
    std::fs::write(&config, text).unwrap();
    let server = Server::start_in(folder, &["--config", config.to_str().unwrap()]);
    let send = |tenant: &str, series: usize, value: &str| {
        let series = (0..series).map(|n| SeriesBatch {
            labels: Labels::from_pairs(&[("__name__", format!("m{n}")), ("v", value.to_owned())]),
            samples: std::iter::once(Sample::float(START_MS, 1.0)).collect(),
            exemplars: Vec::new(),
        });
        let batch = MetricBatch {
            series: series.collect(),
            metadata: Vec::new(),
        };
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-scope-orgid", tenant),
        ];
        let body = snappy(&write_request(&batch));
        let answer = server.request("POST", "/api/v1/write", &headers, &body);
        (answer.status, answer.text())
    };
    let (status, text) = send("a", 5, "x");
    assert_eq!(status, 429);
    assert!(text.contains("`max_series` is 3"), "{text}");
    let (status, text) = send("b", 1, "much too long");
    assert_eq!(status, 400);
    assert!(
        text.contains("has 13 bytes, the limit `max_label_value_length` is 10"),
        "{text}"
    );
    assert_eq!(send("slow", 3, "x").0, 204);
    let (status, text) = send("slow", 3, "x");
    assert_eq!(status, 429);
    assert!(text.contains("`ingestion_rate` is 1 per second"), "{text}");
    assert_eq!(send("large", 100, "x").0, 204);
    let query = "/api/v1/query?query=%7Bv%3D%22x%22%7D&time=1755777600";
    let answer = server.request("GET", query, &[("x-scope-orgid", "large")], &[]);
    assert_eq!(answer.status, 422, "{}", answer.text());
    let metrics = server.get("/metrics").text();
    for line in [
        "obsq_limit_refused_total{limit=\"max_series\"} 2",
        "obsq_limit_refused_total{limit=\"ingestion_rate\"} 3",
        "obsq_limit_refused_total{limit=\"max_label_value_length\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}
