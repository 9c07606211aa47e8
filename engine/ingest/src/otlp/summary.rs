//! Data points of summaries.

use opentelemetry_proto::tonic::metrics::v1::SummaryDataPoint;

use super::translate::{MetricContext, Output, float_sample};
use crate::error::DecodeError;

impl MetricContext<'_> {
    /// Translates the data points of a summary to sum, count and quantiles.
    pub(super) fn summaries(
        &self,
        points: &[SummaryDataPoint],
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        for point in points {
            let series = match self.summary(point) {
                Ok(series) => series,
                Err(reason) => {
                    output.reject(1, self.sent_name, &reason);
                    continue;
                }
            };
            let times = (point.start_time_unix_nano, point.time_unix_nano);
            for (labels, value) in series {
                let sample = float_sample(times, value, point.flags);
                output.push(labels, sample, Vec::new())?;
            }
        }
        Ok(())
    }

    fn summary(&self, point: &SummaryDataPoint) -> Result<Vec<(obsq_model::Labels, f64)>, String> {
        let base = self.labels(&point.attributes)?;
        let mut series = vec![
            (self.series(&base, "_sum", None)?, point.sum),
            (self.series(&base, "_count", None)?, point.count as f64),
        ];
        for quantile in &point.quantile_values {
            let text = quantile.quantile.to_string();
            let labels = self.series(&base, "", Some(("quantile", &text)))?;
            series.push((labels, quantile.value));
        }
        Ok(series)
    }
}
