//! Unmodified clients against the real binary. A test whose client is not installed says so and passes; `.ci/clients`
//! installs them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::testkit::{Client, Server, free_port, installed, request, skip};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Writes a scrape configuration for one target into the server's directory.
fn scrape_config(folder: &Path, job: &str, target: &str) -> String {
    let file = folder.join("obsq.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn the_opentelemetry_sdk_sends_metrics_over_grpc_and_http() {
    let python = root().join("target/clients/venv/bin/python");
    if !python.is_file() {
        return skip("the OpenTelemetry SDK");
    }
    let server = Server::start();
    let endpoints = [
        ("http", format!("{}/v1/metrics", server.url())),
        ("grpc", server.address().to_string()),
    ];
    for (protocol, endpoint) in endpoints {
        let script = root().join("tests/clients/otel_metrics.py");
        let service = format!("shop-{protocol}");
        let status = Command::new(&python)
            .arg(script)
            .args([protocol, &endpoint, &service])
            .status();
        assert!(status.unwrap().success(), "{protocol}");
        let labels = format!(r#"job="{service}", instance="i1", code="200""#);
        let value = |expression: String| server.value(&expression);
        assert_eq!(
            value(format!("shop_orders_total{{{labels}}}")).as_deref(),
            Some("7")
        );
        let latency = format!("shop_latency_seconds_count{{{labels}}}");
        assert_eq!(value(latency).as_deref(), Some("1"), "{protocol}");
        let target = format!(r#"target_info{{job="{service}", deployment_environment="ci"}}"#);
        assert_eq!(value(target).as_deref(), Some("1"), "{protocol}");
    }
}

#[test]
fn prom_client_is_scraped() {
    let folder = root().join("target/clients");
    if !folder.join("node_modules/prom-client").is_dir() {
        return skip("prom-client");
    }
    let script = folder.join("prom_client.mjs");
    std::fs::copy(root().join("tests/clients/prom_client.mjs"), &script).unwrap();
    let mut node = Command::new("node");
    node.arg(&script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut client = Client(node.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(client.0.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let target = format!("127.0.0.1:{}", port.trim());
    let config = scrape_config(directory.path(), "shop", &target);
    let server = Server::start_in(directory, &["--config", &config]);
    server.wait_for("a scraped counter", || {
        server
            .value(r#"shop_orders_total{job="shop", code="200"}"#)
            .as_deref()
            == Some("7")
    });
    assert_eq!(server.value("sum(up)").as_deref(), Some("1"));
    assert_eq!(
        server
            .value(r#"shop_latency_seconds_bucket{le="0.5"}"#)
            .as_deref(),
        Some("1"),
        "histogram bucket"
    );
}

#[test]
fn node_exporter_is_scraped() {
    let Some(exporter) = installed("prometheus-node-exporter") else {
        return skip("prometheus-node-exporter");
    };
    let target = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(exporter);
    command
        .arg(format!("--web.listen-address={target}"))
        .stderr(Stdio::null());
    let _exporter = Client(command.spawn().unwrap());
    let directory = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let config = scrape_config(directory.path(), "node", &target);
    let server = Server::start_in(directory, &["--config", &config]);
    server.wait_for("a scraped node", || {
        server
            .value(r#"count(node_cpu_seconds_total{job="node"})"#)
            .is_some()
    });
    server.wait_for("metadata of the scrape", || {
        let metadata = server
            .get("/api/v1/metadata?metric=node_cpu_seconds_total")
            .json();
        metadata["data"]["node_cpu_seconds_total"][0]["type"] == "counter"
    });
}

#[test]
fn a_prometheus_writes_to_obsq_and_reads_back_from_it() {
    let Some(prometheus) = installed("prometheus") else {
        return skip("prometheus");
    };
    let server = Server::start();
    let directory = server.directory();
    let listen = format!("127.0.0.1:{}", free_port());
    let config = directory.path().join("prometheus.yml");
    let url = server.url();
    std::fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s, external_labels: {{origin: writer}}}}\n\
             scrape_configs: [{{job_name: self, static_configs: [{{targets: ['{listen}']}}]}}]\n\
             remote_write: [{{url: '{url}/api/v1/write'}}]\n\
             remote_read: [{{url: '{url}/api/v1/read', read_recent: true}}]\n"
        ),
    )
    .unwrap();
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            directory.path().join("tsdb").display()
        ))
        .arg(format!("--web.listen-address={listen}"))
        .stderr(Stdio::null());
    let _prometheus = Client(command.spawn().unwrap());
    server.wait_for("remote-written samples", || {
        server
            .value(r#"sum(up{job="self", origin="writer"})"#)
            .as_deref()
            == Some("1")
    });
    // A series that only obsq has, asked of Prometheus, which adds its external label to the matchers.
    let seconds: f64 = server.value("vector(time())").unwrap().parse().unwrap();
    let point = json!({
        "timeUnixNano": format!("{}", (seconds * 1e9) as u64),
        "asDouble": 42,
        "attributes": [{"key": "origin", "value": {"stringValue": "writer"}}],
    });
    let metric = json!({"name": "obsq_only", "gauge": {"dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let headers = [("content-type", "application/json")];
    let sent = server.request("POST", "/v1/metrics", &headers, body.as_bytes());
    assert_eq!(sent.status, 200, "{}", sent.text());
    let listen = listen.parse().unwrap();
    server.wait_for("an answer read through Prometheus", || {
        request(listen, "GET", "/api/v1/query?query=obsq_only", &[], &[]).is_ok_and(|answer| {
            answer.status == 200 && answer.json()["data"]["result"][0]["value"][1] == "42"
        })
    });
}
