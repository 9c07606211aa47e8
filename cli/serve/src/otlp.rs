//! OTLP metrics over gRPC and HTTP.

mod grpc;
mod http;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use obsq_ingest::otlp::collector::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use obsq_ingest::otlp::translate;
use obsq_ingest::{DecodeError, Refused};
use obsq_model::Tenant;

use crate::app::App;
use crate::http::pool::compute;
use crate::ingest::{Written, append, busy};
use crate::prom::{ApiError, ErrorType, with_causes};
use crate::telemetry::Protocol;

/// Returns the routes that every port with OTLP has.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/metrics", post(http::export))
        .route(grpc::METRICS_EXPORT, post(grpc::export))
}

/// Returns the route that Prometheus has for OTLP, below `/api/v1`.
pub(crate) fn prometheus_routes() -> Router<Arc<App>> {
    Router::new().route("/otlp/v1/metrics", post(http::export))
}

/// Stores what `decode` returns and answers once it is on disk.
async fn store(
    app: Arc<App>,
    tenant: Tenant,
    decode: impl FnOnce() -> Result<ExportMetricsServiceRequest, DecodeError> + Send + 'static,
) -> Result<ExportMetricsServiceResponse, ApiError> {
    let slot = app
        .writes
        .enter(&tenant, usize::MAX)
        .await
        .ok_or_else(busy)?;
    let appending = compute(move || {
        let _slot = slot;
        let request = decode().map_err(|error| decode_error(&error))?;
        let translated = translate(&request, &tenant, &app.loaded().config.otlp, &app.deltas)
            .map_err(|error| decode_error(&error))?;
        drop(request);
        let appending = append(
            &app,
            Protocol::Otlp,
            &tenant,
            translated.batch,
            Refused::default(),
        )?;
        Ok((appending, translated.rejected, translated.message))
    });
    let (appending, rejected, message) = appending.await?;
    let written = appending.durable().await?;
    Ok(answer(&written, rejected, message))
}

fn decode_error(error: &DecodeError) -> ApiError {
    let error_type = match error.status() {
        413 => ErrorType::TooLarge,
        415 => ErrorType::UnsupportedMediaType,
        _ => ErrorType::BadData,
    };
    ApiError::new(error_type, with_causes(error))
}

/// What the store refused joins what could not be translated in the partial success.
fn answer(written: &Written, rejected: usize, message: String) -> ExportMetricsServiceResponse {
    let refusal = written.refusal().map(|error| error.message);
    let messages = [Some(message), refusal].into_iter().flatten();
    let messages: Vec<String> = messages.filter(|text| !text.is_empty()).collect();
    let rejected = rejected + written.refused;
    let partial = ExportMetricsPartialSuccess {
        rejected_data_points: rejected as i64,
        error_message: messages.join("; "),
    };
    ExportMetricsServiceResponse {
        partial_success: (rejected > 0).then_some(partial),
    }
}

#[cfg(test)]
mod tests;
