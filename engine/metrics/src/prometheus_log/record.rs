//! Records of Prometheus' log.
//!
//! Layouts: Prometheus `tsdb/docs/format/wal.md`. References are the log's own numbers of series.
//! The second versions of samples and histograms (types 11 to 13) hold start timestamps.

use std::sync::Arc;

use obsq_encoding::ByteReader;
use obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA;
use obsq_model::{
    BucketSpan, CounterResetHint, Exemplar, FloatHistogram, HistogramValue, IntHistogram, Labels,
    MetricMetadata, MetricType, Sample, SampleValue, TimeRange,
};

/// A decoded record.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// Which series a number stands for.
    Series(Vec<(u64, Labels)>),
    /// Floats or histograms.
    Samples(Vec<(u64, Sample)>),
    /// Deleted times.
    Deletes(Vec<(u64, TimeRange)>),
    /// Exemplars.
    Exemplars(Vec<(u64, Exemplar)>),
    /// Metadata of a series' family.
    Metadata(Vec<(u64, MetricMetadata)>),
    /// Of no interest here: marks of chunks that were written elsewhere.
    Other,
}

/// What a sample's value is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Int,
    FloatHistogram,
}

impl Record {
    /// Returns the record, or `None` when the bytes are none that is known.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(ByteReader::new(bytes));
        Some(match reader.0.u8().ok()? {
            1 => Self::Series(reader.all(|reader| Some((reader.u64()?, reader.labels()?)))?),
            2 => Self::Samples(reader.samples(Kind::Float)?),
            3 => Self::Deletes(reader.all(Reader::delete)?),
            4 => Self::Exemplars(reader.exemplars()?),
            5 => Self::Other,
            6 => Self::Metadata(reader.all(Reader::metadata)?),
            7 | 9 => Self::Samples(reader.samples(Kind::Int)?),
            8 | 10 => Self::Samples(reader.samples(Kind::FloatHistogram)?),
            11 => Self::Samples(reader.started_samples(Kind::Float)?),
            12 => Self::Samples(reader.started_samples(Kind::Int)?),
            13 => Self::Samples(reader.started_samples(Kind::FloatHistogram)?),
            _ => return None,
        })
    }
}

/// Reads the parts. Every method returns `None` for bytes that cannot be such.
struct Reader<'a>(ByteReader<'a>);

impl Reader<'_> {
    fn u64(&mut self) -> Option<u64> {
        self.0.u64().ok()
    }

    fn varint(&mut self) -> Option<i64> {
        self.0.varint().ok()
    }

    fn f64(&mut self) -> Option<f64> {
        self.0.f64().ok()
    }

    /// Reads a count of things that take at least one byte each.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.0.uvarint().ok()?).ok()?;
        (count <= self.0.remaining()).then_some(count)
    }

    /// Reads one after the other up to the end.
    fn all<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut found = Vec::new();
        while !self.0.is_empty() {
            found.push(one(self)?);
        }
        Some(found)
    }

    fn labels(&mut self) -> Option<Labels> {
        let count = self.count()?;
        let mut pairs = Vec::with_capacity(count);
        for _index in 0..count {
            let name = self.0.uvarint_str().ok()?;
            pairs.push((name, self.0.uvarint_str().ok()?));
        }
        Some(Labels::from_pairs(&pairs))
    }

    fn delete(&mut self) -> Option<(u64, TimeRange)> {
        let reference = self.u64()?;
        let (start_ms, end_ms) = (self.varint()?, self.varint()?);
        (start_ms <= end_ms).then(|| (reference, TimeRange::new(start_ms, end_ms)))
    }

    fn metadata(&mut self) -> Option<(u64, MetricMetadata)> {
        let reference = self.0.uvarint().ok()?;
        let mut metadata = MetricMetadata {
            metric_type: metric_type(self.0.u8().ok()?),
            ..MetricMetadata::default()
        };
        for _index in 0..self.count()? {
            let name = self.0.uvarint_str().ok()?;
            let value = self.0.uvarint_str().ok()?;
            match name {
                "UNIT" => value.clone_into(&mut metadata.unit),
                "HELP" => value.clone_into(&mut metadata.help),
                _ => {}
            }
        }
        Some((reference, metadata))
    }

    /// Reads number and time of the first entry, to which the others are relative.
    fn base(&mut self) -> Option<(u64, i64)> {
        Some((self.u64()?, self.u64()?.cast_signed()))
    }

    fn relative(&mut self, base: (u64, i64)) -> Option<(u64, i64)> {
        let reference = base.0.wrapping_add_signed(self.varint()?);
        Some((reference, base.1.wrapping_add(self.varint()?)))
    }

    fn exemplars(&mut self) -> Option<Vec<(u64, Exemplar)>> {
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        let base = self.base()?;
        self.all(|reader| {
            let (reference, ts_ms) = reader.relative(base)?;
            let (value, labels) = (reader.f64()?, reader.labels()?);
            let exemplar = Exemplar {
                labels,
                value,
                ts_ms,
            };
            Some((reference, exemplar))
        })
    }

    fn samples(&mut self, kind: Kind) -> Option<Vec<(u64, Sample)>> {
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        let base = self.base()?;
        self.all(|reader| {
            let (reference, ts_ms) = reader.relative(base)?;
            let value = reader.value(kind)?;
            let sample = Sample {
                ts_ms,
                start_ts_ms: 0,
                value,
            };
            Some((reference, sample))
        })
    }

    /// Reads samples of which each may have a start timestamp.
    fn started_samples(&mut self, kind: Kind) -> Option<Vec<(u64, Sample)>> {
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        let first_reference = self.varint()?.cast_unsigned();
        let (first_ms, first_start_ms) = (self.varint()?, self.varint()?);
        let mut last: Option<(u64, i64)> = None;
        self.all(|reader| {
            let (reference, ts_ms, start_ms) = match last {
                None => (first_reference, first_ms, first_start_ms),
                Some((reference, start_ms)) => (
                    reference.wrapping_add_signed(reader.varint()?),
                    first_ms.wrapping_add(reader.varint()?),
                    match reader.0.u8().ok()? {
                        0 => 0,
                        1 => start_ms,
                        _ => first_start_ms.wrapping_add(reader.varint()?),
                    },
                ),
            };
            last = Some((reference, start_ms));
            let value = reader.value(kind)?;
            let sample = Sample {
                ts_ms,
                start_ts_ms: start_ms,
                value,
            };
            Some((reference, sample))
        })
    }

    fn value(&mut self, kind: Kind) -> Option<SampleValue> {
        Some(match kind {
            Kind::Float => SampleValue::Float(self.f64()?),
            Kind::Int => SampleValue::Histogram(Arc::new(HistogramValue::Int(self.int()?))),
            Kind::FloatHistogram => {
                SampleValue::Histogram(Arc::new(HistogramValue::Float(self.float()?)))
            }
        })
    }

    fn int(&mut self) -> Option<IntHistogram> {
        let counter_reset_hint = hint(self.0.u8().ok()?);
        let schema = self.varint()?.try_into().ok()?;
        Some(IntHistogram {
            counter_reset_hint,
            schema,
            zero_threshold: self.f64()?,
            zero_count: self.0.uvarint().ok()?,
            count: self.0.uvarint().ok()?,
            sum: self.f64()?,
            positive_spans: self.spans()?,
            negative_spans: self.spans()?,
            positive_deltas: self.list(Self::varint)?,
            negative_deltas: self.list(Self::varint)?,
            custom_values: self.custom_values(schema)?,
        })
    }

    fn float(&mut self) -> Option<FloatHistogram> {
        let counter_reset_hint = hint(self.0.u8().ok()?);
        let schema = self.varint()?.try_into().ok()?;
        Some(FloatHistogram {
            counter_reset_hint,
            schema,
            zero_threshold: self.f64()?,
            zero_count: self.f64()?,
            count: self.f64()?,
            sum: self.f64()?,
            positive_spans: self.spans()?,
            negative_spans: self.spans()?,
            positive_buckets: self.list(Self::f64)?,
            negative_buckets: self.list(Self::f64)?,
            custom_values: self.custom_values(schema)?,
        })
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.count()?).map(|_index| one(self)).collect()
    }

    fn spans(&mut self) -> Option<Vec<BucketSpan>> {
        self.list(|reader| {
            Some(BucketSpan {
                offset: reader.varint()?.try_into().ok()?,
                length: reader.0.uvarint32().ok()?,
            })
        })
    }

    fn custom_values(&mut self, schema: i32) -> Option<Arc<[f64]>> {
        if schema != CUSTOM_BUCKETS_SCHEMA {
            return Some(Arc::default());
        }
        Some(self.list(Self::f64)?.into())
    }
}

