//! Delimited `io.prometheus.client.MetricFamily` messages.
//!
//! ```text
//! body = (length uvarint, MetricFamily)*
//! ```
//!
//! The only format of the three that carries native histograms.

mod message;

use std::sync::Arc;

use obsq_model::{
    BucketSpan, CounterResetHint, FloatHistogram, HistogramValue, IntHistogram, Labels,
    LabelsBuilder, METRIC_NAME, MetricType, SampleValue,
};
use prost::Message as _;

use self::message::{Exemplar, Family, Histogram, Metric, Span, Timestamp, family_type};
use super::family::Families;
use super::number::canonical_float;
use super::{ParseError, ParseOptions, Scraped, ScrapedExemplar, ScrapedSample};

/// Reads a whole body.
pub(super) fn parse(body: &[u8], options: ParseOptions) -> Result<Scraped, ParseError> {
    let (mut rest, mut number) = (body, 0);
    let mut families = Families::default();
    let mut samples = Vec::new();
    while !rest.is_empty() {
        number += 1;
        let error = |message: String| ParseError {
            line: number,
            message,
        };
        let family = Family::decode_length_delimited(&mut rest)
            .map_err(|cause| error(format!("not a metric family: {cause}")))?;
        let metric_type = family_type(family.r#type);
        let metadata = families.entry(&family.name);
        metadata.metric_type = metric_type;
        family.help.clone_into(&mut metadata.help);
        family.unit.clone_into(&mut metadata.unit);
        for metric in &family.metric {
            let mut out = Emitter {
                family: &family.name,
                metric,
                samples: &mut samples,
            };
            out.metric(metric_type, options).map_err(error)?;
        }
    }
    Ok(Scraped {
        samples,
        metadata: families.into_entries(),
    })
}

/// Turns one metric into samples.
struct Emitter<'a> {
    family: &'a str,
    metric: &'a Metric,
    samples: &'a mut Vec<ScrapedSample>,
}

impl Emitter<'_> {
    fn metric(&mut self, metric_type: MetricType, options: ParseOptions) -> Result<(), String> {
        let metric = self.metric;
        match metric_type {
            MetricType::Counter => {
                let Some(counter) = &metric.counter else {
                    return Err(self.missing("counter"));
                };
                let exemplars = counter.exemplar.iter().filter_map(exemplar).collect();
                let start = start_ms(counter.start.as_ref());
                self.float("", None, counter.value, start, exemplars)
            }
            MetricType::Gauge => {
                let Some(gauge) = &metric.gauge else {
                    return Err(self.missing("gauge"));
                };
                self.float("", None, gauge.value, 0, Vec::new())
            }
            MetricType::Summary => self.summary(),
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let Some(histogram) = &metric.histogram else {
                    return Err(self.missing("histogram"));
                };
                let is_native = histogram.is_native() && !options.ignore_native_histograms;
                if is_native {
                    self.native(histogram, metric_type == MetricType::GaugeHistogram)?;
                }
                let keeps_classic = options.keep_classic_histograms && !histogram.bucket.is_empty();
                if is_native && !keeps_classic {
                    Ok(())
                } else {
                    self.classic(histogram)
                }
            }
            _ => {
                let Some(untyped) = &metric.untyped else {
                    return Err(self.missing("untyped"));
                };
                self.float("", None, untyped.value, 0, Vec::new())
            }
        }
    }

    fn missing(&self, what: &str) -> String {
        format!(
            "metric family {:?} has a metric without its {what}",
            self.family
        )
    }

    fn summary(&mut self) -> Result<(), String> {
        let Some(summary) = &self.metric.summary else {
            return Err(self.missing("summary"));
        };
        let start = start_ms(summary.start.as_ref());
        self.float(
            "_count",
            None,
            summary.sample_count as f64,
            start,
            Vec::new(),
        )?;
        self.float("_sum", None, summary.sample_sum, start, Vec::new())?;
        for quantile in &summary.quantile {
            let label = ("quantile", canonical_float(quantile.quantile));
            self.float("", Some(label), quantile.value, start, Vec::new())?;
        }
        Ok(())
    }

    fn classic(&mut self, histogram: &Histogram) -> Result<(), String> {
        let start = start_ms(histogram.start.as_ref());
        let count = histogram.total();
        self.float("_count", None, count, start, Vec::new())?;
        self.float("_sum", None, histogram.sample_sum, start, Vec::new())?;
        let mut has_last = false;
        for bucket in &histogram.bucket {
            has_last |= bucket.upper_bound == f64::INFINITY;
            let label = ("le", canonical_float(bucket.upper_bound));
            let exemplars = bucket.exemplar.iter().filter_map(exemplar).collect();
            self.float("_bucket", Some(label), bucket.count(), start, exemplars)?;
        }
        if has_last {
            return Ok(());
        }
        self.float(
            "_bucket",
            Some(("le", "+Inf".to_owned())),
            count,
            start,
            Vec::new(),
        )
    }

    fn native(&mut self, histogram: &Histogram, is_gauge: bool) -> Result<(), String> {
        let own = histogram.exemplars.iter();
        let of_buckets = histogram
            .bucket
            .iter()
            .filter_map(|bucket| bucket.exemplar.as_ref());
        let exemplars: Vec<_> = if histogram.exemplars.is_empty() {
            of_buckets.filter_map(exemplar).collect()
        } else {
            own.filter_map(exemplar).collect()
        };
        // Without a time of their own exemplars of a histogram cannot be put in order.
        let exemplars = exemplars
            .into_iter()
            .filter(|exemplar| exemplar.ts_ms.is_some())
            .collect();
        let value = SampleValue::Histogram(Arc::new(native_value(histogram, is_gauge)));
        let start = start_ms(histogram.start.as_ref());
        self.push("", None, value, start, exemplars)
    }

    fn float(
        &mut self,
        suffix: &str,
        label: Option<(&str, String)>,
        value: f64,
        start_ts_ms: i64,
        exemplars: Vec<ScrapedExemplar>,
    ) -> Result<(), String> {
        let value = if value.is_nan() {
            super::number::normal_nan()
        } else {
            value
        };
        self.push(
            suffix,
            label,
            SampleValue::Float(value),
            start_ts_ms,
            exemplars,
        )
    }

    fn push(
        &mut self,
        suffix: &str,
        label: Option<(&str, String)>,
        value: SampleValue,
        start_ts_ms: i64,
        exemplars: Vec<ScrapedExemplar>,
    ) -> Result<(), String> {
        let mut labels = LabelsBuilder::default();
        for pair in &self.metric.label {
            if pair.name.is_empty() || !labels.get(&pair.name).is_empty() {
                return Err(format!("label name {:?} is empty or not unique", pair.name));
            }
            labels.set(&pair.name, &pair.value);
        }
        labels.set(METRIC_NAME, &format!("{}{suffix}", self.family));
        if let Some((name, value)) = label {
            labels.set(name, &value);
        }
        let ts_ms = Some(self.metric.timestamp_ms).filter(|ts_ms| *ts_ms != 0);
        self.samples.push(ScrapedSample {
            labels: labels.build(),
            ts_ms,
            start_ts_ms,
            value,
            exemplars,
        });
        Ok(())
    }
}

