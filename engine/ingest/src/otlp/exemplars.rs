//! Exemplars of data points.

use std::fmt::Write as _;

use obsq_model::Exemplar;
use opentelemetry_proto::tonic::metrics::v1 as proto;

use super::any_value::as_text;
use super::translate::to_ms;
use crate::exemplar::MAX_CHARS;
use crate::label_set::LabelScratch;
use crate::limits::IngestLimits;

/// Returns the exemplars of a data point. Trace and span id come first; the other attributes are
/// left out as a whole when they would make the labels too long. What has no value or still breaks
/// a rule is left out. An exemplar without a time has that of its data point.
pub(super) fn translate(
    points: &[proto::Exemplar],
    point_time_ns: u64,
    limits: &IngestLimits,
) -> Vec<Exemplar> {
    points
        .iter()
        .filter_map(|point| translate_one(point, point_time_ns, limits))
        .collect()
}

fn translate_one(
    point: &proto::Exemplar,
    point_time_ns: u64,
    limits: &IngestLimits,
) -> Option<Exemplar> {
    let value = match point.value? {
        proto::exemplar::Value::AsDouble(value) => value,
        proto::exemplar::Value::AsInt(value) => value as f64,
    };
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for (name, id) in [("trace_id", &point.trace_id), ("span_id", &point.span_id)] {
        if id.iter().any(|byte| *byte != 0) {
            pairs.push((name, hex(id)));
        }
    }
    let identified = pairs.len();
    if point.filtered_attributes.len() <= MAX_CHARS {
        for pair in &point.filtered_attributes {
            pairs.push((&pair.key, as_text(pair.value.as_ref())));
        }
    }
    let chars: usize = pairs
        .iter()
        .map(|(name, value)| name.chars().count() + value.chars().count())
        .sum();
    if chars > MAX_CHARS {
        pairs.truncate(identified);
    }
    let mut labels = LabelScratch::default();
    for (name, value) in &pairs {
        labels.push(name, value);
    }
    let time_ns = match point.time_unix_nano {
        0 => point_time_ns,
        time_ns => time_ns,
    };
    Some(Exemplar {
        labels: crate::exemplar::admit(&mut labels, limits).ok()?,
        value,
        ts_ms: to_ms(time_ns),
    })
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}
