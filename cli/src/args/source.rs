//! Where a command reads from, and how to get in.

use std::path::PathBuf;

/// Where to read from.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where to read from")]
pub(crate) struct SourceArgs {
    /// A server, of obsq or with the Prometheus API [default: `http://127.0.0.1:4600`]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// A data directory of obsq or Prometheus, or a block: read without a server
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Exposition text or OpenMetrics on standard input
    #[arg(long)]
    pub(crate) stdin: bool,
    /// A context of the configuration (`obsq ctx list`)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Flags on how to get in.
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// How to get in. Secrets come from files, never from the command line, which others can read.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "How to get in")]
pub(crate) struct AccessArgs {
    /// The tenant, sent as `X-Scope-OrgID`
    #[arg(long, value_name = "TENANT")]
    pub(crate) org_id: Option<String>,
    /// A header to send, `Name: value`; may be repeated
    #[arg(long, value_name = "HEADER")]
    pub(crate) header: Vec<String>,
    /// User name for basic authentication
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// File that holds the password for basic authentication
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,
    /// File that holds a bearer token
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// Client settings in the format of Prometheus' `http_config`
    #[arg(long, value_name = "FILE", alias = "http.config.file")]
    pub(crate) http_config: Option<PathBuf>,
    /// How long to wait for an answer [default: 2m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
    /// Show requests and answers on standard error, secrets left out
    #[arg(long)]
    pub(crate) debug_http: bool,
}
