//! Selectors of series, from text to matchers.

use obsq_model::Matcher;
use obsq_query_lang::Diagnostic;
use obsq_query_lang::promql::{Ast, ExprKind, LabelMatcher, parse, parse_selector};
use obsq_source::compile_matchers;

use super::error::{ApiError, with_causes};

/// Returns the matchers of the selectors in `match[]`; each must exclude something.
pub(crate) fn parse_selectors(texts: &[String]) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let mut selectors = Vec::with_capacity(texts.len());
    for text in texts {
        selectors.push(parse_one_selector(text)?);
    }
    let everything = |matchers: &Vec<Matcher>| matchers.iter().all(Matcher::matches_absent);
    if selectors.iter().any(everything) {
        let message = "match[] must contain at least one non-empty matcher";
        return Err(ApiError::bad_data(message));
    }
    Ok(selectors)
}

/// Returns the matchers of one selector, which may match everything.
pub(crate) fn parse_one_selector(text: &str) -> Result<Vec<Matcher>, ApiError> {
    let written = parse_selector(text)
        .map_err(|diagnostics| ApiError::bad_data(first_message(&diagnostics, text)))?;
    compile(&written)
}

/// Returns the matchers of every selector in a query.
pub(crate) fn selectors_of(query: &str) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let ast = parse_query(query).map_err(ApiError::bad_data)?;
    let selectors = ast.iter().filter_map(|(_, expr)| match &expr.kind {
        ExprKind::Vector(selector) => Some(compile(&selector.matchers)),
        _ => None,
    });
    selectors.collect()
}

/// Returns the syntax tree of a query, or what is wrong with it in the words of Prometheus.
pub(crate) fn parse_query(text: &str) -> Result<Ast, String> {
    let parsed = parse(text).into_result();
    parsed.map_err(|diagnostics| first_message(&diagnostics, text))
}

fn compile(written: &[LabelMatcher]) -> Result<Vec<Matcher>, ApiError> {
    compile_matchers(written).map_err(|error| ApiError::bad_data(with_causes(&error)))
}

fn first_message(diagnostics: &[Diagnostic], text: &str) -> String {
    let first = diagnostics.first();
    first.map_or_else(String::new, |diagnostic| diagnostic.compat(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let selectors = parse_selectors(&[text.to_owned()]);
        let selectors = selectors.map_err(|error| error.message)?;
        Ok(selectors[0]
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn selectors_become_matchers() {
        assert_eq!(
            parsed(r#"up{job="a"}"#).as_deref(),
            Ok(r#"job="a" __name__="up""#)
        );
        assert_eq!(
            parsed(r#"{__name__=~"a.*"}"#).as_deref(),
            Ok(r#"__name__=~"a.*""#)
        );
        let empty = "match[] must contain at least one non-empty matcher";
        assert_eq!(parsed("{}").unwrap_err(), empty);
        assert_eq!(parsed(r#"{a=""}"#).unwrap_err(), empty);
        for text in [
            "up{",
            "up[5m]",
            "sum(up)",
            "up offset 5m",
            "",
            r#"up{a=~"("}"#,
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_selector_of_a_query_is_found() {
        let found = selectors_of(r#"rate(a[5m]) / on(x) sum(b{c="d"}) + 1"#).unwrap();
        assert_eq!(found.len(), 2);
        assert!(selectors_of("1 + 1").unwrap().is_empty());
        assert!(selectors_of("up{").is_err());
    }
}
