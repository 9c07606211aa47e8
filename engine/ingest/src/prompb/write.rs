//! Write requests of both versions, as a sender makes them.

use obsq_model::{
    BucketSpan, CounterResetHint, Exemplar, FloatHistogram, HistogramValue, IntHistogram, Labels,
    MetricMetadata, MetricType, Sample, SampleValue,
};
use obsq_source::{MetricBatch, SeriesBatch};
use rustc_hash::FxHashMap;

use crate::wire::{Writer, zigzag};

/// Returns a `prometheus.WriteRequest` (remote write 1.0), not compressed. Start timestamps have
/// no place in it.
pub fn write_request(batch: &MetricBatch) -> Vec<u8> {
    let mut writer = Writer::default();
    for series in &batch.series {
        writer.message(1, |w| time_series(w, series));
    }
    for (family, metadata) in &batch.metadata {
        writer.message(3, |w| {
            w.varint(1, type_number(metadata.metric_type))
                .bytes(2, family.as_bytes())
                .bytes(4, metadata.help.as_bytes())
                .bytes(5, metadata.unit.as_bytes());
        });
    }
    writer.into_bytes()
}

/// Writes a `prometheus.TimeSeries`.
pub(super) fn time_series(writer: &mut Writer, series: &SeriesBatch) {
    write_labels(writer, &series.labels);
    for sample in &series.samples {
        match &sample.value {
            SampleValue::Float(value) => {
                writer.message(2, |w| {
                    w.double(1, *value).int(2, sample.ts_ms);
                });
            }
            SampleValue::Histogram(value) => {
                writer.message(4, |w| histogram(w, value, sample.ts_ms, 0));
            }
        }
    }
    for exemplar in &series.exemplars {
        writer.message(3, |w| {
            write_labels(w, &exemplar.labels);
            w.double(2, exemplar.value).int(3, exemplar.ts_ms);
        });
    }
}

/// Writes `repeated Label labels = 1`.
pub(super) fn write_labels(writer: &mut Writer, labels: &Labels) {
    for label in labels {
        writer.message(1, |w| {
            w.bytes(1, label.name.as_bytes())
                .bytes(2, label.value.as_bytes());
        });
    }
}

/// Returns an `io.prometheus.write.v2.Request` (remote write 2.0), not compressed. Metadata of the
/// batch goes with the series whose metric name is the family's name.
pub fn write_request_v2(batch: &MetricBatch) -> Vec<u8> {
    let metadata: FxHashMap<&str, &MetricMetadata> = batch
        .metadata
        .iter()
        .map(|(family, metadata)| (family.as_str(), metadata))
        .collect();
    let mut symbols = Symbols::default();
    symbols.reference("");
    let mut all_series = Writer::default();
    for series in &batch.series {
        let known = metadata.get(series.labels.metric_name()).copied();
        all_series.message(5, |w| time_series_v2(w, series, known, &mut symbols));
    }
    let mut request = Writer::default();
    for symbol in symbols.in_order {
        request.present_bytes(4, symbol.as_bytes());
    }
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(&all_series.into_bytes());
    bytes
}

#[derive(Default)]
struct Symbols<'a> {
    in_order: Vec<&'a str>,
    places: FxHashMap<&'a str, u64>,
}

impl<'a> Symbols<'a> {
    fn reference(&mut self, text: &'a str) -> u64 {
        *self.places.entry(text).or_insert_with(|| {
            self.in_order.push(text);
            self.in_order.len() as u64 - 1
        })
    }

    fn references(&mut self, labels: &'a Labels) -> Vec<u64> {
        labels
            .iter()
            .flat_map(|label| [self.reference(label.name), self.reference(label.value)])
            .collect()
    }
}

fn time_series_v2<'a>(
    writer: &mut Writer,
    series: &'a SeriesBatch,
    metadata: Option<&'a MetricMetadata>,
    symbols: &mut Symbols<'a>,
) {
    writer.packed(1, symbols.references(&series.labels).into_iter());
    for sample in &series.samples {
        sample_v2(writer, sample);
    }
    for exemplar in &series.exemplars {
        let Exemplar {
            labels,
            value,
            ts_ms,
        } = exemplar;
        writer.message(4, |w| {
            w.packed(1, symbols.references(labels).into_iter())
                .double(2, *value)
                .int(3, *ts_ms);
        });
    }
    if let Some(metadata) = metadata {
        writer.message(5, |w| {
            w.varint(1, type_number(metadata.metric_type))
                .varint(3, symbols.reference(&metadata.help))
                .varint(4, symbols.reference(&metadata.unit));
        });
    }
}

fn sample_v2(writer: &mut Writer, sample: &Sample) {
    match &sample.value {
        SampleValue::Float(value) => {
            writer.message(2, |w| {
                w.double(1, *value)
                    .int(2, sample.ts_ms)
                    .int(3, sample.start_ts_ms);
            });
        }
        SampleValue::Histogram(value) => {
            writer.message(3, |w| histogram(w, value, sample.ts_ms, sample.start_ts_ms));
        }
    }
}

fn histogram(writer: &mut Writer, value: &HistogramValue, ts_ms: i64, start_ts_ms: i64) {
    match value {
        HistogramValue::Int(h) => int_histogram(writer, h),
        HistogramValue::Float(h) => float_histogram(writer, h),
    }
    writer.int(15, ts_ms).int(17, start_ts_ms);
}

fn int_histogram(writer: &mut Writer, h: &IntHistogram) {
    let deltas = |deltas: &[i64]| deltas.iter().map(|d| zigzag(*d)).collect::<Vec<_>>();
    writer
        .present_varint(1, h.count)
        .double(3, h.sum)
        .zigzag(4, i64::from(h.schema))
        .double(5, h.zero_threshold)
        .present_varint(6, h.zero_count);
    spans(writer, 8, &h.negative_spans);
    writer.packed(9, deltas(&h.negative_deltas).into_iter());
    spans(writer, 11, &h.positive_spans);
    writer
        .packed(12, deltas(&h.positive_deltas).into_iter())
        .varint(14, hint_number(h.counter_reset_hint))
        .packed_doubles(16, &h.custom_values);
}

fn float_histogram(writer: &mut Writer, h: &FloatHistogram) {
    writer
        .present_double(2, h.count)
        .double(3, h.sum)
        .zigzag(4, i64::from(h.schema))
        .double(5, h.zero_threshold)
        .present_double(7, h.zero_count);
    spans(writer, 8, &h.negative_spans);
    writer.packed_doubles(10, &h.negative_buckets);
    spans(writer, 11, &h.positive_spans);
    writer
        .packed_doubles(13, &h.positive_buckets)
        .varint(14, hint_number(h.counter_reset_hint))
        .packed_doubles(16, &h.custom_values);
}

fn spans(writer: &mut Writer, field: u32, spans: &[BucketSpan]) {
    for span in spans {
        writer.message(field, |w| {
            w.zigzag(1, i64::from(span.offset))
                .varint(2, u64::from(span.length));
        });
    }
}

fn hint_number(hint: CounterResetHint) -> u64 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

fn type_number(metric_type: MetricType) -> u64 {
    match metric_type {
        MetricType::Unknown => 0,
        MetricType::Counter => 1,
        MetricType::Gauge => 2,
        MetricType::Histogram => 3,
        MetricType::GaugeHistogram => 4,
        MetricType::Summary => 5,
        MetricType::Info => 6,
        MetricType::StateSet => 7,
    }
}
