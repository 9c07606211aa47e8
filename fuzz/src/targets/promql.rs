//! Queries and regular expressions.

use obsq_query_lang::Regex;
use obsq_query_lang::promql::{CompletionSource, complete, parse, pretty, print};

/// A source that knows one metric.
struct OneMetric;

impl CompletionSource for OneMetric {
    fn metric_names(&self, _prefix: &str) -> Vec<String> {
        vec!["up".to_owned()]
    }

    fn label_names(&self, _metric: Option<&str>) -> Vec<String> {
        vec!["job".to_owned(), "x y".to_owned()]
    }

    fn label_values(&self, _metric: Option<&str>, _label: &str, _prefix: &str) -> Vec<String> {
        vec!["a\"b".to_owned()]
    }
}

/// A query's diagnostics lie within its text; what is accepted prints to something that parses and
/// prints the same, on one line and broken.
pub fn promql(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let parsed = parse(text);
    for diagnostic in &parsed.diagnostics {
        let span = diagnostic.span;
        assert!(span.lo <= span.hi && span.hi as usize <= text.len() + 1);
        let _compat = diagnostic.compat(text);
    }
    let cursor = input.len() / 2;
    let offers = complete(text, cursor, &OneMetric);
    assert!(offers.replace.hi as usize <= text.len());

    let Some(ast) = parsed.ast else {
        assert!(!parsed.diagnostics.is_empty(), "refused without a reason");
        return;
    };
    let printed = print(&ast, ast.root());
    assert_eq!(reprint(&printed), printed);
    assert_eq!(reprint(&pretty(&ast)), printed);
}

fn reprint(text: &str) -> String {
    let parsed = parse(text);
    let refused = || {
        format!(
            "printed text is refused: {text:?}: {:?}",
            parsed.diagnostics
        )
    };
    let ast = parsed.ast.as_ref().ok_or_else(refused);
    ast.map(|ast| print(ast, ast.root()))
        .expect("printed text parses")
}

/// A regular expression that compiles answers, and its literals and prefix agree with its matches.
pub fn regex(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (pattern, value) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(regex) = Regex::anchored(pattern) else {
        return;
    };
    let matches = regex.is_match(value);
    if matches {
        assert!(value.starts_with(regex.prefix()));
    }
    if let Some(literals) = regex.literals() {
        assert_eq!(literals.iter().any(|literal| literal == value), matches);
        assert!(literals.iter().all(|literal| regex.is_match(literal)));
    }
    assert_eq!(regex.expand(value, "$0 ${1}").is_some(), matches);
}
