//! Names and values from the place that the command line reads from.

use std::time::Duration;

use obsq_query_lang::promql::CompletionSource;
use obsq_query_lang::quote;

use crate::api::{Answer, Api, Call};

/// Most names or values to ask for.
const LIMIT: usize = 1_000;

/// Asks a server or a directory. Whatever goes wrong there is nothing to offer.
#[derive(Debug)]
pub(crate) struct Live {
    api: Box<dyn Api>,
    runtime: tokio::runtime::Runtime,
    patience: Duration,
}

impl Live {
    /// Returns `None` where no runtime can be started.
    pub(crate) fn new(api: Box<dyn Api>, patience: Duration) -> Option<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().ok()?;
        Some(Self {
            api,
            runtime,
            patience,
        })
    }

    fn ask(&self, call: &Call) -> Option<Vec<String>> {
        let asking = async { tokio::time::timeout(self.patience, self.api.ask(call)).await };
        let reply = self.runtime.block_on(asking).ok()?.ok()?;
        let answer = Answer::read(&reply, "").ok()?;
        answer.names().ok()
    }

    fn values(&self, label: &str, matchers: &[String]) -> Vec<String> {
        let call = Call::LabelValues {
            name: label.to_owned(),
            selectors: vec![format!("{{{}}}", matchers.join(","))],
            range: None,
            limit: LIMIT,
        };
        self.ask(&call).unwrap_or_default()
    }
}

impl CompletionSource for Live {
    fn metric_names(&self, prefix: &str) -> Vec<String> {
        self.values("__name__", &[starts("__name__", prefix)])
    }

    fn label_names(&self, metric: Option<&str>) -> Vec<String> {
        let call = Call::Labels {
            selectors: metric.map(named).into_iter().collect(),
            range: None,
            limit: LIMIT,
        };
        let mut names = self.ask(&call).unwrap_or_default();
        names.retain(|name| name != "__name__");
        names
    }

    fn label_values(&self, metric: Option<&str>, label: &str, prefix: &str) -> Vec<String> {
        let mut matchers = vec![starts(label, prefix)];
        matchers.extend(metric.map(|metric| format!("__name__={}", quote(metric))));
        self.values(label, &matchers)
    }
}

fn named(metric: &str) -> String {
    format!("{{__name__={}}}", quote(metric))
}

/// Returns a matcher for values that start with `prefix`; one that never matches an empty value,
/// because servers refuse selectors that match everything.
fn starts(label: &str, prefix: &str) -> String {
    let mut pattern = String::new();
    for c in prefix.chars() {
        if !c.is_alphanumeric() && !matches!(c, '_' | ':') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    let pattern = format!("{pattern}{}", if prefix.is_empty() { ".+" } else { ".*" });
    format!("{}=~{}", quote_name(label), quote(&pattern))
}

fn quote_name(label: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.chars().all(plain) && !label.starts_with(|c: char| c.is_ascii_digit()) {
        label.to_owned()
    } else {
        quote(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_literally() {
        assert_eq!(starts("__name__", ""), r#"__name__=~".+""#);
        assert_eq!(starts("job", "a.b"), r#"job=~"a\\.b.*""#);
        assert_eq!(starts("host.name", "x"), r#""host.name"=~"x.*""#);
    }
}
