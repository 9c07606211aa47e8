//! Data points of gauges and sums.

use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use super::delta::{DeltaPoint, Total};
use super::translate::{MetricContext, Output, float_sample, has_no_value};
use crate::error::DecodeError;

impl MetricContext<'_> {
    /// Translates the data points of a gauge or a sum.
    pub(super) fn numbers(
        &self,
        points: &[NumberDataPoint],
        output: &mut Output,
    ) -> Result<(), DecodeError> {
        for point in points {
            if let Err(reason) = self.number(point, output)? {
                output.reject(1, self.sent_name, &reason);
            }
        }
        Ok(())
    }

    fn number(
        &self,
        point: &NumberDataPoint,
        output: &mut Output,
    ) -> Result<Result<(), String>, DecodeError> {
        let labels = self
            .labels(&point.attributes)
            .and_then(|base| self.series(&base, "", None));
        let labels = match labels {
            Ok(labels) => labels,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut value = match point.value {
            Some(Value::AsDouble(value)) => value,
            Some(Value::AsInt(value)) => value as f64,
            None => 0.0,
        };
        let mut start_ns = point.start_time_unix_nano;
        if self.is_delta && !has_no_value(point.flags) {
            let delta = DeltaPoint {
                start_ns,
                time_ns: point.time_unix_nano,
                value: Total::Number(value),
            };
            match self.walk.deltas.add(self.walk.tenant, &labels, delta) {
                Ok(sum) => {
                    start_ns = sum.start_ns;
                    if let Total::Number(total) = sum.total {
                        value = total;
                    }
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        let sample = float_sample((start_ns, point.time_unix_nano), value, point.flags);
        let exemplars = self.exemplars(&point.exemplars, point.time_unix_nano);
        output.push(labels, sample, exemplars)?;
        Ok(Ok(()))
    }
}
