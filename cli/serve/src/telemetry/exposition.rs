//! A writer of the Prometheus text format.

use std::fmt::Write as _;

use super::metric::Metric;
use crate::prom::float_text;

/// Collects a page.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

impl Exposition {
    /// Returns the page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Starts a metric.
    pub(crate) fn head(&mut self, metric: Metric) {
        let (name, kind) = (metric.name(), metric.metric_type().as_str());
        let help = metric.help();
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n").unwrap_or_default();
    }

    /// Writes one sample of a counter or gauge.
    pub(crate) fn sample(&mut self, metric: Metric, labels: &[(&str, &str)], value: f64) {
        self.line(metric.name(), "", labels, None, value);
    }

    /// Writes a histogram; `by_bucket` counts are cumulative.
    pub(crate) fn histogram(
        &mut self,
        metric: Metric,
        labels: &[(&str, &str)],
        bounds: &[f64],
        by_bucket: &[u64],
        (count, sum): (u64, f64),
    ) {
        let name = metric.name();
        for (bound, bucket) in bounds.iter().zip(by_bucket) {
            self.line(
                name,
                "_bucket",
                labels,
                Some(&float_text(*bound)),
                *bucket as f64,
            );
        }
        self.line(name, "_bucket", labels, Some("+Inf"), count as f64);
        self.line(name, "_sum", labels, None, sum);
        self.line(name, "_count", labels, None, count as f64);
    }

    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        labels: &[(&str, &str)],
        le: Option<&str>,
        value: f64,
    ) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let labels = labels.iter().copied().chain(le.map(|le| ("le", le)));
        let mut open = false;
        for (name, value) in labels {
            self.text.push(if open { ',' } else { '{' });
            open = true;
            write!(self.text, "{name}=\"").unwrap_or_default();
            push_label_value(&mut self.text, value);
            self.text.push('"');
        }
        if open {
            self.text.push('}');
        }
        writeln!(self.text, " {}", float_text(value)).unwrap_or_default();
    }
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
        let mut page = Exposition::default();
        page.head(Metric::BuildInfo);
        page.sample(Metric::BuildInfo, &[("version", "a\"\\\n")], 1.0);
        page.histogram(
            Metric::HttpRequestDuration,
            &[("route", "/")],
            &[0.5, 1.0],
            &[1, 2],
            (3, 7.25),
        );
        let expected = r#"# HELP obsq_build_info Always 1; the label tells the version.
# TYPE obsq_build_info gauge
obsq_build_info{version="a\"\\\n"} 1
obsq_http_request_duration_seconds_bucket{route="/",le="0.5"} 1
obsq_http_request_duration_seconds_bucket{route="/",le="1"} 2
obsq_http_request_duration_seconds_bucket{route="/",le="+Inf"} 3
obsq_http_request_duration_seconds_sum{route="/"} 7.25
obsq_http_request_duration_seconds_count{route="/"} 3
"#;
        assert_eq!(page.into_text(), expected);
    }
}
