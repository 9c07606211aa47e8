//! From the errors below to those of the source boundary.

use std::path::Path;

use obsq_encoding::DecodeError;
use obsq_model::ErrorKind;
use obsq_source::Error;

/// Returns the error that a caller of the store sees for a failure below it.
pub(crate) fn from_wal(error: obsq_wal::Error) -> Error {
    match error {
        obsq_wal::Error::Version { .. } | obsq_wal::Error::Corrupt { .. } => Error::Corrupt {
            what: error.to_string(),
            source: Some(Box::new(error)),
        },
        _ => Error::Unavailable {
            what: "the metrics store".to_owned(),
            source: Some(Box::new(error)),
        },
    }
}

/// Returns the error for a store that cannot do this now.
pub(crate) fn unavailable(what: &str) -> Error {
    Error::Unavailable {
        what: what.to_owned(),
        source: None,
    }
}

/// Returns a function that wraps an I/O error of `operation` on `path`.
pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let wrap = obsq_wal::Error::io(operation, path);
    move |error| from_wal(wrap(error))
}

/// Returns a function that wraps a decoding error of `what`.
pub(crate) fn damaged(what: &str) -> impl FnOnce(DecodeError) -> Error {
    move |error| Error::Corrupt {
        what: what.to_owned(),
        source: Some(Box::new(error)),
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        let what = error.to_string();
        match error {
            crate::Error::File(error) => from_wal(error),
            error if error.kind() == ErrorKind::Corrupt => Self::Corrupt {
                what,
                source: Some(Box::new(error)),
            },
            error => Self::Unavailable {
                what,
                source: Some(Box::new(error)),
            },
        }
    }
}
