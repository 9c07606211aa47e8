//! `io.prometheus.write.v2.Request`.

use obsq_model::Labels;
use obsq_source::RejectReason;

use super::series::{RawExemplar, SeriesScratch, decode_sample};
use super::{Decoded, decode_histogram};
use crate::error::DecodeError;
use crate::label_set::LabelScratch;
use crate::limits::{Budget, IngestLimits};
use crate::metric_families::{Families, family_of, metric_type};
use crate::wire::Reader;

/// Decodes a decompressed `io.prometheus.write.v2.Request`.
///
/// Each sample may have a start timestamp; one of the whole series (field 6 of early senders)
/// holds for the samples that have none. Metadata of the series is kept for its metric family. A
/// series without samples is refused, as the specification wants it.
pub fn decode_v2(body: &[u8], limits: &IngestLimits) -> Result<Decoded, DecodeError> {
    let fault = DecodeError::proto("Request");
    let mut request = Request {
        symbols: read_symbols(body)?,
        budget: Budget::new(limits.max_expanded_bytes),
        families: Families::default(),
        decoded: Decoded::default(),
        limits,
    };
    let mut scratch = SeriesScratch::default();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        if field == 5 {
            scratch.clear();
            let bytes = value.bytes(field).map_err(&fault)?;
            request.read_series(bytes, &mut scratch)?;
        }
    }
    request.decoded.batch.metadata = request.families.into_entries();
    Ok(request.decoded)
}

/// A symbol, or `None` where its bytes are not text.
type Symbol<'a> = Option<&'a str>;

/// Collects the symbols first: they may come behind the series that refer to them.
fn read_symbols(body: &[u8]) -> Result<Vec<Symbol<'_>>, DecodeError> {
    let fault = DecodeError::proto("Request");
    let mut symbols = Vec::new();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        if field == 4 {
            let bytes = value.bytes(field).map_err(&fault)?;
            symbols.push(std::str::from_utf8(bytes).ok());
        }
    }
    Ok(symbols)
}

struct Request<'a> {
    symbols: Vec<Symbol<'a>>,
    limits: &'a IngestLimits,
    budget: Budget,
    families: Families,
    decoded: Decoded,
}

/// Metadata of one series, still as references.
#[derive(Debug, Default)]
struct MetadataRefs {
    kind: u64,
    help: u64,
    unit: u64,
}

impl<'a> Request<'a> {
    fn read_series(
        &mut self,
        bytes: &[u8],
        scratch: &mut SeriesScratch<'a>,
    ) -> Result<(), DecodeError> {
        let fault = DecodeError::proto("TimeSeries");
        let mut refs = Vec::new();
        let mut metadata = MetadataRefs::default();
        let mut series_start_ms = 0;
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next().map_err(&fault)? {
            match field {
                1 => {
                    self.budget.charge(value.max_elements(1) * 8)?;
                    value
                        .each_varint(field, |symbol| refs.push(symbol))
                        .map_err(&fault)?;
                }
                2 => {
                    self.budget.charge(size_of::<obsq_model::Sample>())?;
                    let bytes = value.bytes(field).map_err(&fault)?;
                    scratch.samples.push(decode_sample(bytes)?);
                }
                3 => {
                    let bytes = value.bytes(field).map_err(&fault)?;
                    let sample = decode_histogram(bytes, &mut self.budget)?;
                    scratch.samples.push(sample);
                }
                4 => {
                    let bytes = value.bytes(field).map_err(&fault)?;
                    scratch.exemplars.push(self.read_exemplar(bytes)?);
                }
                5 => metadata = read_metadata(value.bytes(field).map_err(&fault)?)?,
                6 => series_start_ms = value.int(field).map_err(&fault)?,
                _ => {}
            }
        }
        for sample in &mut scratch.samples {
            if sample.start_ts_ms == 0 {
                sample.start_ts_ms = series_start_ms;
            }
        }
        self.resolve(&refs, &mut scratch.labels);
        self.finish(scratch, &metadata)
    }

