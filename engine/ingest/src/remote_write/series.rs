//! What both versions do once the labels and samples of a series are read.

use obsq_model::{Exemplar, Labels, Sample, SampleValue};
use obsq_source::{RejectReason, Samples, SeriesBatch};

use super::Decoded;
use crate::error::DecodeError;
use crate::exemplar;
use crate::histogram_rules;
use crate::label_set::LabelScratch;
use crate::limits::{Budget, IngestLimits};
use crate::wire::Reader;

/// Labels, samples and exemplars of the series in work.
#[derive(Debug, Default)]
pub(super) struct SeriesScratch<'a> {
    pub(super) labels: LabelScratch<'a>,
    /// The label set, where the bytes of the labels were known; then `labels` is empty.
    pub(super) known: Option<Labels>,
    pub(super) samples: Samples,
    pub(super) exemplars: Vec<RawExemplar<'a>>,
}

/// An exemplar whose labels are not yet checked.
#[derive(Debug)]
pub(super) struct RawExemplar<'a> {
    pub(super) labels: LabelScratch<'a>,
    pub(super) value: f64,
    pub(super) ts_ms: i64,
}

impl SeriesScratch<'_> {
    /// Gets ready for the next series.
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.known = None;
        self.samples.clear();
        self.exemplars.clear();
    }

    /// Checks the series, adds what is good to `decoded` and returns the label set if it is valid.
    pub(super) fn finish(
        &mut self,
        decoded: &mut Decoded,
        limits: &IngestLimits,
        budget: &mut Budget,
    ) -> Result<Option<Labels>, DecodeError> {
        let known = self.known.take().map(Ok);
        let labels = match known.unwrap_or_else(|| self.labels.finish(limits)) {
            Ok(labels) => labels,
            Err(reason) => {
                let count = (self.samples.len() + self.exemplars.len()).max(1);
                let ts_ms = self.samples.first().map_or(0, |sample| sample.ts_ms);
                let excerpt = self.labels.excerpt(limits);
                let reason = RejectReason::InvalidLabels(reason);
                decoded.refused.note(count, &excerpt, ts_ms, reason);
                return Ok(None);
            }
        };
        budget.charge(labels.size_bytes() + size_of::<SeriesBatch>())?;
        let samples = self.take_samples(&labels, decoded);
        let exemplars = self.take_exemplars(&labels, decoded, limits);
        if !samples.is_empty() || !exemplars.is_empty() {
            decoded.batch.series.push(SeriesBatch {
                labels: labels.clone(),
                samples,
                exemplars,
            });
        }
        Ok(Some(labels))
    }

    /// Returns the samples without the histograms that contradict themselves.
    fn take_samples(&mut self, labels: &Labels, decoded: &mut Decoded) -> Samples {
        let mut samples = std::mem::take(&mut self.samples);
        samples.retain(|sample| {
            let SampleValue::Histogram(histogram) = &mut sample.value else {
                return true;
            };
            match histogram_rules::admit(histogram) {
                Ok(()) => true,
                Err(reason) => {
                    let reason = RejectReason::InvalidHistogram(reason);
                    decoded.refused.note(1, labels, sample.ts_ms, reason);
                    false
                }
            }
        });
        samples
    }

    fn take_exemplars(
        &mut self,
        labels: &Labels,
        decoded: &mut Decoded,
        limits: &IngestLimits,
    ) -> Vec<Exemplar> {
        let mut kept = Vec::with_capacity(self.exemplars.len());
        for mut raw in self.exemplars.drain(..) {
            match exemplar::admit(&mut raw.labels, limits) {
                Ok(exemplar_labels) => kept.push(Exemplar {
                    labels: exemplar_labels,
                    value: raw.value,
                    ts_ms: raw.ts_ms,
                }),
                Err(reason) => {
                    let reason = RejectReason::InvalidExemplar(reason);
                    decoded.refused.note(1, labels, raw.ts_ms, reason);
                }
            }
        }
        kept
    }
}

/// Decodes one float sample; field 3 is the start timestamp of 2.0.
#[inline]
pub(super) fn decode_sample(bytes: &[u8]) -> Result<Sample, DecodeError> {
    // As all senders write it: the value, then the time in six bytes.
    if let [0x09, value @ .., 0x10, a, b, c, d, e, f] = bytes
        && let Some((value, [])) = value.split_first_chunk::<8>()
        && (a & b & c & d & e) >= 0x80
        && *f < 0x80
    {
        let low = |byte: u8, at: u32| i64::from(byte & 0x7f) << (7 * at);
        let ts_ms = low(*a, 0) | low(*b, 1) | low(*c, 2) | low(*d, 3) | low(*e, 4) | low(*f, 5);
        return Ok(Sample::float(ts_ms, f64::from_le_bytes(*value)));
    }
    decode_any_sample(bytes)
}

fn decode_any_sample(bytes: &[u8]) -> Result<Sample, DecodeError> {
    let fault = DecodeError::proto("Sample");
    let mut sample = Sample::float(0, 0.0);
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        match field {
            1 => sample.value = SampleValue::Float(value.double(field).map_err(&fault)?),
            2 => sample.ts_ms = value.int(field).map_err(&fault)?,
            3 => sample.start_ts_ms = value.int(field).map_err(&fault)?,
            _ => {}
        }
    }
    Ok(sample)
}
