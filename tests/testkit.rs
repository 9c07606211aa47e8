//! Starts the real binary in a directory of its own and speaks HTTP with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How often and how long a test waits for something to become true.
const POLLS: u32 = 600;
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A running `obsq serve` with a data directory that goes with it.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    directory: Arc<TempDir>,
    stderr: Arc<Mutex<String>>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Header names in lower case, with their values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, chunked encoding removed.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns the value of a header, named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Returns a command that runs the binary under test with a neutral environment.
pub(crate) fn obsq(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_obsq"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .env("XDG_CONFIG_HOME", directory.join("config"))
        .env("XDG_DATA_HOME", directory.join("share"))
        .env("XDG_STATE_HOME", directory.join("state"))
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server on free ports and an empty directory; returns when it is ready.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Like [`Self::start`], with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), arguments)
    }

    /// Starts a server on what an earlier one left in `directory`.
    pub(crate) fn start_in(directory: Arc<TempDir>, arguments: &[&str]) -> Self {
        let server = Self::spawn(directory, arguments);
        server.wait_for("ready", || server.get("/-/ready").status == 200);
        server
    }

    /// Like [`Self::start_in`], but returns as soon as the server listens.
    pub(crate) fn spawn(directory: Arc<TempDir>, arguments: &[&str]) -> Self {
        let has_address = arguments.contains(&"--http");
        let mut command = obsq(directory.path());
        command
            .args(["serve", "--otlp-grpc", "off", "--otlp-http", "off"])
            .args(["--http", "127.0.0.1:0"].iter().filter(|_| !has_address))
            .arg("--data")
            .arg(directory.path().join("data"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = collect_stderr(&mut child);
        let Some(address) = address_from(&mut child) else {
            panic!("no address printed; stderr: {}", stderr.lock().unwrap());
        };
        Self {
            child,
            address,
            directory,
            stderr,
        }
    }

    /// Returns `host:port` of the HTTP listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the directory that holds `data` and is removed with its last user.
    pub(crate) fn directory(&self) -> Arc<TempDir> {
        Arc::clone(&self.directory)
    }

    /// Returns the data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns what the server wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Sends SIGKILL and returns the directory for the next start.
    pub(crate) fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.directory)
    }

    /// Sends SIGTERM, waits for the end and returns the exit code and the directory.
    pub(crate) fn terminate(mut self) -> (Option<i32>, Arc<TempDir>) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let code = self.child.wait().unwrap().code();
        (code, Arc::clone(&self.directory))
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends a GET request.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], &[])
    }

    /// Sends a POST request with a form body, already encoded.
    pub(crate) fn post_form(&self, path: &str, form: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.request("POST", path, &headers, form.as_bytes())
    }

    /// Sends any request over a connection of its own.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        request(self.address, method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}; stderr: {}", self.stderr()))
    }

    /// Answers an instant query at `time`; the `result` part of the body.
    pub(crate) fn query(&self, expression: &str, time: &str) -> Value {
        let answer = self.get(&format!(
            "/api/v1/query?query={}&time={time}",
            encode(expression)
        ));
        assert_eq!(answer.status, 200, "{expression}: {}", answer.text());
        answer.json()["data"]["result"].clone()
    }

    /// Returns the value of an instant query with one sample, or `None` when it has none.
    pub(crate) fn value(&self, expression: &str) -> Option<String> {
        let answer = self.get(&format!("/api/v1/query?query={}", encode(expression)));
        assert_eq!(answer.status, 200, "{expression}: {}", answer.text());
        answer.json()["data"]["result"][0]["value"][1]
            .as_str()
            .map(String::from)
    }

    /// Waits until `condition` holds, at most 30 s.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn() -> bool) {
        for _ in 0..POLLS {
            if condition() {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        panic!("{what} did not come true; stderr: {}", self.stderr());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Percent-encodes everything but letters and digits.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Sends one HTTP/1.1 request and reads the whole answer.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    parse_answer(&raw).ok_or_else(|| std::io::Error::other("answer without a head"))
}

fn parse_answer(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = raw[end + 4..].to_vec();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Some(Answer {
        status,
        headers,
        body: if chunked { dechunk(&body) } else { body },
    })
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let length = String::from_utf8_lossy(&body[..end]).into_owned();
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        let Some(chunk) = body
            .get(end + 2..end + 2 + length)
            .filter(|chunk| !chunk.is_empty())
        else {
            break;
        };
        out.extend_from_slice(chunk);
        body = body.get(end + 4 + length..).unwrap_or_default();
    }
    out
}

/// Reads stdout up to the line that names the HTTP address.
fn address_from(child: &mut Child) -> Option<SocketAddr> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("://")?;
        let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
        rest[..end.unwrap_or(rest.len())].parse().ok()
    });
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    address
}

fn collect_stderr(child: &mut Child) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let (sink, pipe) = (Arc::clone(&text), child.stderr.take());
    std::thread::spawn(move || {
        for line in pipe
            .into_iter()
            .flat_map(|pipe| BufReader::new(pipe).lines())
        {
            let Ok(line) = line else { break };
            let mut text = sink.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// Ends a client process with the test.
pub(crate) struct Client(pub(crate) Child);

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Returns where a program lies in `PATH`.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    found.into_iter().find(|file| file.is_file())
}

/// Says that a test cannot run here.
pub(crate) fn skip(what: &str) {
    eprintln!("skipped: {what} is not installed (.ci/clients installs it)");
}

/// Returns a loopback port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
