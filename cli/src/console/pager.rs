//! Paging long answers.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::console::facts::Facts;
use crate::environment::Environment;
use crate::exit::Failure;

/// `--paging`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum PagingChoice {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Which pager to run, if any.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    choice: PagingChoice,
    /// The command line, for the shell; `None` for our default.
    command: Option<String>,
}

impl Pager {
    /// Decides on `OBSQ_PAGER`, then `PAGER`, then `less`.
    pub(crate) fn new(choice: PagingChoice, environment: &Environment) -> Self {
        let named = environment
            .get("OBSQ_PAGER")
            .or_else(|| environment.get("PAGER"));
        Self {
            choice,
            command: named.map(str::to_owned),
        }
    }

    /// Never pages.
    pub(crate) fn off() -> Self {
        Self {
            choice: PagingChoice::Never,
            command: None,
        }
    }

    /// Says whether answers go through the pager.
    pub(crate) fn is_wanted(&self, facts: &Facts) -> bool {
        let useful = self.command.as_deref() != Some("cat");
        match self.choice {
            PagingChoice::Always => true,
            PagingChoice::Never => false,
            // OBSQ_FORCE_TTY makes a pipe look like a terminal, but nobody is there to page.
            PagingChoice::Auto => facts.tty.out && facts.tty.input && useful,
        }
    }

    /// Runs the pager and hands `write` its standard input. A user who quits early wants no more:
    /// `write` then fails with a broken pipe, which ends the command successfully.
    pub(crate) fn run(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        // Leave at once when all fits, search in any case, keep colours, keep the screen.
        let line = self.command.as_deref().unwrap_or("less -FIRX");
        let mut command = Command::new("sh");
        command.arg("-c").arg(line);
        let Ok(mut child) = command.stdin(Stdio::piped()).spawn() else {
            let mut out = io::stdout().lock();
            write(&mut out)?;
            return Ok(out.flush()?);
        };
        let written = match child.stdin.take() {
            Some(mut input) => write(&mut input).and_then(|()| input.flush()),
            None => Ok(()),
        };
        child.wait()?;
        Ok(written?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{ColourChoice, Tty};

    fn facts(terminal: bool) -> Facts {
        let tty = Tty {
            input: terminal,
            out: terminal,
            ..Tty::NONE
        };
        Facts::new(ColourChoice::Never, &Environment::default(), tty)
    }

    #[test]
    fn only_a_terminal_is_paged_and_cat_is_no_pager() {
        let plain = Pager::new(PagingChoice::Auto, &Environment::default());
        assert!(plain.is_wanted(&facts(true)));
        assert!(!plain.is_wanted(&facts(false)));
        let cat = Pager::new(PagingChoice::Auto, &Environment::from([("PAGER", "cat")]));
        assert!(!cat.is_wanted(&facts(true)));
        assert!(!Pager::off().is_wanted(&facts(true)));
    }

    #[test]
    fn obsq_pager_wins_over_pager() {
        let both = Environment::from([("PAGER", "more"), ("OBSQ_PAGER", "most")]);
        let pager = Pager::new(PagingChoice::Auto, &both);
        assert_eq!(pager.command.as_deref(), Some("most"));
    }

    #[test]
    fn a_pager_that_stops_reading_ends_the_command_successfully() {
        let head = Environment::from([("PAGER", "true")]);
        let pager = Pager::new(PagingChoice::Always, &head);
        let endless = |out: &mut dyn Write| -> io::Result<()> {
            for _ in 0..100_000 {
                out.write_all(&[b'x'; 100])?;
            }
            Ok(())
        };
        let failure = pager.run(endless).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Success);
    }
}
