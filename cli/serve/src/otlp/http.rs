//! OTLP over HTTP, Protocol Buffers and JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use axum::http::{Response, StatusCode};
use obsq_ingest::otlp::collector::ExportMetricsServiceResponse;
use obsq_ingest::otlp::{decode_json, decode_protobuf};
use obsq_ingest::{IngestLimits, decompress_body};
use prost::Message as _;

use super::status::{Encoding, http_error};
use crate::app::App;
use crate::http::body::{discard, read_body};
use crate::http::respond::{answer, api_error};
use crate::http::tenancy::tenant_of;
use crate::prom::{ApiError, ErrorType, JsonWriter};

/// `POST /v1/metrics`
pub(super) async fn export(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let content_type = header(&parts.headers, CONTENT_TYPE);
    let Some(encoding) = Encoding::parse(content_type) else {
        discard(body).await;
        let message = format!(
            "content type `{content_type}` is not supported: use `application/x-protobuf` or \
             `application/json`"
        );
        return api_error(&ApiError::new(ErrorType::UnsupportedMediaType, message));
    };
    match export_metrics(app, &parts.headers, encoding, body).await {
        Ok(response) => answer(
            StatusCode::OK,
            encoding.content_type(),
            encode(encoding, &response),
        ),
        Err(error) => http_error(encoding, &error),
    }
}

async fn export_metrics(
    app: Arc<App>,
    headers: &HeaderMap,
    encoding: Encoding,
    body: Body,
) -> Result<ExportMetricsServiceResponse, ApiError> {
    let limits = IngestLimits::default();
    let mut body = read_body(body, limits.max_wire_bytes, &app.bodies).await?;
    let tenant = tenant_of(headers)?;
    let compression = header(headers, CONTENT_ENCODING).to_owned();
    let decode = move || {
        let compressed = body.take();
        let bytes = decompress_body(Some(&compression), &compressed, &limits)?;
        match encoding {
            Encoding::Protobuf => decode_protobuf(&bytes, &limits),
            Encoding::Json => decode_json(&bytes, &limits),
        }
    };
    super::store(app, tenant, decode).await
}

fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn encode(encoding: Encoding, response: &ExportMetricsServiceResponse) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => response.encode_to_vec(),
        Encoding::Json => {
            let mut json = JsonWriter::default();
            json.object(|json| {
                let Some(partial) = &response.partial_success else {
                    return;
                };
                json.key("partialSuccess").object(|json| {
                    // 64-bit integers are strings in the JSON form of Protocol Buffers.
                    let rejected = partial.rejected_data_points.to_string();
                    json.key("rejectedDataPoints").string(&rejected);
                    json.key("errorMessage").string(&partial.error_message);
                });
            });
            json.into_bytes()
        }
    }
}
