//! The calls of the Prometheus API over HTTP.

mod admin;
mod call;
mod query;
mod rules;
mod series;
mod status;
mod targets;
mod tsdb;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};

use crate::app::App;

pub(super) use call::{Call, Turn};

/// Returns the routes below `/api/v1`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .merge(admin::routes())
        .merge(query::routes())
        .merge(series::routes())
        .merge(status::routes())
        .merge(rules::routes())
        .merge(targets::routes())
        .merge(tsdb::routes())
        .merge(super::read::routes())
        .merge(super::write::routes())
        .merge(crate::otlp::prometheus_routes())
}

/// Serves a call by GET and by POST with a form.
fn get_or_post<H, T>(handler: H) -> MethodRouter<Arc<App>>
where
    H: axum::handler::Handler<T, Arc<App>>,
    T: 'static,
{
    get(handler.clone()).post(handler)
}