fn native_value(histogram: &Histogram, is_gauge: bool) -> HistogramValue {
    let counter_reset_hint = if is_gauge {
        CounterResetHint::Gauge
    } else {
        CounterResetHint::Unknown
    };
    if histogram.has_float_counts() {
        return HistogramValue::Float(FloatHistogram {
            counter_reset_hint,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero_count: histogram.zero_count_float,
            count: histogram.sample_count_float,
            sum: histogram.sample_sum,
            positive_spans: spans(&histogram.positive_span),
            negative_spans: spans(&histogram.negative_span),
            positive_buckets: histogram.positive_count.clone(),
            negative_buckets: histogram.negative_count.clone(),
            custom_values: Arc::default(),
        });
    }
    HistogramValue::Int(IntHistogram {
        counter_reset_hint,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count: histogram.zero_count,
        count: histogram.sample_count,
        sum: histogram.sample_sum,
        positive_spans: spans(&histogram.positive_span),
        negative_spans: spans(&histogram.negative_span),
        positive_deltas: histogram.positive_delta.clone(),
        negative_deltas: histogram.negative_delta.clone(),
        custom_values: Arc::default(),
    })
}

/// Spans without the empty one that marks a histogram without buckets as native.
fn spans(spans: &[Span]) -> Vec<BucketSpan> {
    let used = spans
        .iter()
        .filter(|span| span.offset != 0 || span.length != 0);
    used.map(|span| BucketSpan {
        offset: span.offset,
        length: span.length,
    })
    .collect()
}

fn exemplar(exemplar: &Exemplar) -> Option<ScrapedExemplar> {
    let pairs: Vec<_> = exemplar
        .label
        .iter()
        .map(|pair| (&pair.name, &pair.value))
        .collect();
    let ts_ms = exemplar.timestamp.as_ref().map(Timestamp::milliseconds);
    let labels = Labels::from_pairs(&pairs);
    (!labels.is_empty()).then_some(ScrapedExemplar {
        labels,
        value: exemplar.value,
        ts_ms,
    })
}

fn start_ms(start: Option<&Timestamp>) -> i64 {
    start.map_or(0, Timestamp::milliseconds)
}

#[cfg(test)]
mod tests;
