//! What `obsq serve` can be told.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// The address that `--http` has when it is not given.
pub const DEFAULT_HTTP: &str = "127.0.0.1:4600";
/// The address of the extra OTLP gRPC listener when it is not given.
pub const DEFAULT_OTLP_GRPC: &str = "127.0.0.1:4317";
/// The address of the extra OTLP HTTP listener when it is not given.
pub const DEFAULT_OTLP_HTTP: &str = "127.0.0.1:4318";

/// How many bytes of the log are kept for receivers of remote write when nothing is said.
pub const DEFAULT_HELD_LOG_BYTES: u64 = 4 << 30;

/// An extra listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// Nobody asked for it: a busy address is a warning.
    Default(String),
    /// Asked for: a busy address ends the start.
    At(String),
    /// Not wanted.
    Off,
}

impl Listener {
    /// Returns the listener that a flag's text asks for: an address, or `off`.
    pub fn from_flag(text: Option<&str>, default: &str) -> Self {
        match text {
            None => Self::Default(default.to_owned()),
            Some("off") => Self::Off,
            Some(address) => Self::At(address.to_owned()),
        }
    }
}

/// Limits and meaning of queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryOptions {
    /// The longest a query may take; a shorter `timeout` of the request wins.
    pub timeout: Duration,
    /// The most samples one query may hold at once.
    pub max_samples: usize,
    /// How many queries run at once; 0 stands for two per core.
    pub max_concurrency: usize,
    /// How far back an instant selector looks.
    pub lookback_delta: Duration,
    /// Drop the metric's name at the end of the evaluation rather than in each function.
    pub delayed_name_removal: bool,
    /// Bytes that all running queries together may hold.
    pub memory_bytes: usize,
    /// Bytes that one query may hold.
    pub memory_bytes_per_query: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            max_samples: 50_000_000,
            max_concurrency: 0,
            lookback_delta: Duration::from_mins(5),
            delayed_name_removal: true,
            memory_bytes: 2 << 30,
            memory_bytes_per_query: 1 << 30,
        }
    }
}

/// Everything `obsq serve` is told by flags. [`Default`] is the server without any flag, but for
/// `data_dir`, which is the current directory's `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// Address of the one port that serves everything; port 0 picks a free one.
    pub http: String,
    /// Where the data lies; made when missing.
    pub data_dir: PathBuf,
    /// The extra OTLP gRPC listener.
    pub otlp_grpc: Listener,
    /// The extra OTLP HTTP listener.
    pub otlp_http: Listener,
    /// A `prometheus.yml` or `obsq.yml`.
    pub config_file: Option<PathBuf>,
    /// A web configuration: TLS, users, tokens.
    pub web_config_file: Option<PathBuf>,
    /// The URL under which users reach the server.
    pub external_url: Option<String>,
    /// Labels that identify this server to others; added to those of the configuration.
    pub external_labels: Vec<(String, String)>,
    /// How long samples are kept; `None` means for ever.
    pub retention_time: Option<Duration>,
    /// How many bytes blocks may take; `None` means any.
    pub retention_bytes: Option<u64>,
    /// Allow `/api/v1/admin/tsdb/*`.
    pub enable_admin_api: bool,
    /// Which origins browsers may call from: an anchored regular expression.
    pub cors_origin: String,
    /// Store start timestamps and let functions use them.
    pub start_timestamps: bool,
    /// How many bytes of the log are kept for receivers of remote write that are behind.
    pub held_log_bytes: u64,
    /// Limits and meaning of queries.
    pub query: QueryOptions,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            http: DEFAULT_HTTP.to_owned(),
            data_dir: PathBuf::from("data"),
            otlp_grpc: Listener::Default(DEFAULT_OTLP_GRPC.to_owned()),
            otlp_http: Listener::Default(DEFAULT_OTLP_HTTP.to_owned()),
            config_file: None,
            web_config_file: None,
            external_url: None,
            external_labels: Vec::new(),
            retention_time: None,
            retention_bytes: None,
            enable_admin_api: false,
            cors_origin: ".*".to_owned(),
            start_timestamps: true,
            held_log_bytes: DEFAULT_HELD_LOG_BYTES,
            query: QueryOptions::default(),
        }
    }
}

impl Listener {
    fn as_flag(&self) -> &str {
        match self {
            Self::Default(address) | Self::At(address) => address,
            Self::Off => "off",
        }
    }
}

impl ServeOptions {
    /// Returns every flag with its value, as `/api/v1/status/flags` tells them; empty means not
    /// set.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.display().to_string();
        let labels = self.external_labels.iter();
        let labels: Vec<String> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = &self.query;
        vec![
            (
                "config",
                self.config_file.as_ref().map(path).unwrap_or_default(),
            ),
            ("data", path(&self.data_dir)),
            ("external-label", labels.join(",")),
            ("http", self.http.clone()),
            ("otlp-grpc", self.otlp_grpc.as_flag().to_owned()),
            ("otlp-http", self.otlp_http.as_flag().to_owned()),
            (
                "promql.delayed-name-removal",
                query.delayed_name_removal.to_string(),
            ),
            ("query.lookback-delta", duration_text(query.lookback_delta)),
            ("query.max-concurrency", query.max_concurrency.to_string()),
            ("query.max-samples", query.max_samples.to_string()),
            ("query.timeout", duration_text(query.timeout)),
            (
                "storage.start-timestamps",
                self.start_timestamps.to_string(),
            ),
            (
                "storage.tsdb.retention.size",
                self.retention_bytes
                    .map(|bytes| format!("{bytes}B"))
                    .unwrap_or_default(),
            ),
            (
                "storage.tsdb.retention.time",
                self.retention_time.map(duration_text).unwrap_or_default(),
            ),
            (
                "web.config.file",
                self.web_config_file.as_ref().map(path).unwrap_or_default(),
            ),
            ("storage.wal.held-size", format!("{}B", self.held_log_bytes)),
            ("web.cors.origin", self.cors_origin.clone()),
            ("web.enable-admin-api", self.enable_admin_api.to_string()),
            (
                "web.external-url",
                self.external_url.clone().unwrap_or_default(),
            ),
        ]
    }
}

/// Returns a duration as Prometheus writes it: `1h30m`, `15d`, `0s`.
pub(crate) fn duration_text(duration: Duration) -> String {
    let mut rest_ms = duration.as_millis() as u64;
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    // Years and weeks only when nothing else is left, so that 8d stays 8d.
    for (unit, unit_ms, whole_only) in [
        ("y", 31_536_000_000, true),
        ("w", 604_800_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1_000, false),
        ("ms", 1, false),
    ] {
        if whole_only && !rest_ms.is_multiple_of(unit_ms) {
            continue;
        }
        if rest_ms >= unit_ms {
            write!(text, "{}{unit}", rest_ms / unit_ms).unwrap_or_default();
            rest_ms %= unit_ms;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_prometheus_writes_them() {
        for (ms, text) in [
            (0, "0s"),
            (300_000, "5m"),
            (5_400_000, "1h30m"),
            (15 * 86_400_000, "15d"),
            (14 * 86_400_000, "2w"),
            (365 * 86_400_000, "1y"),
            (1_500, "1s500ms"),
        ] {
            assert_eq!(duration_text(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_listener_flag_is_an_address_or_off() {
        let default = |text| Listener::from_flag(text, DEFAULT_OTLP_GRPC);
        assert_eq!(default(None), Listener::Default("127.0.0.1:4317".into()));
        assert_eq!(default(Some("off")), Listener::Off);
        assert_eq!(default(Some("[::1]:0")), Listener::At("[::1]:0".into()));
    }
}
