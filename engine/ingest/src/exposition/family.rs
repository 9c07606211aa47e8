//! Metadata of the families of one body.

use obsq_model::{MetricMetadata, MetricType};
use rustc_hash::FxHashMap;

/// Metadata by family, in order of first mention.
#[derive(Debug, Default)]
pub(super) struct Families {
    entries: Vec<(String, MetricMetadata)>,
    positions: FxHashMap<String, usize>,
}

impl Families {
    /// Returns the metadata of `name`, made if it was not known.
    pub(super) fn entry(&mut self, name: &str) -> &mut MetricMetadata {
        let position = self.positions.get(name).copied().unwrap_or_else(|| {
            self.entries
                .push((name.to_owned(), MetricMetadata::default()));
            self.positions
                .insert(name.to_owned(), self.entries.len() - 1);
            self.entries.len() - 1
        });
        &mut self.entries[position].1
    }

    /// Returns the type of `name`, unknown when it was not mentioned.
    pub(super) fn type_of(&self, name: &str) -> MetricType {
        self.positions
            .get(name)
            .map_or(MetricType::Unknown, |at| self.entries[*at].1.metric_type)
    }

    /// Returns all entries in order.
    pub(super) fn into_entries(self) -> Vec<(String, MetricMetadata)> {
        self.entries
    }
}

/// Returns the label whose value is a number in families of that type.
pub(super) fn numeric_label(metric_type: MetricType) -> Option<&'static str> {
    match metric_type {
        MetricType::Histogram => Some("le"),
        MetricType::Summary => Some("quantile"),
        _ => None,
    }
}
