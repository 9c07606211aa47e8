//! Errors as OTLP tells them: `google.rpc.Status`, in the encoding of the request.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use prost::Message;

use crate::http::respond::answer;
use crate::prom::{ApiError, ErrorType, JsonWriter};

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// How a request and its answer are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// Returns the encoding that a `Content-Type` names.
    pub(super) fn parse(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// Returns the gRPC code of an error.
pub(super) fn grpc_code(error: &ApiError) -> tonic::Code {
    match error.error_type {
        ErrorType::TooLarge | ErrorType::TooManyRequests | ErrorType::InsufficientStorage => {
            tonic::Code::ResourceExhausted
        }
        ErrorType::Unavailable => tonic::Code::Unavailable,
        ErrorType::Timeout => tonic::Code::DeadlineExceeded,
        ErrorType::Canceled => tonic::Code::Cancelled,
        ErrorType::Internal => tonic::Code::Internal,
        ErrorType::NotImplemented => tonic::Code::Unimplemented,
        _ => tonic::Code::InvalidArgument,
    }
}

/// Returns the HTTP answer to a failed request.
pub(super) fn http_error(encoding: Encoding, error: &ApiError) -> Response<Body> {
    let code = grpc_code(error) as i32;
    let body = match encoding {
        Encoding::Protobuf => Status {
            code,
            message: error.message.clone(),
        }
        .encode_to_vec(),
        Encoding::Json => {
            let mut json = JsonWriter::default();
            json.object(|json| {
                json.key("code").signed(i64::from(code));
                json.key("message").string(&error.message);
            });
            json.into_bytes()
        }
    };
    let status = StatusCode::from_u16(error.error_type.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, encoding.content_type(), body);
    if matches!(status.as_u16(), 429 | 503 | 507) {
        let seconds = HeaderValue::from_static("5");
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn errors_are_told_in_the_encoding_of_the_request() {
        let error = ApiError::bad_data("no");
        let body = http_error(Encoding::Json, &error)
            .into_body()
            .collect()
            .await
            .unwrap();
        assert_eq!(&body.to_bytes()[..], br#"{"code":3,"message":"no"}"#);
        let body = http_error(Encoding::Protobuf, &error)
            .into_body()
            .collect()
            .await
            .unwrap();
        let status = Status::decode(body.to_bytes()).unwrap();
        assert_eq!((status.code, status.message.as_str()), (3, "no"));
    }

    #[test]
    fn content_types_are_told_apart() {
        for (text, encoding) in [
            ("application/x-protobuf", Some(Encoding::Protobuf)),
            ("Application/JSON; charset=utf-8", Some(Encoding::Json)),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(Encoding::parse(text), encoding, "{text}");
        }
    }
}
