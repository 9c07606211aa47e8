//! The `obsq` binary: a table of commands, and the one place that decides on exit codes.

mod api;
mod args;
mod chart;
mod commands;
mod console;
mod demo;
mod environment;
mod exit;
mod render;
mod session;
mod settings;
mod times;

use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use obsq_model::{Clock, ManualClock, SystemClock};

use crate::args::{Cli, Command, GlobalArgs};
use crate::console::{Console, Facts, Pager, Tty, Verbosity};
use crate::environment::Environment;
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::times::{Edge, Frame, parse_moment};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The second install of a provider fails, and there is no second one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let environment = Environment::of_process();
    let words = commands::promtool_words(std::env::args_os().collect());
    let tty = Tty::of_process(&environment);
    let matches = match args::command(&words, &environment, &tty).try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let verbosity = cli
        .global
        .verbosity(matches!(cli.command, Some(Command::Serve(_))));
    let mut session = begin(&cli.global, environment, tty);
    let done =
        set_up(&cli.global, verbosity, &mut session).and_then(|()| run(cli.command, &mut session));
    let exit = done.unwrap_or_else(|failure| {
        session.console.report(&failure);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// The table of commands.
fn run(command: Option<Command>, session: &mut Session) -> Result<Exit, Failure> {
    match command {
        None => commands::overview(session),
        Some(Command::Query(args)) => commands::query(&args, session),
        Some(Command::Labels(args)) => commands::labels(&args, session),
        Some(Command::Series(args)) => commands::series(&args, session),
        Some(Command::Cardinality(args)) => commands::cardinality(&args, session),
        Some(Command::Fmt(args)) => commands::fmt(&args, session),
        Some(Command::Explain(args)) => commands::explain(&args, session),
        Some(Command::Import(args)) => commands::import(&args, session),
        Some(Command::Export(args)) => commands::export(&args, session),
        Some(Command::Delete(args)) => commands::delete(&args, session),
        Some(Command::Snapshot(args)) => commands::snapshot(&args, session),
        Some(Command::Restore(args)) => commands::restore(&args, session),
        Some(Command::Verify(args)) => commands::verify(&args, session),
        Some(Command::Serve(args)) => commands::serve(*args, session),
        Some(Command::Demo(args)) => commands::demo(&args, session),
        Some(Command::Bench(args)) => commands::bench(&args, session),
        Some(Command::Ctx(args)) => commands::ctx(&args, session),
        Some(Command::Config(args)) => commands::config(&args, session),
        Some(Command::Completions(args)) => commands::completions(&args, session),
        Some(Command::Complete(args)) => commands::complete(&args, session),
        Some(Command::Man(args)) => commands::man(&args, session),
        Some(Command::Check(args)) => commands::check(&args, session),
        Some(Command::Tsdb(args)) => commands::tsdb(&args, session),
        Some(Command::ExitCodes(_)) => commands::topic(&Exit::table(), session),
        Some(Command::Times(_)) => commands::topic(commands::TIMES, session),
        Some(Command::Environment(_)) => commands::topic(commands::ENVIRONMENT, session),
    }
}

/// Shows what clap has to say: help and version on standard output, errors on standard error.
fn refuse(error: &clap::Error) -> ExitCode {
    // A closed pipe is no failure, and there is nowhere else to tell.
    drop(error.print());
    let exit = if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Success
    };
    ExitCode::from(exit as u8)
}

/// Builds what commands work with.
fn begin(global: &GlobalArgs, environment: Environment, tty: Tty) -> Session {
    let mut facts = Facts::new(global.color, &environment, tty);
    facts.quiet = global.quiet;
    facts.no_progress = global.no_progress;
    Session {
        console: Console::of_process(facts),
        pager: Pager::new(global.paging, &environment),
        clock: Arc::new(SystemClock::default()),
        config_file: global.config_file.clone(),
        environment,
    }
}

/// Starts the clock and the log.
fn set_up(global: &GlobalArgs, verbosity: Verbosity, session: &mut Session) -> Result<(), Failure> {
    session.clock = pick_clock(&session.environment)?;
    let clock = Arc::clone(&session.clock);
    let problem = console::start_log(verbosity, global.log_format, &session.environment, clock);
    if let Some(problem) = problem {
        session.console.warn(&problem);
    }
    Ok(())
}

/// Returns the machine's clock, or the one that `OBSQ_NOW` stops.
fn pick_clock(environment: &Environment) -> Result<Arc<dyn Clock>, Failure> {
    let system = SystemClock::default();
    let Some(text) = environment.get("OBSQ_NOW") else {
        return Ok(Arc::new(system));
    };
    let frame = Frame {
        now_ms: system.now_ms(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let now_ms = parse_moment(text, Edge::Start, &frame)
        .map_err(|error| Failure::usage(format!("`OBSQ_NOW`: {error}")).hint(error.hint()))?;
    Ok(Arc::new(ManualClock::at(now_ms)))
}
