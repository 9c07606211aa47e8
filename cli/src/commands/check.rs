//! promtool's `check`: configurations, servers and metrics.

mod lint;

use std::path::PathBuf;

use clap::Subcommand;
use obsq_ingest::exposition::{Format, ParseOptions, parse};

use crate::api::{Api as _, HttpApi};
use crate::args::{AccessArgs, SourceArgs};
use crate::commands::check::lint::lint;
use crate::commands::config::validate;
use crate::commands::shared::read_stdin;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::settings::{DEFAULT_SERVER, load, resolve};

/// Check files and metrics, in the words of promtool
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CheckArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Check configurations of a server
    Config {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Accepted and without effect: files that a configuration names are never looked at
        #[arg(long, hide = true)]
        syntax_only: bool,
    },
    /// Check web configurations and the files that they name
    WebConfig {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Check whether a server is up
    Healthy(ServerArgs),
    /// Check whether a server takes queries
    Ready(ServerArgs),
    /// Check metrics on standard input: exposition text or OpenMetrics
    Metrics,
}

/// Which server.
#[derive(Debug, Clone, clap::Args)]
struct ServerArgs {
    /// The server
    #[arg(long, alias = "server", value_name = "URL", default_value = DEFAULT_SERVER)]
    url: String,
    #[command(flatten)]
    access: AccessArgs,
}

/// Checks and lists what is wrong.
pub(crate) fn check(args: &CheckArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.what {
        What::Config { files, .. } => validate(files, session),
        What::WebConfig { files } => check_web(files, session),
        What::Healthy(args) => check_server(args, "/-/healthy", "healthy", session),
        What::Ready(args) => check_server(args, "/-/ready", "ready", session),
        What::Metrics => check_metrics(&read_stdin(session)?, session),
    }
}

fn check_server(
    args: &ServerArgs,
    path: &str,
    state: &str,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let source = SourceArgs {
        server: Some(args.url.clone()),
        access: args.access.clone(),
        ..SourceArgs::default()
    };
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let target = resolve(&source, &config)?;
    let api = HttpApi::new(&args.url, &target.access, target.timeout)?;
    let reply = block_on(api.get(path))?;
    let name = api.name();
    if reply.status == 200 {
        session.console.note(&format!("{name} is {state}"));
        return Ok(Exit::Success);
    }
    let body = String::from_utf8_lossy(&reply.body);
    let first = body.lines().next().unwrap_or_default().trim().to_owned();
    let text = format!("{name} is not {state}: status {}: {first}", reply.status);
    Err(Failure::failed(text.trim_end_matches(": ")))
}

fn check_web(files: &[PathBuf], session: &mut Session) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    for file in files {
        let problems = obsq_serve::check_web_config(file);
        if problems.is_empty() {
            session.console.note(&format!("{}: ok", file.display()));
        }
        for problem in problems {
            writeln!(session.console.out(), "{}:{problem}", file.display())?;
            exit = Exit::Failed;
        }
    }
    session.console.out().flush()?;
    Ok(exit)
}

fn check_metrics(text: &str, session: &mut Session) -> Result<Exit, Failure> {
    let format = if text.trim_end().ends_with("# EOF") {
        Format::OpenMetrics
    } else {
        Format::Text
    };
    let scraped = parse(text.as_bytes(), ParseOptions::new(format))
        .map_err(|error| Failure::failed("cannot understand the metrics").because(&error))?;
    let problems = lint(&scraped);
    for problem in &problems {
        writeln!(session.console.out(), "{problem}")?;
    }
    session.console.out().flush()?;
    Ok(if problems.is_empty() {
        Exit::Success
    } else {
        Exit::Failed
    })
}
