//! `obsq __complete`, which the completion scripts ask at every Tab.

mod line;
mod live;
mod offer;
mod place;
mod print;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use obsq_model::Clock;
use obsq_query_lang::promql::CompletionSource;

use self::line::Line;
use self::offer::{Names, Offers, offers};
use self::place::Place;
use crate::api::Api;
use crate::args::{Cli, SourceArgs, bind_environment};
use crate::commands::shared::connect;
use crate::environment::Environment;
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::settings::{ClientConfig, Place as Where, load, resolve};

pub(crate) use self::live::Live;

/// How long Tab may wait for names and values.
const PATIENCE: Duration = Duration::from_millis(250);

/// Print what may follow on a command line
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CompleteArgs {
    /// Who asks
    #[arg(value_enum)]
    shell: Asker,
    /// The command line up to the cursor
    #[arg(allow_hyphen_values = true)]
    line: String,
    /// What the shell takes for the last word
    #[arg(allow_hyphen_values = true, default_value = "")]
    word: String,
    /// Print what to show instead of what to write
    #[arg(long)]
    list: bool,
}

/// A shell with a script of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Asker {
    Bash,
    Zsh,
    Fish,
}

/// Prints offers. Where names and values cannot be had in time the others are offered, and nothing is
/// said: somebody is typing.
pub(crate) fn complete(args: &CompleteArgs, session: &mut Session) -> Result<Exit, Failure> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let asked = Arc::new(Asked {
        line: Line::split(&args.line),
        environment: session.environment.clone(),
        config_file: session.config_file.clone(),
        clock: Arc::clone(&session.clock),
    });
    let patient = Arc::clone(&asked);
    // Reading a directory cannot be interrupted; the thread ends with the process.
    let _detached = std::thread::spawn(move || {
        // Nobody listens when it took too long.
        drop(sender.send(patient.offers(true)));
    });
    let found = receiver.recv_timeout(PATIENCE);
    let found = found.unwrap_or_else(|_late| asked.offers(false));
    let text = print::text(&found, &asked.line, args.shell, &args.word, args.list);
    session.console.out().write_all(text.as_bytes())?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}

/// A question of a shell and what is needed to answer it.
struct Asked {
    line: Line,
    environment: Environment,
    config_file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
}

impl Asked {
    /// Returns the offers; without `live` names and values stay out.
    fn offers(&self, live: bool) -> Offers {
        let mut root = bind_environment(Cli::command()).ignore_errors(true);
        root.build();
        let words = self.line.words.get(1..).unwrap_or_default();
        let place = Place::find(&root, words, &self.line.current);
        let known = Known {
            asked: self,
            source: std::cell::OnceCell::new(),
            args: live.then(|| self.source_args(&place, &root)).flatten(),
        };
        offers(&place, &self.line.current, &known)
    }

    /// Returns the flags that say where to read from, when the command has them.
    fn source_args(&self, place: &Place<'_>, root: &clap::Command) -> Option<SourceArgs> {
        let has = |id: &str| place.command.get_arguments().any(|arg| arg.get_id() == id);
        if !["server", "data", "stdin", "context"].into_iter().all(has) {
            return None;
        }
        let matches = root.clone().try_get_matches_from(&self.line.words).ok()?;
        let mut below = &matches;
        for _name in &place.path {
            below = below.subcommand()?.1;
        }
        SourceArgs::from_arg_matches(below).ok()
    }

    fn config(&self) -> Option<ClientConfig> {
        load(self.config_file.as_deref(), &self.environment).ok()
    }

    fn api(&self, args: &SourceArgs) -> Option<Box<dyn Api>> {
        let mut target = resolve(args, &self.config()?).ok()?;
        target.timeout = PATIENCE;
        // Standard input is the terminal.
        if target.place == Where::Stdin {
            return None;
        }
        connect(&target, &self.clock).ok()
    }
}

/// Opens the place to read from when it is asked for the first time.
struct Known<'a> {
    asked: &'a Asked,
    args: Option<SourceArgs>,
    source: std::cell::OnceCell<Box<dyn CompletionSource>>,
}

impl Names for Known<'_> {
    fn contexts(&self) -> Vec<String> {
        let config = self.asked.config().unwrap_or_default();
        config.contexts.into_keys().collect()
    }

    fn source(&self) -> &dyn CompletionSource {
        let open = || -> Box<dyn CompletionSource> {
            let api = self.args.as_ref().and_then(|args| self.asked.api(args));
            match api.and_then(|api| Live::new(api, PATIENCE)) {
                Some(live) => Box::new(live),
                None => Box::new(Nowhere),
            }
        };
        self.source.get_or_init(open).as_ref()
    }
}

/// Knows no name.
struct Nowhere;

impl CompletionSource for Nowhere {
    fn metric_names(&self, _prefix: &str) -> Vec<String> {
        Vec::new()
    }

    fn label_names(&self, _metric: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    fn label_values(&self, _metric: Option<&str>, _label: &str, _prefix: &str) -> Vec<String> {
        Vec::new()
    }
}
