//! A small YAML writer.

use std::fmt::Write as _;

/// A value to print.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    /// A text that needs no quotes whatever it is.
    Plain(String),
    List(Vec<Self>),
    /// A list on one line; its elements are plain.
    Flow(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Yaml {
    /// Returns a text that reads back as a text.
    pub(super) fn text(text: &str) -> Self {
        Self::Plain(quoted(text))
    }

    pub(super) fn to_text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, 0);
        out
    }

    /// Prints the value as whole lines, each indented by `indent`.
    fn print(&self, out: &mut String, indent: usize) {
        match self {
            Self::Plain(text) => line(out, indent, text),
            Self::Flow(list) => line(out, indent, &flow(list)),
            Self::List(list) => {
                for element in list {
                    let start = out.len();
                    element.print(out, indent + 2);
                    if out.len() == start {
                        line(out, indent + 2, "{}");
                    }
                    // The dash stands in the indentation of the element's first line.
                    out.replace_range(start + indent..=start + indent, "-");
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    value.print_entry(out, indent, &quoted(key));
                }
            }
        }
    }

    fn print_entry(&self, out: &mut String, indent: usize, key: &str) {
        match self {
            Self::Plain(text) => line(out, indent, &format!("{key}: {text}")),
            Self::Flow(list) => line(out, indent, &format!("{key}: {}", flow(list))),
            Self::List(list) if list.is_empty() => line(out, indent, &format!("{key}: []")),
            Self::Map(entries) if entries.is_empty() => line(out, indent, &format!("{key}: {{}}")),
            Self::List(_) => {
                line(out, indent, &format!("{key}:"));
                self.print(out, indent);
            }
            Self::Map(_) => {
                line(out, indent, &format!("{key}:"));
                self.print(out, indent + 2);
            }
        }
    }
}

fn line(out: &mut String, indent: usize, text: &str) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(text);
    out.push('\n');
}

fn flow(list: &[Yaml]) -> String {
    let texts: Vec<_> = list
        .iter()
        .map(|element| match element {
            Yaml::Plain(text) => text.as_str(),
            Yaml::List(_) | Yaml::Flow(_) | Yaml::Map(_) => "",
        })
        .collect();
    format!("[{}]", texts.join(", "))
}

/// Returns `text` as it stands, or in double quotes where it would read back as something else.
fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "_./-+$()*=^\\|<>?;:".contains(c);
    let starts_safe = text.starts_with(|c: char| c.is_alphanumeric() || "_/.($^<;".contains(c));
    let word = text.to_ascii_lowercase();
    let is_word = [
        "true", "false", "yes", "no", "on", "off", "y", "n", "null", "~",
    ]
    .contains(&word.as_str());
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text
            .chars()
            .all(|c| c.is_ascii_hexdigit() || "._xoe+-:".contains(c))
        && !text.contains(':')
        || text.parse::<f64>().is_ok();
    if starts_safe && text.chars().all(safe) && !is_word && !is_number && !text.ends_with(':') {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_they_would_mean_something_else() {
        let cases = [
            ("plain", "plain"),
            ("/metrics", "/metrics"),
            ("http://h:1/x", "http://h:1/x"),
            ("$1", "$1"),
            ("", "\"\""),
            ("yes", "\"yes\""),
            ("12", "\"12\""),
            ("1e5", "\"1e5\""),
            ("a b", "\"a b\""),
            ("a\nb\"", "\"a\\nb\\\"\""),
            ("*x", "\"*x\""),
            ("key:", "\"key:\""),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
        }
    }
}
