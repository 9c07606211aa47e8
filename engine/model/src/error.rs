//! What went wrong, as far as a caller has to care.

/// The kind of an error; every library error of obsq maps to exactly one.
///
/// Callers decide on the kind alone: the server maps it to a status and an `errorType` per API
/// family, alerting and federation to abort, retry or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request itself is wrong: unparsable query, bad parameter, bad sample.
    BadQuery,
    /// The query is well formed but cannot be evaluated (many-to-many matching, duplicates).
    Execution,
    /// The named thing does not exist.
    NotFound,
    /// A limit was reached; the message names the limit and the actual value.
    LimitExceeded,
    /// The time allowed has passed.
    Timeout,
    /// The caller went away or cancelled.
    Canceled,
    /// The thing exists but cannot be reached or written at present; a retry may help.
    Unavailable,
    /// Bytes on disk or on the wire do not say what they should.
    Corrupt,
    /// A broken invariant of obsq itself.
    Internal,
}

impl ErrorKind {
    /// Says whether the same request may succeed later without being changed.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::Unavailable)
    }
}
