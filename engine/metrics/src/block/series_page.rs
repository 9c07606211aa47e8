//! Series of a block that were asked for before, decoded.
//!
//! The series of an index are kept in pages: those whose entries lie in the same 16 KiB of the file. A
//! page holds the ones that anybody asked for and grows with every question.

use obsq_model::Labels;

use super::index::SeriesEntry;
use super::segments::ChunkRef;

/// Ids, which count 16 bytes each, that share a page: two to the power of this.
const PAGE_BITS: u32 = 10;

/// What an entry takes beside its label text and its chunks.
const ENTRY_BYTES: usize = size_of::<SeriesEntry>() + 2 * 16;

/// Decoded series, sorted by id.
#[derive(Debug, Default)]
pub(super) struct SeriesPage {
    known: Box<[SeriesEntry]>,
    size_bytes: usize,
}

/// Returns the page that an id belongs to.
pub(super) fn page_of(id: u32) -> u32 {
    id >> PAGE_BITS
}

impl SeriesPage {
    /// Returns the ids, which rise, that are not in the page.
    pub(super) fn missing(&self, ids: &[u32]) -> Vec<u32> {
        let mut missing = Vec::new();
        let mut known = self.known.iter().map(|entry| entry.id).peekable();
        for id in ids {
            while known.next_if(|known| known < id).is_some() {}
            if known.peek() != Some(id) {
                missing.push(*id);
            }
        }
        missing
    }

    /// Returns the page with more series.
    pub(super) fn with(&self, more: Vec<SeriesEntry>) -> Self {
        let mut known = Vec::with_capacity(self.known.len() + more.len());
        known.extend_from_slice(&self.known);
        known.extend(more);
        known.sort_by_key(|entry| entry.id);
        let size = |entry: &SeriesEntry| {
            ENTRY_BYTES
                + Labels::size_bytes(&entry.labels)
                + size_of_val::<[ChunkRef]>(&entry.chunks)
        };
        Self {
            size_bytes: known.iter().map(size).sum(),
            known: known.into(),
        }
    }

    /// Returns the series with these ids, which rise; those that are not in the page are left out.
    pub(super) fn of<'a>(&'a self, ids: &'a [u32]) -> impl Iterator<Item = &'a SeriesEntry> {
        let mut known = self.known.iter().peekable();
        ids.iter().filter_map(move |id| {
            while known.next_if(|known| known.id < *id).is_some() {}
            known.next_if(|known| known.id == *id)
        })
    }

    /// Returns the memory taken.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_set;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn entry(id: u32) -> SeriesEntry {
        SeriesEntry {
            id,
            labels: Labels::from_pairs(&[("id", id.to_string())]),
            chunks: Vec::new().into(),
        }
    }

    proptest! {
        #[test]
        fn a_page_grows_to_what_was_asked_for(
            questions in proptest::collection::vec(btree_set(0_u32..60, 0..30), 0..6),
        ) {
            let (mut page, mut asked) = (SeriesPage::default(), BTreeSet::new());
            for ids in &questions {
                let ids: Vec<u32> = ids.iter().copied().collect();
                let missing = page.missing(&ids);
                prop_assert!(missing.iter().all(|id| !asked.contains(id)));
                page = page.with(missing.into_iter().map(entry).collect());
                asked.extend(ids.iter().copied());
                let found: Vec<u32> = page.of(&ids).map(|entry| entry.id).collect();
                prop_assert_eq!(found, ids);
            }
            let all: Vec<u32> = (0..60).collect();
            prop_assert!(page.of(&all).map(|entry| entry.id).eq(asked.iter().copied()));
            prop_assert!(page.size_bytes() >= asked.len() * size_of::<SeriesEntry>());
        }
    }
}
