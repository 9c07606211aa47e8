//! Why a request could not be understood at all.

use obsq_model::ErrorKind;

use crate::limits::Spent;
use crate::wire::WireError;

/// Why a request was refused as a whole. A single bad sample is not an error but counted in
/// [`Refused`](crate::Refused).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is larger than allowed, compressed or not.
    #[error("{what} has {actual_bytes} bytes: the limit is {limit_bytes}")]
    TooLarge {
        /// Which size: that of the body or that of what it decompresses to.
        what: &'static str,
        /// The size, or what a header claims as the size.
        actual_bytes: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// The samples and labels of the request would take too much memory.
    #[error("request takes more than {limit_bytes} bytes of memory; send less at once")]
    Expanded {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body is not what its compression says.
    #[error("cannot decompress {encoding}: {reason}")]
    Decompress {
        /// Name of the compression.
        encoding: &'static str,
        /// What the decompressor says.
        reason: String,
    },
    /// The body is not a message of the expected type.
    #[error("cannot decode {message}")]
    Proto {
        /// The message's type.
        message: &'static str,
        /// What is wrong in it.
        source: WireError,
    },
    /// A string of the message is not text.
    #[error("cannot decode {message}")]
    Utf8 {
        /// The message's type.
        message: &'static str,
        /// Where the text ends to be valid.
        source: std::str::Utf8Error,
    },
    /// A remote read matcher has a type that does not exist.
    #[error("unknown matcher type {number}")]
    MatcherType {
        /// The type's number.
        number: u64,
    },
    /// A Protocol Buffers message decoded by generated code is broken.
    #[error("cannot decode {message}")]
    Prost {
        /// The message's type.
        message: &'static str,
        /// What is wrong in it.
        source: prost::DecodeError,
    },
    /// The body is not the JSON it should be.
    #[error("cannot decode {message}")]
    Json {
        /// The message's type.
        message: &'static str,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// The JSON or the message is nested too deeply.
    #[error("cannot decode {message}: nested deeper than {limit} levels")]
    Nesting {
        /// The message's type.
        message: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The `Content-Type` is not one of those accepted here.
    #[error("content type `{given}` is not supported: use {accepted}")]
    ContentType {
        /// The header's value.
        given: String,
        /// What would have been accepted.
        accepted: &'static str,
    },
    /// The `Content-Encoding` is not one of those accepted here.
    #[error("content encoding `{given}` is not supported: use {accepted}")]
    ContentEncoding {
        /// The header's value.
        given: String,
        /// What would have been accepted.
        accepted: &'static str,
    },
}

impl DecodeError {
    /// Returns the kind that callers decide on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } | Self::Expanded { .. } => ErrorKind::LimitExceeded,
            _ => ErrorKind::BadQuery,
        }
    }

    /// Returns the HTTP status that fits: 413, 415 or 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::Expanded { .. } => 413,
            Self::ContentType { .. } | Self::ContentEncoding { .. } => 415,
            _ => 400,
        }
    }

    pub(crate) fn proto(message: &'static str) -> impl Fn(WireError) -> Self {
        move |source| Self::Proto { message, source }
    }
}

impl From<Spent> for DecodeError {
    fn from(Spent(limit_bytes): Spent) -> Self {
        Self::Expanded { limit_bytes }
    }
}
