//! The configuration file: a `prometheus.yml` is taken as it is.
//!
//! Every key that Prometheus knows is either served or refused with its place in the file; none is
//! ignored. All problems of a file are reported at once. The text is read into a small tree with
//! positions first, so that values are interpreted as Prometheus does and every problem has a line
//! and a column.
//!
//! Source: Prometheus 3 `configuration.md`.

mod discovery;
mod duration;
mod global;
mod http;
mod limits;
mod names;
mod node;
mod otlp;
mod print;
mod relabel;
mod remote_write;
mod scrape;
mod secret;
mod section;
mod size;
mod storage;
mod web;

use std::path::Path;

use crate::otlp::OtlpOptions;

pub(crate) use discovery::token_header;
pub use discovery::{
    ConsulDiscovery, Discovery, DnsDiscovery, DnsRecord, Ec2Discovery, FileDiscovery,
    HttpDiscovery, KubernetesAttach, KubernetesDiscovery, KubernetesRole, KubernetesSelector,
    StaticGroup, groups_from_text,
};
pub use duration::{format_duration, parse_duration};
pub use global::GlobalConfig;
pub use http::{
    Authorization, BasicAuth, HttpConfig, HttpHeader, OAuth2, SecretSource, TlsConfig, TlsVersion,
};
pub use limits::{LimitsConfig, TenantLimits};
pub use names::{EscapingScheme, NameScheme};
pub use remote_write::{
    MetadataOptions, QueueOptions, RemoteWriteConfig, WriteVersion, WrittenTenants,
};
pub use scrape::{HistogramOptions, ScrapeConfig, ScrapeLimits};
pub use secret::Secret;
pub use size::parse_size;
pub use storage::StorageConfig;
pub use web::{
    ClientAuth, Located, RateLimit, TokenSource, WebConfig, WebTls, WebToken, WebUser, load_web,
};

use self::node::Position;
use self::section::{Problems, Section};

/// A whole configuration, defaults filled in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The `global` section.
    pub global: GlobalConfig,
    /// The `scrape_configs` section, job names being unique.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// The `remote_write` section, names being unique.
    pub remote_write: Vec<RemoteWriteConfig>,
    /// The `storage` section.
    pub storage: StorageConfig,
    /// The `otlp` section.
    pub otlp: OtlpOptions,
    /// The `limits` and `overrides` sections, which are obsq's own.
    pub limits: LimitsConfig,
}

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct ConfigError {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, in characters from 1.
    pub column: usize,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl ConfigError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self {
            line: at.line,
            column: at.column,
            message: message.into(),
        }
    }
}

/// Sections that Prometheus has and obsq does not serve yet.
const NOT_SERVED: [&str; 6] = [
    "rule_files",
    "alerting",
    "remote_read",
    "tracing",
    "runtime",
    "scrape_config_files",
];

/// Reads a configuration. `path` is where the text came from; file names in it are relative to its
/// directory.
///
/// # Errors
/// All problems, in the order of the file.
pub fn load(path: &Path, text: &str) -> Result<Config, Vec<ConfigError>> {
    let problems = Problems::default();
    let root = node::parse(text, &problems).map_err(|error| vec![error])?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let config = read(&root, directory, &problems);
    problems.into_result(config)
}

fn read(root: &node::Node, directory: &Path, problems: &Problems) -> Config {
    let Some(mut section) = Section::of_optional(root, "the configuration", problems) else {
        return Config::default();
    };
    let global = section
        .node("global")
        .map(|node| global::read(node, problems))
        .unwrap_or_default();
    let scrape_configs = section
        .node("scrape_configs")
        .map(|node| scrape::read_all(node, &global, directory, problems))
        .unwrap_or_default();
    let remote_write = section
        .node("remote_write")
        .map(|node| remote_write::read_all(node, global.name_scheme, directory, problems))
        .unwrap_or_default();
    let storage = section
        .node("storage")
        .map(|node| storage::read(node, problems))
        .unwrap_or_default();
    let otlp = section
        .node("otlp")
        .map(|node| otlp::read(node, problems))
        .unwrap_or_default();
    let defaults = section
        .node("limits")
        .map(|node| limits::read(node, "`limits`", problems))
        .unwrap_or_default();
    let overrides = section
        .node("overrides")
        .map(|node| limits::read_overrides(node, problems))
        .unwrap_or_default();
    for key in NOT_SERVED {
        section.refuse(key);
    }
    section.finish();
    Config {
        global,
        scrape_configs,
        remote_write,
        storage,
        otlp,
        limits: LimitsConfig {
            defaults,
            overrides,
        },
    }
}

impl Config {
    /// Returns the configuration as YAML, defaults included and secrets hidden.
    pub fn to_yaml(&self) -> String {
        print::config(self)
    }
}

#[cfg(test)]
mod tests;
