//! The server's own pages: the start page, health, readiness, reload, flush, metrics.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};

use crate::app::App;
use crate::http::pool::compute;
use crate::http::respond::{answer, api_error, text};
use crate::prom::{ApiError, ErrorType, with_causes};
use crate::telemetry::families_to_text;

const PAGE: &str = include_str!("own/page.html");

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(page))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/ready", get(ready))
        .route("/-/reload", post(reload).put(reload))
        .route("/flush", post(flush))
        .route("/metrics", get(metrics))
}

async fn page() -> Response<Body> {
    answer(StatusCode::OK, "text/html; charset=utf-8", PAGE)
}

async fn healthy() -> Response<Body> {
    text(StatusCode::OK, "obsq is healthy.\n")
}

async fn ready(State(app): State<Arc<App>>) -> Response<Body> {
    if app.is_ready() {
        return text(StatusCode::OK, "obsq is ready.\n");
    }
    let message = "the write-ahead log is being replayed";
    api_error(&ApiError::new(ErrorType::Unavailable, message))
}

async fn reload(State(app): State<Arc<App>>) -> Response<Body> {
    // A task of its own, so that a client that goes away does not leave half a configuration.
    let reloaded = tokio::spawn(async move { app.reload().await });
    let problem = match reloaded.await {
        Ok(Ok(())) => return text(StatusCode::OK, ""),
        Ok(Err(error)) => with_causes(&error),
        Err(error) => error.to_string(),
    };
    let message = format!("failed to reload config: {problem}");
    api_error(&ApiError::new(ErrorType::Internal, message))
}

async fn flush(State(app): State<Arc<App>>) -> Response<Body> {
    match compute(move || app.flush()).await {
        Ok(()) => text(StatusCode::NO_CONTENT, ""),
        Err(error) => api_error(&error),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    let page = families_to_text(&app.telemetry.families(&app));
    answer(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        page,
    )
}
