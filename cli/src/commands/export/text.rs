//! Samples as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use obsq_model::{HistogramValue, Labels, Sample, SampleValue};
use serde_json::{Value, json};

use crate::commands::export::ExportFormat;
use crate::exit::Failure;
use crate::render::{is_plain, labels_text};
use crate::times::{format_seconds, format_time};

/// Writes one format and counts.
#[derive(Debug)]
pub(crate) struct Writer {
    format: ExportFormat,
    /// Zone of times.
    pub(crate) zone: TimeZone,
    /// Samples written.
    pub(crate) written: usize,
    /// Samples that the format cannot hold.
    pub(crate) left_out: usize,
}

impl Writer {
    /// Returns a writer that has written nothing.
    pub(crate) fn new(format: ExportFormat, zone: TimeZone) -> Self {
        Self {
            format,
            zone,
            written: 0,
            left_out: 0,
        }
    }

    /// Writes what comes before all series.
    pub(crate) fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            ExportFormat::Csv => writeln!(out, "series,time,value"),
            ExportFormat::Openmetrics | ExportFormat::Jsonl => Ok(()),
        }
    }

    /// Writes what comes after all series.
    pub(crate) fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            ExportFormat::Openmetrics => writeln!(out, "# EOF"),
            ExportFormat::Csv | ExportFormat::Jsonl => Ok(()),
        }
    }
}

/// Writes one series.
pub(crate) fn write_series(
    writer: &mut Writer,
    out: &mut dyn Write,
    labels: &Labels,
    samples: &[Sample],
) -> Result<(), Failure> {
    match writer.format {
        ExportFormat::Openmetrics => openmetrics(writer, out, labels, samples)?,
        ExportFormat::Csv => csv(writer, out, labels, samples)?,
        ExportFormat::Jsonl => {
            writer.written += samples.len();
            serde_json::to_writer(&mut *out, &as_json(labels, samples)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn openmetrics(
    writer: &mut Writer,
    out: &mut dyn Write,
    labels: &Labels,
    samples: &[Sample],
) -> io::Result<()> {
    let name = exposed(labels);
    for sample in samples {
        match &sample.value {
            SampleValue::Float(value) if !sample.is_stale() => {
                writer.written += 1;
                let seconds = format_seconds(sample.ts_ms);
                writeln!(out, "{name} {} {seconds}", float_text(*value))?;
            }
            _ => writer.left_out += 1,
        }
    }
    Ok(())
}

fn csv(
    writer: &mut Writer,
    out: &mut dyn Write,
    labels: &Labels,
    samples: &[Sample],
) -> io::Result<()> {
    let name = labels_text(&by_name(labels)).replace('"', "\"\"");
    for sample in samples {
        match &sample.value {
            SampleValue::Float(value) if !sample.is_stale() => {
                writer.written += 1;
                let time = format_time(sample.ts_ms, &writer.zone);
                writeln!(out, "\"{name}\",{time},{}", float_text(*value))?;
            }
            _ => writer.left_out += 1,
        }
    }
    Ok(())
}

/// Returns the labels by their names.
fn by_name(labels: &Labels) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|label| (label.name.to_owned(), label.value.to_owned()))
        .collect()
}

/// Returns the series as OpenMetrics writes it: no space after a comma, which its readers refuse,
/// and no escapes but `\\`, `\"` and `\n`. Names that are not plain are quoted, the metric's
/// within the braces.
fn exposed(labels: &Labels) -> String {
    let name = labels.get("__name__").unwrap_or_default();
    let outside = is_plain(name, true);
    let mut pairs = Vec::with_capacity(labels.len());
    if !outside && !name.is_empty() {
        pairs.push(quoted(name));
    }
    for label in labels.iter().filter(|label| label.name != "__name__") {
        let value = quoted(label.value);
        pairs.push(if is_plain(label.name, false) {
            format!("{}={value}", label.name)
        } else {
            format!("{}={value}", quoted(label.name))
        });
    }
    match (outside, pairs.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name}{{{}}}", pairs.join(",")),
        (false, _) => format!("{{{}}}", pairs.join(",")),
    }
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

/// Returns a float as the Prometheus API writes it.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.into()
    } else {
        value.to_string()
    }
}

