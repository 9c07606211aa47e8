//! The `remote_write` section.

use std::fmt::Write as _;
use std::path::Path;

use md5::{Digest as _, Md5};
use obsq_model::Tenant;

use super::http::{self, HttpConfig};
use super::names::NameScheme;
use super::node::Node;
use super::relabel;
use super::secret::Secret;
use super::section::{Problems, Section};
use crate::relabel::RelabelConfig;

/// A receiver to which everything that is written is passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteWriteConfig {
    /// Where it is; may hold a password.
    pub url: Secret,
    /// What it is called in metrics and in the saved position, unique in the file.
    pub name: String,
    /// The name that stands in the file, if there is one.
    pub given_name: String,
    /// The version of the protocol.
    pub version: WriteVersion,
    /// Milliseconds after which a request is given up.
    pub timeout_ms: i64,
    /// Headers of every request.
    pub headers: Vec<(String, Secret)>,
    /// Rules that series go through, external labels included.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Whose samples are passed on.
    pub tenants: WrittenTenants,
    /// Whether exemplars go along.
    pub send_exemplars: bool,
    /// Whether native histograms go along; version 2 always takes them.
    pub send_native_histograms: bool,
    /// How requests are made up and repeated.
    pub queue: QueueOptions,
    /// Whether and how metadata is sent.
    pub metadata: MetadataOptions,
    /// How the receiver is talked to.
    pub http: HttpConfig,
}

/// The version of remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteVersion {
    /// `prometheus.WriteRequest`.
    #[default]
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// Whose samples are passed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WrittenTenants {
    /// Those of every tenant, each request naming its own.
    #[default]
    All,
    /// Those of one tenant.
    One(Tenant),
}

/// How requests are made up and repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOptions {
    /// Samples that wait in each shard.
    pub capacity: usize,
    /// Most requests at once.
    pub max_shards: usize,
    /// Least number of shards.
    pub min_shards: usize,
    /// Most samples of a request.
    pub max_samples_per_send: usize,
    /// Milliseconds that a sample waits for others to go with.
    pub batch_send_deadline_ms: i64,
    /// Milliseconds before the first repetition of a request.
    pub min_backoff_ms: i64,
    /// Most milliseconds between two repetitions.
    pub max_backoff_ms: i64,
    /// Whether a request that was answered 429 is repeated.
    pub retry_on_429: bool,
    /// Age in milliseconds above which samples are not sent any more; 0 for any age.
    pub sample_age_limit_ms: i64,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2_000,
            batch_send_deadline_ms: 5_000,
            min_backoff_ms: 30,
            max_backoff_ms: 5_000,
            retry_on_429: true,
            sample_age_limit_ms: 0,
        }
    }
}

/// How metadata is sent in version 1; in version 2 it goes with the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataOptions {
    /// Whether it is sent at all.
    pub send: bool,
    /// Milliseconds between two times that all of it is sent.
    pub send_interval_ms: i64,
    /// Most families of a request.
    pub max_per_send: usize,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self {
            send: true,
            send_interval_ms: 60_000,
            max_per_send: 2_000,
        }
    }
}

impl WriteVersion {
    const ALL: [(Self, &'static str); 2] = [
        (Self::V1, "prometheus.WriteRequest"),
        (Self::V2, "io.prometheus.write.v2.Request"),
    ];

    fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(version, _)| *version).ok_or_else(|| {
            let known = Self::ALL.map(|(_, name)| name).join(" or ");
            format!("must be {known}, not {name:?}")
        })
    }

    /// Returns the name in a configuration file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => Self::ALL[0].1,
            Self::V2 => Self::ALL[1].1,
        }
    }
}

impl RemoteWriteConfig {
    /// Returns the URL without the password that it may hold.
    pub fn shown_url(&self) -> String {
        match reqwest::Url::parse(self.url.expose()) {
            Ok(mut url) if url.password().is_some() => match url.set_password(Some("xxxxx")) {
                Ok(()) => url.to_string(),
                Err(()) => "<secret>".to_owned(),
            },
            _ => self.url.expose().to_owned(),
        }
    }
}

pub(super) fn read_all(
    node: &Node,
    scheme: NameScheme,
    directory: &Path,
    problems: &Problems,
) -> Vec<RemoteWriteConfig> {
    let mut configs: Vec<RemoteWriteConfig> = Vec::new();
    for element in problems.elements(node, "remote_write") {
        let Some(mut config) = read(element, scheme, directory, problems) else {
            continue;
        };
        let is_known = |name: &str| configs.iter().any(|known| known.name == name);
        if config.given_name.is_empty() {
            config.name = own_name(config.url.expose(), is_known);
        } else if is_known(&config.name) {
            let name = &config.name;
            let message = format!("found multiple remote write configs with name {name:?}");
            problems.add(element.at, message);
        }
        configs.push(config);
    }
    configs
}

/// Returns a name that stays the same as long as the URL does, so that the saved position is found
/// again whatever else is changed.
fn own_name(url: &str, is_known: impl Fn(&str) -> bool) -> String {
    let sum = Md5::digest(url.as_bytes());
    let hash = sum.iter().take(3).fold(String::new(), |mut hash, byte| {
        let _infallible = write!(hash, "{byte:02x}");
        hash
    });
    let numbered = (2..).map(|number| format!("{hash}-{number}"));
    let mut names = std::iter::once(hash.clone()).chain(numbered);
    names.find(|name| !is_known(name)).unwrap_or(hash)
}

