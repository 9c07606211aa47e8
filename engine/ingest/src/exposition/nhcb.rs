//! Turning classic histograms into native ones with custom buckets.
//!
//! Source: Prometheus 3 `convert_classic_histograms_to_nhcb`. The series of one classic histogram (its
//! `_bucket`, `_count` and `_sum`) become one native histogram of schema -53 under the family's name.

use std::sync::Arc;

use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use obsq_model::{
    BucketSpan, FloatHistogram, HistogramValue, IntHistogram, Labels, METRIC_NAME, MetricMetadata,
    MetricType, SampleValue,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::number::parse_float;
use super::{ScrapedExemplar, ScrapedSample};

/// Largest count that a float holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Replaces classic histograms by native ones; keeps the classic series as well when `keep_classic`.
/// A histogram that has a native form already, or contradicts itself, stays as it is.
pub(super) fn convert(
    samples: Vec<ScrapedSample>,
    metadata: &[(String, MetricMetadata)],
    keep_classic: bool,
) -> Vec<ScrapedSample> {
    let families: FxHashSet<&str> = metadata
        .iter()
        .filter(|(_, metadata)| metadata.metric_type == MetricType::Histogram)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut classics: Vec<Classic> = Vec::new();
    let mut positions: FxHashMap<Labels, usize> = FxHashMap::default();
    let mut parts: Vec<Option<usize>> = Vec::with_capacity(samples.len());
    for sample in &samples {
        let part = Part::of(sample, &families);
        parts.push(part.map(|(metric, part)| {
            let position = *positions.entry(metric.clone()).or_insert_with(|| {
                classics.push(Classic::new(metric));
                classics.len() - 1
            });
            classics[position].add(sample, part);
            position
        }));
    }
    for sample in &samples {
        let is_native = matches!(sample.value, SampleValue::Histogram(_));
        if let Some(position) = positions.get(&sample.labels).filter(|_| is_native) {
            classics[*position].has_native = true;
        }
    }
    let natives: Vec<Option<ScrapedSample>> =
        classics.into_iter().map(Classic::into_native).collect();
    let replaced = |part: &Option<usize>| part.is_some_and(|position| natives[position].is_some());
    let mut out: Vec<_> = samples
        .into_iter()
        .zip(&parts)
        .filter(|(_, part)| keep_classic || !replaced(part))
        .map(|(sample, _)| sample)
        .collect();
    out.extend(natives.into_iter().flatten());
    out
}

/// Which series of a classic histogram a sample belongs to.
#[derive(Debug, Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

impl Part {
    /// Returns the part, and the labels of the whole histogram.
    fn of(sample: &ScrapedSample, families: &FxHashSet<&str>) -> Option<(Labels, Self)> {
        let name = sample.labels.metric_name();
        let family = |suffix| {
            name.strip_suffix(suffix)
                .filter(|family| families.contains(family))
        };
        let (family, part) = if let Some(family) = family("_bucket") {
            (
                family,
                Self::Bucket(parse_float(sample.labels.value("le"))?),
            )
        } else if let Some(family) = family("_count") {
            (family, Self::Count)
        } else {
            (family("_sum")?, Self::Sum)
        };
        let mut builder = sample.labels.to_builder();
        if matches!(part, Self::Bucket(_)) {
            builder.remove("le");
        }
        Some((builder.set(METRIC_NAME, family).build(), part))
    }
}

/// A classic histogram being put together.
#[derive(Debug)]
struct Classic {
    labels: Labels,
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    ts_ms: Option<i64>,
    start_ts_ms: i64,
    exemplars: Vec<ScrapedExemplar>,
    has_native: bool,
}

impl Classic {
    fn new(labels: Labels) -> Self {
        Self {
            labels,
            buckets: Vec::new(),
            count: None,
            sum: 0.0,
            ts_ms: None,
            start_ts_ms: 0,
            exemplars: Vec::new(),
            has_native: false,
        }
    }

    fn add(&mut self, sample: &ScrapedSample, part: Part) {
        let SampleValue::Float(value) = sample.value else {
            return;
        };
        match part {
            Part::Bucket(bound) => self.buckets.push((bound, value)),
            Part::Count => self.count = Some(value),
            Part::Sum => self.sum = value,
        }
        self.ts_ms = self.ts_ms.or(sample.ts_ms);
        self.start_ts_ms = self.start_ts_ms.max(sample.start_ts_ms);
        self.exemplars.extend(
            sample
                .exemplars
                .iter()
                .filter(|e| e.ts_ms.is_some())
                .cloned(),
        );
    }

    /// Returns the native histogram; `None` when there is one already or the counts contradict.
    fn into_native(mut self) -> Option<ScrapedSample> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let last = self
            .buckets
            .last()
            .filter(|(bound, _)| *bound == f64::INFINITY);
        let count = self.count.or(last.map(|(_, count)| *count))?;
        let mut below = 0.0;
        let mut counts = Vec::with_capacity(self.buckets.len() + 1);
        let mut bounds = Vec::with_capacity(self.buckets.len());
        for (bound, cumulative) in &self.buckets {
            if *bound != f64::INFINITY {
                bounds.push(*bound);
                counts.push(cumulative - below);
                below = *cumulative;
            }
        }
        counts.push(count - below);
        let rises = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let is_sound = counts
            .iter()
            .all(|count| *count >= 0.0 && count.is_finite());
        if self.has_native || !rises || !is_sound {
            return None;
        }
        let value = value_of(&counts, count, self.sum, Arc::from(bounds));
        Some(ScrapedSample {
            labels: self.labels,
            ts_ms: self.ts_ms,
            start_ts_ms: self.start_ts_ms,
            value: SampleValue::Histogram(Arc::new(value)),
            exemplars: self.exemplars,
        })
    }
}

