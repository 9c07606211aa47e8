//! Metadata of one tenant's metric families, in memory.

use std::collections::BTreeMap;

use obsq_model::MetricMetadata;
use obsq_source::MetricMetadataEntry;

/// The most entries that differ within one family; the newest stay.
const MAX_PER_FAMILY: usize = 8;
/// The most bytes of text of one tenant.
const MAX_BYTES: usize = 32 << 20;

/// The metadata of one tenant.
#[derive(Debug, Default)]
pub(crate) struct MetadataStore {
    families: BTreeMap<String, Vec<MetricMetadata>>,
    bytes: usize,
    /// Counts changes, so that a writer knows whether it has the latest.
    pub(crate) version: u64,
}

impl MetadataStore {
    /// Says whether exactly this is known.
    pub(crate) fn knows(&self, family: &str, metadata: &MetricMetadata) -> bool {
        let known = self.families.get(family);
        known.is_some_and(|known| known.contains(metadata))
    }

    /// Adds metadata of a family. Beyond the limit of bytes it is dropped.
    pub(crate) fn add(&mut self, family: &str, metadata: MetricMetadata) {
        let bytes = family.len() + text_bytes(&metadata);
        if self.knows(family, &metadata) || self.bytes + bytes > MAX_BYTES {
            return;
        }
        let known = self.families.entry(family.to_owned()).or_default();
        if known.len() >= MAX_PER_FAMILY {
            self.bytes -= family.len() + text_bytes(&known.remove(0));
        }
        known.push(metadata);
        self.bytes += bytes;
        self.version += 1;
    }

    /// Returns the entries of `family`, or all, sorted by family.
    pub(crate) fn entries(&self, family: Option<&str>) -> Vec<MetricMetadataEntry> {
        let wanted = |name: &str| family.is_none_or(|family| family == name);
        let families = self.families.iter().filter(|(name, _known)| wanted(name));
        families
            .flat_map(|(name, known)| {
                known.iter().map(|metadata| MetricMetadataEntry {
                    metric: name.clone(),
                    metadata: metadata.clone(),
                })
            })
            .collect()
    }
}

fn text_bytes(metadata: &MetricMetadata) -> usize {
    metadata.unit.len() + metadata.help.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(text: &str) -> MetricMetadata {
        MetricMetadata {
            help: text.into(),
            ..MetricMetadata::default()
        }
    }

    #[test]
    fn entries_of_a_family_are_kept_apart_and_the_oldest_go() {
        let mut store = MetadataStore::default();
        for text in ["0", "1", "1", "2", "3", "4", "5", "6", "7", "8"] {
            store.add("b", help(text));
        }
        store.add("a", help("x"));
        assert_eq!(store.version, 10);
        let texts = |entries: Vec<MetricMetadataEntry>| {
            let texts = entries.into_iter().map(|entry| entry.metadata.help);
            texts.collect::<Vec<_>>().concat()
        };
        assert_eq!(texts(store.entries(Some("b"))), "12345678");
        assert_eq!(texts(store.entries(None)), "x12345678");
        store.add("c", help(&"x".repeat(MAX_BYTES)));
        assert!(store.entries(Some("c")).is_empty());
    }
}