fn read(
    node: &Node,
    scheme: NameScheme,
    directory: &Path,
    problems: &Problems,
) -> Option<RemoteWriteConfig> {
    let mut section = Section::of(node, "a remote write config", problems)?;
    if section.node("url").is_none() {
        problems.add(node.at, "url for remote_write is empty");
    }
    let url = section.scalar("url", http::read_url).unwrap_or_default();
    let given_name = section.text("name").unwrap_or_default();
    let tenant = section.scalar("tenant", |name| {
        Tenant::parse(name).map_err(|error| error.to_string())
    });
    for key in ["sigv4", "azuread", "google_iam"] {
        section.refuse(key);
    }
    if section.flag("round_robin_dns") == Some(true) {
        problems.add(node.at, "`round_robin_dns` is not served by obsq yet");
    }
    let config = RemoteWriteConfig {
        url: Secret::new(url),
        name: given_name.clone(),
        given_name,
        version: section
            .scalar("protobuf_message", WriteVersion::from_name)
            .unwrap_or_default(),
        timeout_ms: section.duration_ms("remote_timeout").unwrap_or(30_000),
        headers: read_headers(&mut section),
        relabel_configs: relabel::read_all(&mut section, "write_relabel_configs", scheme),
        tenants: tenant.map_or(WrittenTenants::All, WrittenTenants::One),
        send_exemplars: section.flag("send_exemplars").unwrap_or(false),
        send_native_histograms: section.flag("send_native_histograms").unwrap_or(false),
        queue: section
            .node("queue_config")
            .map(|node| read_queue(node, problems))
            .unwrap_or_default(),
        metadata: section
            .node("metadata_config")
            .map(|node| read_metadata(node, problems))
            .unwrap_or_default(),
        http: HttpConfig {
            enable_http2: section.flag("enable_http2").unwrap_or(false),
            ..http::read(&mut section, node, directory)
        },
    };
    section.finish();
    Some(config)
}

fn read_headers(section: &mut Section<'_>) -> Vec<(String, Secret)> {
    let problems = section.problems();
    let Some(node) = section.node("headers") else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for (name, value) in problems.entries(node, "headers") {
        let text = problems.text(value, "headers").unwrap_or_default();
        let lower = name.text.to_ascii_lowercase();
        if http::is_reserved(&lower) || lower == "x-prometheus-remote-write-version" {
            let message = format!("{} is a reserved header. It must not be changed", name.text);
            problems.add(name.at, message);
        } else if reqwest::header::HeaderName::from_bytes(lower.as_bytes()).is_err()
            || reqwest::header::HeaderValue::from_str(&text).is_err()
        {
            problems.add(name.at, format!("header {:?} cannot be sent", name.text));
        }
        headers.push((name.text.clone(), Secret::new(text)));
    }
    headers
}

fn read_queue(node: &Node, problems: &Problems) -> QueueOptions {
    let defaults = QueueOptions::default();
    let Some(mut section) = Section::of_optional(node, "`queue_config`", problems) else {
        return defaults;
    };
    let mut count = |key, default| section.count(key).unwrap_or(default);
    let queue = QueueOptions {
        capacity: count("capacity", defaults.capacity),
        max_shards: count("max_shards", defaults.max_shards),
        min_shards: count("min_shards", defaults.min_shards),
        max_samples_per_send: count("max_samples_per_send", defaults.max_samples_per_send),
        ..defaults
    };
    let mut duration = |key, default| section.duration_ms(key).unwrap_or(default);
    let queue = QueueOptions {
        batch_send_deadline_ms: duration("batch_send_deadline", queue.batch_send_deadline_ms),
        min_backoff_ms: duration("min_backoff", queue.min_backoff_ms),
        max_backoff_ms: duration("max_backoff", queue.max_backoff_ms),
        sample_age_limit_ms: duration("sample_age_limit", queue.sample_age_limit_ms),
        ..queue
    };
    let retry_on_429 = section.flag("retry_on_http_429");
    section.finish();
    let at_least_one = [queue.capacity, queue.min_shards, queue.max_samples_per_send];
    if at_least_one.contains(&0) {
        let message = "capacity, min_shards and max_samples_per_send must be at least 1";
        problems.add(node.at, message);
    }
    if queue.max_shards < queue.min_shards {
        problems.add(node.at, "max_shards must not be lower than min_shards");
    }
    QueueOptions {
        retry_on_429: retry_on_429.unwrap_or(defaults.retry_on_429),
        ..queue
    }
}

fn read_metadata(node: &Node, problems: &Problems) -> MetadataOptions {
    let defaults = MetadataOptions::default();
    let Some(mut section) = Section::of_optional(node, "`metadata_config`", problems) else {
        return defaults;
    };
    let metadata = MetadataOptions {
        send: section.flag("send").unwrap_or(defaults.send),
        send_interval_ms: section
            .duration_ms("send_interval")
            .unwrap_or(defaults.send_interval_ms)
            .max(1),
        max_per_send: section
            .count("max_samples_per_send")
            .unwrap_or(defaults.max_per_send)
            .max(1),
    };
    section.finish();
    metadata
}
