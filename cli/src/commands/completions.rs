//! `obsq completions`

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Print a completion script for a shell
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  obsq completions bash > ~/.local/share/bash-completion/completions/obsq
  obsq completions zsh > ~/.zfunc/_obsq
  obsq completions fish > ~/.config/fish/completions/obsq.fish";

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "obsq", &mut script);
    session.console.out().write_all(&script)?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}
