//! All routes of the one port.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use tonic::Code;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::doors::Refusal;
use crate::http::body::discard;
use crate::http::respond::{answer, api_error};
use crate::prom::{ApiError, ErrorType};
use crate::{otlp, own, prom};

/// Returns the routes of the main port.
pub(crate) fn main_port(app: &Arc<App>) -> Router {
    let routes = Router::new()
        .merge(own::routes())
        .merge(otlp::routes())
        .merge(prom::federate_routes())
        .nest("/api/v1", prom::router());
    finish(routes, app)
}

/// Returns the routes of the extra OTLP ports.
pub(crate) fn otlp_port(app: &Arc<App>) -> Router {
    finish(otlp::routes(), app)
}

/// Adds what every port has: answers for what is not there, counting, and a net for panics.
fn finish(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(Arc::clone(app), set_cors))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard))
        .layer(middleware::from_fn_with_state(Arc::clone(app), count))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(Arc::clone(app))
}

/// The text `page not found` is what Grafana knows a missing ruler by.
async fn not_found(request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if is_grpc(&parts.headers) {
        return grpc_status(Code::Unimplemented);
    }
    discard(body).await;
    api_error(&ApiError::new(ErrorType::NotFound, "404 page not found"))
}

async fn method_not_allowed(request: Request) -> Response<Body> {
    let method = request.method().clone();
    discard(request.into_body()).await;
    let message = format!("method {method} is not allowed here");
    api_error(&ApiError::new(ErrorType::MethodNotAllowed, message))
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("application/grpc"))
}

/// A gRPC status, in the headers because there is no body.
fn grpc_status(code: Code) -> Response<Body> {
    let mut response = answer(StatusCode::OK, "application/grpc", Body::empty());
    response
        .headers_mut()
        .insert("grpc-status", HeaderValue::from(code as i32));
    response
}

/// Lets in who may come in, whatever the path, and adds the headers that every answer has.
async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let door = app.doors.current();
    let mut response = match app.doors.admit(&door, request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let (parts, body) = request.into_parts();
            discard(body).await;
            refuse(refusal, is_grpc(&parts.headers))
        }
    };
    for (name, value) in &door.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

fn refuse(refusal: Refusal, is_grpc: bool) -> Response<Body> {
    let (error_type, code, message) = match &refusal {
        Refusal::Unauthorized(_) => (
            ErrorType::Unauthorized,
            Code::Unauthenticated,
            "credentials are missing or wrong",
        ),
        Refusal::Busy => (
            ErrorType::Unavailable,
            Code::Unavailable,
            "too many passwords are being checked; try again soon",
        ),
        Refusal::Pace => (
            ErrorType::TooManyRequests,
            Code::ResourceExhausted,
            "requests come faster than `rate_limit` allows",
        ),
    };
    if is_grpc {
        let mut response = grpc_status(code);
        let message = HeaderValue::from_static(message);
        response.headers_mut().insert("grpc-message", message);
        return response;
    }
    let mut response = api_error(&ApiError::new(error_type, message));
    if let Refusal::Unauthorized(challenges) = refusal {
        for challenge in challenges {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// Lets browsers of other origins call the Prometheus API; `OPTIONS` is answered for any path.
async fn set_cors(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    if !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    let headers = request.headers().clone();
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    app.cors.set_headers(&headers, response.headers_mut());
    response
}

async fn count(
    State(app): State<Arc<App>>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let start = app.clock.monotonic();
    let response = next.run(request).await;
    let route = matched.as_ref().map_or("other", MatchedPath::as_str);
    let took = app.clock.monotonic().saturating_sub(start);
    app.telemetry
        .request(route, response.status().as_u16(), took);
    response
}

fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response<Body> {
    tracing::error!("a handler ended in a panic");
    let message = "internal error; the server's log has the details";
    api_error(&ApiError::new(ErrorType::Internal, message))
}

#[cfg(test)]
mod tests;
