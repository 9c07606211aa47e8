//! The Prometheus API over HTTP: statuses, bodies, headers.

use obsq_ingest::prompb::{snappy, write_request};
use obsq_model::{Exemplar, Labels, MetricMetadata, MetricType, Sample};
use obsq_source::{MetricBatch, SeriesBatch};

use crate::testkit::{Answer, Server, encode};

/// The time of the newest sample of [`filled`], in seconds.
const END: i64 = 1_700_000_000;

/// Returns a batch of one series with the given samples.
pub(crate) fn series(labels: &[(&str, &str)], samples: Vec<Sample>) -> SeriesBatch {
    SeriesBatch {
        labels: Labels::from_pairs(labels),
        samples: samples.into(),
        exemplars: Vec::new(),
    }
}

/// Sends a remote write request, version 1.0.
pub(crate) fn write(server: &Server, batch: &MetricBatch) -> Answer {
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
    ];
    let body = snappy(&write_request(batch));
    server.request("POST", "/api/v1/write", &headers, &body)
}

/// Returns a server with two counters, an exemplar and metadata.
fn filled() -> Server {
    let server = Server::start();
    let counter = |code: &str, factor: f64| {
        let samples =
            (0..=20).map(|i| Sample::float((END - 300 + i * 15) * 1000, i as f64 * factor));
        series(
            &[
                ("__name__", "requests_total"),
                ("code", code),
                ("job", "api"),
            ],
            samples.collect(),
        )
    };
    let mut with_exemplar = counter("200", 1.0);
    with_exemplar.exemplars.push(Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "abc")]),
        value: 0.5,
        ts_ms: (END - 60) * 1000,
    });
    let batch = MetricBatch {
        series: vec![with_exemplar, counter("500", 0.1)],
        metadata: vec![(
            "requests_total".to_owned(),
            MetricMetadata {
                metric_type: MetricType::Counter,
                unit: String::new(),
                help: "All requests.".to_owned(),
            },
        )],
    };
    let answer = write(&server, &batch);
    assert_eq!(answer.status, 204, "{}", answer.text());
    server
}

/// Asserts the error of a GET request.
fn assert_refused(server: &Server, path: &str, status: u16, error_type: &str, message: &str) {
    let answer = server.get(path);
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    let body = answer.json();
    assert_eq!(body["status"], "error", "{path}");
    assert_eq!(body["errorType"], error_type, "{path}");
    assert_eq!(body["error"], message, "{path}");
}

#[test]
fn queries_answer_with_the_bodies_of_prometheus() {
    let server = filled();
    let scalar = server.post_form("/api/v1/query", "query=1%2B1&time=4");
    assert_eq!(scalar.header("content-type"), Some("application/json"));
    assert_eq!(
        scalar.text(),
        r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#
    );
    let instant = server.get(&format!(
        "/api/v1/query?query={}&time={END}.5",
        encode("requests_total")
    ));
    assert_eq!(
        instant.text(),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"requests_total","code":"200","job":"api"},"value":[1700000000.500,"20"]},{"metric":{"__name__":"requests_total","code":"500","job":"api"},"value":[1700000000.500,"2"]}]}}"#
    );
    let range = server.get(&format!(
        "/api/v1/query_range?query={}&start={}&end={END}&step=15s",
        encode("sum by (job) (requests_total) * 2"),
        END - 15
    ));
    assert_eq!(
        range.text(),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"api"},"values":[[1699999985,"41.8"],[1700000000,"44"]]}]}}"#
    );
    let limited = server.get(&format!(
        "/api/v1/query?query=requests_total&time={END}&limit=1&stats=all"
    ));
    let body = limited.json();
    assert_eq!(body["data"]["result"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["warnings"][0], "results truncated due to limit");
    assert!(body["data"]["stats"]["samples"]["peakSamples"].is_u64());
}

