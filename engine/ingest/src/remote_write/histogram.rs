//! Native histograms, which both versions write alike but for the start timestamp of 2.0.

use std::sync::Arc;

use obsq_model::{
    BucketSpan, CounterResetHint, FloatHistogram, HistogramValue, IntHistogram, Sample, SampleValue,
};

use crate::error::DecodeError;
use crate::limits::Budget;
use crate::wire::{Reader, Value, WireError, unzigzag};

const MESSAGE: &str = "Histogram";

/// The fields of one histogram message as sent.
#[derive(Debug, Default)]
pub(crate) struct HistogramFields {
    pub(crate) count: Count,
    pub(crate) sum: f64,
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: Count,
    pub(crate) negative: Buckets,
    pub(crate) positive: Buckets,
    pub(crate) reset_hint: u64,
    pub(crate) ts_ms: i64,
    pub(crate) custom_values: Vec<f64>,
    pub(crate) start_ts_ms: i64,
}

/// A count that is an integer or a float; which of them decides the kind of the histogram.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Int(u64),
    Float(f64),
}

impl Default for Count {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl Count {
    fn as_int(self) -> u64 {
        match self {
            Self::Int(count) => count,
            Self::Float(_) => 0,
        }
    }

    fn as_float(self) -> f64 {
        match self {
            Self::Int(_) => 0.0,
            Self::Float(count) => count,
        }
    }
}

/// One side's buckets.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    pub(crate) spans: Vec<BucketSpan>,
    pub(crate) deltas: Vec<i64>,
    pub(crate) counts: Vec<f64>,
}

/// Decodes one histogram message to a sample. Its memory is charged to `budget`.
pub(crate) fn decode_histogram(bytes: &[u8], budget: &mut Budget) -> Result<Sample, DecodeError> {
    budget.charge(size_of::<IntHistogram>() + size_of::<Sample>())?;
    let mut fields = HistogramFields::default();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(DecodeError::proto(MESSAGE))? {
        budget.charge(element_bytes(field, value))?;
        fields
            .take(field, value)
            .map_err(DecodeError::proto(MESSAGE))?;
    }
    Ok(fields.into_sample())
}

/// Returns the most memory that the elements of a repeated field take.
fn element_bytes(field: u32, value: Value<'_>) -> usize {
    match field {
        8 | 11 => size_of::<BucketSpan>(),
        9 | 12 => value.max_elements(1) * 8,
        10 | 13 | 16 => value.max_elements(8) * 8,
        _ => 0,
    }
}

impl HistogramFields {
    /// Takes one field of the message; fields that are not known are skipped.
    pub(crate) fn take(&mut self, field: u32, value: Value<'_>) -> Result<(), WireError> {
        match field {
            1 => self.count = Count::Int(value.varint(field)?),
            2 => self.count = Count::Float(value.double(field)?),
            3 => self.sum = value.double(field)?,
            4 => self.schema = value.zigzag(field)? as i32,
            5 => self.zero_threshold = value.double(field)?,
            6 => self.zero_count = Count::Int(value.varint(field)?),
            7 => self.zero_count = Count::Float(value.double(field)?),
            8 => self.negative.spans.push(span(value.bytes(field)?)?),
            9 => self.negative.take_deltas(field, value)?,
            10 => value.each_double(field, |count| self.negative.counts.push(count))?,
            11 => self.positive.spans.push(span(value.bytes(field)?)?),
            12 => self.positive.take_deltas(field, value)?,
            13 => value.each_double(field, |count| self.positive.counts.push(count))?,
            14 => self.reset_hint = value.varint(field)?,
            15 => self.ts_ms = value.int(field)?,
            16 => value.each_double(field, |bound| self.custom_values.push(bound))?,
            17 => self.start_ts_ms = value.int(field)?,
            _ => {}
        }
        Ok(())
    }

    /// Returns the sample; the kind of the count decides whether it is an integer histogram.
    pub(crate) fn into_sample(self) -> Sample {
        let (ts_ms, start_ts_ms) = (self.ts_ms, self.start_ts_ms);
        let value = match self.count {
            Count::Int(count) => HistogramValue::Int(self.into_int(count)),
            Count::Float(count) => HistogramValue::Float(self.into_float(count)),
        };
        Sample {
            ts_ms,
            start_ts_ms,
            value: SampleValue::Histogram(Arc::new(value)),
        }
    }

    fn into_int(self, count: u64) -> IntHistogram {
        IntHistogram {
            counter_reset_hint: hint(self.reset_hint),
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.as_int(),
            count,
            sum: self.sum,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            positive_deltas: self.positive.deltas,
            negative_deltas: self.negative.deltas,
            custom_values: Arc::from(self.custom_values),
        }
    }

    fn into_float(self, count: f64) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: hint(self.reset_hint),
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.as_float(),
            count,
            sum: self.sum,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            positive_buckets: self.positive.counts,
            negative_buckets: self.negative.counts,
            custom_values: Arc::from(self.custom_values),
        }
    }
}

impl Buckets {
    fn take_deltas(&mut self, field: u32, value: Value<'_>) -> Result<(), WireError> {
        value.each_varint(field, |delta| self.deltas.push(unzigzag(delta)))
    }
}

fn span(bytes: &[u8]) -> Result<BucketSpan, WireError> {
    let mut span = BucketSpan::default();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        match field {
            1 => span.offset = value.zigzag(field)? as i32,
            2 => span.length = value.varint(field)? as u32,
            _ => {}
        }
    }
    Ok(span)
}

fn hint(value: u64) -> CounterResetHint {
    match value {
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    }
}