fn value_of(counts: &[f64], count: f64, sum: f64, custom_values: Arc<[f64]>) -> HistogramValue {
    let positive_spans = vec![BucketSpan {
        offset: 0,
        length: counts.len() as u32,
    }];
    let schema = CUSTOM_BUCKETS_SCHEMA;
    let is_integer = |count: &f64| count.fract() == 0.0 && *count < EXACT;
    if counts.iter().chain([&count]).all(is_integer) {
        let mut previous = 0;
        let positive_deltas = counts.iter().map(|count| {
            let delta = *count as i64 - previous;
            previous = *count as i64;
            delta
        });
        return HistogramValue::Int(IntHistogram {
            schema,
            count: count as u64,
            sum,
            positive_deltas: positive_deltas.collect(),
            positive_spans,
            custom_values,
            ..IntHistogram::default()
        });
    }
    let positive_buckets = counts.to_vec();
    HistogramValue::Float(FloatHistogram {
        schema,
        count,
        sum,
        positive_spans,
        positive_buckets,
        custom_values,
        ..FloatHistogram::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::exposition::{Format, ParseError, ParseOptions, Scraped, parse};
    use obsq_model::{HistogramValue, SampleValue};

    fn converted(body: &str, keep: bool) -> Result<Scraped, ParseError> {
        let options = ParseOptions {
            convert_classic_histograms: true,
            keep_classic_histograms: keep,
            ..ParseOptions::new(Format::Text)
        };
        parse(body.as_bytes(), options)
    }

    const BODY: &str = "# TYPE h histogram\nh_bucket{a=\"b\",le=\"+Inf\"} 6\nh_bucket{a=\"b\",le=\"0.5\"} 1\n\
                        h_bucket{a=\"b\",le=\"1\"} 4\nh_sum{a=\"b\"} 9.5\nh_count{a=\"b\"} 6\nup 1\n";

    #[test]
    fn the_series_of_a_classic_histogram_become_one_native_histogram() {
        let scraped = converted(BODY, false).unwrap();
        let [up, native] = &scraped.samples[..] else {
            panic!("{:?}", scraped.samples)
        };
        assert_eq!(up.labels.metric_name(), "up");
        assert_eq!(native.labels.to_string(), r#"{__name__="h", a="b"}"#);
        let SampleValue::Histogram(value) = &native.value else {
            panic!("not a histogram")
        };
        let HistogramValue::Int(value) = &**value else {
            panic!("not an integer histogram")
        };
        assert_eq!(
            (value.count, value.sum, &value.custom_values[..]),
            (6, 9.5, &[0.5, 1.0][..])
        );
        assert_eq!(value.positive_deltas, [1, 2, -1]);
        assert_eq!(converted(BODY, true).unwrap().samples.len(), 7);
    }

    #[test]
    fn a_histogram_that_contradicts_itself_stays_classic() {
        let body = BODY.replace("le=\"1\"} 4", "le=\"1\"} 0");
        assert_eq!(converted(&body, false).unwrap().samples.len(), 6);
    }
}
