//! From the errors below to those of the source boundary.

use std::path::Path;

use obsq_encoding::DecodeError;
use obsq_source::Error;

/// Returns the error that a caller of the store sees for a failure below it.
pub(crate) fn from_wal(error: obsq_wal::Error) -> Error {
    match error {
        obsq_wal::Error::Version { .. } | obsq_wal::Error::Corrupt { .. } => Error::Corrupt {
            what: error.to_string(),
            source: None,
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
        what: format!("{what} is damaged"),
        source: Some(Box::new(error)),
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        let what = error.to_string();
        let source: Option<Box<dyn std::error::Error + Send + Sync>> = match error {
            crate::Error::File(error) => return from_wal(error),
            crate::Error::Corrupt { source, .. } => Some(Box::new(source)),
            crate::Error::Meta { source, .. } => Some(Box::new(source)),
            crate::Error::Version { .. } => None,
            error => {
                return Self::Unavailable {
                    what: "the metrics store".to_owned(),
                    source: Some(Box::new(error)),
                };
            }
        };
        Self::Corrupt { what, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text of an error and of all its causes.
    fn told(error: &Error) -> String {
        let mut texts = vec![error.to_string()];
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            texts.push(cause.to_string());
            next = cause.source();
        }
        texts.join(": ")
    }

    #[test]
    fn nothing_is_told_twice() {
        let path = Path::new("chunks/000001");
        let corrupt = crate::Error::corrupt(path, 7437)(DecodeError::UnexpectedEnd);
        let in_log = obsq_wal::Error::Corrupt {
            path: path.to_owned(),
            offset: 7,
        };
        let version = crate::Error::Version {
            path: path.to_owned(),
            found: 9,
        };
        let cases = [
            (
                corrupt.into(),
                "chunks/000001 is damaged at byte 7437: the bytes end too early",
            ),
            (from_wal(in_log), "chunks/000001 is damaged at byte 7"),
            (
                version.into(),
                "chunks/000001 has format version 9, which this program does not know",
            ),
            (
                damaged("a chunk")(DecodeError::NotUtf8),
                "a chunk is damaged: text is not UTF-8",
            ),
            (
                crate::Error::Stopped.into(),
                "the metrics store is not available: stopped before the work was done",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(told(&error), expected);
        }
    }
}
