//! Blocks and protocols shared with Prometheus: what obsq writes Prometheus reads, and the other way round. A test whose
//! tool is not installed says so and passes; `.ci/clients` installs it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use obsq_ingest::prompb::{snappy, write_request};
use obsq_model::{
    BucketSpan, HistogramValue, IntHistogram, Labels, MetricMetadata, MetricType, Sample,
};
use obsq_source::{MetricBatch, SeriesBatch};
use serde_json::Value;

use crate::testkit::{Client, Server, encode, free_port, installed, obsq, request, skip};

const STEP_MS: i64 = 30_000;
const POINTS: i64 = 600;
/// Start of the samples: a fixed time, aligned to two hours.
const START_MS: i64 = 1_755_777_600_000;

/// Counters with resets (never near zero, where old versions extrapolate otherwise), gauges with negative and special values, native histograms.
fn batch() -> MetricBatch {
    let mut series = Vec::new();
    for job in ["api", "web"] {
        for instance in 0..3 {
            let labels = |name| {
                let instance = format!("i{instance}");
                Labels::from_pairs(&[("__name__", name), ("job", job), ("instance", &instance)])
            };
            let shift = f64::from(instance) * 1.5;
            let at = |point: i64| START_MS + point * STEP_MS + i64::from(instance);
            let floats = |value: &dyn Fn(i64) -> f64| {
                (0..POINTS)
                    .map(|point| Sample::float(at(point), value(point)))
                    .collect()
            };
            let counter = floats(&|point| 10_000.0 + (point % 250) as f64 * 3.0 + shift);
            let gauge = floats(&|point| {
                if point == 77 {
                    f64::NEG_INFINITY
                } else {
                    (point as f64 * 0.37).sin() - shift
                }
            });
            let histograms =
                (0..POINTS).map(|point| Sample::histogram(at(point), histogram(point)));
            let batch = |name, samples| SeriesBatch {
                labels: labels(name),
                samples,
                exemplars: Vec::new(),
            };
            series.push(batch("requests_total", counter));
            series.push(batch("temperature", gauge));
            series.push(batch("latency", histograms.collect()));
        }
    }
    let metadata = MetricMetadata {
        metric_type: MetricType::Counter,
        ..MetricMetadata::default()
    };
    MetricBatch {
        series,
        metadata: vec![("requests_total".to_owned(), metadata)],
    }
}

fn histogram(point: i64) -> HistogramValue {
    let count = point as u64 + 1;
    HistogramValue::Int(IntHistogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: count,
        count: count * 4,
        sum: count as f64 * 2.5,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: 2,
        }],
        positive_deltas: vec![count as i64, count as i64],
        ..IntHistogram::default()
    })
}

