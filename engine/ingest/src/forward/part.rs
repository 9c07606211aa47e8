//! Pieces of batches on their way.

use obsq_model::{MetricMetadata, SampleValue, Tenant};
use obsq_source::{MetricBatch, SeriesBatch};
use rustc_hash::FxHashMap;

use super::tracker::Ticket;

/// What one lane gets of a batch.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) tenant: Tenant,
    pub(super) series: Vec<SeriesBatch>,
    /// Metadata by metric name, where it goes with the series.
    pub(super) metadata: Vec<(String, MetricMetadata)>,
    pub(super) ticket: Ticket,
}

/// How much is in a part or a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) floats: usize,
    pub(super) histograms: usize,
    pub(super) exemplars: usize,
}

impl Size {
    pub(super) fn of(series: &[SeriesBatch]) -> Self {
        let mut size = Self::default();
        for series in series {
            size.exemplars += series.exemplars.len();
            for sample in &series.samples {
                match sample.value {
                    SampleValue::Float(_) => size.floats += 1,
                    SampleValue::Histogram(_) => size.histograms += 1,
                }
            }
        }
        size
    }

    /// Returns the number of everything that counts against the size of a request.
    pub(super) fn total(self) -> usize {
        self.floats + self.histograms + self.exemplars
    }
}

/// Returns the number of samples and exemplars of a series.
pub(super) fn weight(series: &SeriesBatch) -> usize {
    series.samples.len() + series.exemplars.len()
}

/// What will be one request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) series: Vec<SeriesBatch>,
    pub(super) metadata: FxHashMap<String, MetricMetadata>,
    pub(super) tickets: Vec<Ticket>,
    pub(super) total: usize,
}

impl Request {
    pub(super) fn add(&mut self, part: Part) {
        self.total += Size::of(&part.series).total();
        self.series.extend(part.series);
        self.metadata.extend(part.metadata);
        self.tickets.push(part.ticket);
    }

    /// Returns what there is to encode, and the tickets of it.
    pub(super) fn into_batch(self) -> (MetricBatch, Vec<Ticket>) {
        let batch = MetricBatch {
            series: self.series,
            metadata: self.metadata.into_iter().collect(),
        };
        (batch, self.tickets)
    }
}
