//! Metrics as `/api/v1/status/self_metrics` shows them: messages of the type
//! `io.prometheus.client.MetricFamily` in the JSON mapping of Protocol Buffers.

use serde_json::{Value as Json, json};

use super::{Family, Histogram, Sample, Value};
use crate::telemetry::metric::MetricType;

/// Returns one object for each metric that has samples.
pub(crate) fn families_to_json(families: &[Family]) -> Json {
    let families = families.iter().filter(|family| !family.samples.is_empty());
    families.map(family).collect()
}

fn family(Family { metric, samples }: &Family) -> Json {
    let kind = metric.metric_type();
    let samples = samples.iter().map(|sample| sample_object(kind, sample));
    json!({
        "name": metric.name(),
        "help": metric.help(),
        "type": kind.as_str().to_uppercase(),
        "metric": samples.collect::<Json>(),
    })
}

fn sample_object(kind: MetricType, Sample { labels, value }: &Sample) -> Json {
    let value = match value {
        Value::Number(value) => json!({"value": number(*value)}),
        Value::Histogram(value) => histogram(value),
    };
    let mut object = json!({kind.as_str(): value});
    if !labels.is_empty() {
        let labels = labels.iter();
        object["label"] = labels
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
    }
    object
}

/// Whole numbers of 64 bits are texts in this mapping.
fn histogram(histogram: &Histogram) -> Json {
    let buckets = histogram.bounds.iter().zip(&histogram.by_bucket);
    let buckets = buckets.map(|(bound, count)| {
        json!({"cumulativeCount": count.to_string(), "upperBound": number(*bound)})
    });
    json!({
        "sampleCount": histogram.count.to_string(),
        "sampleSum": number(histogram.sum),
        "bucket": buckets.collect::<Json>(),
    })
}

/// What JSON has no numbers for is told in words.
fn number(value: f64) -> Json {
    if value.is_finite() {
        return json!(value);
    }
    let name = match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    };
    json!(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metric::Metric;

    #[test]
    fn metrics_follow_the_json_mapping() {
        let mut families = super::super::tests::families();
        families.push(Family::new(Metric::Ready));
        let json = families_to_json(&families);
        assert_eq!(json.as_array().map(Vec::len), Some(3));
        assert_eq!(json[0]["type"], "GAUGE");
        let sample =
            json!({"label": [{"name": "version", "value": "a\"\\\n"}], "gauge": {"value": 1.0}});
        assert_eq!(json[0]["metric"], json!([sample]));
        assert_eq!(
            json[1]["metric"],
            json!([{"counter": {"value": "Infinity"}}])
        );
        let histogram = json!({
            "sampleCount": "3",
            "sampleSum": 7.25,
            "bucket": [
                {"cumulativeCount": "1", "upperBound": 0.5},
                {"cumulativeCount": "2", "upperBound": 1.0},
            ],
        });
        assert_eq!(json[2]["metric"][0]["histogram"], histogram);
    }
}
