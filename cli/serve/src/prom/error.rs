//! Errors as the Prometheus API tells them.

use obsq_model::ErrorKind;

use super::json::JsonWriter;

/// The `errorType` of an answer, which also fixes its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The request itself is wrong.
    BadData,
    /// The query cannot be evaluated.
    Execution,
    /// The query ran out of time.
    Timeout,
    /// The caller went away.
    Canceled,
    /// A fault of the server.
    Internal,
    /// The server cannot answer at present.
    Unavailable,
    /// There is no such thing.
    NotFound,
    /// The method is not allowed here.
    MethodNotAllowed,
    /// The body or the header is larger than allowed.
    TooLarge,
    /// The body has a type or an encoding that is not understood.
    UnsupportedMediaType,
    /// The caller sends faster than it may.
    TooManyRequests,
    /// The disk has too little room for writes.
    InsufficientStorage,
    /// The caller has not shown who it is.
    Unauthorized,
    /// The request is understood, and refused.
    Forbidden,
    /// This server cannot do that.
    NotImplemented,
}

impl ErrorType {
    /// Returns the text of `errorType`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadData
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::UnsupportedMediaType => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Unavailable
            | Self::TooManyRequests
            | Self::InsufficientStorage
            | Self::Forbidden
            | Self::NotImplemented => "unavailable",
            Self::NotFound => "not_found",
            Self::Unauthorized => "unauthorized",
        }
    }

    /// Returns the HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadData => 400,
            Self::Execution => 422,
            Self::Timeout => 503,
            Self::Canceled => 499,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::TooManyRequests => 429,
            Self::InsufficientStorage => 507,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotImplemented => 501,
        }
    }
}

/// An error of a Prometheus API call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of error; fixes the status.
    pub error_type: ErrorType,
    /// The text, in the wording of Prometheus where it has one.
    pub message: String,
}

impl ApiError {
    /// Returns an error of this type and text.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error_type,
            message,
        }
    }

    /// Returns a `bad_data` error.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// Returns the `bad_data` error of one parameter.
    pub fn parameter(name: &str, problem: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {problem}"))
    }

    /// Returns the error for a library error of this kind and text, for calls that read.
    pub fn from_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        let error_type = match kind {
            ErrorKind::BadQuery => ErrorType::BadData,
            ErrorKind::Execution | ErrorKind::LimitExceeded => ErrorType::Execution,
            ErrorKind::NotFound => ErrorType::NotFound,
            ErrorKind::Timeout => ErrorType::Timeout,
            ErrorKind::Canceled => ErrorType::Canceled,
            ErrorKind::Unavailable => ErrorType::Unavailable,
            _ => ErrorType::Internal,
        };
        Self::new(error_type, message)
    }

    /// Returns the JSON body of the error.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = JsonWriter::default();
        json.object(|json| {
            json.key("status").string("error");
            json.key("errorType").string(self.error_type.as_str());
            json.key("error").string(&self.message);
        });
        json.into_bytes()
    }
}

impl From<obsq_source::Error> for ApiError {
    fn from(error: obsq_source::Error) -> Self {
        Self::from_kind(error.kind(), with_causes(&error))
    }
}

/// Returns the text of an error and of all its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_type_and_text() {
        let error = ApiError::parameter("time", "cannot parse \"zz\" to a valid timestamp");
        assert_eq!(
            String::from_utf8(error.to_json()).unwrap(),
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": cannot parse \"zz\" to a valid timestamp"}"#
        );
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = obsq_ingest::DecodeError::Utf8 {
            message: "WriteRequest",
            source: String::from_utf8(vec![b'a', 0xff])
                .unwrap_err()
                .utf8_error(),
        };
        assert_eq!(
            with_causes(&error),
            "cannot decode WriteRequest: invalid utf-8 sequence of 1 bytes from index 1"
        );
    }

    #[test]
    fn kinds_become_the_types_that_prometheus_uses() {
        let table = [
            (ErrorKind::BadQuery, "bad_data", 400),
            (ErrorKind::Execution, "execution", 422),
            (ErrorKind::LimitExceeded, "execution", 422),
            (ErrorKind::Timeout, "timeout", 503),
            (ErrorKind::Canceled, "canceled", 499),
            (ErrorKind::Corrupt, "internal", 500),
        ];
        for (kind, text, status) in table {
            let error_type = ApiError::from_kind(kind, "").error_type;
            assert_eq!((error_type.as_str(), error_type.status()), (text, status));
        }
    }
}
