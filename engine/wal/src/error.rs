//! What can go wrong below a store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::ErrorKind;

/// Why a file operation or a write to the log failed. Cheap to clone: one failed write is told to
/// every batch that was waiting for it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused an operation.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process holds the directory.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The file is of a newer format than this program knows.
    #[error("{} has format version {found}, but this program knows only version {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u16,
        /// The newest version known.
        known: u16,
    },
    /// The file is not what its name says.
    #[error("{} is damaged at byte {offset}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// A record is longer than the log takes.
    #[error("a record of {len} bytes is longer than the limit of {limit}")]
    TooLong {
        /// Length of the payload in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// An earlier write of the same group failed, or the one this record builds on.
    #[error("the write-ahead log could not be written")]
    WriteFailed {
        /// The failure itself.
        #[source]
        source: Arc<Self>,
    },
    /// The queue in front of the log stayed full.
    #[error("the write-ahead log is too slow: {queued_bytes} bytes are waiting")]
    QueueFull {
        /// Bytes that wait to be written.
        queued_bytes: usize,
    },
    /// The log was closed.
    #[error("the write-ahead log is closed")]
    Closed,
}

impl Error {
    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Version { .. } | Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::TooLong { .. } => ErrorKind::LimitExceeded,
            _ => ErrorKind::Unavailable,
        }
    }

    /// Returns a function that wraps an I/O error of `operation` on `path`.
    pub fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Says whether the file system gave this as the reason.
    pub(crate) fn is_io(&self, kind: io::ErrorKind) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == kind)
    }

    /// Says whether the file system had no room left.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            Self::WriteFailed { source } => source.is_disk_full(),
            _ => false,
        }
    }
}