#[test]
fn labels_series_metadata_and_exemplars_can_be_asked_for() {
    let server = filled();
    let data = |path: &str| server.get(path).json()["data"].clone();
    assert_eq!(
        data("/api/v1/labels"),
        serde_json::json!(["__name__", "code", "job"])
    );
    assert_eq!(
        data("/api/v1/label/code/values?match[]=requests_total"),
        serde_json::json!(["200", "500"])
    );
    assert_eq!(
        data("/api/v1/label/U__code/values?limit=1"),
        serde_json::json!(["200"])
    );
    assert_eq!(data("/api/v1/label/nosuch/values"), serde_json::json!([]));
    assert_eq!(data("/api/v1/labels?end=5"), serde_json::json!([]));
    assert_eq!(
        data("/api/v1/series?match[]=requests_total%7Bcode%3D%22500%22%7D"),
        serde_json::json!([{"__name__": "requests_total", "code": "500", "job": "api"}])
    );
    assert_eq!(
        data("/api/v1/metadata"),
        serde_json::json!({"requests_total": [{"type": "counter", "unit": "", "help": "All requests."}]})
    );
    assert_eq!(
        data(&format!(
            "/api/v1/query_exemplars?query=requests_total&start={}&end={END}",
            END - 300
        )),
        serde_json::json!([{
            "seriesLabels": {"__name__": "requests_total", "code": "200", "job": "api"},
            "exemplars": [{"labels": {"trace_id": "abc"}, "value": "0.5", "timestamp": END - 60}],
        }])
    );
}

#[test]
fn what_is_wrong_is_told_as_prometheus_tells_it() {
    let server = Server::start();
    for (path, status, error_type, message) in [
        (
            "/api/v1/query?query=sum%28",
            400,
            "bad_data",
            r#"invalid parameter "query": 1:5: parse error: unclosed left parenthesis"#,
        ),
        (
            "/api/v1/query?query=up&time=zz",
            400,
            "bad_data",
            r#"invalid parameter "time": invalid time value for 'time': cannot parse "zz" to a valid timestamp"#,
        ),
        (
            "/api/v1/query_range?query=up&start=100&end=0&step=1",
            400,
            "bad_data",
            r#"invalid parameter "end": end timestamp must not be before start time"#,
        ),
        (
            "/api/v1/query_range?query=up%5B5m%5D&start=0&end=1&step=1",
            400,
            "bad_data",
            r#"invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector"#,
        ),
        (
            "/api/v1/query_range?query=1&start=0&end=20000&step=1",
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "/api/v1/series",
            400,
            "bad_data",
            "no match[] parameter provided",
        ),
        (
            "/api/v1/labels?match[]=%7B%7D",
            400,
            "bad_data",
            "match[] must contain at least one non-empty matcher",
        ),
        ("/api/v1/nosuch", 404, "not_found", "404 page not found"),
        ("/nosuch", 404, "not_found", "404 page not found"),
    ] {
        assert_refused(&server, path, status, error_type, message);
    }
    let answer = server.request("DELETE", "/api/v1/query", &[], b"");
    assert_eq!(answer.status, 405);
    let answer = server.request("POST", "/api/v1/admin/tsdb/snapshot", &[], b"");
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (403, Some("admin APIs disabled"))
    );
}

#[test]
fn tenants_see_only_their_own_series() {
    let server = filled();
    let ask = |tenant: &str| {
        let headers = [("x-scope-orgid", tenant)];
        server.request("GET", "/api/v1/labels", &headers, b"")
    };
    assert_eq!(ask("other").json()["data"], serde_json::json!([]));
    assert_eq!(ask("anonymous").json()["data"][0], "__name__");
    for bad in ["../../etc", "a|b"] {
        assert_eq!(ask(bad).status, 400, "{bad}");
    }
}

