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
In bash, zsh and fish the script also completes metrics, labels, values and functions inside queries,
and contexts: it asks what the command line reads from (`--server`, `--data`, the context), for at
most a quarter of a second.

Examples:
  obsq completions bash > ~/.local/share/bash-completion/completions/obsq
  obsq completions zsh > ~/.zfunc/_obsq
  obsq completions fish > ~/.config/fish/completions/obsq.fish
  source <(obsq completions bash)               for this shell alone";

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs, session: &mut Session) -> Result<Exit, Failure> {
    let script = match args.shell {
        Shell::Bash => include_bytes!("completions/obsq.bash").to_vec(),
        Shell::Zsh => include_bytes!("completions/obsq.zsh").to_vec(),
        Shell::Fish => include_bytes!("completions/obsq.fish").to_vec(),
        other => {
            let mut script = Vec::new();
            generate(other, &mut Cli::command(), "obsq", &mut script);
            script
        }
    };
    session.console.out().write_all(&script)?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}
