//! Remote read: samples in one message, or stored chunks in a stream.

mod service;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::routing::post;
use futures_util::stream;
use obsq_ingest::IngestLimits;
use obsq_ingest::prompb::{ResponseType, decode_read_request, snappy};
use obsq_ingest::remote_write::decompress;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::error::{ApiError, ErrorType};
use crate::app::App;
use crate::http::body::read_body;
use crate::http::gate::Slot;
use crate::http::pool::{CancelOnDrop, compute};
use crate::http::respond::{answer, api_error};
use crate::http::tenancy::tenant_of;
use service::ReadCall;

/// Frames that are made ahead of the client.
const FRAMES_AHEAD: usize = 4;
/// How long a client may take for one frame.
const FRAME_PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/read", post(read))
}

async fn read(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    match answer_read(app, request).await {
        Ok(response) => response,
        Err(error) => api_error(&error),
    }
}

async fn answer_read(app: Arc<App>, request: Request) -> Result<Response<Body>, ApiError> {
    let (parts, body) = request.into_parts();
    let limits = IngestLimits::default();
    let mut body = read_body(body, limits.max_wire_bytes, &app.bodies).await?;
    let tenant = tenant_of(&parts.headers)?;
    let slot = app
        .enter_queries(&tenant)
        .await
        .ok_or_else(|| ApiError::new(ErrorType::Timeout, "query timed out in query queue"))?;
    let mut context = app.prom.context(app.limits.timeout(&tenant, None));
    app.limits.restrict(&tenant, &mut context);
    let cancel = CancelOnDrop(context.cancel.clone());
    let call = compute(move || {
        let decode_error = |error| ApiError::bad_data(super::with_causes(&error));
        let bytes = decompress(&body.take(), &limits).map_err(decode_error)?;
        let request = decode_read_request(&bytes, &limits).map_err(decode_error)?;
        Ok(ReadCall {
            source: Arc::clone(app.prom.source()),
            external_labels: app.external_labels(),
            tenant,
            request,
            context,
        })
    });
    let call = call.await?;
    match call.request.accepted.first() {
        Some(ResponseType::StreamedXorChunks) => stream_chunks(call, slot, cancel).await,
        _ => samples(call, slot).await,
    }
}

async fn samples(call: ReadCall, slot: Slot) -> Result<Response<Body>, ApiError> {
    let body = compute(move || {
        let _slot = slot;
        Ok(snappy(&call.samples()?))
    });
    let body = body.await?;
    let mut response = answer(StatusCode::OK, "application/x-protobuf", body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    Ok(response)
}

/// Answers with a stream that starts once the first frame, or an error, is known.
async fn stream_chunks(
    call: ReadCall,
    slot: Slot,
    cancel: CancelOnDrop,
) -> Result<Response<Body>, ApiError> {
    let (sender, mut receiver) = mpsc::channel(FRAMES_AHEAD);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _slot = slot;
        let send = |frame| {
            let sending = tokio::time::timeout(FRAME_PATIENCE, sender.send(Ok(frame)));
            matches!(runtime.block_on(sending), Ok(Ok(())))
        };
        if let Err(error) = call.chunks(send) {
            // Nobody waits for the error when the client is gone.
            drop(runtime.block_on(sender.send(Err(error))));
        }
    });
    let first = receiver.recv().await.transpose()?;
    let frames = stream::unfold(
        (first, receiver, cancel),
        |(next, mut receiver, cancel)| async {
            let frame = match next {
                Some(frame) => Ok(frame),
                None => receiver.recv().await?,
            };
            Some((frame, (None, receiver, cancel)))
        },
    );
    Ok(answer(
        StatusCode::OK,
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
        Body::from_stream(frames),
    ))
}

#[cfg(test)]
mod tests;
