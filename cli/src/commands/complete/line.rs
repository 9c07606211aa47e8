//! A command line up to the cursor, taken apart as shells do it.

/// Words in front of the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The words that are complete, without their quotes; the program is the first.
    pub(super) words: Vec<String>,
    /// The word that is being written, without its quotes; empty behind a blank.
    pub(super) current: String,
    /// The quote that is open, and how many bytes of `current` stand before it.
    pub(super) quote: Option<(char, usize)>,
}

impl Line {
    /// Takes `text` apart. What stands before the last `|`, `;` or `&` is another command, and so are
    /// variables that are set for this one.
    pub(super) fn split(text: &str) -> Self {
        let mut line = Self::default();
        let mut in_word = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (line.quote, c) {
                (Some((quote, _at)), c) if c == quote => line.quote = None,
                (Some(('"', _at)), '\\') if chars.peek().is_some_and(|c| "\"\\$`".contains(*c)) => {
                    line.current.extend(chars.next());
                }
                (Some(_), c) => line.current.push(c),
                (None, '\'' | '"') => {
                    line.quote = Some((c, line.current.len()));
                    in_word = true;
                }
                (None, '\\') => {
                    line.current.extend(chars.next());
                    in_word = true;
                }
                (None, '|' | ';' | '&') => {
                    line = Self::default();
                    in_word = false;
                }
                (None, c) if c.is_whitespace() => {
                    line.end_word(in_word);
                    in_word = false;
                }
                (None, c) => {
                    line.current.push(c);
                    in_word = true;
                }
            }
        }
        line
    }

    fn end_word(&mut self, in_word: bool) {
        let word = std::mem::take(&mut self.current);
        let sets_variable = self.words.is_empty() && word.contains('=');
        if in_word && !sets_variable {
            self.words.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Quote = Option<(char, usize)>;

    fn split(text: &str) -> (Vec<String>, String, Quote) {
        let line = Line::split(text);
        (line.words, line.current, line.quote)
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        let table: [(&str, &[&str], &str, Quote); 9] = [
            ("obsq ", &["obsq"], "", None),
            ("obsq que", &["obsq"], "que", None),
            (
                "obsq query 'sum by (a",
                &["obsq", "query"],
                "sum by (a",
                Some(('\'', 0)),
            ),
            (
                "obsq query \"x{a=\\\"b",
                &["obsq", "query"],
                "x{a=\"b",
                Some(('"', 0)),
            ),
            (
                "obsq labels --match='up{",
                &["obsq", "labels"],
                "--match=up{",
                Some(('\'', 8)),
            ),
            ("obsq query ra\\(x", &["obsq", "query"], "ra(x", None),
            ("obsq query '' ", &["obsq", "query", ""], "", None),
            ("cat x | obsq query --", &["obsq", "query"], "--", None),
            ("OBSQ_SERVER=http://h obsq q", &["obsq"], "q", None),
        ];
        for (text, words, current, quote) in table {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(split(text), (words, current.to_owned(), quote), "{text}");
        }
    }
}
