//! Why a query has no answer.

use obsq_model::ErrorKind;
use obsq_query_lang::Diagnostic;

/// Why a query could not be evaluated. The texts are those of Prometheus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is not a valid query; the message is that of the first diagnostic, with position.
    #[error("{message}")]
    Parse {
        /// `1:5: parse error: ...`
        message: String,
        /// Everything that is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// The query is well formed, but its type cannot be asked for over a range.
    #[error(
        "invalid expression type \"{documented_type}\" for range query, must be Scalar or instant \
         Vector"
    )]
    NotForRange {
        /// `range vector` or `string`.
        documented_type: &'static str,
    },
    /// The query holds more samples at once than allowed.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples {
        /// The limit.
        limit: usize,
    },
    /// The time allowed has passed.
    #[error("query timed out in query execution")]
    Timeout,
    /// The caller cancelled the query.
    #[error("query was canceled in query execution")]
    Canceled,
    /// Two elements of a result have the same labels.
    #[error("vector cannot contain metrics with the same labelset")]
    SameLabelSet,
    /// The source failed.
    #[error("expanding series: {0}")]
    Source(#[source] obsq_source::Error),
    /// The CPU pool could not be started.
    #[error("cannot start the threads of the query engine")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

impl QueryError {
    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Parse { .. } | Self::NotForRange { .. } => ErrorKind::BadQuery,
            Self::TooManySamples { .. } | Self::SameLabelSet => ErrorKind::Execution,
            Self::Timeout => ErrorKind::Timeout,
            Self::Canceled => ErrorKind::Canceled,
            Self::Source(error) => error.kind(),
            Self::Threads(_) => ErrorKind::Internal,
        }
    }
}

impl From<obsq_source::Error> for QueryError {
    fn from(error: obsq_source::Error) -> Self {
        match error {
            obsq_source::Error::Canceled => Self::Canceled,
            obsq_source::Error::Timeout => Self::Timeout,
            other => Self::Source(other),
        }
    }
}
