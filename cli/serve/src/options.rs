//! What `obsq serve` can be told.

use std::path::PathBuf;
use std::time::Duration;

/// The address that `--http` has when it is not given.
pub const DEFAULT_HTTP: &str = "127.0.0.1:4600";
/// The address of the extra OTLP gRPC listener when it is not given.
pub const DEFAULT_OTLP_GRPC: &str = "127.0.0.1:4317";
/// The address of the extra OTLP HTTP listener when it is not given.
pub const DEFAULT_OTLP_HTTP: &str = "127.0.0.1:4318";

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
            external_url: None,
            external_labels: Vec::new(),
            retention_time: None,
            retention_bytes: None,
            enable_admin_api: false,
            cors_origin: ".*".to_owned(),
            start_timestamps: true,
            query: QueryOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_flag_is_an_address_or_off() {
        let default = |text| Listener::from_flag(text, DEFAULT_OTLP_GRPC);
        assert_eq!(default(None), Listener::Default("127.0.0.1:4317".into()));
        assert_eq!(default(Some("off")), Listener::Off);
        assert_eq!(default(Some("[::1]:0")), Listener::At("[::1]:0".into()));
    }
}
