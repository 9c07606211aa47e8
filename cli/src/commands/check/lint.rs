//! What good metrics look like.
//!
//! Source of the rules: Prometheus, "Metric and label naming" and "Writing client libraries".

use std::collections::BTreeMap;

use obsq_ingest::exposition::Scraped;
use obsq_model::{MetricMetadata, MetricType};

/// Units that are no base units, and the base unit to use.
const UNITS: [(&str, &str); 14] = [
    ("milliseconds", "seconds"),
    ("microseconds", "seconds"),
    ("nanoseconds", "seconds"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("kilobytes", "bytes"),
    ("megabytes", "bytes"),
    ("gigabytes", "bytes"),
    ("bits", "bytes"),
    ("percent", "ratio"),
    ("millimeters", "meters"),
    ("kilometers", "meters"),
    ("fahrenheit", "celsius"),
];

/// Short forms of units.
const SHORT_UNITS: [&str; 8] = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb"];

/// Words for types that do not belong in a name.
const TYPES: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];

/// Returns what could be better, one line per finding, sorted.
pub(crate) fn lint(scraped: &Scraped) -> Vec<String> {
    let mut families: BTreeMap<&str, MetricMetadata> = BTreeMap::new();
    for (name, metadata) in &scraped.metadata {
        families.insert(name, metadata.clone());
    }
    for sample in &scraped.samples {
        let name = sample.labels.metric_name();
        let suffixes = ["_bucket", "_sum", "_count", "_total", "_created", "_info"];
        let bare = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        if !families.contains_key(name) && !bare.is_some_and(|bare| families.contains_key(bare)) {
            families.insert(name, MetricMetadata::default());
        }
    }
    let mut problems = Vec::new();
    for (name, metadata) in &families {
        let found = about(name, metadata);
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{name}: {problem}")),
        );
    }
    problems.sort();
    problems.dedup();
    problems
}

fn about(name: &str, metadata: &MetricMetadata) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |wrong: bool, problem: &str| {
        if wrong {
            problems.push(problem.to_owned());
        }
    };
    let is_counter = metadata.metric_type == MetricType::Counter;
    let has_buckets = matches!(
        metadata.metric_type,
        MetricType::Histogram | MetricType::GaugeHistogram | MetricType::Summary
    );
    check(metadata.help.is_empty(), "there is no help text");
    let total = name.ends_with("_total");
    // In OpenMetrics a counter's family is named without the suffix of its samples.
    check(
        total && !is_counter && metadata.metric_type != MetricType::Unknown,
        "`_total` is the suffix of counters",
    );
    let reserved = ["_bucket", "_sum", "_count"]
        .iter()
        .any(|suffix| name.ends_with(suffix));
    check(
        reserved && !has_buckets,
        "the suffix is reserved for histograms and summaries",
    );
    check(
        name.contains(':'),
        "colons are reserved for recording rules",
    );
    check(
        name.contains(|c: char| c.is_ascii_uppercase()),
        "names are written in snake_case",
    );
    let words: Vec<&str> = name.split('_').collect();
    check(
        words.iter().any(|word| TYPES.contains(word)),
        "the type does not belong in the name",
    );
    let units = words.iter().skip(1);
    check(
        units.clone().any(|word| SHORT_UNITS.contains(word)),
        "units are spelled out",
    );
    for (unit, base) in UNITS {
        check(
            units.clone().any(|word| *word == unit),
            &format!("use `{base}` instead of `{unit}`"),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_ingest::exposition::{Format, ParseOptions, parse};

    fn found(text: &str) -> Vec<String> {
        lint(&parse(text.as_bytes(), ParseOptions::new(Format::Text)).unwrap())
    }

    #[test]
    fn good_metrics_have_no_findings() {
        let good = "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\nhttp_requests_total 1\n# HELP x_seconds X.\n# TYPE x_seconds histogram\nx_seconds_bucket{le=\"+Inf\"} 1\nx_seconds_sum 1\nx_seconds_count 1\n";
        assert_eq!(found(good), Vec::<String>::new());
    }

    #[test]
    fn each_rule_finds_its_fault() {
        let head =
            |name: &str, kind: &str| format!("# HELP {name} X.\n# TYPE {name} {kind}\n{name} 1\n");
        let table = [
            ("up 1\n".to_owned(), "up: there is no help text"),
            (
                head("a_total", "gauge"),
                "a_total: `_total` is the suffix of counters",
            ),
            (
                head("a_count", "gauge"),
                "a_count: the suffix is reserved for histograms and summaries",
            ),
            (
                head("a:b", "gauge"),
                "a:b: colons are reserved for recording rules",
            ),
            (head("aB", "gauge"), "aB: names are written in snake_case"),
            (
                head("a_gauge", "gauge"),
                "a_gauge: the type does not belong in the name",
            ),
            (head("a_ms", "gauge"), "a_ms: units are spelled out"),
            (
                head("a_minutes", "gauge"),
                "a_minutes: use `seconds` instead of `minutes`",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(found(&text), [expected], "{text}");
        }
    }
}