/// Writes the batch and seals it into blocks; returns the folder of the blocks.
fn fill(server: &Server) -> PathBuf {
    let body = snappy(&write_request(&batch()));
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let answer = server.request("POST", "/api/v1/write", &headers, &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    let answer = server.request("POST", "/flush", &[], &[]);
    assert!(answer.status < 300, "{}", answer.text());
    server.data().join("tenants/anonymous/metrics/blocks")
}

fn blocks(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Starts the installed Prometheus on a data directory; returns its address.
pub(crate) fn prometheus_on(data: &Path) -> (Client, std::net::SocketAddr) {
    let config = data.with_extension("yml");
    let late = "storage:\n  tsdb:\n    out_of_order_time_window: 10h\n";
    fs::write(&config, late).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg("--storage.tsdb.retention.time=100y")
        .arg("--enable-feature=native-histograms,exemplar-storage")
        .arg("--web.enable-remote-write-receiver")
        .arg("--web.enable-admin-api")
        .arg(format!("--web.listen-address={listen}"))
        .stderr(Stdio::null());
    (Client(command.spawn().unwrap()), listen.parse().unwrap())
}

const QUERIES: &[&str] = &[
    "requests_total",
    "temperature",
    "sum by (job) (rate(requests_total[7m]))",
    "increase(requests_total[1h])",
    "max_over_time(temperature[10m])",
    "count(latency)",
    "histogram_count(latency)",
    "topk(2, requests_total)",
    "requests_total{instance=~\"i[01]\"} / on (job, instance) temperature",
];

#[test]
fn a_prometheus_on_a_copy_of_the_blocks_gives_the_same_answers() {
    if installed("prometheus").is_none() {
        return skip("prometheus");
    }
    let server = Server::start();
    let folder = fill(&server);
    let copy = server.directory().path().join("copy");
    copy_tree(&folder, &copy);
    let (_client, address) = prometheus_on(&copy);
    server.wait_for("Prometheus on the copy", || is_ready(address));
    for query in QUERIES {
        let path = path_of(query);
        let theirs = request(address, "GET", &path, &[], &[]).unwrap();
        assert_eq!(theirs.status, 200, "{query}: {}", theirs.text());
        let ours = server.get(&path);
        assert_eq!(ours.status, 200, "{query}: {}", ours.text());
        assert_same(
            query,
            &theirs.json()["data"]["result"],
            &ours.json()["data"]["result"],
        );
    }
}

fn is_ready(address: std::net::SocketAddr) -> bool {
    request(address, "GET", "/-/ready", &[], &[]).is_ok_and(|answer| answer.status == 200)
}

/// Returns the first and the last step, in seconds. Every step lies off the grid of samples, so that left-open windows
/// and the closed ones of old versions agree.
fn steps() -> (i64, i64) {
    (START_MS / 1000 + 7, START_MS / 1000 + POINTS * 30 + 7)
}

fn path_of(query: &str) -> String {
    let (start, end) = steps();
    let query = encode(query);
    format!("/api/v1/query_range?query={query}&start={start}&end={end}&step=60")
}

/// Sends a batch to a Prometheus.
fn write_to(address: std::net::SocketAddr, batch: &MetricBatch) {
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let body = snappy(&write_request(batch));
    let answer = request(address, "POST", "/api/v1/write", &headers, &body).unwrap();
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// Asks obsq over a directory, without a server.
fn ask_directory(home: &Path, data: &Path, query: &str) -> Value {
    let (start, end) = steps();
    let output = obsq(home)
        .args(["query", query, "--step", "60", "-o", "json", "--limit", "0"])
        .args(["--from", &start.to_string(), "--to", &end.to_string()])
        .arg("--data")
        .arg(data)
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{query}: {notes}");
    assert_eq!(notes, "", "{query}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"]["result"].clone()
}

#[test]
fn the_head_of_a_running_prometheus_is_read_and_imported() {
    if installed("prometheus").is_none() {
        return skip("prometheus");
    }
    let server = Server::start();
    let home = server.directory();
    let data = home.path().join("prometheus");
    let (_client, address) = prometheus_on(&data);
    server.wait_for("Prometheus", || is_ready(address));
    write_to(address, &batch());
    let mut late = batch();
    late.series
        .retain(|series| series.labels.value("__name__") == "temperature");
    for sample in late
        .series
        .iter_mut()
        .flat_map(|series| &mut series.samples)
    {
        // Between those that are there already.
        sample.ts_ms += STEP_MS / 2;
    }
    write_to(address, &late);
    let gone = encode("requests_total{instance=\"i1\"}");
    let half = START_MS / 1000 + POINTS * 15;
    let path = format!("/api/v1/admin/tsdb/delete_series?match[]={gone}&end={half}");
    let deleted = request(address, "POST", &path, &[], &[]).unwrap();
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    let own = home.path().join("own");
    let imported = obsq(home.path())
        .arg("import")
        .arg(&data)
        .arg("--data")
        .arg(&own)
        .output()
        .unwrap();
    let notes = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(imported.status.success(), "{notes}");
    for query in QUERIES {
        let theirs = request(address, "GET", &path_of(query), &[], &[]).unwrap();
        let theirs = &theirs.json()["data"]["result"];
        assert_same(query, theirs, &ask_directory(home.path(), &data, query));
        assert_same(query, theirs, &ask_directory(home.path(), &own, query));
    }
}

#[test]
fn the_log_of_a_prometheus_is_analysed_dumped_and_exported() {
    if installed("prometheus").is_none() {
        return skip("prometheus");
    }
    let server = Server::start();
    let home = server.directory();
    let data = home.path().join("prometheus");
    let (_client, address) = prometheus_on(&data);
    server.wait_for("Prometheus", || is_ready(address));
    write_to(address, &batch());
    let path = data.display().to_string();
    let run = |arguments: &[&str]| {
        let output = obsq(home.path()).args(arguments).output().unwrap();
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {notes}");
        (String::from_utf8(output.stdout).unwrap(), notes)
    };
    let floats = 12 * POINTS as usize;
    let (analysis, _notes) = run(&["tsdb", "analyze", &path]);
    assert!(analysis.contains("requests_total"), "{analysis}");
    let (dump, notes) = run(&["tsdb", "dump-openmetrics", &path, "--match", "{job!=\"\"}"]);
    let lines = dump.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(lines, floats, "{notes}");
    assert!(dump.ends_with("# EOF\n"));
    let (start, end) = steps();
    let (from, to) = ((start - 60).to_string(), (end + 60).to_string());
    let times = ["export", "--data", &path, "--from", &from, "--to", &to];
    let (csv, _notes) = run(&[times.as_slice(), &["-o", "csv", "requests_total"]].concat());
    let dumped = dump
        .lines()
        .filter(|line| line.starts_with("requests_total"));
    assert_eq!(csv.lines().count(), dumped.count() + 1);
    let (json, _notes) = run(&[times.as_slice(), &["-o", "jsonl"]].concat());
    assert!(json.lines().any(|line| line.contains("latency")), "{json}");
    let blocks = home.path().join("blocks").display().to_string();
    let (_out, notes) = run(&[times.as_slice(), &["--blocks", &blocks]].concat());
    assert!(notes.contains("wrote"), "{notes}");
    let (list, _notes) = run(&["tsdb", "list", &blocks, "-o", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list[0]["numSamples"].as_u64().unwrap() > 0, "{list}");
}

/// Compares two matrices: same series, same times, values within 1e-12 relative.
fn assert_same(query: &str, theirs: &Value, ours: &Value) {
    let (theirs, ours) = (theirs.as_array().unwrap(), ours.as_array().unwrap());
    assert_eq!(theirs.len(), ours.len(), "{query}: number of series");
    assert!(!theirs.is_empty(), "{query}: no series");
    for series in theirs {
        let same = |other: &&Value| other["metric"] == series["metric"];
        let other = ours
            .iter()
            .find(same)
            .unwrap_or_else(|| panic!("{query}: no {}", series["metric"]));
        assert_eq!(series["histograms"], other["histograms"], "{query}");
        let empty = Vec::new();
        let points = |series: &Value| series["values"].as_array().unwrap_or(&empty).clone();
        let (a, b) = (points(series), points(other));
        assert_eq!(
            a.len(),
            b.len(),
            "{query}: number of points of {}",
            series["metric"]
        );
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a[0], b[0], "{query}");
            let number = |point: &Value| point[1].as_str().unwrap().parse::<f64>().unwrap();
            let (x, y) = (number(a), number(b));
            let close = x == y || (x - y).abs() <= 1e-12 * x.abs().max(y.abs());
            assert!(close || (x.is_nan() && y.is_nan()), "{query}: {x} and {y}");
        }
    }
}

#[test]
fn promtool_lists_analyses_and_dumps_the_blocks() {
    if installed("promtool").is_none() {
        return skip("promtool");
    }
    let server = Server::start();
    let folder = fill(&server);
    let ulids = blocks(&folder);
    assert!(!ulids.is_empty());
    // promtool looks for a log beside the blocks, as in a data directory of Prometheus.
    let copy = server.directory().path().join("copy");
    copy_tree(&folder, &copy);
    fs::create_dir(copy.join("wal")).unwrap();
    let path = copy.display().to_string();
    let list = promtool(&["tsdb", "list", &path]);
    for ulid in &ulids {
        assert!(list.contains(ulid), "{ulid} is not in {list}");
        let analysis = promtool(&["tsdb", "analyze", &path, ulid]);
        assert!(analysis.contains("Label names"), "{analysis}");
    }
    let dump = promtool(&["tsdb", "dump", &path]);
    let floats = dump
        .lines()
        .filter(|line| !line.contains("\"latency\""))
        .count();
    assert_eq!(floats, 12 * POINTS as usize, "float samples in the dump");
}

#[test]
fn obsq_opens_blocks_that_promtool_made_and_imports_them() {
    if installed("promtool").is_none() {
        return skip("promtool");
    }
    let directory = tempfile::TempDir::new().unwrap();
    let text = directory.path().join("history.om");
    let mut lines = String::from("# TYPE visits counter\n");
    for point in 0..300 {
        let seconds = START_MS / 1000 + point * 60;
        lines.push_str(&format!("visits_total{{page=\"/\"}} {point} {seconds}\n"));
    }
    lines.push_str("# EOF\n");
    fs::write(&text, lines).unwrap();
    let data = directory.path().join("prometheus");
    let (text, folder) = (text.display().to_string(), data.display().to_string());
    promtool(&["tsdb", "create-blocks-from", "openmetrics", &text, &folder]);
    let at = (START_MS / 1000 + 299 * 60).to_string();
    let query = |arguments: &[&str]| {
        let mut command = obsq(directory.path());
        command
            .args([
                "query",
                "increase(visits_total[1h])",
                "--at",
                &at,
                "-o",
                "json",
            ])
            .args(arguments);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let body: Value = serde_json::from_slice(&output.stdout).unwrap();
        body["data"]["result"][0]["value"][1]
            .as_str()
            .map(String::from)
    };
    assert_eq!(
        query(&["--data", &folder]).as_deref(),
        Some("60"),
        "a Prometheus data directory"
    );
    let own = directory.path().join("own").display().to_string();
    let imported = obsq(directory.path())
        .args(["import", &folder, "--data", &own])
        .output()
        .unwrap();
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );
    assert_eq!(query(&["--data", &own]).as_deref(), Some("60"), "imported");
}
