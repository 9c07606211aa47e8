//! What is deleted while blocks are being made.

use crate::Error;
use crate::block::Block;
use crate::deletion::Deletion;

/// The deletes that blocks in the making may have missed. Empty while none is made.
#[derive(Debug, Default)]
pub(super) struct Deletes {
    since: Vec<Deletion>,
    makers: usize,
}

/// When the making of blocks began. To be given back when it ends.
#[derive(Debug)]
#[must_use]
pub(crate) struct Mark {
    /// Deletes that came before.
    known: usize,
}

impl Deletes {
    /// Begins to remember deletes for somebody.
    pub(super) fn begin(&mut self) -> Mark {
        self.makers += 1;
        Mark {
            known: self.since.len(),
        }
    }

    /// Ends to remember for the one that has `mark`.
    pub(super) fn end(&mut self, _mark: Mark) {
        self.makers = self.makers.saturating_sub(1);
        if self.makers == 0 {
            self.since = Vec::new();
        }
    }

    /// Remembers a delete, when there is somebody who may miss it.
    pub(super) fn note(&mut self, deletion: &Deletion) {
        if self.makers > 0 {
            self.since.push(deletion.clone());
        }
    }

    /// Says whether there were deletes since `mark`.
    pub(super) fn any_since(&self, mark: &Mark) -> bool {
        self.since.len() > mark.known
    }

    /// Carries out in `block` what was deleted since `mark`.
    pub(super) fn repeat(&self, mark: &Mark, block: &Block) -> Result<(), Error> {
        for deletion in self.since.iter().skip(mark.known) {
            block.delete_all_of(deletion)?;
        }
        Ok(())
    }
}
