//! Histograms, which may be classic, native or both at once.

use std::sync::Arc;

use obsq_model::{
    BucketSpan, CounterResetHint, FloatHistogram, HistogramValue, IntHistogram, SampleValue,
};

use super::message::{MetricMessage, exemplar, timestamp_ms};
use super::{Emitter, Fault, Shared};
use crate::exposition::number::canonical_float;
use crate::exposition::{ScrapedExemplar, ScrapedSample};
use crate::histogram_rules;
use crate::wire::{Reader, Value, WireError, unzigzag};

#[derive(Debug, Default)]
struct Message {
    count: u64,
    count_float: f64,
    sum: f64,
    buckets: Vec<Bucket>,
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    negative: Side,
    positive: Side,
    start_ts_ms: i64,
    exemplars: Vec<ScrapedExemplar>,
}

#[derive(Debug, Default)]
struct Side {
    spans: Vec<BucketSpan>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// A classic bucket.
#[derive(Debug, Default)]
struct Bucket {
    bound: f64,
    count: u64,
    count_float: f64,
    exemplar: Option<ScrapedExemplar>,
}

impl Emitter<'_> {
    /// Adds a native histogram if the message has one and native ones are wanted, and the classic
    /// series if it has none or they are to be kept.
    pub(super) fn add_histogram(
        &mut self,
        metric: &MetricMessage<'_>,
        mut shared: Shared<'_>,
        is_gauge: bool,
    ) -> Result<(), Fault> {
        let message = Message::read(metric.histogram)?;
        shared.start_ts_ms = message.start_ts_ms;
        let hint = if is_gauge {
            CounterResetHint::Gauge
        } else {
            CounterResetHint::Unknown
        };
        if message.is_native() && !self.options.ignore_native_histograms {
            self.add_native(&shared, message.native(hint), message.native_exemplars())?;
            if self.options.keep_classic_histograms && !message.buckets.is_empty() {
                self.add_classic(&shared, &message)?;
            }
            return Ok(());
        }
        self.add_classic(&shared, &message)
    }

    fn add_native(
        &mut self,
        shared: &Shared<'_>,
        value: HistogramValue,
        exemplars: Vec<ScrapedExemplar>,
    ) -> Result<(), Fault> {
        let mut value = Arc::new(value);
        histogram_rules::admit(&mut value).map_err(Fault::Rule)?;
        match Arc::make_mut(&mut value) {
            HistogramValue::Int(histogram) => histogram.compact(),
            HistogramValue::Float(histogram) => histogram.compact(),
        }
        self.out.push(ScrapedSample {
            labels: self.labels(shared, "", None)?,
            ts_ms: shared.ts_ms,
            start_ts_ms: shared.start_ts_ms,
            value: SampleValue::Histogram(value),
            exemplars,
        });
        Ok(())
    }

    fn add_classic(&mut self, shared: &Shared<'_>, message: &Message) -> Result<(), Fault> {
        let count = message.any_count();
        for (suffix, value) in [("_count", count), ("_sum", message.sum)] {
            let labels = self.labels(shared, suffix, None)?;
            self.push(shared, labels, value);
        }
        for bucket in &message.buckets {
            let bound = canonical_float(bucket.bound);
            let labels = self.labels(shared, "_bucket", Some(("le", &bound)))?;
            self.push(shared, labels, bucket.any_count());
            if let Some(sample) = self.out.last_mut() {
                sample.exemplars.extend(bucket.exemplar.clone());
            }
        }
        let ends = message.buckets.last().map(|bucket| bucket.bound);
        if ends != Some(f64::INFINITY) {
            let labels = self.labels(shared, "_bucket", Some(("le", "+Inf")))?;
            self.push(shared, labels, count);
        }
        Ok(())
    }
}

