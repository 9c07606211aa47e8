//! Exit codes, and the failures that lead to them.

use std::io;

use obsq_query_lang::Diagnostic;

/// How the process ends; the numbers are part of the command line's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done. A reader that closed its end early counts as success.
    Success = 0,
    /// The check or query failed.
    Failed = 1,
    /// The command line or a configuration file is wrong.
    Usage = 2,
    /// The server could not be reached or did not answer in time.
    Unreachable = 3,
    /// The server, or a read-only context, does not allow it.
    Denied = 4,
    /// The answer is incomplete and `--strict` or `--fail-on-truncation` asked for all of it.
    Partial = 5,
    /// Nothing matched and `--exit-status` asked to be told.
    NoMatch = 10,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// Every code, in order of number.
    pub(crate) const ALL: [Self; 8] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::Unreachable,
        Self::Denied,
        Self::Partial,
        Self::NoMatch,
        Self::Interrupted,
    ];

    /// Returns what the code means, for `obsq help exit-codes`.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Success => "success; also when the reader of a pipe stopped reading",
            Self::Failed => "the check or the query failed",
            Self::Usage => "wrong usage or configuration",
            Self::Unreachable => "no connection, or no answer in time",
            Self::Denied => "not allowed by the server or by a read-only context",
            Self::Partial => "the answer is incomplete, with `--strict` or `--fail-on-truncation`",
            Self::NoMatch => "nothing matched, with `--exit-status`",
            Self::Interrupted => "interrupted by Ctrl-C",
        }
    }

    /// Returns the table that `obsq help exit-codes` prints.
    pub(crate) fn table() -> String {
        let rows = Self::ALL.map(|exit| format!("  {:>3}  {}\n", exit as u8, exit.meaning()));
        format!("Exit codes of every command:\n\n{}", rows.concat())
    }
}

/// What is told to the user about a failure.
#[derive(Debug)]
pub(crate) enum Report {
    /// Nothing: the reason was told already, or there is no one left to tell.
    Silent,
    /// One line, what caused it, and what to do about it.
    Message {
        /// What failed: lower case, no full stop.
        text: String,
        /// Why, from the outermost cause to the innermost.
        causes: Vec<String>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Findings about the text of a query.
    Query {
        /// The text.
        text: String,
        /// The findings.
        diagnostics: Vec<Diagnostic>,
    },
}

/// Why a command did not succeed: the exit code and what to tell.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What to tell.
    pub(crate) report: Report,
}

impl Failure {
    /// Returns a failure with a message.
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        let report = Report::Message {
            text: text.into(),
            causes: Vec::new(),
            hint: None,
        };
        Self { exit, report }
    }

    /// Returns a failed check or query.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// Returns a wrong usage or configuration.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// Returns a failure whose reason was told already.
    pub(crate) fn silent(exit: Exit) -> Self {
        let report = Report::Silent;
        Self { exit, report }
    }

    /// Returns the failure of a query whose text is wrong.
    pub(crate) fn query(text: &str, diagnostics: Vec<Diagnostic>) -> Self {
        let report = Report::Query {
            text: text.to_owned(),
            diagnostics,
        };
        Self {
            exit: Exit::Failed,
            report,
        }
    }

    /// Returns what failed and why in one line.
    pub(crate) fn text(&self) -> String {
        match &self.report {
            Report::Message { text, causes, .. } => {
                let all: Vec<&str> = std::iter::once(text)
                    .chain(causes)
                    .map(String::as_str)
                    .collect();
                all.join(": ")
            }
            Report::Silent | Report::Query { .. } => String::new(),
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Report::Message { hint, .. } = &mut self.report {
            *hint = Some(text.into());
        }
        self
    }

    /// Adds `error` and everything below it as causes.
    #[must_use]
    pub(crate) fn because(mut self, error: &dyn std::error::Error) -> Self {
        if let Report::Message { causes, .. } = &mut self.report {
            let mut next = Some(error);
            while let Some(cause) = next {
                let text = cause.to_string();
                // Many libraries repeat the text of the cause in their own.
                if causes.last().is_none_or(|last| !last.ends_with(&text)) {
                    causes.push(text);
                }
                next = cause.source();
            }
        }
        self
    }
}

/// Failing to write an answer; a reader that went away wants no more, which is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Success);
        }
        Self::failed("cannot write the answer").because(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_are_those_of_the_contract() {
        let codes = Exit::ALL.map(|exit| exit as u8);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 10, 130]);
    }

    #[test]
    fn a_closed_pipe_is_success_and_any_other_error_is_told() {
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(closed.exit, Exit::Success);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(full.exit, Exit::Failed);
    }

    #[test]
    fn a_cause_that_its_parent_repeats_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("inner"));
        let failure = Failure::failed("x").because(&error);
        let Report::Message { causes, .. } = failure.report else {
            panic!("a message");
        };
        assert_eq!(causes, ["outer: inner"]);
    }
}
