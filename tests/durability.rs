//! What was acknowledged is there after kill -9, after a flush and after a graceful stop: samples, histograms, start
//! timestamps, exemplars, metadata.

use obsq_ingest::prompb::{snappy, write_request_v2};
use obsq_model::{
    Exemplar, FloatHistogram, HistogramValue, Labels, MetricMetadata, MetricType, Sample,
};
use obsq_source::{MetricBatch, SeriesBatch};
use serde_json::Value;

use crate::testkit::{Server, encode};

const START_MS: i64 = 1_755_777_600_000;
const POINTS: i64 = 400;

fn batch() -> MetricBatch {
    let labels = |name| Labels::from_pairs(&[("__name__", name), ("job", "api")]);
    let at = |point: i64| START_MS + point * 15_000;
    let counter = (0..POINTS).map(|point| Sample {
        start_ts_ms: START_MS - 60_000,
        ..Sample::float(at(point), point as f64)
    });
    let histograms = (0..POINTS).map(|point| {
        let count = point as f64 + 0.5;
        let value = FloatHistogram {
            zero_count: count,
            count,
            sum: count,
            ..FloatHistogram::default()
        };
        Sample::histogram(at(point), HistogramValue::Float(value))
    });
    let exemplar = |point| Exemplar {
        labels: Labels::from_pairs(&[("trace_id", format!("t{point}"))]),
        value: 0.25,
        ts_ms: at(point),
    };
    let metadata = MetricMetadata {
        metric_type: MetricType::Counter,
        unit: "requests".to_owned(),
        help: "Requests served.".to_owned(),
    };
    MetricBatch {
        series: vec![
            SeriesBatch {
                labels: labels("requests_total"),
                samples: counter.collect(),
                exemplars: vec![exemplar(3), exemplar(300)],
            },
            SeriesBatch {
                labels: labels("latency"),
                samples: histograms.collect(),
                exemplars: Vec::new(),
            },
        ],
        metadata: vec![("requests_total".to_owned(), metadata)],
    }
}

/// Everything that must survive, as the API answers it.
fn answers(server: &Server) -> Vec<Value> {
    let end = START_MS / 1000 + POINTS * 15;
    let start = START_MS / 1000;
    let range = |query: &str| {
        format!(
            "/api/v1/query_range?query={}&start={start}&end={end}&step=15",
            encode(query)
        )
    };
    let paths = [
        range("requests_total"),
        range("latency"),
        range("rate(requests_total[5m])"),
        range("start_timestamp(requests_total)"),
        format!("/api/v1/query_exemplars?query=requests_total&start={start}&end={end}"),
        "/api/v1/metadata".to_owned(),
        format!("/api/v1/series?match[]=%7Bjob%3D%22api%22%7D&start={start}&end={end}"),
    ];
    let answer = |path: &String| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["data"].clone()
    };
    paths.iter().map(answer).collect()
}

fn write(server: &Server) {
    let body = snappy(&write_request_v2(&batch()));
    let headers = [
        (
            "content-type",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        ),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ];
    let answer = server.request("POST", "/api/v1/write", &headers, &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(
        answer.header("x-prometheus-remote-write-samples-written"),
        Some("400")
    );
    assert_eq!(
        answer.header("x-prometheus-remote-write-histograms-written"),
        Some("400")
    );
    assert_eq!(
        answer.header("x-prometheus-remote-write-exemplars-written"),
        Some("2")
    );
}

#[test]
fn everything_acknowledged_survives_kill_flush_and_graceful_stop() {
    let server = Server::start();
    write(&server);
    let expected = answers(&server);
    assert_eq!(
        expected[0]["result"][0]["values"].as_array().map(Vec::len),
        Some(401)
    );
    assert_eq!(
        expected[4][0]["exemplars"].as_array().map(Vec::len),
        Some(2),
        "{}",
        expected[4]
    );
    assert_eq!(expected[5]["requests_total"][0]["unit"], "requests");

    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(answers(&server), expected, "after kill -9");

    assert!(server.request("POST", "/flush", &[], &[]).status < 300);
    assert_eq!(answers(&server), expected, "after a flush");

    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(answers(&server), expected, "after a flush and kill -9");

    write(&server);
    assert_eq!(
        answers(&server),
        expected,
        "after the same samples came again"
    );

    let (code, directory) = server.terminate();
    assert_eq!(code, Some(0), "exit code after SIGTERM");
    let server = Server::start_in(directory, &[]);
    assert_eq!(answers(&server), expected, "after a graceful stop");
}

#[test]
fn tenants_do_not_see_each_other() {
    let server = Server::start();
    write(&server);
    let headers = [("x-scope-orgid", "other")];
    let path = format!(
        "/api/v1/query?query=requests_total&time={}",
        START_MS / 1000 + 60
    );
    let theirs = server.request("GET", &path, &headers, &[]);
    assert_eq!(theirs.json()["data"]["result"], Value::Array(Vec::new()));
    assert_eq!(
        server.get(&path).json()["data"]["result"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let bad = server.request("GET", &path, &[("x-scope-orgid", "../../etc")], &[]);
    assert!((400..500).contains(&bad.status), "{}", bad.status);
}
