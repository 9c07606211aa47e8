//! `obsq serve`

use std::path::PathBuf;
use std::time::Duration;

use obsq_ingest::config::parse_size;
use obsq_serve::{
    DEFAULT_HTTP, DEFAULT_OTLP_GRPC, DEFAULT_OTLP_HTTP, Listener, QueryOptions, ServeError,
    ServeOptions,
};

use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::times::parse_step;

/// Receive, scrape, store and answer: the server
///
/// Works without any flag: data below `$XDG_DATA_HOME/obsq`, everything on `http://127.0.0.1:4600`,
/// OTLP also on the ports that OpenTelemetry clients expect.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Address of everything; port 0 picks a free one and prints it
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_HTTP)]
    http: String,
    /// Where the data lies [default: `$XDG_DATA_HOME/obsq/data`]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Extra listener for OTLP over gRPC, or `off` [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR|off")]
    otlp_grpc: Option<String>,
    /// Extra listener for OTLP over HTTP, or `off` [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR|off")]
    otlp_http: Option<String>,
    /// A `prometheus.yml` or `obsq.yml`
    #[arg(long, value_name = "FILE", alias = "config.file")]
    config: Option<PathBuf>,
    /// A web configuration in Prometheus' format: TLS, users, tokens
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config: Option<PathBuf>,
    /// The URL under which users reach the server
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
    /// A label that identifies this server to others; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_label)]
    external_label: Vec<(String, String)>,
    /// Which origins browsers may call from, an anchored regular expression
    #[arg(long = "web.cors.origin", value_name = "REGEX", default_value = ".*")]
    #[arg(hide_short_help = true)]
    cors_origin: String,
    /// Allow deleting series and taking snapshots over HTTP
    #[arg(long = "web.enable-admin-api")]
    enable_admin_api: bool,
    /// How long samples are kept [default: for ever]
    #[arg(long = "storage.tsdb.retention.time", value_name = "DURATION", value_parser = parse_length)]
    retention_time: Option<Duration>,
    /// How many bytes blocks may take, such as 50GB [default: any]
    #[arg(long = "storage.tsdb.retention.size", value_name = "SIZE", value_parser = parse_size)]
    retention_size: Option<u64>,
    /// How many bytes of the log are kept for receivers of remote write that are behind
    #[arg(long = "storage.wal.held-size", value_name = "SIZE", default_value = "4GB", value_parser = parse_size)]
    #[arg(hide_short_help = true)]
    held_log_bytes: u64,
    /// Keep start timestamps, whose chunks need Prometheus 3.14 or later to be read elsewhere
    #[arg(
        long = "storage.start-timestamps",
        value_name = "on|off",
        default_value = "on"
    )]
    #[arg(hide_short_help = true, value_parser = parse_switch, action = clap::ArgAction::Set)]
    start_timestamps: bool,
    #[command(flatten)]
    query: QueryFlags,
}

/// Limits and meaning of queries.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Queries")]
struct QueryFlags {
    /// The longest that a query may take
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m", value_parser = parse_length)]
    timeout: Duration,
    /// The most samples that one query may hold at once
    #[arg(
        long = "query.max-samples",
        value_name = "N",
        default_value_t = 50_000_000
    )]
    max_samples: usize,
    /// How many queries run at once; 0 for two per core
    #[arg(long = "query.max-concurrency", value_name = "N", default_value_t = 0)]
    max_concurrency: usize,
    /// How far back an instant selector looks
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m", value_parser = parse_length)]
    lookback_delta: Duration,
    /// Drop a metric's name at the end of the evaluation rather than in each function
    #[arg(
        long = "promql.delayed-name-removal",
        value_name = "BOOL",
        default_value_t = true
    )]
    #[arg(hide_short_help = true, action = clap::ArgAction::Set)]
    delayed_name_removal: bool,
}

const EXAMPLES: &str = "\
Examples:
  obsq serve
  obsq serve --config /etc/prometheus/prometheus.yml --data /var/lib/obsq
  obsq serve --http 127.0.0.1:0 --otlp-grpc off --otlp-http off";

