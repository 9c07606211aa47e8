//! Calls that fail.

use std::io;

/// A kind of call that may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Writing to a file or changing its length. A part may be written all the same.
    Write,
    /// Creating a file or directory.
    Create,
    /// Syncing a file. What was to be synced is lost, though reads still show it.
    Sync,
    /// Syncing a directory.
    SyncDirectory,
    /// Renaming.
    Rename,
    /// Removing a file or directory.
    Remove,
}

/// Calls that shall fail.
#[derive(Debug, Clone, Copy)]
pub struct PlannedFault {
    /// Which calls; `None` for all kinds.
    pub kind: Option<FaultKind>,
    /// The first call concerned, counted from 1.
    pub from_call: u64,
    /// The last one.
    pub through_call: u64,
    /// What the call answers.
    pub error: io::ErrorKind,
}

impl PlannedFault {
    pub(super) fn hits(&self, kind: FaultKind, call: u64) -> bool {
        let meant = match self.kind {
            Some(only) => only == kind,
            // A full disk can still be tidied up.
            None => self.error != io::ErrorKind::StorageFull || kind != FaultKind::Remove,
        };
        meant && (self.from_call..=self.through_call).contains(&call)
    }

    pub(super) fn error(&self) -> io::Error {
        self.error.into()
    }
}
