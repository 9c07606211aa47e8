//! A Prometheus to compare with.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use obsq_ingest::prompb::{snappy, write_request};
use obsq_source::MetricBatch;
use tempfile::TempDir;

use crate::testkit::{Answer, Client, free_port, request};

/// A running Prometheus without targets, which takes remote write.
pub(super) struct Prometheus {
    address: SocketAddr,
    _process: Client,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts the program and waits until it is ready.
    pub(super) fn start(program: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("prometheus.yml");
        std::fs::write(&config, "{}\n").unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={listen}"))
            .arg("--web.enable-remote-write-receiver")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let peer = Self {
            address: listen.parse().unwrap(),
            _process: Client(command.spawn().unwrap()),
            _directory: directory,
        };
        for _ in 0..600 {
            let ready = request(peer.address, "GET", "/-/ready", &[], &[]);
            if ready.is_ok_and(|answer| answer.status == 200) {
                return peer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("prometheus did not get ready");
    }

    /// Sends a GET request.
    pub(super) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, &[], &[]).unwrap()
    }

    /// Sends a remote write request.
    pub(super) fn write(&self, batch: &MetricBatch) {
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
        ];
        let body = snappy(&write_request(batch));
        let answer = request(self.address, "POST", "/api/v1/write", &headers, &body).unwrap();
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}
