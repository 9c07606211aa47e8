//! What is damaged of a selection.

use std::collections::{BTreeMap, BTreeSet};

use obsq_source::Error;
use ulid::Ulid;

use super::Source;

/// The series of which damaged chunks were left out, by block; `None` is the head.
#[derive(Debug, Default)]
pub(super) struct Lost(BTreeMap<Option<Ulid>, BTreeSet<usize>>);

impl Lost {
    /// Notes that a chunk of series `index` is left out.
    pub(super) fn note(&mut self, index: usize, source: &Source, error: &Error) {
        let block = match source {
            Source::Block { block, .. } => {
                block.note_damage(error);
                Some(block.meta().ulid)
            }
            _ => None,
        };
        self.0.entry(block).or_default().insert(index);
    }

    /// Returns a warning for each block.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(block, series)| {
            let place = block.map_or("the head".to_owned(), |ulid| format!("block {ulid}"));
            let number = series.len();
            format!("{place} is damaged: samples of {number} series are missing")
        })
    }
}
