//! Changing `config.toml` without touching what the user wrote.

/// Returns `text` with `current_context` set to `name`; comments and order stay.
pub(crate) fn set_current_context(text: &str, name: &str) -> String {
    let line = format!("current_context = {}", toml::Value::String(name.into()));
    let mut lines: Vec<&str> = text.lines().collect();
    let tables = lines
        .iter()
        .position(|line| line.trim_start().starts_with('['));
    let top = lines.get(..tables.unwrap_or(lines.len())).unwrap_or(&[]);
    let is_key = |line: &&str| {
        let key = line.split('=').next().unwrap_or("");
        key.trim() == "current_context"
    };
    match top.iter().position(is_key) {
        Some(at) => lines[at] = &line,
        None => lines.insert(0, &line),
    }
    let mut edited = lines.join("\n");
    edited.push('\n');
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_line_changes() {
        let before =
            "# mine\ncurrent_context = \"a\" # old\n\n[contexts.a]\nserver = \"http://a\"\n";
        let after = set_current_context(before, "b");
        assert_eq!(
            after,
            "# mine\ncurrent_context = \"b\"\n\n[contexts.a]\nserver = \"http://a\"\n"
        );
    }

    #[test]
    fn the_line_is_added_above_the_first_table() {
        let after = set_current_context("[contexts.\"x y\"]\nserver = \"http://a\"\n", "x y");
        assert_eq!(
            after,
            "current_context = \"x y\"\n[contexts.\"x y\"]\nserver = \"http://a\"\n"
        );
        assert_eq!(
            set_current_context("", "q\"uote"),
            "current_context = 'q\"uote'\n"
        );
    }
}
