//! What may have been meant.

use super::ast::{AggregateOp, Function};
use super::lex::{Keyword, Preprocessor};

/// Returns a hint with the function or aggregation that looks most like `name`.
pub(super) fn function(name: &str) -> Option<String> {
    if name == "holt_winters" {
        return Some("it is now called `double_exponential_smoothing`".to_owned());
    }
    let functions = Function::ALL.iter().map(|function| function.as_str());
    let aggregations = AggregateOp::ALL.iter().map(|op| op.as_str());
    hint(name, functions.chain(aggregations))
}

/// Returns a hint with the keyword or operator that looks most like `word`.
pub(super) fn keyword(word: &str) -> Option<String> {
    let keywords = Keyword::ALL.iter().map(|keyword| keyword.as_str());
    let functions = Preprocessor::ALL.iter().map(|function| function.as_str());
    let operators = ["and", "or", "unless", "atan2"];
    hint(word, keywords.chain(functions).chain(operators))
}

fn hint(word: &str, known: impl Iterator<Item = &'static str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the candidate that differs from `word` by the fewest edits, if they are few for its
/// length. Words that are too long for a typing error are not compared.
fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    known
        .map(|name| {
            (
                strsim::osa_distance(&lower, name),
                differing_tail(&lower, name),
                name,
            )
        })
        .filter(|(distance, _, name)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_, _, name)| name)
}

/// Returns how much of `word` is left behind what it has in common with `name`.
fn differing_tail(word: &str, name: &str) -> usize {
    let common = word
        .bytes()
        .zip(name.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    word.len() - common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let cases = [
            ("rat", Some("did you mean `rate`?")),
            ("Rate", Some("did you mean `rate`?")),
            (
                "histogram_quantil",
                Some("did you mean `histogram_quantile`?"),
            ),
            ("smu", Some("did you mean `sum`?")),
            (
                "holt_winters",
                Some("it is now called `double_exponential_smoothing`"),
            ),
            ("completely_different", None),
        ];
        for (name, expected) in cases {
            assert_eq!(function(name).as_deref(), expected, "{name}");
        }
        assert_eq!(keyword("ofset").as_deref(), Some("did you mean `offset`?"));
        assert_eq!(keyword("keep_common"), None);
        assert_eq!(function(&"x".repeat(100)), None);
    }
}
