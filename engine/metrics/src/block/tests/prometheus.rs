//! A Prometheus process on a data directory.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Says whether `program` can be started, and prints that the test is skipped if not.
pub(super) fn is_installed(program: &str) -> bool {
    let run = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if run.is_err() {
        eprintln!("skipped: {program} is not installed");
    }
    run.is_ok()
}

/// A running Prometheus; it ends when this is dropped.
pub(super) struct Prometheus {
    process: Child,
    address: String,
}

impl Prometheus {
    /// Starts one on a free port and waits until it answers; `None` when it is not installed.
    pub(super) fn start(data: &Path) -> Option<Self> {
        if !is_installed("prometheus") {
            return None;
        }
        let config = data.join("prometheus.yml");
        fs::write(&config, "global: {}\n").unwrap();
        let mut process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args([
                "--storage.tsdb.retention.time=100y",
                "--web.listen-address=127.0.0.1:0",
                "--web.enable-admin-api",
                "--enable-feature=native-histograms",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut address = None;
        let mut text = String::new();
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 {
            if line.contains("Listening on") {
                let (_, rest) = line.split_once("address=").unwrap();
                address = Some(rest.split_whitespace().next().unwrap().to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
            text.push_str(&line);
            line.clear();
        }
        // The process must not stop because nobody reads its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let address = address.unwrap_or_else(|| panic!("Prometheus did not start:\n{text}"));
        Some(Self { process, address })
    }

    pub(super) fn get(&self, path: &str) -> Value {
        let body = self.request("GET", path);
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    pub(super) fn post(&self, path: &str) {
        self.request("POST", path);
    }

    fn request(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(" 200 ") || head.contains(" 204 "),
            "{path}: {head} {body}"
        );
        body.to_owned()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _status = self.process.wait();
    }
}