#[test]
fn browsers_of_other_origins_may_ask() {
    let server = Server::start();
    let headers = [("origin", "https://grafana.example")];
    let answer = server.request("GET", "/api/v1/status/buildinfo", &headers, b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = server.request("OPTIONS", "/api/v1/query", &headers, b"");
    assert_eq!(answer.status, 204);
    assert!(answer.header("access-control-allow-methods").is_some());
    let answer = server.get("/api/v1/status/buildinfo");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let origin = ("vary".to_owned(), "Origin".to_owned());
    assert!(answer.headers.contains(&origin));
}

#[test]
fn large_answers_are_compressed_when_the_client_takes_gzip() {
    let server = Server::start();
    let path = "/api/v1/features";
    let headers = [("accept-encoding", "gzip")];
    let compressed = server.request("GET", path, &headers, b"");
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(compressed.body.get(..2), Some(&[0x1f, 0x8b][..]));
    assert_eq!(server.get(path).header("content-encoding"), None);
}

#[test]
fn the_server_tells_about_itself() {
    let server = Server::start();
    assert_eq!(server.get("/").status, 200);
    for path in [
        "/-/healthy",
        "/-/ready",
        "/ready",
        "/api/v1/status/runtimeinfo",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let build = server.get("/api/v1/status/buildinfo").json();
    assert!(build["data"]["version"].as_str().unwrap().starts_with("3."));
    assert!(build["data"].get("features").is_none());
    let flags = server.get("/api/v1/status/flags").json();
    assert_eq!(flags["data"]["query.lookback-delta"], "5m");
    assert_eq!(
        server.get("/api/v1/rules").text(),
        r#"{"status":"success","data":{"groups":[]}}"#
    );
    assert_eq!(
        server.get("/api/v1/alerts").text(),
        r#"{"status":"success","data":{"alerts":[]}}"#
    );
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("obsq_ready 1\n"), "{metrics}");
    assert!(metrics.contains("obsq_http_requests_total{route=\"/-/ready\",code=\"200\"}"));
}

#[test]
fn the_newest_samples_can_be_federated() {
    let server = Server::start();
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let samples = vec![
        Sample::float(now_ms - 2_000, 1.0),
        Sample::float(now_ms - 1_000, 2.5),
    ];
    let batch = MetricBatch {
        series: vec![series(&[("__name__", "fed"), ("job", "a")], samples)],
        metadata: Vec::new(),
    };
    assert_eq!(write(&server, &batch).status, 204);
    let page = server
        .get("/federate?match[]=fed&match[]=%7Bjob%3D%22a%22%7D")
        .text();
    let expected = format!(
        "# TYPE fed untyped\nfed{{job=\"a\",instance=\"\"}} 2.5 {}\n",
        now_ms - 1_000
    );
    assert_eq!(page, expected);
}

#[test]
fn a_second_server_on_the_same_address_or_data_ends_at_once() {
    let server = Server::start();
    let run = |http: &str, data: &std::path::Path| {
        let directory = server.directory();
        let mut command = crate::testkit::obsq(directory.path());
        let output = command
            .args([
                "serve",
                "--otlp-grpc",
                "off",
                "--otlp-http",
                "off",
                "--http",
                http,
                "--data",
            ])
            .arg(data)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let other = server.directory().path().join("other");
    let (code, stderr) = run(&server.address().to_string(), &other);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("cannot listen"), "{stderr}");
    let (code, stderr) = run("127.0.0.1:0", &server.data());
    assert_eq!(code, Some(1), "{stderr}");
}

#[test]
fn sigterm_ends_the_server_with_success() {
    let server = Server::start();
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "measures the program from outside"
)]
fn clients_that_do_not_finish_hold_up_the_end_for_less_than_ten_seconds() {
    use std::io::Write as _;

    let server = Server::start();
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    let head = b"POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc";
    stream.write_all(head).unwrap();
    server.wait_for("open connection", || {
        server
            .get("/metrics")
            .text()
            .contains("obsq_http_connections 2\n")
    });
    let start = std::time::Instant::now();
    assert_eq!(server.terminate().0, Some(0));
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn a_url_with_raw_quotes_is_taken_as_it_was_meant() {
    let server = Server::start();
    let answer = server.get("/api/v1/query?query=absent(up{job=\"a<b>\"})&time=5");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["data"]["result"][0]["metric"]["job"], "a<b>");
}
