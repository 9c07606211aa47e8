//! Offers in the form that each shell's script expects.
//!
//! The first line says how to go on: `end` (a blank follows the word), `more` (none does) or `files`.
//! Then one line for each offer: the word, and for zsh and fish what to show, behind a tab.

use std::fmt::Write as _;

use super::Asker;
use super::line::Line;
use super::offer::{Offer, Offers};

/// Returns what to print.
pub(super) fn text(found: &Offers, line: &Line, shell: Asker, word: &str, list: bool) -> String {
    let how = match (found.files, found.goes_on) {
        (true, _) => "files",
        (false, true) => "more",
        (false, false) => "end",
    };
    let mut out = format!("{how}\n");
    let sound = found.all.iter().filter(|offer| {
        let all = [&offer.word, &offer.detail];
        !all.iter().any(|text| text.contains(char::is_control))
    });
    let mut lines = 0;
    for offer in sound {
        push(&mut out, offer, line, shell, word, list);
        lines += 1;
    }
    // Readline closes the quote behind the only word there is, but the query goes on.
    if shell == Asker::Bash && !list && lines == 1 && found.goes_on && line.quote.is_some() {
        let only = out.lines().last().unwrap_or_default().to_owned();
        writeln!(out, "{only} ").expect("invariant: a string takes all");
    }
    out
}

fn push(out: &mut String, offer: &Offer, line: &Line, shell: Asker, word: &str, list: bool) {
    let done = match shell {
        Asker::Bash if list => writeln!(out, "{}", offer.shown),
        Asker::Bash => writeln!(out, "{}", for_bash(offer, line, word)),
        Asker::Zsh => writeln!(out, "{}\t{}", in_quote(offer, line), described(offer)),
        Asker::Fish => writeln!(out, "{}\t{}", offer.word, offer.detail),
    };
    done.expect("invariant: a string takes all");
}

fn described(offer: &Offer) -> String {
    match offer.detail.as_str() {
        "" => offer.shown.clone(),
        detail => format!("{:24}  {detail}", offer.shown),
    }
}

/// Returns the part of the word behind the quote that is open.
fn in_quote<'a>(offer: &'a Offer, line: &Line) -> &'a str {
    let at = line.quote.map_or(0, |(_quote, at)| at);
    offer.word.get(at..).unwrap_or(&offer.word)
}

/// Readline replaces what it takes for a word: what stands behind an open quote, or behind the last
/// of `COMP_WORDBREAKS`; it wants that, quoted.
fn for_bash(offer: &Offer, line: &Line, word: &str) -> String {
    if let Some((quote, _at)) = line.quote {
        return escaped(in_quote(offer, line), quote);
    }
    let (whole, typed) = (bare(&offer.word), bare(&line.current));
    let front = typed.strip_suffix(word).unwrap_or_default();
    whole.strip_prefix(front).unwrap_or(&whole).to_owned()
}

fn escaped(text: &str, quote: char) -> String {
    if quote == '\'' {
        return text.replace('\'', "'\\''");
    }
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns a word for where no quote is open.
fn bare(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && !"-_./:=,@%+~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(typed: &str, words: &[&str], goes_on: bool, shell: Asker, word: &str) -> String {
        let offers = words.iter().map(|word| Offer {
            word: (*word).to_owned(),
            shown: (*word).to_owned(),
            detail: "d".into(),
        });
        let found = Offers {
            all: offers.collect(),
            goes_on,
            files: false,
        };
        text(&found, &Line::split(typed), shell, word, false)
    }

    #[test]
    fn bash_gets_what_it_replaces() {
        let bash = |typed: &str, word: &str, offer: &str, goes_on: bool| {
            printed(typed, &[offer], goes_on, Asker::Bash, word)
        };
        let table = [
            ("obsq que", "que", "query", false, "end\nquery\n"),
            (
                "obsq query 'sum(ra",
                "sum(ra",
                "sum(rate(",
                true,
                "more\nsum(rate(\nsum(rate( \n",
            ),
            ("obsq query ra", "ra", "rate(", true, "more\nrate\\(\n"),
            (
                "obsq query \"a{b=\\\"",
                "a{b=\\\"",
                "a{b=\"c",
                true,
                "more\na{b=\\\"c\na{b=\\\"c \n",
            ),
            (
                "obsq query --context=p",
                "p",
                "--context=prod",
                false,
                "end\nprod\n",
            ),
        ];
        for (typed, word, offer, goes_on, expected) in table {
            assert_eq!(bash(typed, word, offer, goes_on), expected, "{typed}");
        }
    }

    #[test]
    fn zsh_and_fish_get_remarks_as_well() {
        let zsh = printed("obsq query 'up", &["up_x"], true, Asker::Zsh, "");
        assert_eq!(zsh, "more\nup_x\tup_x                      d\n");
        let fish = printed("obsq q", &["query"], false, Asker::Fish, "");
        assert_eq!(fish, "end\nquery\td\n");
    }

    #[test]
    fn what_would_break_lines_is_left_out() {
        assert_eq!(printed("obsq ", &["a\nb"], false, Asker::Fish, ""), "end\n");
    }
}