    fn finish(
        &mut self,
        scratch: &mut SeriesScratch<'a>,
        metadata: &MetadataRefs,
    ) -> Result<(), DecodeError> {
        let without_samples = scratch.samples.is_empty();
        if without_samples {
            scratch.exemplars.clear();
        }
        let labels = scratch.finish(&mut self.decoded, self.limits, &mut self.budget)?;
        let Some(labels) = labels else {
            return Ok(());
        };
        if without_samples {
            let reason = "series has neither a sample nor a histogram".to_owned();
            let reason = RejectReason::InvalidLabels(reason);
            self.decoded.refused.note(1, &labels, 0, reason);
            return Ok(());
        }
        self.note_metadata(&labels, metadata)
    }

    /// Looks up pairs of references; what cannot be resolved is a fault of the label set.
    fn resolve(&mut self, refs: &[u64], labels: &mut LabelScratch<'a>) {
        if !refs.len().is_multiple_of(2) {
            let count = refs.len();
            labels.fail(|| format!("odd number of label references: {count}"));
        }
        for pair in refs.chunks_exact(2) {
            match (self.symbol(pair[0]), self.symbol(pair[1])) {
                (Ok(name), Ok(value)) => labels.push(name, value),
                (Err(reason), _) | (_, Err(reason)) => labels.fail(|| reason),
            }
        }
    }

    fn symbol(&self, reference: u64) -> Result<&'a str, String> {
        let found = usize::try_from(reference)
            .ok()
            .and_then(|index| self.symbols.get(index));
        match found {
            Some(Some(symbol)) => Ok(symbol),
            Some(None) => Err(format!("symbol {reference} is not valid UTF-8")),
            None => Err(format!(
                "reference {reference} points outside of the {} symbols",
                self.symbols.len()
            )),
        }
    }

    fn read_exemplar(&mut self, bytes: &[u8]) -> Result<RawExemplar<'a>, DecodeError> {
        let fault = DecodeError::proto("Exemplar");
        self.budget.charge(size_of::<RawExemplar<'_>>())?;
        let mut refs = Vec::new();
        let mut exemplar = RawExemplar {
            labels: LabelScratch::default(),
            value: 0.0,
            ts_ms: 0,
        };
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next().map_err(&fault)? {
            match field {
                1 => {
                    self.budget.charge(value.max_elements(1) * 40)?;
                    value
                        .each_varint(field, |symbol| refs.push(symbol))
                        .map_err(&fault)?;
                }
                2 => exemplar.value = value.double(field).map_err(&fault)?,
                3 => exemplar.ts_ms = value.int(field).map_err(&fault)?,
                _ => {}
            }
        }
        self.resolve(&refs, &mut exemplar.labels);
        Ok(exemplar)
    }

    /// Keeps the metadata of a series for its family; without a type, help and unit there is none.
    fn note_metadata(
        &mut self,
        labels: &Labels,
        metadata: &MetadataRefs,
    ) -> Result<(), DecodeError> {
        let text = |reference| self.symbol(reference).unwrap_or_default();
        let (help, unit) = (text(metadata.help), text(metadata.unit));
        if metadata.kind == 0 && help.is_empty() && unit.is_empty() {
            return Ok(());
        }
        let kind = metric_type(metadata.kind);
        let family = family_of(labels.metric_name(), kind);
        self.families
            .set(family, kind, [help, unit], &mut self.budget)?;
        Ok(())
    }
}

fn read_metadata(bytes: &[u8]) -> Result<MetadataRefs, DecodeError> {
    let fault = DecodeError::proto("Metadata");
    let mut metadata = MetadataRefs::default();
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => metadata.kind = value.varint(field).map_err(&fault)?,
            3 => metadata.help = value.varint(field).map_err(&fault)?,
            4 => metadata.unit = value.varint(field).map_err(&fault)?,
            _ => {}
        }
    }
    Ok(metadata)
}
