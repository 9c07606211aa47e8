//! `prometheus.WriteRequest`.

use super::label_cache::{LabelCache, WireLabels};
use super::series::{RawExemplar, SeriesScratch, decode_sample};
use super::{Decoded, decode_histogram};
use crate::error::DecodeError;
use crate::label_set::LabelScratch;
use crate::limits::{Budget, IngestLimits};
use crate::metric_families::{Families, metric_type};
use crate::wire::Reader;

/// Decodes a decompressed `prometheus.WriteRequest`.
///
/// Metadata messages are kept, histograms may have custom bounds (field 16). An error means that
/// the body is no such message or takes too much memory; then nothing of it is to be stored.
pub fn decode_v1(body: &[u8], limits: &IngestLimits) -> Result<Decoded, DecodeError> {
    decode_known(body, limits, None)
}

/// Like [`decode_v1`], with the label sets of earlier requests.
pub(super) fn decode_known(
    body: &[u8],
    limits: &IngestLimits,
    known: Option<&LabelCache>,
) -> Result<Decoded, DecodeError> {
    let fault = DecodeError::proto("WriteRequest");
    let mut decoded = Decoded::default();
    let mut families = Families::default();
    let mut budget = Budget::new(limits.max_expanded_bytes);
    let mut scratch = SeriesScratch::default();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                let missed = read_known_series(bytes, known, &mut scratch, &mut budget)?;
                let labels = scratch.finish(&mut decoded, limits, &mut budget)?;
                if let (Some(known), Some(wire), Some(labels)) = (known, missed, labels) {
                    known.insert(wire, labels);
                }
            }
            3 => read_metadata(
                value.bytes(field).map_err(&fault)?,
                &mut families,
                &mut budget,
            )?,
            _ => {}
        }
    }
    decoded.batch.metadata = families.into_entries();
    Ok(decoded)
}

/// Reads a series whose label set may be known from an earlier request. When it is not, returns the
/// bytes by which it can be known from now on.
fn read_known_series<'a>(
    bytes: &'a [u8],
    known: Option<&LabelCache>,
    scratch: &mut SeriesScratch<'a>,
    budget: &mut Budget,
) -> Result<Option<WireLabels<'a>>, DecodeError> {
    scratch.clear();
    let Some(known) = known else {
        read_series(bytes, scratch, budget)?;
        return Ok(None);
    };
    let (labels, rest) = WireLabels::split(bytes);
    let found = known.get(labels);
    let missed = found.is_none();
    if !missed {
        read_series(rest, scratch, budget)?;
        if scratch.labels.is_empty() {
            scratch.known = found;
            return Ok(None);
        }
        // More labels behind the samples.
        scratch.clear();
    }
    read_series(bytes, scratch, budget)?;
    Ok(missed.then_some(labels))
}

fn read_series<'a>(
    bytes: &'a [u8],
    scratch: &mut SeriesScratch<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let fault = DecodeError::proto("TimeSeries");
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => read_label(
                value.bytes(field).map_err(&fault)?,
                &mut scratch.labels,
                budget,
            )?,
            2 => {
                budget.charge(size_of::<obsq_model::Sample>())?;
                let bytes = value.bytes(field).map_err(&fault)?;
                scratch.samples.push(decode_sample(bytes)?);
            }
            3 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                scratch.exemplars.push(read_exemplar(bytes, budget)?);
            }
            4 => {
                let bytes = value.bytes(field).map_err(&fault)?;
                let mut sample = decode_histogram(bytes, budget)?;
                sample.start_ts_ms = 0;
                scratch.samples.push(sample);
            }
            _ => {}
        }
    }
    Ok(())
}

#[inline]
fn read_label<'a>(
    bytes: &'a [u8],
    labels: &mut LabelScratch<'a>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let fault = DecodeError::proto("Label");
    let (mut name, mut text): (&[u8], &[u8]) = (b"", b"");
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => name = value.bytes(field).map_err(&fault)?,
            2 => text = value.bytes(field).map_err(&fault)?,
            _ => {}
        }
    }
    budget.charge(size_of::<(&str, &str)>())?;
    labels.push_bytes(name, text);
    Ok(())
}

fn read_exemplar<'a>(bytes: &'a [u8], budget: &mut Budget) -> Result<RawExemplar<'a>, DecodeError> {
    let fault = DecodeError::proto("Exemplar");
    budget.charge(size_of::<RawExemplar<'_>>() + bytes.len())?;
    let mut exemplar = RawExemplar {
        labels: LabelScratch::default(),
        value: 0.0,
        ts_ms: 0,
    };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => read_label(
                value.bytes(field).map_err(&fault)?,
                &mut exemplar.labels,
                budget,
            )?,
            2 => exemplar.value = value.double(field).map_err(&fault)?,
            3 => exemplar.ts_ms = value.int(field).map_err(&fault)?,
            _ => {}
        }
    }
    Ok(exemplar)
}

fn read_metadata(
    bytes: &[u8],
    families: &mut Families,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let fault = DecodeError::proto("MetricMetadata");
    let mut kind = 0;
    let (mut family, mut help, mut unit): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => kind = value.varint(field).map_err(&fault)?,
            2 => family = value.bytes(field).map_err(&fault)?,
            4 => help = value.bytes(field).map_err(&fault)?,
            5 => unit = value.bytes(field).map_err(&fault)?,
            _ => {}
        }
    }
    let texts = [family, help, unit].map(std::str::from_utf8);
    if let [Ok(family), Ok(help), Ok(unit)] = texts
        && !family.is_empty()
    {
        families.set(family, metric_type(kind), [help, unit], budget)?;
    }
    Ok(())
}
