//! Queries.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;

use super::call::Call;
use super::get_or_post;
use crate::app::App;
use crate::prom::{ApiError, ExemplarRequest, InstantRequest, RangeRequest};

type Result = std::result::Result<Response, ApiError>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/query", get_or_post(query))
        .route("/query_range", get_or_post(query_range))
        .route("/query_exemplars", get_or_post(query_exemplars))
        .route("/format_query", get_or_post(format_query))
        .route("/parse_query", get_or_post(parse_query))
}

async fn query(State(app): State<Arc<App>>, call: Call) -> Result {
    let request = InstantRequest::from_form(&call.form, app.prom.now_ms())?;
    let timeout = request.common.timeout;
    let work = call.run(app, timeout, move |turn| {
        let prom = &turn.app.prom;
        prom.query(&turn.tenant, &request, turn.queued, &turn.context)
    });
    work.await
}

async fn query_range(State(app): State<Arc<App>>, call: Call) -> Result {
    let request = RangeRequest::from_form(&call.form)?;
    let timeout = request.common.timeout;
    let work = call.run(app, timeout, move |turn| {
        let prom = &turn.app.prom;
        prom.query_range(&turn.tenant, &request, turn.queued, &turn.context)
    });
    work.await
}

async fn query_exemplars(State(app): State<Arc<App>>, call: Call) -> Result {
    let request = ExemplarRequest::from_form(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let prom = &turn.app.prom;
        prom.query_exemplars(&turn.tenant, &request, &turn.context)
    });
    work.await
}

async fn format_query(State(app): State<Arc<App>>, call: Call) -> Result {
    let text = call.form.get("query").to_owned();
    let work = call.run(app, None, move |turn| turn.app.prom.format_query(&text));
    work.await
}

async fn parse_query(State(app): State<Arc<App>>, call: Call) -> Result {
    let text = call.form.get("query").to_owned();
    let work = call.run(app, None, move |turn| turn.app.prom.parse_query(&text));
    work.await
}
