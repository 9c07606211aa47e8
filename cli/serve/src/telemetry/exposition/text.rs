//! The Prometheus text format.

use std::fmt::Write as _;

use super::{Family, Histogram, Sample, Value};
use crate::prom::float_text;

/// Returns the page of `/metrics`.
pub(crate) fn families_to_text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { metric, samples } in families {
        let (name, kind) = (metric.name(), metric.metric_type().as_str());
        let help = metric.help();
        write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n").unwrap_or_default();
        for sample in samples {
            push_sample(&mut text, name, sample);
        }
    }
    text
}

fn push_sample(text: &mut String, name: &str, Sample { labels, value }: &Sample) {
    let Histogram {
        bounds,
        by_bucket,
        count,
        sum,
    } = match value {
        Value::Number(value) => return push_line(text, name, labels, None, *value),
        Value::Histogram(histogram) => histogram,
    };
    let bucket = format!("{name}_bucket");
    for (bound, count) in bounds.iter().zip(by_bucket) {
        let bound = float_text(*bound);
        push_line(text, &bucket, labels, Some(&bound), *count as f64);
    }
    push_line(text, &bucket, labels, Some("+Inf"), *count as f64);
    push_line(text, &format!("{name}_sum"), labels, None, *sum);
    push_line(text, &format!("{name}_count"), labels, None, *count as f64);
}

fn push_line(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, String)],
    le: Option<&str>,
    value: f64,
) {
    text.push_str(name);
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let mut separator = '{';
    for (name, value) in labels.chain(le.map(|le| ("le", le))) {
        write!(text, "{separator}{name}=\"").unwrap_or_default();
        push_label_value(text, value);
        text.push('"');
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    writeln!(text, " {}", float_text(value)).unwrap_or_default();
}

/// Appends a label's value with backslash, quote and line end escaped.
pub(crate) fn push_label_value(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_histograms_follow_the_text_format() {
        let expected = r#"# HELP obsq_build_info Always 1; the label tells the version.
# TYPE obsq_build_info gauge
obsq_build_info{version="a\"\\\n"} 1
# HELP obsq_panics_total Requests that ended in a panic, which is always a bug.
# TYPE obsq_panics_total counter
obsq_panics_total +Inf
# HELP obsq_http_request_duration_seconds Time from the header of a request to that of its answer, by route.
# TYPE obsq_http_request_duration_seconds histogram
obsq_http_request_duration_seconds_bucket{route="/",le="0.5"} 1
obsq_http_request_duration_seconds_bucket{route="/",le="1"} 2
obsq_http_request_duration_seconds_bucket{route="/",le="+Inf"} 3
obsq_http_request_duration_seconds_sum{route="/"} 7.25
obsq_http_request_duration_seconds_count{route="/"} 3
"#;
        assert_eq!(families_to_text(&super::super::tests::families()), expected);
    }
}
