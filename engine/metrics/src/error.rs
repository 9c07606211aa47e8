//! What can go wrong in the metrics store.

use std::path::{Path, PathBuf};

use obsq_encoding::DecodeError;
use obsq_model::{ErrorKind, Labels};

/// Why the metrics store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written, or the log refused.
    #[error(transparent)]
    File(#[from] obsq_wal::Error),
    /// Stored bytes are not what their format says.
    #[error("{} is damaged at byte {offset}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file what was read begins.
        offset: u64,
        /// What is wrong there.
        #[source]
        source: DecodeError,
    },
    /// A block's `meta.json` cannot be understood.
    #[error("{} is not a block's meta.json", path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong with the JSON.
        #[source]
        source: serde_json::Error,
    },
    /// A block, or its index, is of a format version that this program does not know.
    #[error("{} has format version {found}, which this program does not know", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u64,
    },
    /// Series were given to a block writer out of order, or one of them twice.
    #[error("series {labels} does not follow {previous}")]
    SeriesOrder {
        /// The series given.
        labels: Labels,
        /// The one before.
        previous: Labels,
    },
    /// Chunks of a series overlap or are out of order.
    #[error("chunks of series {labels} overlap at {min_ts_ms}")]
    ChunkOrder {
        /// The series.
        labels: Labels,
        /// Start of the chunk that begins too early.
        min_ts_ms: i64,
    },
    /// The work was told to stop before it was done.
    #[error("stopped before the work was done")]
    Stopped,
    /// The log of a Prometheus holds more than is read into memory.
    #[error("up to {} the log takes more than {} MiB of memory", path.display(), limit_bytes >> 20)]
    LogTooLarge {
        /// The segment that went over the limit.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// A block would outgrow what its format can address.
    #[error("block {} is too large: {what}", path.display())]
    TooLarge {
        /// The block's directory.
        path: PathBuf,
        /// Which part, and its limit.
        what: &'static str,
    },
}

impl Error {
    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Corrupt { .. } | Self::Meta { .. } | Self::Version { .. } => ErrorKind::Corrupt,
            Self::TooLarge { .. } | Self::LogTooLarge { .. } => ErrorKind::LimitExceeded,
            Self::Stopped => ErrorKind::Canceled,
            Self::SeriesOrder { .. } | Self::ChunkOrder { .. } => ErrorKind::Internal,
        }
    }

    /// Returns a function that says where in `path` bytes could not be decoded.
    pub(crate) fn corrupt(path: &Path, offset: u64) -> impl Fn(DecodeError) -> Self {
        move |source| Self::Corrupt {
            path: path.to_owned(),
            offset,
            source,
        }
    }
}
