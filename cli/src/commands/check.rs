//! promtool's `check`: `check config`, `check web-config` and `check metrics`.

mod lint;

use std::path::PathBuf;

use clap::Subcommand;
use obsq_ingest::exposition::{Format, ParseOptions, parse};

use crate::commands::check::lint::lint;
use crate::commands::config::validate;
use crate::commands::shared::read_stdin;
use crate::exit::{Exit, Failure};
use crate::session::Session;

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
    /// Check metrics on standard input: exposition text or OpenMetrics
    Metrics,
}

/// Checks and lists what is wrong.
pub(crate) fn check(args: &CheckArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.what {
        What::Config { files, .. } => validate(files, session),
        What::WebConfig { files } => check_web(files, session),
        What::Metrics => check_metrics(&read_stdin(session)?, session),
    }
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
