//! The command line as types. Each command's own flags lie with the command.

mod environment;
mod listing;
mod output;
mod source;
mod time;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ColorChoice, CommandFactory as _, Parser, Subcommand};

use crate::commands;
use crate::console::{ColourChoice, LogFormat, PagingChoice, Tty, Verbosity};
use crate::environment::Environment;

pub(crate) use environment::{bind as bind_environment, variable};
pub(crate) use listing::ListingArgs;
pub(crate) use output::{Format, OutputArgs};
pub(crate) use source::{AccessArgs, SourceArgs};
pub(crate) use time::{RangeArgs, ZoneArgs};

/// Metrics workbench: query, store and serve metrics with PromQL
#[derive(Debug, Parser)]
#[command(
    name = "obsq",
    version,
    max_term_width = 100,
    disable_help_subcommand = false
)]
#[command(after_help = AFTER_HELP, subcommand_required = false, arg_required_else_help = false)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const AFTER_HELP: &str = "\
Examples:
  obsq demo                                   try it: a server with a simulated shop
  obsq query 'sum by (job) (up)'              ask the server at http://127.0.0.1:4600
  obsq query 'rate(x_total[5m])' --since 3h -o graph
  obsq query --data /var/lib/prometheus 'up'  read a data directory, no server needed
  curl -s localhost:9100/metrics | obsq query --stdin 'node_load1'

More: obsq help exit-codes, obsq help times, obsq help environment";

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalArgs {
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColourChoice,
    /// When to page long answers
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) paging: PagingChoice,
    /// Say nothing but answers and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Log more to standard error; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show no progress bars
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_progress: bool,
    /// How log lines look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    #[arg(hide_short_help = true)]
    pub(crate) log_format: LogFormat,
    /// The client's configuration [default: `$XDG_CONFIG_HOME/obsq/config.toml`]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "OBSQ_CONFIG",
        hide_env = true
    )]
    #[arg(hide_short_help = true)]
    pub(crate) config_file: Option<PathBuf>,
}

impl GlobalArgs {
    /// Returns how much to log; a server tells more of itself than a client.
    pub(crate) fn verbosity(&self, is_server: bool) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) if !is_server => Verbosity::Normal,
            (false, 0..=1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        }
    }
}

/// What obsq can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Query(commands::QueryArgs),
    Labels(commands::LabelsArgs),
    Series(commands::SeriesArgs),
    Cardinality(commands::CardinalityArgs),
    Fmt(commands::FmtArgs),
    Explain(commands::ExplainArgs),
    Import(commands::ImportArgs),
    Export(commands::ExportArgs),
    Delete(commands::DeleteArgs),
    Snapshot(commands::SnapshotArgs),
    Restore(commands::RestoreArgs),
    Verify(commands::VerifyArgs),
    Serve(Box<commands::ServeArgs>),
    Demo(commands::DemoArgs),
    Bench(Box<commands::BenchArgs>),
    Ctx(commands::CtxArgs),
    Config(commands::ConfigArgs),
    Completions(commands::CompletionsArgs),
    Man(commands::ManArgs),
    #[command(hide = true)]
    Check(commands::CheckArgs),
    #[command(hide = true)]
    Tsdb(commands::TsdbArgs),
    #[command(hide = true, name = "__complete")]
    Complete(commands::CompleteArgs),
    #[command(hide = true)]
    ExitCodes(commands::ExitCodesArgs),
    #[command(hide = true)]
    Times(commands::TimesArgs),
    #[command(hide = true)]
    Environment(commands::EnvironmentArgs),
}

/// Returns the command line's definition: colour, width and environment bound.
pub(crate) fn command(words: &[OsString], environment: &Environment, tty: &Tty) -> clap::Command {
    let colour = match early_colour(words, environment) {
        ColourChoice::Auto if environment.get("OBSQ_FORCE_TTY").is_some() => {
            let wanted = crate::console::Facts::new(ColourChoice::Auto, environment, *tty);
            if wanted.colour_out {
                ColorChoice::Always
            } else {
                ColorChoice::Never
            }
        }
        ColourChoice::Auto => ColorChoice::Auto,
        ColourChoice::Always => ColorChoice::Always,
        ColourChoice::Never => ColorChoice::Never,
    };
    let bound = environment::bind(Cli::command());
    let sized = bound.color(colour);
    if tty.out {
        sized.term_width(tty.size.0.min(100))
    } else {
        sized.term_width(100)
    }
}

/// Looks for `--color` before parsing, because parsing may end in a coloured error.
fn early_colour(words: &[OsString], environment: &Environment) -> ColourChoice {
    let texts: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let mut choice = environment.get("OBSQ_COLOR");
    for (index, text) in texts.iter().enumerate() {
        match text.strip_prefix("--color") {
            Some("") => choice = texts.get(index + 1).copied(),
            Some(rest) => choice = rest.strip_prefix('=').or(choice),
            None => {}
        }
    }
    match choice {
        Some("always") => ColourChoice::Always,
        Some("never") => ColourChoice::Never,
        _ => ColourChoice::Auto,
    }
}
