//! Data points of histograms with explicit bounds.

use std::sync::Arc;

use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use obsq_model::{
    Exemplar, HistogramValue, IntHistogram, Labels, LabelsBuilder, Sample, SampleValue, stale_nan,
};
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;

use super::delta::{DeltaPoint, ExplicitTotal, Total};
use super::exponential::{sparse, stale_histogram};
use super::translate::{MetricContext, Output, float_sample, has_no_value, to_ms};
use crate::error::DecodeError;
use crate::histogram_rules;

/// One series of a classic histogram.
type Part = (Labels, f64, Vec<Exemplar>);

impl MetricContext<'_> {
    /// Translates the data points of a histogram, to classic series or to native histograms with
    /// custom buckets.
    pub(super) fn histograms(
        &self,
        points: &[HistogramDataPoint],
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        for point in points {
            let translated = if self.walk.options.convert_histograms_to_nhcb {
                self.custom_buckets(point)
            } else {
                self.classic(point)
            };
            match translated {
                Ok(parts) => {
                    for (labels, sample, exemplars) in parts {
                        output.push(labels, sample, exemplars)?;
                    }
                }
                Err(reason) => output.reject(1, self.sent_name, &reason),
            }
        }
        Ok(())
    }

    fn classic(
        &self,
        point: &HistogramDataPoint,
    ) -> Result<Vec<(Labels, Sample, Vec<Exemplar>)>, String> {
        let base = self.labels(&point.attributes)?;
        let (start_ns, total) = self.explicit_total(point, &base)?;
        let times = (start_ns, point.time_unix_nano);
        let parts = self.classic_parts(&base, &total, point)?;
        let samples = parts.into_iter().map(|(labels, value, exemplars)| {
            (labels, float_sample(times, value, point.flags), exemplars)
        });
        Ok(samples.collect())
    }

    fn classic_parts(
        &self,
        base: &LabelsBuilder,
        total: &ExplicitTotal,
        point: &HistogramDataPoint,
    ) -> Result<Vec<Part>, String> {
        let mut parts = Vec::with_capacity(total.bounds.len() + 3);
        if let Some(sum) = total.sum {
            parts.push((self.series(base, "_sum", None)?, sum, Vec::new()));
        }
        let count = total.count as f64;
        parts.push((self.series(base, "_count", None)?, count, Vec::new()));
        let mut exemplars = self.exemplars(&point.exemplars, point.time_unix_nano);
        let mut below = 0_u64;
        for (bound, bucket) in total.bounds.iter().zip(&total.buckets) {
            below = below.saturating_add(*bucket);
            let (inside, above) = exemplars.into_iter().partition(|e| e.value <= *bound);
            exemplars = above;
            let labels = self.series(base, "_bucket", Some(("le", &bound_text(*bound))))?;
            parts.push((labels, below as f64, inside));
        }
        let labels = self.series(base, "_bucket", Some(("le", "+Inf")))?;
        parts.push((labels, count, exemplars));
        Ok(parts)
    }

    fn custom_buckets(
        &self,
        point: &HistogramDataPoint,
    ) -> Result<Vec<(Labels, Sample, Vec<Exemplar>)>, String> {
        let base = self.labels(&point.attributes)?;
        let labels = self.series(&base, "", None)?;
        let (start_ns, total) = self.explicit_total(point, &base)?;
        let mut value = Arc::new(HistogramValue::Int(if has_no_value(point.flags) {
            stale_histogram(CUSTOM_BUCKETS_SCHEMA)
        } else {
            let counts = total.buckets.iter().copied().enumerate();
            let (spans, deltas) = sparse(counts.map(|(at, count)| (at as i64, count)))?;
            IntHistogram {
                schema: CUSTOM_BUCKETS_SCHEMA,
                count: total.count,
                sum: total.sum.unwrap_or(0.0),
                positive_spans: spans,
                positive_deltas: deltas,
                custom_values: Arc::from(total.bounds),
                ..IntHistogram::default()
            }
        }));
        histogram_rules::admit(&mut value)?;
        let sample = Sample {
            ts_ms: to_ms(point.time_unix_nano),
            start_ts_ms: to_ms(start_ns),
            value: SampleValue::Histogram(value),
        };
        let exemplars = self.exemplars(&point.exemplars, point.time_unix_nano);
        Ok(vec![(labels, sample, exemplars)])
    }

    /// Returns the cumulative values of a data point and when they began.
    fn explicit_total(
        &self,
        point: &HistogramDataPoint,
        base: &LabelsBuilder,
    ) -> Result<(u64, ExplicitTotal), String> {
        let no_value = has_no_value(point.flags);
        let total = ExplicitTotal {
            count: point.count,
            sum: point
                .sum
                .map(|sum| if no_value { stale_nan() } else { sum }),
            bounds: point.explicit_bounds.clone(),
            buckets: point.bucket_counts.clone(),
        };
        let start_ns = point.start_time_unix_nano;
        if !self.is_delta || no_value {
            return Ok((start_ns, total));
        }
        let delta = DeltaPoint {
            start_ns,
            time_ns: point.time_unix_nano,
            value: Total::Explicit(total),
        };
        let labels = self.series(base, "", None)?;
        let sum = self.walk.deltas.add(self.walk.tenant, &labels, delta)?;
        match sum.total {
            Total::Explicit(total) => Ok((sum.start_ns, total)),
            Total::Number(_) | Total::Exponential(_) => {
                Err("series changed its type within one request".to_owned())
            }
        }
    }
}

fn bound_text(bound: f64) -> String {
    if bound.is_infinite() {
        let sign = if bound > 0.0 { '+' } else { '-' };
        return format!("{sign}Inf");
    }
    bound.to_string()
}