impl Message {
    fn read(message: &[u8]) -> Result<Self, Fault> {
        let mut histogram = Self::default();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                3 => histogram.buckets.push(Bucket::read(value.bytes(field)?)?),
                16 => histogram.exemplars.push(exemplar(value.bytes(field)?)?),
                _ => histogram.take(field, value)?,
            }
        }
        Ok(histogram)
    }

    fn take(&mut self, field: u32, value: Value<'_>) -> Result<(), WireError> {
        match field {
            1 => self.count = value.varint(field)?,
            2 => self.sum = value.double(field)?,
            4 => self.count_float = value.double(field)?,
            5 => self.schema = value.zigzag(field)? as i32,
            6 => self.zero_threshold = value.double(field)?,
            7 => self.zero_count = value.varint(field)?,
            8 => self.zero_count_float = value.double(field)?,
            9 => self.negative.spans.push(span(value.bytes(field)?)?),
            10 => self.negative.take_deltas(field, value)?,
            11 => value.each_double(field, |count| self.negative.counts.push(count))?,
            12 => self.positive.spans.push(span(value.bytes(field)?)?),
            13 => self.positive.take_deltas(field, value)?,
            14 => value.each_double(field, |count| self.positive.counts.push(count))?,
            15 => self.start_ts_ms = timestamp_ms(value.bytes(field)?)?,
            _ => {}
        }
        Ok(())
    }

    /// Says whether there is a native part; one without observations has an empty span.
    fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
    }

    fn any_count(&self) -> f64 {
        any(self.count_float, self.count)
    }

    fn native(&self, counter_reset_hint: CounterResetHint) -> HistogramValue {
        let (positive, negative) = (&self.positive, &self.negative);
        if self.count_float > 0.0 || self.zero_count_float > 0.0 {
            return HistogramValue::Float(FloatHistogram {
                counter_reset_hint,
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: self.zero_count_float,
                count: self.count_float,
                sum: self.sum,
                positive_spans: positive.spans.clone(),
                negative_spans: negative.spans.clone(),
                positive_buckets: positive.counts.clone(),
                negative_buckets: negative.counts.clone(),
                custom_values: Arc::from([]),
            });
        }
        HistogramValue::Int(IntHistogram {
            counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans: positive.spans.clone(),
            negative_spans: negative.spans.clone(),
            positive_deltas: positive.deltas.clone(),
            negative_deltas: negative.deltas.clone(),
            custom_values: Arc::from([]),
        })
    }

    /// Returns the exemplars of the native part, else those of the classic buckets; either only
    /// with a time, for many may come with each scrape.
    fn native_exemplars(&self) -> Vec<ScrapedExemplar> {
        let with_time = |exemplar: &&ScrapedExemplar| exemplar.ts_ms.is_some();
        if self.exemplars.is_empty() {
            let of_buckets = self
                .buckets
                .iter()
                .filter_map(|bucket| bucket.exemplar.as_ref());
            return of_buckets.filter(with_time).cloned().collect();
        }
        self.exemplars.iter().filter(with_time).cloned().collect()
    }
}

impl Bucket {
    fn read(message: &[u8]) -> Result<Self, Fault> {
        let mut bucket = Self::default();
        let mut reader = Reader::new(message);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => bucket.count = value.varint(field)?,
                2 => bucket.bound = value.double(field)?,
                3 => bucket.exemplar = Some(exemplar(value.bytes(field)?)?),
                4 => bucket.count_float = value.double(field)?,
                _ => {}
            }
        }
        Ok(bucket)
    }

    fn any_count(&self) -> f64 {
        any(self.count_float, self.count)
    }
}

impl Side {
    fn take_deltas(&mut self, field: u32, value: Value<'_>) -> Result<(), WireError> {
        value.each_varint(field, |delta| self.deltas.push(unzigzag(delta)))
    }
}

/// Returns the float count if it is set, else the integer one.
fn any(float: f64, int: u64) -> f64 {
    if float == 0.0 { int as f64 } else { float }
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
