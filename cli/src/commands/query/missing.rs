//! What a query that matched nothing may have meant.

use std::time::Duration;

use obsq_query_lang::promql::{
    CompletionSource, ExprKind, LabelMatcher, MatcherOp, VectorSelector, parse,
};

use crate::api::Api;
use crate::commands::complete::Live;

/// How long the answer may wait for a hint.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most selectors that are looked at.
const SELECTORS: usize = 4;

/// Returns which name or value of a selector is not known, and what is known instead.
pub(super) fn missing(query: &str, api: Box<dyn Api>) -> Option<String> {
    let ast = parse(query).into_result().ok()?;
    let live = Live::new(api, PATIENCE)?;
    let selectors = ast.iter().filter_map(|(_id, expr)| match &expr.kind {
        ExprKind::Vector(selector) => Some(selector),
        _ => None,
    });
    let mut all = selectors.take(SELECTORS);
    all.find_map(|selector| unknown(selector, &live))
}

fn unknown(selector: &VectorSelector, source: &dyn CompletionSource) -> Option<String> {
    let is_name =
        |matcher: &&LabelMatcher| matcher.name == "__name__" && matcher.op == MatcherOp::Equal;
    let metric = &selector.matchers.iter().find(is_name)?.value;
    let names = source.metric_names(metric);
    if !names.contains(metric) {
        return unknown_metric(metric, source);
    }
    let labels = source.label_names(Some(metric));
    if labels.is_empty() {
        return None;
    }
    let mut others = selector.matchers.iter().filter(|matcher| {
        matcher.name != "__name__" && matcher.op == MatcherOp::Equal && !matcher.value.is_empty()
    });
    others.find_map(|matcher| unknown_label(metric, matcher, &labels, source))
}

fn unknown_metric(metric: &str, source: &dyn CompletionSource) -> Option<String> {
    // Most typing errors spare the first letters, and a server may have very many names.
    let first: String = metric.chars().take(2).collect();
    let near = source.metric_names(&first);
    let found = nearest(metric, &near).map(str::to_owned);
    let found = found.or_else(|| nearest(metric, &source.metric_names("")).map(str::to_owned));
    let known = !near.is_empty() || found.is_some();
    let instead = found.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    // Where nothing is known, the place may have been too slow to say.
    known.then(|| format!("there is no metric `{metric}`{instead}"))
}

fn unknown_label(
    metric: &str,
    matcher: &LabelMatcher,
    labels: &[String],
    source: &dyn CompletionSource,
) -> Option<String> {
    let name = &matcher.name;
    if !labels.contains(name) {
        let instead = match nearest(name, labels) {
            Some(label) => format!("; did you mean `{label}`?"),
            None => format!("; it has `{}`", labels.join("`, `")),
        };
        return Some(format!("`{metric}` has no label `{name}`{instead}"));
    }
    let value = &matcher.value;
    let values = source.label_values(Some(metric), name, "");
    if values.is_empty() || values.contains(value) {
        return None;
    }
    let near = nearest(value, &values);
    let instead = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Some(format!("no `{metric}` has the {name} `{value}`{instead}"))
}

/// Returns the candidate with the fewest edits, if they are few for its length.
fn nearest<'a>(word: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::osa_distance(word, name), name.as_str()))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_distance, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shop;

    impl CompletionSource for Shop {
        fn metric_names(&self, prefix: &str) -> Vec<String> {
            let names = ["orders_total", "up"].map(str::to_owned);
            names
                .into_iter()
                .filter(|name| name.starts_with(prefix))
                .collect()
        }

        fn label_names(&self, _metric: Option<&str>) -> Vec<String> {
            vec!["shop".into(), "status".into()]
        }

        fn label_values(&self, _metric: Option<&str>, _label: &str, _prefix: &str) -> Vec<String> {
            vec!["lost".into(), "paid".into()]
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let table = [
            (
                "ordres_total",
                Some("there is no metric `ordres_total`; did you mean `orders_total`?"),
            ),
            ("upp", Some("there is no metric `upp`; did you mean `up`?")),
            (
                "orders_total{stauts=\"paid\"}",
                Some("`orders_total` has no label `stauts`; did you mean `status`?"),
            ),
            (
                "orders_total{region=\"x\"}",
                Some("`orders_total` has no label `region`; it has `shop`, `status`"),
            ),
            (
                "orders_total{status=\"piad\"}",
                Some("no `orders_total` has the status `piad`; did you mean `paid`?"),
            ),
            ("orders_total{status=\"paid\"}", None),
            ("{status=\"paid\"}", None),
        ];
        for (query, expected) in table {
            let ast = parse(query).into_result().unwrap();
            let found = ast.iter().find_map(|(_id, expr)| match &expr.kind {
                ExprKind::Vector(selector) => unknown(selector, &Shop),
                _ => None,
            });
            assert_eq!(found.as_deref(), expected, "{query}");
        }
    }
}
