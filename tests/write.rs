//! Remote write, remote read and OTLP over HTTP.

use obsq_ingest::IngestLimits;
use obsq_ingest::prompb::{
    ReadQuery, ReadRequest, ResponseType, decode_read_response, read_request, snappy,
    write_request, write_request_v2,
};
use obsq_ingest::remote_write::decompress;
use obsq_model::{Sample, TimeRange};
use obsq_query_lang::promql::{LabelMatcher, MatcherOp};
use obsq_source::MetricBatch;

use crate::prom_api::{series, write};
use crate::testkit::{Answer, Server};

const SNAPPY: [(&str, &str); 2] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
];

fn batch(samples: Vec<Sample>) -> MetricBatch {
    MetricBatch {
        series: vec![series(&[("__name__", "m"), ("job", "a")], samples)],
        metadata: Vec::new(),
    }
}

fn read(server: &Server, accepted: Vec<ResponseType>) -> Answer {
    let request = ReadRequest {
        queries: vec![ReadQuery {
            range: TimeRange::new(0, 100_000),
            matchers: vec![LabelMatcher {
                name: "__name__".into(),
                op: MatcherOp::Equal,
                value: "m".into(),
            }],
            hints: None,
        }],
        accepted,
    };
    let body = snappy(&read_request(&request));
    server.request("POST", "/api/v1/read", &SNAPPY, &body)
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let server = Server::start();
    let answer = write(
        &server,
        &batch(vec![Sample::float(0, 1.0), Sample::float(15_000, 2.0)]),
    );
    assert_eq!(answer.status, 204, "{}", answer.text());
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(server.query("m", "15")[0]["value"][1], "2");
}

#[test]
fn version_2_is_told_what_was_written() {
    let server = Server::start();
    let headers = [
        (
            "content-type",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        ),
        ("content-encoding", "snappy"),
    ];
    let body = snappy(&write_request_v2(&batch(vec![Sample::float(0, 1.0)])));
    let answer = server.request("POST", "/api/v1/write", &headers, &body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    for (kind, count) in [("samples", "1"), ("histograms", "0"), ("exemplars", "0")] {
        let name = format!("x-prometheus-remote-write-{kind}-written");
        assert_eq!(answer.header(&name), Some(count));
    }
}

#[test]
fn good_samples_are_kept_and_bad_ones_counted() {
    let server = Server::start();
    assert_eq!(
        write(&server, &batch(vec![Sample::float(0, 1.0)])).status,
        204
    );
    assert_eq!(
        write(&server, &batch(vec![Sample::float(0, 1.0)])).status,
        204
    );
    let answer = write(
        &server,
        &batch(vec![Sample::float(0, 9.0), Sample::float(1_000, 3.0)]),
    );
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["error"],
        "1 of 2 samples and exemplars refused, the first one: duplicate sample for timestamp \
         (series {__name__=\"m\", job=\"a\"}, time 0 ms)"
    );
    assert_eq!(server.query("m", "0")[0]["value"][1], "1");
    assert_eq!(server.query("m", "1")[0]["value"][1], "3");
}

#[test]
fn bodies_that_are_not_understood_are_refused() {
    let server = Server::start();
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        server
            .request("POST", "/api/v1/write", headers, body)
            .status
    };
    let json = [("content-type", "application/json")];
    assert_eq!(post(&json, b"{}"), 415);
    let zstd = [SNAPPY[0], ("content-encoding", "zstd")];
    assert_eq!(post(&zstd, b"x"), 415);
    assert_eq!(post(&SNAPPY, b"nonsense"), 400);
    assert_eq!(post(&SNAPPY, &snappy(b"\xff\xff\xff")), 400);
    assert_eq!(post(&SNAPPY, &vec![0; (20 << 20) + 1]), 413);
    let plain = [("content-type", "application/x-protobuf")];
    let body = write_request(&batch(vec![Sample::float(0, 1.0)]));
    assert_eq!(post(&plain, &body), 400);
}

