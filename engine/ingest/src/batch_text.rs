//! Batches as text, for snapshots.

use std::fmt::Write as _;

use obsq_model::{HistogramValue, Sample, SampleValue};
use obsq_source::MetricBatch;

/// Returns one line per sample, exemplar and metadata entry.
pub(crate) fn batch_text(batch: &MetricBatch) -> String {
    let mut out = String::new();
    for series in &batch.series {
        for sample in &series.samples {
            writeln!(out, "{} {}", series.labels, sample_text(sample)).unwrap();
        }
        for exemplar in &series.exemplars {
            let (value, ts_ms) = (exemplar.value, exemplar.ts_ms);
            writeln!(out, "    # {} {value} @{ts_ms}", exemplar.labels).unwrap();
        }
    }
    for (family, metadata) in &batch.metadata {
        let (kind, unit, help) = (
            metadata.metric_type.as_str(),
            &metadata.unit,
            &metadata.help,
        );
        writeln!(out, "{family}: {kind} unit={unit:?} help={help:?}").unwrap();
    }
    out
}

fn sample_text(sample: &Sample) -> String {
    let value = match &sample.value {
        _ if sample.is_stale() => "stale".to_owned(),
        SampleValue::Float(value) => value.to_string(),
        SampleValue::Histogram(value) => histogram_text(value),
    };
    let start = match sample.start_ts_ms {
        0 => String::new(),
        start => format!(" from {start}"),
    };
    format!("{value} @{}{start}", sample.ts_ms)
}

fn histogram_text(value: &HistogramValue) -> String {
    let kind = match value {
        HistogramValue::Int(_) => "int",
        HistogramValue::Float(_) => "float",
    };
    let h = value.to_float();
    let spans = |spans: &[obsq_model::BucketSpan]| {
        let texts: Vec<_> = spans
            .iter()
            .map(|s| format!("{}:{}", s.offset, s.length))
            .collect();
        texts.join(" ")
    };
    let mut out = format!(
        "{{{kind} schema={} count={} sum={}",
        h.schema, h.count, h.sum
    );
    if h.zero_count != 0.0 || h.zero_threshold != 0.0 {
        write!(out, " zero={}≤{:e}", h.zero_count, h.zero_threshold).unwrap();
    }
    for (name, sides, buckets) in [
        ("pos", &h.positive_spans, &h.positive_buckets),
        ("neg", &h.negative_spans, &h.negative_buckets),
    ] {
        if !buckets.is_empty() {
            write!(out, " {name}=[{}]{buckets:?}", spans(sides)).unwrap();
        }
    }
    if !h.custom_values.is_empty() {
        write!(out, " bounds={:?}", h.custom_values).unwrap();
    }
    out + "}"
}
