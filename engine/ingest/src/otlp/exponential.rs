//! Data points of exponential histograms.

use std::sync::Arc;

use obsq_model::{
    BucketSpan, Exemplar, HistogramValue, IntHistogram, Labels, Sample, SampleValue, stale_nan,
};
use opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;

use super::delta::{DeltaPoint, DenseBuckets, ExponentialTotal, Total};
use super::translate::{MetricContext, Output, has_no_value, to_ms};
use crate::error::DecodeError;
use crate::histogram_rules;

/// The coarsest and the finest resolution of native histograms.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;
/// Width of the zero bucket, the same for all data points as in Prometheus.
const ZERO_THRESHOLD: f64 = 1e-128;
/// Empty buckets up to this many in a row are written out; more start a new span.
const MAX_GAP: i64 = 2;

impl MetricContext<'_> {
    /// Translates the data points of an exponential histogram to native histograms.
    pub(super) fn exponential_histograms(
        &self,
        points: &[ExponentialHistogramDataPoint],
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        for point in points {
            match self.exponential(point) {
                Ok((labels, sample, exemplars)) => output.push(labels, sample, exemplars)?,
                Err(reason) => output.reject(1, self.sent_name, &reason),
            }
        }
        Ok(())
    }

    fn exponential(
        &self,
        point: &ExponentialHistogramDataPoint,
    ) -> Result<(Labels, Sample, Vec<Exemplar>), String> {
        if point.scale < *SCHEMAS.start() {
            return Err(format!(
                "scale of an exponential histogram must be at least {}, not {}",
                SCHEMAS.start(),
                point.scale
            ));
        }
        let base = self.labels(&point.attributes)?;
        let labels = self.series(&base, "", None)?;
        let mut start_ns = point.start_time_unix_nano;
        let mut value = Arc::new(HistogramValue::Int(if has_no_value(point.flags) {
            stale_histogram(point.scale.min(*SCHEMAS.end()))
        } else {
            let mut total = exponential_total(point);
            if self.is_delta {
                (start_ns, total) = self.add_exponential(&labels, point, total)?;
            }
            native(&total)?
        }));
        histogram_rules::admit(&mut value)?;
        let sample = Sample {
            ts_ms: to_ms(point.time_unix_nano),
            start_ts_ms: to_ms(start_ns),
            value: SampleValue::Histogram(value),
        };
        let exemplars = self.exemplars(&point.exemplars, point.time_unix_nano);
        Ok((labels, sample, exemplars))
    }

    fn add_exponential(
        &self,
        labels: &Labels,
        point: &ExponentialHistogramDataPoint,
        total: ExponentialTotal,
    ) -> Result<(u64, ExponentialTotal), String> {
        let delta = DeltaPoint {
            start_ns: point.start_time_unix_nano,
            time_ns: point.time_unix_nano,
            value: Total::Exponential(total),
        };
        let sum = self.walk.deltas.add(self.walk.tenant, labels, delta)?;
        match sum.total {
            Total::Exponential(total) => Ok((sum.start_ns, total)),
            Total::Number(_) | Total::Explicit(_) => {
                Err("series changed its type within one request".to_owned())
            }
        }
    }
}

fn exponential_total(point: &ExponentialHistogramDataPoint) -> ExponentialTotal {
    let mut total = ExponentialTotal {
        scale: point.scale,
        count: point.count,
        sum: point.sum.unwrap_or(0.0),
        zero_count: point.zero_count,
        positive: dense(point.positive.as_ref()),
        negative: dense(point.negative.as_ref()),
    };
    total.reduce_to(point.scale.min(*SCHEMAS.end()));
    total
}

fn dense(buckets: Option<&Buckets>) -> DenseBuckets {
    let Some(buckets) = buckets else {
        return DenseBuckets::default();
    };
    DenseBuckets {
        offset: buckets.offset,
        counts: buckets.bucket_counts.clone(),
    }
}

fn native(total: &ExponentialTotal) -> Result<IntHistogram, String> {
    if total.scale < *SCHEMAS.start() {
        return Err("buckets of an exponential histogram lie too far apart".to_owned());
    }
    let (positive_spans, positive_deltas) = sparse(indexed(&total.positive))?;
    let (negative_spans, negative_deltas) = sparse(indexed(&total.negative))?;
    Ok(IntHistogram {
        schema: total.scale,
        zero_threshold: ZERO_THRESHOLD,
        zero_count: total.zero_count,
        count: total.count,
        sum: total.sum,
        positive_spans,
        negative_spans,
        positive_deltas,
        negative_deltas,
        ..IntHistogram::default()
    })
}

/// Yields the counts by native index: OpenTelemetry's bucket 0 lies above 1, the native one below.
fn indexed(buckets: &DenseBuckets) -> impl Iterator<Item = (i64, u64)> {
    let first = i64::from(buckets.offset) + 1;
    (first..).zip(buckets.counts.iter().copied())
}

/// Returns spans and deltas of counts by rising index.
pub(super) fn sparse(
    counts: impl Iterator<Item = (i64, u64)>,
) -> Result<(Vec<BucketSpan>, Vec<i64>), String> {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut deltas = Vec::new();
    let (mut next, mut last_count) = (0_i64, 0_i64);
    for (index, count) in counts.filter(|(_, count)| *count > 0) {
        let count = i64::try_from(count)
            .map_err(|_too_large| format!("bucket count {count} is too large"))?;
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= MAX_GAP => {
                for _ in 0..gap {
                    deltas.push(-last_count);
                    last_count = 0;
                }
                span.length += gap as u32 + 1;
            }
            _ => spans.push(BucketSpan {
                offset: i32::try_from(gap)
                    .map_err(|_too_large| format!("bucket index {index} is too large"))?,
                length: 1,
            }),
        }
        deltas.push(count - last_count);
        last_count = count;
        next = index + 1;
    }
    Ok((spans, deltas))
}

/// Returns the native histogram that marks its series as stale.
pub(super) fn stale_histogram(schema: i32) -> IntHistogram {
    IntHistogram {
        schema,
        sum: stale_nan(),
        ..IntHistogram::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gaps_are_written_out_and_large_ones_split_spans() {
        let counts = [(-3, 1), (-1, 4), (0, 0), (6, 2), (7, 2)];
        let (spans, deltas) = sparse(counts.into_iter()).unwrap();
        let span = |offset, length| BucketSpan { offset, length };
        assert_eq!(spans, [span(-3, 3), span(6, 2)]);
        assert_eq!(deltas, [1, -1, 4, -2, 0]);
    }

    #[test]
    fn counts_beyond_63_bits_are_refused() {
        assert!(sparse([(0, u64::MAX)].into_iter()).is_err());
        assert!(sparse([(1 << 40, 1)].into_iter()).is_err());
    }
}
