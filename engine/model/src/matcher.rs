//! Label matchers.

use std::fmt;
use std::sync::Arc;

/// How a matcher compares a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// Returns the operator as it is written in a selector.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }

    /// Says whether the operator is `!=` or `!~`.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotRegex)
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A compiled, fully anchored pattern over label values.
pub trait LabelPattern: fmt::Debug + Send + Sync {
    /// Says whether the whole of `value` matches.
    fn is_match(&self, value: &str) -> bool;

    /// Returns all values that can match, sorted, when the pattern is a plain alternation of
    /// literals; `None` when it is anything else.
    fn literals(&self) -> Option<&[String]>;

    /// Returns the literal that every matching value starts with; empty when there is none.
    fn prefix(&self) -> &str;
}

/// A condition on one label; a label that is absent has the empty value.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    pattern: Option<Arc<dyn LabelPattern>>,
}

impl Matcher {
    /// Returns `name = value`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self {
            name: Arc::from(name),
            op: MatchOp::Equal,
            value: Arc::from(value),
            pattern: None,
        }
    }

    /// Returns `name != value`.
    pub fn not_equal(name: &str, value: &str) -> Self {
        Self {
            op: MatchOp::NotEqual,
            ..Self::equal(name, value)
        }
    }

    /// Returns `name =~ text`, or `name !~ text` when `negative`; `pattern` is `text` compiled.
    pub fn regex(name: &str, text: &str, negative: bool, pattern: Arc<dyn LabelPattern>) -> Self {
        let op = if negative {
            MatchOp::NotRegex
        } else {
            MatchOp::Regex
        };
        Self {
            op,
            pattern: Some(pattern),
            ..Self::equal(name, text)
        }
    }

    /// Returns the label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the operator.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// Returns the value, or the text of the regular expression.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the compiled pattern of `=~` and `!~`.
    pub fn pattern(&self) -> Option<&dyn LabelPattern> {
        self.pattern.as_deref()
    }

    /// Says whether a label with this value (empty = absent) fulfils the condition.
    pub fn matches(&self, value: &str) -> bool {
        match (&self.pattern, self.op) {
            (Some(pattern), MatchOp::Regex) => pattern.is_match(value),
            (Some(pattern), MatchOp::NotRegex) => !pattern.is_match(value),
            (_, MatchOp::NotEqual | MatchOp::NotRegex) => *self.value != *value,
            (_, MatchOp::Equal | MatchOp::Regex) => *self.value == *value,
        }
    }

    /// Says whether series without the label fulfil the condition.
    pub fn matches_absent(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op, self.value)
    }
}
