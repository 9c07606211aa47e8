//! `obsq man`

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::args::Cli;
use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Print the manual page, or write all pages into a directory
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// The command whose page to print [default: obsq itself]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  obsq man query | man -l -
  obsq man --dir ~/.local/share/man/man1";

/// Prints one page or writes all.
pub(crate) fn man(args: &ManArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut whole = Cli::command();
    whole.build();
    if let Some(dir) = &args.dir {
        let count = write_all(&whole, "obsq", dir)?;
        session.console.note(&format!("wrote {count} pages"));
        return Ok(Exit::Success);
    }
    let mut command = &whole;
    let mut name = String::from("obsq");
    for word in &args.command {
        let found = command.get_subcommands().find(|sub| sub.get_name() == word);
        command = found.ok_or_else(|| Failure::usage(format!("there is no command `{word}`")))?;
        name = format!("{name}-{word}");
    }
    let page = page(command, &name)?;
    session.console.out().write_all(&page)?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>, Failure> {
    // Pages are named once per process.
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let mut page = Vec::new();
    Man::new(command.clone().name(name)).render(&mut page)?;
    Ok(page)
}

/// Writes the page of `command` and of everything below it that is not hidden.
fn write_all(command: &Command, name: &str, dir: &Path) -> Result<usize, Failure> {
    let file = dir.join(format!("{name}.1"));
    std::fs::write(&file, page(command, name)?).map_err(|error| {
        Failure::failed(format!("cannot write `{}`", file.display())).because(&error)
    })?;
    let mut count = 1;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        if below.get_name() != "help" {
            count += write_all(below, &format!("{name}-{}", below.get_name()), dir)?;
        }
    }
    Ok(count)
}
