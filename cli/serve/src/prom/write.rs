//! Remote write: what a request brings is on disk before it is answered with success.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use axum::http::{Response, StatusCode};
use axum::routing::post;
use obsq_ingest::remote_write::{Message, decode, decompress};
use obsq_ingest::{DecodeError, IngestLimits};
use obsq_model::Tenant;

use super::error::{ApiError, ErrorType};
use crate::app::App;
use crate::http::body::{HeldBody, discard, read_body};
use crate::http::pool::compute;
use crate::http::respond::api_error;
use crate::http::tenancy::tenant_of;
use crate::ingest::{Written, append, busy};
use crate::telemetry::Protocol;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/write", post(write))
}

async fn write(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (tenant, message) = match accept(&parts.headers) {
        Ok(accepted) => accepted,
        Err(error) => {
            discard(body).await;
            return api_error(&error);
        }
    };
    let limits = IngestLimits::default();
    let body = match read_body(body, limits.max_wire_bytes, &app.bodies).await {
        Ok(body) => body,
        Err(error) => return api_error(&error),
    };
    match store(app, tenant, message, body, limits).await {
        Ok(written) => answer(message, &written),
        Err(error) => api_error(&error),
    }
}

fn accept(headers: &HeaderMap) -> Result<(Tenant, Message), ApiError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let tenant = tenant_of(headers)?;
    let message = Message::from_headers(text(CONTENT_TYPE), text(CONTENT_ENCODING));
    Ok((tenant, message.map_err(|error| decode_error(&error))?))
}

async fn store(
    app: Arc<App>,
    tenant: Tenant,
    message: Message,
    mut body: HeldBody,
    limits: IngestLimits,
) -> Result<Written, ApiError> {
    let slot = app
        .writes
        .enter(&tenant, usize::MAX)
        .await
        .ok_or_else(busy)?;
    let appending = Arc::clone(&app);
    let appended = compute(move || {
        let _slot = slot;
        let failed = |error: DecodeError| decode_error(&error);
        let decompressed = decompress(&body.take(), &limits).map_err(failed)?;
        drop(body);
        let decoded = decode(message, &decompressed, &limits, &appending.labels).map_err(failed)?;
        drop(decompressed);
        let protocol = match message {
            Message::V1 => Protocol::RemoteWriteV1,
            Message::V2 => Protocol::RemoteWriteV2,
        };
        append(
            &appending,
            protocol,
            &tenant,
            decoded.batch,
            decoded.refused,
        )
    });
    appended.await?.durable().await
}

fn decode_error(error: &DecodeError) -> ApiError {
    let error_type = match error.status() {
        413 => ErrorType::TooLarge,
        415 => ErrorType::UnsupportedMediaType,
        _ => ErrorType::BadData,
    };
    ApiError::new(error_type, super::with_causes(error))
}

/// 204, or an error that tells how much was refused; in both cases version 2.0 is told what was
/// written.
fn answer(message: Message, written: &Written) -> Response<Body> {
    let mut response = match written.refusal() {
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Some(error) => api_error(&error),
    };
    if message == Message::V2 {
        for (name, count) in [
            ("x-prometheus-remote-write-samples-written", written.samples),
            (
                "x-prometheus-remote-write-histograms-written",
                written.histograms,
            ),
            (
                "x-prometheus-remote-write-exemplars-written",
                written.exemplars,
            ),
        ] {
            response.headers_mut().insert(name, count.into());
        }
    }
    response
}
