//! What is known of the terminal.

use std::io::{self, IsTerminal};

use crate::console::colour::{ColourChoice, Paint, wants_colour};
use crate::environment::Environment;

/// Columns assumed when there is no terminal to ask.
const WIDTH: usize = 100;
/// Rows assumed when there is no terminal to ask.
const HEIGHT: usize = 30;

/// Which streams are terminals, and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tty {
    /// Standard input is a terminal.
    pub(crate) input: bool,
    /// Standard output is a terminal.
    pub(crate) out: bool,
    /// Standard error is a terminal.
    pub(crate) err: bool,
    /// Columns and rows; the assumed size when nothing is a terminal.
    pub(crate) size: (usize, usize),
}

impl Tty {
    /// Asks the process' streams. `OBSQ_FORCE_TTY=120` makes both outputs terminals of 120 columns.
    pub(crate) fn of_process(environment: &Environment) -> Self {
        let input = io::stdin().is_terminal();
        if let Some(forced) = environment.get("OBSQ_FORCE_TTY") {
            let width = forced.parse().ok().filter(|width| *width > 1);
            return Self {
                input,
                out: true,
                err: true,
                size: (width.unwrap_or(WIDTH), HEIGHT),
            };
        }
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let asked = if out {
            crossterm::terminal::size().ok()
        } else {
            None
        };
        let known = asked.filter(|(columns, rows)| *columns > 1 && *rows > 1);
        let size = known.map_or((WIDTH, HEIGHT), |(columns, rows)| {
            (usize::from(columns), usize::from(rows))
        });
        Self {
            input,
            out,
            err,
            size,
        }
    }

    /// No stream is a terminal.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self {
        input: false,
        out: false,
        err: false,
        size: (WIDTH, HEIGHT),
    };
}

/// Everything about the terminal that output depends on.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact that holds or not"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Which streams are terminals.
    pub(crate) tty: Tty,
    /// Colour on standard output.
    pub(crate) colour_out: bool,
    /// Colour on standard error.
    pub(crate) colour_err: bool,
    /// The terminal shows Unicode, so that charts may use braille.
    pub(crate) unicode: bool,
    /// No narration.
    pub(crate) quiet: bool,
    /// No progress bars.
    pub(crate) no_progress: bool,
}

impl Facts {
    /// Decides from flags, environment and terminals.
    pub(crate) fn new(choice: ColourChoice, environment: &Environment, tty: Tty) -> Self {
        let colour = |is_terminal| wants_colour(choice, environment, is_terminal);
        Self {
            tty,
            colour_out: colour(tty.out),
            colour_err: colour(tty.err),
            unicode: shows_unicode(environment),
            quiet: false,
            no_progress: false,
        }
    }

    /// Returns the brush for standard output.
    pub(crate) fn out_paint(&self) -> Paint {
        Paint(self.colour_out)
    }

    /// Returns the brush for standard error.
    pub(crate) fn err_paint(&self) -> Paint {
        Paint(self.colour_err)
    }
}

/// The locale decides, as for any other program; without one UTF-8 is assumed, because that is what
/// containers and cron jobs have that set none.
fn shows_unicode(environment: &Environment) -> bool {
    if environment.get("TERM") == Some("linux") {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"];
    match locale.iter().find_map(|name| environment.get(name)) {
        Some(locale) => {
            let lower = locale.to_lowercase();
            lower.contains("utf-8") || lower.contains("utf8")
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_decides_on_unicode() {
        let unicode = |pairs: &[(&str, &str)]| {
            let mut all = [("_1", "x"), ("_2", "x")];
            for (slot, pair) in all.iter_mut().zip(pairs) {
                *slot = *pair;
            }
            shows_unicode(&Environment::from(all))
        };
        assert!(unicode(&[]));
        assert!(unicode(&[("LANG", "de_DE.UTF-8")]));
        assert!(!unicode(&[("LANG", "C")]));
        assert!(!unicode(&[("LANG", "en_US.utf8"), ("LC_ALL", "POSIX")]));
        assert!(!unicode(&[("TERM", "linux"), ("LANG", "en_US.utf8")]));
    }
}
