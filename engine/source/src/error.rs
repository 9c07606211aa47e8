//! What a source may answer instead of samples.

use obsq_model::ErrorKind;

/// Why a source could not answer or accept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller cancelled the query.
    #[error("query was canceled")]
    Canceled,
    /// The query's time is over.
    #[error("query timed out")]
    Timeout,
    /// The query selects more series than allowed.
    #[error("query selects more than {limit} series; narrow the selector")]
    SeriesLimit {
        /// The most series one query may select.
        limit: usize,
    },
    /// The query needs more memory than its budget or than all queries together may take.
    #[error("query needs more than its memory budget of {limit_bytes} bytes")]
    MemoryLimit {
        /// The budget in bytes.
        limit_bytes: usize,
    },
    /// The source cannot be reached or written now.
    #[error("{what} is not available")]
    Unavailable {
        /// Which source, and what to do about it.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The tenant sends more than it may at present.
    #[error(
        "the tenant sends too fast: {count} samples, where the limit `ingestion_rate` is {rate} per \
         second and `ingestion_burst_size` is {burst}"
    )]
    RateLimited {
        /// Samples, histograms and exemplars in the request.
        count: usize,
        /// How many per second the tenant may send.
        rate: f64,
        /// How many at once.
        burst: usize,
    },
    /// Stored bytes are damaged.
    #[error("{what}")]
    Corrupt {
        /// Which block, segment or file is damaged, and where, as a sentence.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Writing is refused because the disk has too little room; reads go on.
    #[error(
        "disk is almost full: {free_bytes} bytes free, writes need {needed_bytes}; free some space"
    )]
    DiskFull {
        /// Bytes free on the data file system.
        free_bytes: u64,
        /// Bytes that must be free for writes.
        needed_bytes: u64,
    },
}

impl Error {
    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Canceled => ErrorKind::Canceled,
            Self::Timeout => ErrorKind::Timeout,
            Self::SeriesLimit { .. } | Self::MemoryLimit { .. } | Self::RateLimited { .. } => {
                ErrorKind::LimitExceeded
            }
            Self::Unavailable { .. } | Self::DiskFull { .. } => ErrorKind::Unavailable,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
        }
    }
}
