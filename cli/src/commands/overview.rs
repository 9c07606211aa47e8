//! Bare `obsq`.

use clap::CommandFactory as _;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Prints the short help, on a terminal or not.
pub(crate) fn overview(session: &mut Session) -> Result<Exit, Failure> {
    let styled = Cli::command().render_help();
    let text = if session.console.facts.colour_out {
        styled.ansi().to_string()
    } else {
        styled.to_string()
    };
    session.console.out().write_all(text.as_bytes())?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}
