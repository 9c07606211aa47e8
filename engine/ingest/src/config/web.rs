//! The web configuration: who may talk to the server, and over what.
//!
//! The format is Prometheus' own for `--web.config.file`, with `bearer_tokens` beside it.
//!
//! Source: exporter-toolkit `web-configuration.md`.

mod keys;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ConfigError;
use super::node::{self, Node};
use super::secret::Secret;
use super::section::{Problems, Section};

pub use tls::{ClientAuth, WebTls};

/// Everything that a web configuration says.
#[derive(Debug, Clone, PartialEq)]
pub struct WebConfig {
    /// TLS, if it is to be spoken.
    pub tls: Option<WebTls>,
    /// Whether HTTP/2 is offered over TLS.
    pub http2: bool,
    /// Headers of every answer.
    pub headers: Vec<(String, String)>,
    /// Users with passwords.
    pub users: Vec<WebUser>,
    /// Bearer tokens.
    pub tokens: Vec<WebToken>,
    /// How fast requests may come, all senders together.
    pub rate_limit: Option<RateLimit>,
}

/// A user who may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUser {
    /// The user's name.
    pub name: String,
    /// The bcrypt hash of the password.
    pub hash: Secret,
}

/// A token whose bearer may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebToken {
    /// What the token is called in logs.
    pub name: String,
    /// How it is known.
    pub source: TokenSource,
}

/// How a token is known.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// By its SHA-256.
    Sha256([u8; 32]),
    /// By the file that it is in.
    File(Located<PathBuf>),
}

/// A hash is of no use to others, but it is nobody's business either.
impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sha256(_) => f.write_str("Sha256(<secret>)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// A bucket of tokens, one for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Time after which there is one token more.
    pub interval: Duration,
    /// Most tokens in the bucket.
    pub burst: u32,
}

/// A value and where it stands in the file, for problems that only its use shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, in characters from 1.
    pub column: usize,
}

impl<T> Located<T> {
    pub(super) fn new(node: &Node, value: T) -> Self {
        Self {
            value,
            line: node.at.line,
            column: node.at.column,
        }
    }

    /// Returns the problem that the value turned out to be.
    pub fn problem(&self, message: impl Into<String>) -> ConfigError {
        ConfigError {
            line: self.line,
            column: self.column,
            message: message.into(),
        }
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            tls: None,
            http2: true,
            headers: Vec::new(),
            users: Vec::new(),
            tokens: Vec::new(),
            rate_limit: None,
        }
    }
}

/// Headers that may be set, with the values that they may have where those are fixed.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Reads a web configuration. `path` is where the text came from; file names in it are relative to
/// its directory.
///
/// # Errors
/// All problems, in the order of the file. Files that are named are not looked at.
pub fn load_web(path: &Path, text: &str) -> Result<WebConfig, Vec<ConfigError>> {
    let problems = Problems::default();
    let root = node::parse(text, &problems).map_err(|error| vec![error])?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let config = read(&root, directory, &problems);
    problems.into_result(config)
}

fn read(root: &Node, directory: &Path, problems: &Problems) -> WebConfig {
    let mut config = WebConfig::default();
    let Some(mut section) = Section::of_optional(root, "the web configuration", problems) else {
        return config;
    };
    config.tls = section
        .node("tls_server_config")
        .and_then(|node| tls::read(node, directory, problems));
    if let Some(node) = section.node("http_server_config") {
        read_http(node, &mut config, problems);
    }
    if let Some(node) = section.node("basic_auth_users") {
        config.users = keys::read_users(node, problems);
    }
    if let Some(node) = section.node("bearer_tokens") {
        config.tokens = keys::read_tokens(node, directory, problems);
    }
    config.rate_limit = section
        .node("rate_limit")
        .and_then(|node| read_rate_limit(node, problems));
    section.finish();
    config
}

fn read_http(node: &Node, config: &mut WebConfig, problems: &Problems) {
    let Some(mut section) = Section::of_optional(node, "`http_server_config`", problems) else {
        return;
    };
    config.http2 = section.flag("http2").unwrap_or(true);
    if let Some(node) = section.node("headers") {
        for (name, value) in problems.entries(node, "headers") {
            let text = problems.text(value, "headers").unwrap_or_default();
            if let Err(message) = check_header(&name.text, &text) {
                problems.add(name.at, message);
            }
            if !text.is_empty() {
                config.headers.push((name.text.clone(), text));
            }
        }
    }
    section.finish();
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("HTTP header {name:?} can not be configured"));
    };
    if !allowed.is_empty() && !value.is_empty() && !allowed.contains(&value) {
        return Err(format!(
            "invalid value for {name}: expected one of {allowed:?}, but got {value:?}"
        ));
    }
    if reqwest::header::HeaderValue::from_str(value).is_err() {
        return Err(format!("the value of {name} cannot be sent"));
    }
    Ok(())
}

fn read_rate_limit(node: &Node, problems: &Problems) -> Option<RateLimit> {
    let mut section = Section::of_optional(node, "`rate_limit`", problems)?;
    let interval = section
        .scalar("interval", read_interval)
        .unwrap_or_default();
    let burst = section.count("burst").unwrap_or(0);
    section.finish();
    if interval.is_zero() {
        return None;
    }
    if burst == 0 {
        problems.add(node.at, "`burst` must be at least 1: no request would pass");
    }
    Some(RateLimit {
        interval,
        burst: u32::try_from(burst).unwrap_or(u32::MAX),
    })
}

/// Reads a duration as Go writes it, as long as it has one unit: `100ms`, `1.5s`.
fn read_interval(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let invalid = || format!("{text:?} is not a duration such as `100ms`");
    let is_unit = |c: char| !c.is_ascii_digit() && c != '.';
    let (number, unit) = text.split_at(text.find(is_unit).ok_or_else(invalid)?);
    let number: f64 = number.parse().map_err(|_bad| invalid())?;
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, seconds) = known.ok_or_else(invalid)?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_too_large| invalid())
}

#[cfg(test)]
mod tests;
