//! Calls that change what is stored; refused unless they are enabled.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use obsq_model::Tenant;
use serde_json::json;

use super::call::Call;
use crate::app::App;
use crate::http::pool::compute;
use crate::prom::{Answer, ApiError, ErrorType, SeriesRequest, parse_one_selector};
use crate::stores::Stores;

type Result = std::result::Result<Response, ApiError>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/tsdb/snapshot", post_or_put(snapshot))
        .route("/admin/tsdb/delete_series", post_or_put(delete_series))
        .route(
            "/admin/tsdb/clean_tombstones",
            post_or_put(clean_tombstones),
        )
}

fn post_or_put<H, T>(handler: H) -> MethodRouter<Arc<App>>
where
    H: axum::handler::Handler<T, Arc<App>>,
    T: 'static,
{
    post(handler.clone()).put(handler)
}

async fn delete_series(State(app): State<Arc<App>>, call: Call) -> Result {
    check_enabled(&app)?;
    let request = SeriesRequest::from_form(&call.form)?;
    if request.matchers.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let mut selectors = Vec::with_capacity(request.matchers.len());
    for text in &request.matchers {
        let matchers = parse_one_selector(text);
        selectors.push(matchers.map_err(|e| ApiError::parameter("match[]", e.message))?);
    }
    let (tenant, range) = (call.tenant, request.range);
    run(&app, move |stores| {
        stores.delete_series(&tenant, selectors, range)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn clean_tombstones(State(app): State<Arc<App>>, call: Call) -> Result {
    check_enabled(&app)?;
    run(&app, move |stores| stores.clean_tombstones(&call.tenant)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn snapshot(State(app): State<Arc<App>>, call: Call) -> Result {
    check_enabled(&app)?;
    let skip_head = boolean("skip_head", call.form.get("skip_head"))?;
    let tenant = call.tenant.clone();
    let name = run(&app, move |stores| stores.snapshot(&tenant, skip_head)).await?;
    Ok(call.answer(&Answer::plain(json!({ "name": name }))))
}

/// Reads a boolean as Go does; nothing is `false`.
fn boolean(name: &str, text: &str) -> std::result::Result<bool, ApiError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => {
            let cause = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
            let problem = format!("unable to parse boolean: {cause}");
            Err(ApiError::parameter(name, problem))
        }
    }
}

fn check_enabled(app: &App) -> std::result::Result<(), ApiError> {
    if app.options.enable_admin_api {
        return Ok(());
    }
    Err(ApiError::new(ErrorType::Forbidden, "admin APIs disabled"))
}

/// Runs `work` where it may block, one at a time. It comes to its end though the client goes away.
async fn run<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Stores) -> std::result::Result<T, ApiError> + Send + 'static,
) -> std::result::Result<T, ApiError> {
    let busy = || ApiError::new(ErrorType::Unavailable, "another admin call is running");
    let slot = app.admin.enter(&Tenant::anonymous(), 1).await;
    let slot = slot.ok_or_else(busy)?;
    let app = Arc::clone(app);
    compute(move || {
        let _slot = slot;
        work(&app.stores)
    })
    .await
}