/// Serves until told to stop.
pub(crate) fn serve(args: ServeArgs, session: &mut Session) -> Result<Exit, Failure> {
    let fallback = session.environment.data_dir().map(|dir| dir.join("data"));
    let data_dir = args.data.clone().or(fallback).ok_or_else(|| {
        Failure::usage("there is no home directory to keep data in").hint("name one with `--data`")
    })?;
    match obsq_serve::run(args.options(data_dir)) {
        Ok(()) => Ok(Exit::Success),
        Err(error) => Err(explain(&error)),
    }
}

impl ServeArgs {
    fn options(self, data_dir: PathBuf) -> ServeOptions {
        let defaults = QueryOptions::default();
        ServeOptions {
            http: self.http,
            data_dir,
            otlp_grpc: Listener::from_flag(self.otlp_grpc.as_deref(), DEFAULT_OTLP_GRPC),
            otlp_http: Listener::from_flag(self.otlp_http.as_deref(), DEFAULT_OTLP_HTTP),
            config_file: self.config,
            web_config_file: self.web_config,
            external_url: self.external_url,
            external_labels: self.external_label,
            retention_time: self.retention_time,
            retention_bytes: self.retention_size,
            enable_admin_api: self.enable_admin_api,
            cors_origin: self.cors_origin,
            start_timestamps: self.start_timestamps,
            held_log_bytes: self.held_log_bytes,
            query: QueryOptions {
                timeout: self.query.timeout,
                max_samples: self.query.max_samples,
                max_concurrency: self.query.max_concurrency,
                lookback_delta: self.query.lookback_delta,
                delayed_name_removal: self.query.delayed_name_removal,
                ..defaults
            },
        }
    }
}

/// Turns the server's error into a failure with the fitting exit code.
pub(crate) fn explain(error: &ServeError) -> Failure {
    let exit = if error.is_usage() {
        Exit::Usage
    } else {
        Exit::Failed
    };
    let failure = Failure::new(exit, error.to_string());
    match std::error::Error::source(error) {
        Some(cause) => failure.because(cause),
        None => failure,
    }
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write `name=value`".into()),
    }
}

fn parse_length(text: &str) -> Result<Duration, String> {
    let ms = parse_step(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_millis(ms as u64))
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("write `on` or `off`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn options(words: &[&str]) -> ServeOptions {
        let line = Line::try_parse_from([&["x"], words].concat()).unwrap();
        line.serve.options(PathBuf::from("d"))
    }

    #[test]
    fn without_flags_the_server_has_its_own_defaults() {
        let defaults = ServeOptions {
            data_dir: PathBuf::from("d"),
            ..ServeOptions::default()
        };
        assert_eq!(options(&[]), defaults);
    }

    #[test]
    fn every_flag_reaches_its_option() {
        let got = options(&[
            "--http=:0",
            "--otlp-grpc=off",
            "--external-label=a=b",
            "--storage.tsdb.retention.time=15d",
            "--storage.tsdb.retention.size=2GB",
            "--storage.start-timestamps=off",
            "--promql.delayed-name-removal=false",
            "--query.timeout=30",
            "--config.file=p.yml",
            "--web.config.file=w.yml",
        ]);
        assert_eq!(got.http, ":0");
        assert_eq!(got.otlp_grpc, Listener::Off);
        assert_eq!(got.external_labels, [("a".into(), "b".into())]);
        assert_eq!(got.retention_time, Some(Duration::from_hours(15 * 24)));
        assert_eq!(got.retention_bytes, Some(2 << 30));
        assert!(!got.start_timestamps && !got.query.delayed_name_removal);
        assert_eq!(got.query.timeout, Duration::from_secs(30));
        assert_eq!(got.config_file, Some(PathBuf::from("p.yml")));
        assert_eq!(got.web_config_file, Some(PathBuf::from("w.yml")));
    }
}
