//! Metrics as they are shown: as text, and as JSON.

mod families;
mod text;

pub(crate) use families::families_to_json;
pub(crate) use text::{families_to_text, push_label_value};

use super::metric::Metric;

/// A metric with its samples.
#[derive(Debug)]
pub(crate) struct Family {
    pub(super) metric: Metric,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Number(f64),
    Histogram(Histogram),
}

/// The counts of the buckets are cumulative; that of the last one, `+Inf`, is `count`.
#[derive(Debug)]
pub(super) struct Histogram {
    pub(super) bounds: &'static [f64],
    pub(super) by_bucket: Vec<u64>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Family {
    /// Returns a metric without samples.
    pub(super) fn new(metric: Metric) -> Self {
        Self {
            metric,
            samples: Vec::new(),
        }
    }

    /// Returns the name of the metric.
    pub(crate) fn name(&self) -> &'static str {
        self.metric.name()
    }

    /// Adds a sample of a counter or gauge.
    pub(super) fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.push(labels, Value::Number(value));
    }

    /// Adds a sample of a histogram.
    pub(super) fn histogram(&mut self, labels: &[(&'static str, &str)], histogram: Histogram) {
        self.push(labels, Value::Histogram(histogram));
    }

    fn push(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.samples.push(Sample {
            labels: labels.collect(),
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn families() -> Vec<Family> {
        let mut info = Family::new(Metric::BuildInfo);
        info.sample(&[("version", "a\"\\\n")], 1.0);
        let mut panics = Family::new(Metric::Panics);
        panics.sample(&[], f64::INFINITY);
        let mut durations = Family::new(Metric::HttpRequestDuration);
        let histogram = Histogram {
            bounds: &[0.5, 1.0],
            by_bucket: vec![1, 2],
            count: 3,
            sum: 7.25,
        };
        durations.histogram(&[("route", "/")], histogram);
        vec![info, panics, durations]
    }
}
