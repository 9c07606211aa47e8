//! Blocks that cannot be opened.

use std::path::Path;

use obsq_model::TimeRange;
use obsq_wal::Vfs;

use crate::Error;
use crate::block::BlockMeta;

/// A block that cannot be opened and is left alone.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The times for which it may hold samples, as far as that is known.
    range: TimeRange,
    warning: String,
}

impl Unreadable {
    pub(super) fn new(vfs: &dyn Vfs, directory: &Path, name: &str, error: &Error) -> Self {
        let range = BlockMeta::read(vfs, directory).map_or(TimeRange::ALL, |meta| {
            TimeRange::new(meta.min_time, meta.max_time.saturating_sub(1))
        });
        Self {
            range,
            warning: format!("block {name} cannot be opened, its samples are missing: {error}"),
        }
    }

    /// Returns what to tell whoever asks for samples in `range`, if the block may hold some.
    pub(crate) fn warning(&self, range: TimeRange) -> Option<String> {
        range.overlaps(self.range).then(|| self.warning.clone())
    }
}
