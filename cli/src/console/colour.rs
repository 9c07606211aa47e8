//! Whether to colour, and the few styles there are.

use crate::environment::Environment;

/// `--color`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColourChoice {
    /// When the stream is a terminal and the environment does not speak against it
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Decides for one stream. `--color` wins, then `NO_COLOR` and `TERM=dumb`, then what forces
/// colour, then whether the stream is a terminal. The word of `OBSQ_COLOR` arrives as `--color`.
pub(crate) fn wants_colour(
    choice: ColourChoice,
    environment: &Environment,
    is_terminal: bool,
) -> bool {
    let is_on = |name| environment.get(name).is_some_and(|value| value != "0");
    match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto if environment.get("NO_COLOR").is_some() => false,
        ColourChoice::Auto if is_on("CLICOLOR_FORCE") || is_on("FORCE_COLOR") => true,
        ColourChoice::Auto => {
            is_terminal
                && environment.get("TERM") != Some("dumb")
                && environment.get("CLICOLOR") != Some("0")
        }
    }
}

/// Colours of the series in a chart: told apart on dark and light ground and by most colour-blind
/// eyes. Letters carry the same meaning without colour.
const SERIES: [u8; 8] = [33, 208, 70, 170, 37, 178, 161, 245];

/// Writes styles, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Headers and names.
    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// What may be overlooked.
    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// The word `error:`.
    pub(crate) fn error(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// The word `warning:`.
    pub(crate) fn warning(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// The word `hint:`.
    pub(crate) fn hint(self, text: &str) -> String {
        self.wrap("1;36", text)
    }

    /// The colour of series `index` in a chart.
    pub(crate) fn series(self, index: usize, text: &str) -> String {
        let colour = SERIES[index % SERIES.len()];
        self.wrap(&format!("38;5;{colour}"), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_then_no_color_then_force_then_terminal() {
        let none = Environment::default();
        let no_color = Environment::from([("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]);
        let force = Environment::from([("FORCE_COLOR", "1")]);
        let force_off = Environment::from([("CLICOLOR_FORCE", "0")]);
        let dumb = Environment::from([("TERM", "dumb")]);
        let off = Environment::from([("CLICOLOR", "0")]);
        let table = [
            (ColourChoice::Always, &no_color, false, true),
            (ColourChoice::Never, &force, true, false),
            (ColourChoice::Auto, &no_color, true, false),
            (ColourChoice::Auto, &force, false, true),
            (ColourChoice::Auto, &force_off, false, false),
            (ColourChoice::Auto, &dumb, true, false),
            (ColourChoice::Auto, &off, true, false),
            (ColourChoice::Auto, &none, true, true),
            (ColourChoice::Auto, &none, false, false),
        ];
        for (choice, environment, terminal, expected) in table {
            let got = wants_colour(choice, environment, terminal);
            assert_eq!(got, expected, "{choice:?} {environment:?} {terminal}");
        }
    }

    #[test]
    fn without_colour_no_escape_is_written() {
        assert_eq!(Paint(false).series(3, "x"), "x");
        assert_eq!(Paint(true).bold("x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
