//! Limits on the labels and histograms of a scrape.

use std::sync::Arc;

use obsq_model::histogram::{CUSTOM_BUCKETS_SCHEMA, is_exponential_schema};
use obsq_model::{HistogramValue, Labels, SampleValue};

use super::SampleRules;
use crate::histogram_rules;

/// Finest and coarsest schema of native histograms.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// Most characters of a name or value that an error shows.
const SHOWN: usize = 50;

/// Checks number and lengths of a sample's labels.
pub(super) fn check_labels(labels: &Labels, rules: &SampleRules) -> Result<(), String> {
    let metric = shown(labels.metric_name());
    let (count, limit) = (labels.len(), rules.label_limit);
    if limit > 0 && count > limit {
        return Err(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})"
        ));
    }
    let (name_limit, value_limit) = (
        rules.label_name_length_limit,
        rules.label_value_length_limit,
    );
    for label in labels {
        let (name, length) = (shown(label.name), label.name.len());
        if name_limit > 0 && length > name_limit {
            return Err(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {name}, length: {length}, limit: {name_limit})"
            ));
        }
        let (value, length) = (shown(label.value), label.value.len());
        if value_limit > 0 && length > value_limit {
            return Err(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {name}, value: {value:?}, length: {length}, limit: {value_limit})"
            ));
        }
    }
    Ok(())
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Checks a native histogram and reduces its resolution until it is within the limits.
pub(super) fn fit_histogram(
    value: SampleValue,
    rules: &SampleRules,
) -> Result<SampleValue, String> {
    let limit = rules.native_histogram_bucket_limit;
    let factor = rules.native_histogram_min_bucket_factor;
    let SampleValue::Histogram(mut histogram) = value else {
        return Ok(value);
    };
    histogram_rules::admit(&mut histogram)?;
    let finest = if factor > 1.0 {
        finest_schema(factor)
    } else {
        *SCHEMAS.end()
    };
    let is_over = |histogram: &HistogramValue| limit > 0 && buckets(histogram) > limit;
    if schema(&histogram) <= finest && !is_over(&histogram) {
        return Ok(SampleValue::Histogram(histogram));
    }
    let mut histogram = Arc::unwrap_or_clone(histogram);
    if is_exponential_schema(schema(&histogram)) && schema(&histogram) > finest {
        reduce(&mut histogram, finest);
    }
    while is_over(&histogram) {
        let coarser = schema(&histogram) - 1;
        if schema(&histogram) == CUSTOM_BUCKETS_SCHEMA || coarser < *SCHEMAS.start() {
            return Err("histogram bucket limit exceeded".to_owned());
        }
        reduce(&mut histogram, coarser);
    }
    Ok(SampleValue::Histogram(Arc::new(histogram)))
}

/// Returns the finest schema whose bounds grow by at least `factor`.
fn finest_schema(factor: f64) -> i32 {
    let schema = (-factor.log2().log2()).floor() as i32;
    schema.clamp(*SCHEMAS.start(), *SCHEMAS.end())
}

fn schema(histogram: &HistogramValue) -> i32 {
    match histogram {
        HistogramValue::Int(histogram) => histogram.schema,
        HistogramValue::Float(histogram) => histogram.schema,
    }
}

fn buckets(histogram: &HistogramValue) -> usize {
    match histogram {
        HistogramValue::Int(h) => h.positive_deltas.len() + h.negative_deltas.len(),
        HistogramValue::Float(h) => h.positive_buckets.len() + h.negative_buckets.len(),
    }
}

fn reduce(histogram: &mut HistogramValue, schema: i32) {
    match histogram {
        HistogramValue::Int(histogram) => histogram.reduce_resolution(schema),
        HistogramValue::Float(histogram) => histogram.reduce_resolution(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::{BucketSpan, IntHistogram};

    fn histogram(schema: i32, buckets: u32) -> SampleValue {
        let is_custom = schema == CUSTOM_BUCKETS_SCHEMA;
        let bounds = (1..buckets).filter(|_| is_custom).map(f64::from);
        SampleValue::Histogram(Arc::new(HistogramValue::Int(IntHistogram {
            schema,
            count: u64::from(buckets),
            positive_spans: vec![BucketSpan {
                offset: 0,
                length: buckets,
            }],
            positive_deltas: std::iter::once(1).chain((1..buckets).map(|_| 0)).collect(),
            custom_values: bounds.collect(),
            ..IntHistogram::default()
        })))
    }

    fn fitted(
        value: SampleValue,
        bucket_limit: usize,
        factor: f64,
    ) -> Result<(i32, usize), String> {
        let rules = SampleRules {
            native_histogram_bucket_limit: bucket_limit,
            native_histogram_min_bucket_factor: factor,
            ..SampleRules::default()
        };
        match fit_histogram(value, &rules)? {
            SampleValue::Histogram(histogram) => Ok((schema(&histogram), buckets(&histogram))),
            SampleValue::Float(_) => panic!("a histogram went in"),
        }
    }

    #[test]
    fn resolution_is_reduced_until_the_limits_hold() {
        assert_eq!(fitted(histogram(3, 16), 0, 0.0), Ok((3, 16)));
        assert_eq!(fitted(histogram(3, 16), 16, 0.0), Ok((3, 16)));
        let (schema, buckets) = fitted(histogram(3, 16), 8, 0.0).unwrap();
        assert!(schema < 3 && buckets <= 8, "{schema} {buckets}");
        assert_eq!(fitted(histogram(3, 16), 0, 1.5).unwrap().0, 0);
        assert_eq!(fitted(histogram(0, 4), 0, 1.5).unwrap().0, 0);
        let custom = histogram(CUSTOM_BUCKETS_SCHEMA, 4);
        assert_eq!(
            fitted(custom, 3, 0.0),
            Err("histogram bucket limit exceeded".to_owned())
        );
    }

    #[test]
    fn the_finest_schema_grows_by_the_factor() {
        let cases = [
            (1.0028, 7),
            (1.1, 2),
            (2.0, 0),
            (4.0, -1),
            (65_536.0, -4),
            (1e9, -4),
        ];
        for (factor, expected) in cases {
            assert_eq!(finest_schema(factor), expected, "{factor}");
        }
    }
}