/// Returns the series as a JSON object; a stale sample has the value `stale`.
fn as_json(labels: &Labels, samples: &[Sample]) -> Value {
    let metric: serde_json::Map<String, Value> = labels
        .iter()
        .map(|label| (label.name.to_owned(), label.value.into()))
        .collect();
    let (mut values, mut histograms) = (Vec::new(), Vec::new());
    for sample in samples {
        let time = seconds(sample.ts_ms);
        match &sample.value {
            _ if sample.is_stale() => values.push(json!([time, "stale"])),
            SampleValue::Float(value) => values.push(json!([time, float_text(*value)])),
            SampleValue::Histogram(histogram) => {
                histograms.push(json!([time, histogram_json(histogram)]));
            }
        }
    }
    let mut object = json!({ "metric": metric });
    for (key, list) in [("values", values), ("histograms", histograms)] {
        if !list.is_empty() {
            object[key] = list.into();
        }
    }
    object
}

fn seconds(ts_ms: i64) -> Value {
    if ts_ms % 1000 == 0 {
        (ts_ms / 1000).into()
    } else {
        (ts_ms as f64 / 1e3).into()
    }
}

/// Returns all of a histogram, buckets with absolute counts.
fn histogram_json(histogram: &HistogramValue) -> Value {
    let h = histogram.to_float();
    let spans = |spans: &[obsq_model::BucketSpan]| -> Vec<Value> {
        spans
            .iter()
            .map(|span| json!([span.offset, span.length]))
            .collect()
    };
    json!({
        "schema": h.schema,
        "count": float_text(h.count),
        "sum": float_text(h.sum),
        "zero_threshold": float_text(h.zero_threshold),
        "zero_count": float_text(h.zero_count),
        "positive_spans": spans(&h.positive_spans),
        "positive_buckets": h.positive_buckets,
        "negative_spans": spans(&h.negative_spans),
        "negative_buckets": h.negative_buckets,
        "custom_values": h.custom_values.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::stale_nan;

    fn text(format: ExportFormat) -> (String, usize, usize) {
        let labels = Labels::from_pairs(&[("__name__", "a.b"), ("c", "d\"e")]);
        let histogram = HistogramValue::Float(obsq_model::FloatHistogram::default());
        let samples = [
            Sample::float(1_000, 1.5),
            Sample::float(1_500, f64::INFINITY),
            Sample::float(2_000, stale_nan()),
            Sample::histogram(3_000, histogram),
        ];
        let mut writer = Writer::new(format, TimeZone::UTC);
        let mut out = Vec::new();
        writer.begin(&mut out).unwrap();
        write_series(&mut writer, &mut out, &labels, &samples).unwrap();
        writer.end(&mut out).unwrap();
        (
            String::from_utf8(out).unwrap(),
            writer.written,
            writer.left_out,
        )
    }

    #[test]
    fn openmetrics_has_what_it_can_hold_and_counts_the_rest() {
        let expected = "{\"a.b\",c=\"d\\\"e\"} 1.5 1\n{\"a.b\",c=\"d\\\"e\"} +Inf 1.5\n# EOF\n";
        assert_eq!(text(ExportFormat::Openmetrics), (expected.into(), 2, 2));
    }

    #[test]
    fn exported_openmetrics_is_what_the_import_reads() {
        let sets: [&[(&str, &str)]; 4] = [
            &[
                ("__name__", "a_total"),
                ("b", "c"),
                ("d", "x\ty\u{7f}z\u{301}\\\n\""),
            ],
            &[("__name__", "a:b")],
            &[("__name__", "a.b"), ("c.d", "e, f")],
            &[("__name__", "é{"), ("x\"y", "")],
        ];
        for pairs in sets {
            let labels = Labels::from_pairs(pairs);
            let text = format!("{} 1 2\n# EOF\n", exposed(&labels));
            let batch = crate::api::read_exposition(&text, 0).expect(&text);
            assert_eq!(batch.series[0].labels, labels, "{text}");
        }
    }

    #[test]
    fn csv_quotes_the_series() {
        let (csv, ..) = text(ExportFormat::Csv);
        let line = csv.lines().nth(1).unwrap();
        assert_eq!(
            line,
            "\"{\"\"a.b\"\", c=\"\"d\\\"\"e\"\"}\",1970-01-01T00:00:01Z,1.5"
        );
    }

    #[test]
    fn json_lines_hold_everything() {
        let (line, written, left_out) = text(ExportFormat::Jsonl);
        assert_eq!((written, left_out), (4, 0));
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["metric"]["__name__"], "a.b");
        assert_eq!(object["values"][2], json!([2, "stale"]));
        assert_eq!(object["histograms"][0][1]["schema"], 0);
    }
}
