//! The configuration file: what it changes, reloading it, refusing it.

use std::sync::Arc;

use tempfile::TempDir;

use crate::testkit::{Server, obsq};

/// Writes a configuration in which the server scrapes itself, and returns its path.
fn write_config(directory: &TempDir, job: &str, target: &str) -> String {
    let path = directory.path().join("obsq.yml");
    let text = format!(
        "global:\n  external_labels: {{cluster: test}}\n\
         scrape_configs:\n- job_name: {job}\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  \
         static_configs:\n  - targets: ['{target}']\n"
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_server_scrapes_what_the_file_says_and_follows_its_changes() {
    let directory = Arc::new(TempDir::new().unwrap());
    let other = Server::start();
    let config = write_config(&directory, "first", &other.address().to_string());
    let server = Server::start_in(Arc::clone(&directory), &["--config", &config]);
    server.wait_for("scrape", || {
        server.value("up{job=\"first\"}").as_deref() == Some("1")
    });
    let targets = server.get("/api/v1/targets").json();
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(
        (&target["scrapePool"], &target["health"]),
        (&"first".into(), &"up".into())
    );
    assert_eq!(target["scrapeInterval"], "1s");
    let metadata = server
        .get("/api/v1/targets/metadata?metric=obsq_ready")
        .json();
    assert_eq!(metadata["data"][0]["type"], "gauge");
    let shown = server.get("/api/v1/status/config").json();
    assert!(
        shown["data"]["yaml"]
            .as_str()
            .unwrap()
            .contains("job_name: first")
    );
    let page = server.get("/federate?match[]=up").text();
    assert!(page.contains("cluster=\"test\""), "{page}");

    write_config(&directory, "second", &other.address().to_string());
    assert_eq!(server.request("POST", "/-/reload", &[], b"").status, 200);
    server.wait_for("the new pool alone", || {
        let pools = server.get("/api/v1/scrape_pools").json();
        pools["data"]["scrapePools"] == serde_json::json!(["second"])
    });
}

#[test]
fn a_file_that_is_not_usable_leaves_the_old_configuration_in_force() {
    let directory = Arc::new(TempDir::new().unwrap());
    let config = write_config(&directory, "kept", "127.0.0.1:1");
    let server = Server::start_in(Arc::clone(&directory), &["--config", &config]);
    std::fs::write(&config, "scrape_configs:\n- job_nam: x\n").unwrap();
    let answer = server.request("POST", "/-/reload", &[], b"");
    assert_eq!(answer.status, 500);
    let message = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(message.contains("obsq.yml:2:3: "), "{message}");
    let info = server.get("/api/v1/status/runtimeinfo").json();
    assert_eq!(info["data"]["reloadConfigSuccess"], false);
    server.wait_for("the old pool", || {
        let pools = server.get("/api/v1/scrape_pools").json();
        pools["data"]["scrapePools"] == serde_json::json!(["kept"])
    });
}

#[test]
fn a_key_that_is_not_served_ends_the_start() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("prometheus.yml");
    std::fs::write(&config, "remote_read:\n- url: http://localhost/x\n").unwrap();
    let output = obsq(directory.path())
        .args([
            "serve",
            "--http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "off",
            "--otlp-http",
            "off",
        ])
        .arg("--data")
        .arg(directory.path().join("data"))
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("prometheus.yml:1:1: "), "{stderr}");
}
