//! The messages inside of a metric family.

use super::Fault;
use crate::exposition::ScrapedExemplar;
use crate::exposition::label_set::label_set;
use crate::wire::{Reader, Value, WireError};

/// Metrics with a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Simple {
    Counter,
    Gauge,
    Untyped,
}

/// One metric: labels, time and the value as a message that depends on the family's type.
#[derive(Debug, Default)]
pub(super) struct MetricMessage<'a> {
    label_pairs: Vec<&'a [u8]>,
    gauge: &'a [u8],
    counter: &'a [u8],
    summary: &'a [u8],
    untyped: &'a [u8],
    pub(super) histogram: &'a [u8],
    pub(super) ts_ms: i64,
}

#[derive(Debug, Default)]
pub(super) struct SimpleValue {
    pub(super) value: f64,
    pub(super) start_ts_ms: i64,
    pub(super) exemplar: Option<ScrapedExemplar>,
}

#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) quantiles: Vec<(f64, f64)>,
    pub(super) start_ts_ms: i64,
}

impl<'a> MetricMessage<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut metric = Self::default();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => metric.label_pairs.push(value.bytes(field)?),
                2 => metric.gauge = value.bytes(field)?,
                3 => metric.counter = value.bytes(field)?,
                4 => metric.summary = value.bytes(field)?,
                5 => metric.untyped = value.bytes(field)?,
                6 => metric.ts_ms = value.int(field)?,
                7 => metric.histogram = value.bytes(field)?,
                _ => {}
            }
        }
        Ok(metric)
    }

    pub(super) fn labels(&self) -> Result<Vec<(&'a str, &'a str)>, Fault> {
        self.label_pairs.iter().map(|pair| label(pair)).collect()
    }

    /// Reads the value of a counter, a gauge or an untyped metric; only counters have a start and
    /// an exemplar.
    pub(super) fn simple(&self, kind: Simple) -> Result<SimpleValue, Fault> {
        let message = match kind {
            Simple::Counter => self.counter,
            Simple::Gauge => self.gauge,
            Simple::Untyped => self.untyped,
        };
        let mut simple = SimpleValue::default();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => simple.value = value.double(field)?,
                2 if kind == Simple::Counter => {
                    simple.exemplar = Some(exemplar(value.bytes(field)?)?);
                }
                3 if kind == Simple::Counter => {
                    simple.start_ts_ms = timestamp_ms(value.bytes(field)?)?;
                }
                _ => {}
            }
        }
        Ok(simple)
    }

    pub(super) fn summary(&self) -> Result<Summary, WireError> {
        let mut summary = Summary::default();
        let mut reader = Reader::new(self.summary);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => summary.count = value.varint(field)?,
                2 => summary.sum = value.double(field)?,
                3 => summary.quantiles.push(quantile(value, field)?),
                4 => summary.start_ts_ms = timestamp_ms(value.bytes(field)?)?,
                _ => {}
            }
        }
        Ok(summary)
    }
}

fn quantile(value: Value<'_>, field: u32) -> Result<(f64, f64), WireError> {
    let (mut quantile, mut at_quantile) = (0.0, 0.0);
    let mut reader = Reader::new(value.bytes(field)?);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => quantile = value.double(field)?,
            2 => at_quantile = value.double(field)?,
            _ => {}
        }
    }
    Ok((quantile, at_quantile))
}

fn label(pair: &[u8]) -> Result<(&str, &str), Fault> {
    let (mut name, mut text): (&[u8], &[u8]) = (b"", b"");
    let mut reader = Reader::new(pair);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => name = value.bytes(field)?,
            2 => text = value.bytes(field)?,
            _ => {}
        }
    }
    match (std::str::from_utf8(name), std::str::from_utf8(text)) {
        (Ok(name), Ok(text)) => Ok((name, text)),
        _ => Err(Fault::Rule("label is not valid UTF-8".to_owned())),
    }
}

/// Reads a `google.protobuf.Timestamp`.
pub(super) fn timestamp_ms(message: &[u8]) -> Result<i64, WireError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => seconds = value.int(field)?,
            2 => nanos = value.int(field)?,
            _ => {}
        }
    }
    Ok(seconds
        .saturating_mul(1_000)
        .saturating_add(nanos / 1_000_000))
}

pub(super) fn exemplar(message: &[u8]) -> Result<ScrapedExemplar, Fault> {
    let mut pairs = Vec::new();
    let (mut observed, mut ts_ms) = (0.0, None);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => pairs.push(label(value.bytes(field)?)?),
            2 => observed = value.double(field)?,
            3 => ts_ms = Some(timestamp_ms(value.bytes(field)?)?),
            _ => {}
        }
    }
    Ok(ScrapedExemplar {
        labels: label_set(pairs).map_err(Fault::Rule)?,
        value: observed,
        ts_ms,
    })
}