#[test]
fn samples_can_be_read_back_by_remote_read() {
    let server = Server::start();
    let samples = vec![Sample::float(0, 1.0), Sample::float(15_000, f64::NAN)];
    assert_eq!(write(&server, &batch(samples.clone())).status, 204);
    let answer = read(&server, Vec::new());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-encoding"), Some("snappy"));
    let limits = IngestLimits::default();
    let body = decompress(&answer.body, &limits).unwrap();
    let results = decode_read_response(&body, &limits).unwrap();
    assert_eq!(
        results[0][0].labels.to_string(),
        r#"{__name__="m", job="a"}"#
    );
    assert!(results[0][0].samples[1].same_value(&samples[1]));
    let answer = read(&server, vec![ResponseType::StreamedXorChunks]);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
    );
    assert!(answer.body.len() > 20);
}

#[test]
fn otlp_is_taken_as_json_on_both_paths() {
    let server = Server::start();
    let body = br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[{"name":"queue.length","gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000000","asDouble":4.5}]}}]}]}]}"#;
    for path in ["/v1/metrics", "/api/v1/otlp/v1/metrics"] {
        let headers = [("content-type", "application/json")];
        let answer = server.request("POST", path, &headers, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "{}"),
            "{path}"
        );
    }
    let result = server.query("queue_length", "1700000000");
    assert_eq!(result[0]["metric"]["job"], "shop");
    assert_eq!(result[0]["value"][1], "4.5");
}

#[test]
fn otlp_errors_come_in_the_encoding_of_the_request() {
    let server = Server::start();
    let post = |content_type: &str, body: &[u8]| {
        server.request(
            "POST",
            "/v1/metrics",
            &[("content-type", content_type)],
            body,
        )
    };
    let answer = post("application/json", b"[1,2");
    assert_eq!(
        (answer.status, answer.json()["code"].as_i64()),
        (400, Some(3))
    );
    let answer = post("application/x-protobuf", b"\xff\xff");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(post("text/plain", b"").status, 415);
}

/// The time of the first data point of [`delta`] behind the restart, in seconds.
const DELTA_END: u64 = 1_700_000_000;

/// Returns an OTLP request with one delta of each of two counters; only the first tells its start.
fn delta(end_seconds: u64, value: u64) -> String {
    let end = end_seconds * 1_000_000_000;
    let start = end - 60_000_000_000;
    let sum = |name: &str, start: u64| {
        format!(
            r#"{{"name":"{name}","sum":{{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{{"startTimeUnixNano":"{start}","timeUnixNano":"{end}","asDouble":{value}}}]}}}}"#
        )
    };
    let metrics = [sum("told", start), sum("untold", 0)].join(",");
    format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metrics}]}}]}}]}}"#)
}

#[test]
fn deltas_before_and_behind_a_restart_are_counted_once() {
    let headers = [("content-type", "application/json")];
    let push = |server: &Server, end: u64, value: u64| {
        let body = delta(end, value);
        let answer = server.request("POST", "/v1/metrics", &headers, body.as_bytes());
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    };
    let server = Server::start();
    push(&server, DELTA_END - 120, 2);
    push(&server, DELTA_END - 60, 3);
    let server = Server::start_in(server.kill(), &[]);
    // More than all before: the values alone do not show that the sum began anew.
    push(&server, DELTA_END, 8);
    push(&server, DELTA_END + 60, 1);
    for name in ["told_total", "untold_total"] {
        let value = |expression: String, time: u64| {
            let result = server.query(&expression, &time.to_string());
            result[0]["value"][1]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(value(name.to_owned(), DELTA_END), "8", "{name}");
        let resets = format!("resets({name}[4m])");
        assert_eq!(value(resets, DELTA_END + 60), "1", "{name}");
        let grown = format!("60 * irate({name}[2m])");
        assert_eq!(value(grown, DELTA_END), "8", "{name}");
        // 8 and 1 between the samples, and what is extrapolated to the first of three minutes.
        let grown = value(format!("increase({name}[3m])"), DELTA_END + 60);
        let grown: f64 = grown.parse().unwrap();
        assert!((9.0..=13.5).contains(&grown), "{name}: {grown}");
    }
}