fn hint(byte: u8) -> CounterResetHint {
    match byte {
        1 => CounterResetHint::Reset,
        2 => CounterResetHint::NotReset,
        3 => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    }
}

fn metric_type(byte: u8) -> MetricType {
    match byte {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_encoding::{put_uvarint, put_varint};
    use proptest::prelude::*;

    #[test]
    fn samples_are_relative_to_the_first() {
        let mut bytes = vec![2];
        bytes.extend_from_slice(&7_u64.to_be_bytes());
        bytes.extend_from_slice(&1_000_u64.to_be_bytes());
        for (reference, after_ms, value) in [(0, 0, 1.5_f64), (-3, 20, -0.0)] {
            put_varint(&mut bytes, reference);
            put_varint(&mut bytes, after_ms);
            bytes.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        let expected = vec![
            (7, Sample::float(1_000, 1.5)),
            (4, Sample::float(1_020, -0.0)),
        ];
        assert_eq!(Record::decode(&bytes), Some(Record::Samples(expected)));
        assert_eq!(Record::decode(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn start_timestamps_are_none_the_same_or_their_own() {
        let mut bytes = vec![11];
        for number in [5, 1_000, 900] {
            put_varint(&mut bytes, number);
        }
        let one = 1.0_f64.to_bits().to_be_bytes();
        bytes.extend_from_slice(&one);
        for (mark, start) in [(1, None), (0, None), (2, Some(50))] {
            put_varint(&mut bytes, 1);
            put_varint(&mut bytes, 15);
            bytes.push(mark);
            if let Some(start) = start {
                put_varint(&mut bytes, start);
            }
            bytes.extend_from_slice(&one);
        }
        let Some(Record::Samples(samples)) = Record::decode(&bytes) else {
            panic!("no samples");
        };
        let got: Vec<_> = samples
            .iter()
            .map(|(reference, sample)| (*reference, sample.ts_ms, sample.start_ts_ms))
            .collect();
        let expected = [
            (5, 1_000, 900),
            (6, 1_015, 900),
            (7, 1_015, 0),
            (8, 1_015, 950),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn a_count_larger_than_the_record_is_refused() {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&1_u64.to_be_bytes());
        put_uvarint(&mut bytes, u64::MAX);
        assert_eq!(Record::decode(&bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            kind in 0_u8..15,
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [&[kind], rest.as_slice()].concat();
            drop(Record::decode(&bytes));
        }
    }
}
