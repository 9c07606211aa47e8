//! What one log record of metrics holds: a batch of one tenant, with the definitions it needs.
//!
//! ```text
//! version byte (1)
//! tenant uvarint, tenant name text (empty when defined before in this epoch)
//! series definitions: count, then per series: id, label count, (name text, value text)*
//! samples: number of series, then per series: id, run (times go on from the run before)
//! exemplars: count, then per exemplar: series id, time varint, value f64, labels
//! metadata: count, then per entry: family text, type byte, unit text, help text
//! ```
//!
//! A definition is written in the first two records of an epoch that name the series, so that the
//! loss of any single record orphans no other.

use obsq_model::{Exemplar, Labels, MetricMetadata, MetricType};
use obsq_source::Samples;

use crate::bytes::{Bytes, put_f64, put_text, put_uvarint, put_varint};
use crate::samples::{put_run, take_run};
use obsq_model::Sample;

const VERSION: u8 = 1;

/// How often a definition is written in one epoch.
pub(crate) const DEFINITIONS_PER_EPOCH: u8 = 2;

/// Parts of a record in the order of writing; each list writes its count first.
#[derive(Debug)]
pub(crate) struct RecordWriter<'a> {
    out: &'a mut Vec<u8>,
    last_ms: i64,
}

impl<'a> RecordWriter<'a> {
    /// Begins a record of `tenant`; `name` defines the number.
    pub(crate) fn begin(out: &'a mut Vec<u8>, tenant: u32, name: Option<&str>) -> Self {
        out.push(VERSION);
        put_uvarint(out, u64::from(tenant));
        put_text(out, name.unwrap_or(""));
        Self { out, last_ms: 0 }
    }

    pub(crate) fn count(&mut self, count: usize) {
        put_uvarint(self.out, count as u64);
    }

    pub(crate) fn definition(&mut self, id: u32, labels: &Labels) {
        put_uvarint(self.out, u64::from(id));
        put_labels(self.out, labels);
    }

    pub(crate) fn samples(&mut self, id: u32, samples: &[Sample]) {
        put_uvarint(self.out, u64::from(id));
        put_run(self.out, samples, &mut self.last_ms);
    }

    pub(crate) fn exemplar(&mut self, id: u32, exemplar: &Exemplar) {
        put_uvarint(self.out, u64::from(id));
        put_exemplar(self.out, exemplar);
    }

    pub(crate) fn metadata(&mut self, family: &str, metadata: &MetricMetadata) {
        put_metadata(self.out, family, metadata);
    }
}

/// A decoded record.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct DecodedRecord<'a> {
    pub(crate) tenant: u32,
    /// Empty when the record does not define the tenant.
    pub(crate) tenant_name: &'a str,
    pub(crate) definitions: Vec<(u32, Labels)>,
    pub(crate) samples: Vec<(u32, Samples)>,
    pub(crate) exemplars: Vec<(u32, Exemplar)>,
    pub(crate) metadata: Vec<(String, MetricMetadata)>,
}

impl<'a> DecodedRecord<'a> {
    /// Returns the record, or `None` when the payload is none.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes::new(payload);
        if bytes.byte()? != VERSION {
            return None;
        }
        let mut record = Self {
            tenant: bytes.u32()?,
            tenant_name: bytes.text()?,
            ..Self::default()
        };
        for _index in 0..bytes.count()? {
            record
                .definitions
                .push((bytes.u32()?, take_labels(&mut bytes)?));
        }
        let mut last_ms = 0;
        let count = bytes.count()?;
        record.samples.reserve(count.min(1 << 12));
        for _index in 0..count {
            record
                .samples
                .push((bytes.u32()?, take_run(&mut bytes, &mut last_ms)?));
        }
        for _index in 0..bytes.count()? {
            record
                .exemplars
                .push((bytes.u32()?, take_exemplar(&mut bytes)?));
        }
        for _index in 0..bytes.count()? {
            record.metadata.push(take_metadata(&mut bytes)?);
        }
        Some(record)
    }
}

/// Appends a label set.
pub(crate) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_uvarint(out, labels.len() as u64);
    for label in labels {
        put_text(out, label.name);
        put_text(out, label.value);
    }
}

/// Reads what [`put_labels`] wrote.
pub(crate) fn take_labels(bytes: &mut Bytes<'_>) -> Option<Labels> {
    let count = bytes.count()?;
    let mut pairs = Vec::with_capacity(count);
    for _index in 0..count {
        pairs.push((bytes.text()?, bytes.text()?));
    }
    let sorted = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let filled = pairs.iter().all(|pair| !pair.1.is_empty());
    (sorted && filled).then(|| Labels::from_sorted(pairs.into_iter()))
}

/// Appends an exemplar.
pub(crate) fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    put_varint(out, exemplar.ts_ms);
    put_f64(out, exemplar.value);
    put_labels(out, &exemplar.labels);
}

/// Reads what [`put_exemplar`] wrote.
pub(crate) fn take_exemplar(bytes: &mut Bytes<'_>) -> Option<Exemplar> {
    Some(Exemplar {
        ts_ms: bytes.varint()?,
        value: bytes.f64()?,
        labels: take_labels(bytes)?,
    })
}

/// Appends metadata of a family.
pub(crate) fn put_metadata(out: &mut Vec<u8>, family: &str, metadata: &MetricMetadata) {
    put_text(out, family);
    out.push(type_number(metadata.metric_type));
    put_text(out, &metadata.unit);
    put_text(out, &metadata.help);
}

/// Reads what [`put_metadata`] wrote.
pub(crate) fn take_metadata(bytes: &mut Bytes<'_>) -> Option<(String, MetricMetadata)> {
    let family = bytes.text()?.to_owned();
    let metric_type = *MetricType::ALL.get(usize::from(bytes.byte()?))?;
    let unit = bytes.text()?.to_owned();
    let help = bytes.text()?.to_owned();
    let metadata = MetricMetadata {
        metric_type,
        unit,
        help,
    };
    Some((family, metadata))
}

fn type_number(metric_type: MetricType) -> u8 {
    let position = MetricType::ALL
        .iter()
        .position(|known| *known == metric_type);
    position.unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_round_trips() {
        let labels = Labels::from_pairs(&[("__name__", "up"), ("job", "api")]);
        let exemplar = Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "abc")]),
            value: 0.5,
            ts_ms: -7,
        };
        let metadata = MetricMetadata {
            metric_type: MetricType::Histogram,
            unit: "s".into(),
            help: "Time".into(),
        };
        let samples = vec![Sample::float(1, 2.0), Sample::float(3, 4.0)];
        let mut out = Vec::new();
        let mut writer = RecordWriter::begin(&mut out, 3, Some("team"));
        writer.count(1);
        writer.definition(9, &labels);
        writer.count(1);
        writer.samples(9, &samples);
        writer.count(1);
        writer.exemplar(9, &exemplar);
        writer.count(1);
        writer.metadata("up", &metadata);
        let expected = DecodedRecord {
            tenant: 3,
            tenant_name: "team",
            definitions: vec![(9, labels)],
            samples: vec![(9, samples.into())],
            exemplars: vec![(9, exemplar)],
            metadata: vec![("up".to_owned(), metadata)],
        };
        assert_eq!(DecodedRecord::decode(&out), Some(expected));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(
            mut payload in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Some(first) = payload.first_mut() {
                *first = VERSION;
            }
            drop(DecodedRecord::decode(&payload));
        }
    }
}
