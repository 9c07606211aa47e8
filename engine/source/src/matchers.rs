//! From matchers as written to matchers that run.

use std::sync::Arc;

use obsq_model::{LabelPattern, MatchOp, Matcher};
use obsq_query_lang::promql::{LabelMatcher, MatcherOp};
use obsq_query_lang::{Regex, RegexError};

/// Why a matcher could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression in matcher of label {name:?}")]
pub struct MatcherError {
    /// The label's name.
    pub name: String,
    /// What is wrong with the expression.
    #[source]
    pub source: RegexError,
}

#[derive(Debug)]
struct Pattern(Regex);

impl LabelPattern for Pattern {
    fn is_match(&self, value: &str) -> bool {
        self.0.is_match(value)
    }

    fn literals(&self) -> Option<&[String]> {
        self.0.literals()
    }

    fn prefix(&self) -> &str {
        self.0.prefix()
    }
}

/// Compiles the matchers of one selector, regular expressions included.
pub fn compile_matchers(written: &[LabelMatcher]) -> Result<Vec<Matcher>, MatcherError> {
    written.iter().map(compile).collect()
}

fn compile(written: &LabelMatcher) -> Result<Matcher, MatcherError> {
    let op = match written.op {
        MatcherOp::Equal => MatchOp::Equal,
        MatcherOp::NotEqual => MatchOp::NotEqual,
        MatcherOp::Regex => MatchOp::Regex,
        MatcherOp::NotRegex => MatchOp::NotRegex,
    };
    compile_matcher(&written.name, op, &written.value)
}

/// Compiles one matcher from its parts, as [`Matcher::name`], [`Matcher::op`] and
/// [`Matcher::value`] return them.
pub fn compile_matcher(name: &str, op: MatchOp, value: &str) -> Result<Matcher, MatcherError> {
    let pattern = || {
        Regex::anchored(value)
            .map(|regex| Arc::new(Pattern(regex)) as Arc<dyn LabelPattern>)
            .map_err(|source| MatcherError {
                name: name.to_owned(),
                source,
            })
    };
    Ok(match op {
        MatchOp::Equal => Matcher::equal(name, value),
        MatchOp::NotEqual => Matcher::not_equal(name, value),
        MatchOp::Regex => Matcher::regex(name, value, false, pattern()?),
        MatchOp::NotRegex => Matcher::regex(name, value, true, pattern()?),
    })
}
