//! `target_info`: the attributes of a resource as labels of a constant series.

use std::collections::BTreeSet;

use obsq_model::{Labels, MetricType, Sample};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use rustc_hash::FxHashMap;

use super::attributes::{
    ResourceLabels, SERVICE_INSTANCE, SERVICE_NAME, SERVICE_NAMESPACE, attribute_labels,
    series_labels,
};
use super::options::OtlpOptions;
use super::translate::{Output, to_ms};
use crate::error::DecodeError;

const NAME: &str = "target_info";
const IDENTIFYING: [&str; 3] = [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE];
/// Most samples of one resource in one request.
const MAX_SAMPLES: i64 = 11_000;

/// Collects the times at which resources were seen; a resource that occurs twice counts once.
#[derive(Debug, Default)]
pub(super) struct TargetInfo {
    places: FxHashMap<Labels, usize>,
    resources: Vec<(Labels, BTreeSet<i64>)>,
}

impl TargetInfo {
    /// Notes a resource and the times in ns of its data points. A resource that has nothing beyond
    /// what `job` and `instance` say, or neither of them, gets no series; nor does one whose
    /// attributes cannot be labels, for its data points matter more.
    pub(super) fn note(
        &mut self,
        attributes: &[KeyValue],
        resource: &ResourceLabels,
        times: impl Iterator<Item = u64>,
        options: &OtlpOptions,
    ) {
        let further = attributes
            .iter()
            .any(|pair| !IDENTIFYING.contains(&pair.key.as_str()));
        let range = times.fold(None, |range: Option<(u64, u64)>, time| match range {
            None => Some((time, time)),
            Some((first, last)) => Some((first.min(time), last.max(time))),
        });
        let Some((first, last)) = range.filter(|_| further) else {
            return;
        };
        if let Ok(Some(labels)) = labels(attributes, resource, options) {
            let place = *self.places.entry(labels).or_insert_with_key(|labels| {
                self.resources.push((labels.clone(), BTreeSet::new()));
                self.resources.len() - 1
            });
            let interval_ms = (options.lookback_delta_ms / 2).max(1);
            self.resources[place]
                .1
                .extend(sample_times(to_ms(first), to_ms(last), interval_ms));
        }
    }

    /// Adds the series to the output.
    pub(super) fn finish(self, output: &mut Output) -> Result<(), DecodeError> {
        if !self.resources.is_empty() {
            output.describe(NAME, MetricType::Gauge, ["Target metadata", ""])?;
        }
        for (labels, times) in self.resources {
            for ts_ms in times {
                output.push(labels.clone(), Sample::float(ts_ms, 1.0), Vec::new())?;
            }
        }
        Ok(())
    }
}

fn labels(
    attributes: &[KeyValue],
    resource: &ResourceLabels,
    options: &OtlpOptions,
) -> Result<Option<Labels>, String> {
    let ignored: &[&str] = if options.keep_identifying_resource_attributes {
        &[]
    } else {
        &IDENTIFYING
    };
    let mut base = attribute_labels(attributes, ignored, options)?;
    resource.set_identity(&mut base);
    let identified =
        resource.has_identity() || !base.get("job").is_empty() || !base.get("instance").is_empty();
    if !identified {
        return Ok(None);
    }
    series_labels(&base, NAME, None, &options.limits).map(Some)
}

/// Returns times from `first_ms` on, so close that a query finds one at any time up to `last_ms`.
/// Of very long ranges only the last part is covered.
fn sample_times(first_ms: i64, last_ms: i64, interval_ms: i64) -> impl Iterator<Item = i64> {
    let steps = (last_ms - first_ms - 1).div_euclid(interval_ms);
    let skipped = (steps + 1 - MAX_SAMPLES).max(0);
    (skipped..=steps)
        .map(move |step| first_ms + step * interval_ms)
        .chain([last_ms])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_cover_the_range_and_are_bounded() {
        let times = |first, last| sample_times(first, last, 100).collect::<Vec<_>>();
        assert_eq!(times(5, 5), [5]);
        assert_eq!(times(0, 100), [0, 100]);
        assert_eq!(times(0, 250), [0, 100, 200, 250]);
        assert_eq!(times(0, i64::MAX / 2).len(), MAX_SAMPLES as usize + 1);
    }
}
