//! Labels, series and metadata.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;

use super::call::Call;
use super::get_or_post;
use crate::app::App;
use crate::prom::label_name::unescape;
use crate::prom::{ApiError, MetadataRequest, SeriesRequest};

type Result = std::result::Result<Response, ApiError>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/labels", get_or_post(labels))
        .route("/label/{name}/values", get(label_values))
        .route("/series", get_or_post(series))
        .route("/metadata", get(metadata))
}

async fn labels(State(app): State<Arc<App>>, call: Call) -> Result {
    let request = SeriesRequest::from_form(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let prom = &turn.app.prom;
        prom.labels(&turn.tenant, &request, &turn.context)
    });
    work.await
}

async fn label_values(
    State(app): State<Arc<App>>,
    name: std::result::Result<Path<String>, axum::extract::rejection::PathRejection>,
    call: Call,
) -> Result {
    let Path(name) = name.map_err(|rejection| ApiError::bad_data(rejection.body_text()))?;
    let name = unescape(&name);
    let request = SeriesRequest::from_form(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let prom = &turn.app.prom;
        prom.label_values(&turn.tenant, &name, &request, &turn.context)
    });
    work.await
}

async fn series(State(app): State<Arc<App>>, call: Call) -> Result {
    if call.form.all("match[]").is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let request = SeriesRequest::from_form(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let prom = &turn.app.prom;
        prom.series(&turn.tenant, &request, &turn.context)
    });
    work.await
}

async fn metadata(State(app): State<Arc<App>>, call: Call) -> Result {
    let request = MetadataRequest::from_form(&call.form)?;
    let work = call.run(app, None, move |turn| {
        turn.app.prom.metadata(&turn.tenant, &request)
    });
    work.await
}
