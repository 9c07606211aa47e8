//! Answers.

use std::io::Write as _;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use axum::http::{Response, StatusCode};

use crate::prom::ApiError;

/// Bodies below this are not compressed.
pub(crate) const MIN_COMPRESSED_BYTES: usize = 1 << 10;

/// Returns an answer with this status, content type and body.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Returns a plain text answer.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", text.into())
}

/// Returns the answer to a failed call of the Prometheus API.
pub(crate) fn api_error(error: &ApiError) -> Response<Body> {
    let status = StatusCode::from_u16(error.error_type.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, "application/json", error.to_json());
    if matches!(status.as_u16(), 429 | 503 | 507) {
        let seconds = HeaderValue::from_static("5");
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}

/// Returns `bytes` compressed when the client takes gzip and it is worth it. Computes.
fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let out = Vec::with_capacity(bytes.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Returns an answer with a body that is there as a whole, compressed when the client takes gzip
/// and it is worth it.
pub(crate) fn whole(content_type: &'static str, bytes: Vec<u8>, gzip: bool) -> Response<Body> {
    let worth_it = gzip && bytes.len() >= MIN_COMPRESSED_BYTES;
    let compressed = worth_it.then(|| compressed(&bytes)).flatten();
    let gzip = compressed.is_some();
    let body = Body::from(compressed.unwrap_or(bytes));
    encoded(content_type, body, gzip)
}

/// Returns an answer whose body may be compressed already.
pub(crate) fn encoded(content_type: &'static str, body: Body, gzip: bool) -> Response<Body> {
    let mut response = answer(StatusCode::OK, content_type, body);
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Says whether the client takes gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let mut clauses = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    clauses.any(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_when_asked_for_and_worth_it() {
        let table = [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ];
        for (value, accepted) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), accepted, "{value}");
        }
        for (bytes, accepted, gzip) in [(2000, true, true), (20, true, false), (2000, false, false)]
        {
            let response = whole("text/plain", vec![b'x'; bytes], accepted);
            assert_eq!(response.headers().contains_key(CONTENT_ENCODING), gzip);
        }
    }
}
