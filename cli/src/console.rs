//! Where output goes: answers to standard output, narration to standard error.
//!
//! The bytes of an answer are the same on a terminal and in a pipe, but for colour and paging.
//! Everything that decides on either is collected in [`Facts`] at start, so that commands and
//! tests need no terminal.

#[cfg(test)]
mod captured;
mod colour;
mod facts;
mod log;
mod pager;
mod progress;
mod report;

use std::io::{self, Write};

use crate::exit::{Failure, Report};

#[cfg(test)]
pub(crate) use captured::Captured;
pub(crate) use colour::{ColourChoice, Paint};
pub(crate) use facts::{Facts, Tty};
pub(crate) use log::{LogFormat, Verbosity, start_log};
pub(crate) use pager::{Pager, PagingChoice};
pub(crate) use progress::Progress;

/// The two output streams and what is known of them.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    pub(crate) facts: Facts,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Console {
    /// Returns the console of this process.
    pub(crate) fn of_process(facts: Facts) -> Self {
        Self {
            out: Box::new(io::BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            facts,
        }
    }

    /// Returns the stream for answers.
    pub(crate) fn out(&mut self) -> &mut dyn Write {
        &mut *self.out
    }

    /// Writes an answer, through a pager when it may be longer than the terminal.
    pub(crate) fn answer(
        &mut self,
        pager: &Pager,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        self.out.flush()?;
        if pager.is_wanted(&self.facts) {
            return pager.run(write);
        }
        write(&mut *self.out)?;
        self.out.flush()?;
        Ok(())
    }

    /// Tells something that is not part of the answer; silent under `--quiet`.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.facts.quiet {
            self.tell(&clean(text));
        }
    }

    /// Tells something that the user must know, `--quiet` or not.
    pub(crate) fn warn(&mut self, text: &str) {
        let paint = self.facts.err_paint();
        let line = format!("{} {}", paint.warning("warning:"), clean(text));
        self.tell(&line);
    }

    /// Writes one JSON object as a line to standard error, for `--stats`.
    pub(crate) fn stats(&mut self, json: &str) {
        self.tell(json);
    }

    /// Tells why a command failed.
    pub(crate) fn report(&mut self, failure: &Failure) {
        // Whatever happens to the rest of the answer, the reason matters more.
        drop(self.out.flush());
        if !matches!(failure.report, Report::Silent) {
            let text = report::render(&failure.report, &self.facts);
            self.tell(text.trim_end());
        }
    }

    fn tell(&mut self, line: &str) {
        // There is nowhere to tell that telling failed.
        drop(writeln!(self.err, "{line}"));
    }
}

/// Returns `text` with control characters shown as escapes, so that a label's value or a server's
/// message cannot command the terminal. Line breaks stay.
pub(crate) fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\n';
    if !text.contains(bad) {
        return text.into();
    }
    let shown = |c: char| {
        if bad(c) {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_never_sent() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{7}"), "a\\u{1b}[31mb\nc\\u{7}");
        assert_eq!(clean("grüße"), "grüße");
    }
}
