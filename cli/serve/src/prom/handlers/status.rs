//! What the server says about itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use obsq_model::rfc3339;
use obsq_query_lang::Regex;
use obsq_query_lang::promql::Function;
use serde_json::{Map, Value, json};

use super::call::Call;
use crate::app::{App, hostname};
use crate::prom::{Answer, ApiError};
use crate::telemetry::families_to_json;

/// The version of Prometheus whose API is kept; clients switch features on by it.
pub(crate) const PROMETHEUS_VERSION: &str = "3.14.0";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/status/buildinfo", get(buildinfo))
        .route("/status/runtimeinfo", get(runtimeinfo))
        .route("/status/config", get(config))
        .route("/status/flags", get(flags))
        .route("/status/walreplay", get(walreplay))
        .route("/status/self_metrics", get(self_metrics))
        .route("/features", get(features))
        .route(
            "/notifications",
            get(|call: Call| async { done(call, json!([])) }),
        )
}

fn done(call: Call, data: Value) -> Response {
    call.answer(&Answer::plain(data))
}

async fn buildinfo(call: Call) -> Response {
    let data = json!({
        "version": PROMETHEUS_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    });
    done(call, data)
}

async fn runtimeinfo(State(app): State<Arc<App>>, call: Call) -> Response {
    let directory = std::env::current_dir().unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let reload = app.last_reload();
    let data = json!({
        "startTime": rfc3339(app.start_ms),
        "CWD": directory.to_string_lossy(),
        "hostname": hostname(),
        "serverTime": rfc3339(app.clock.now_ms()),
        "reloadConfigSuccess": reload.success,
        "lastConfigTime": rfc3339(reload.time_ms),
        "corruptionCount": app.stores.stats().corruptions,
        "goroutineCount": 0,
        "GOMAXPROCS": threads,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": app.retention_text(),
    });
    done(call, data)
}

async fn flags(State(app): State<Arc<App>>, call: Call) -> Response {
    let flags = app.options.flags().into_iter();
    let flags: Map<_, _> = flags
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    done(call, Value::Object(flags))
}

async fn config(State(app): State<Arc<App>>, call: Call) -> Response {
    done(call, json!({"yaml": app.loaded().config.to_yaml()}))
}

async fn walreplay(State(app): State<Arc<App>>, call: Call) -> Response {
    let current = u8::from(app.is_ready());
    done(call, json!({"min": 0, "max": 1, "current": current}))
}

async fn self_metrics(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let pattern = match call.form.get("metric_name_pattern") {
        "" => None,
        text => Some(Regex::anchored(text).map_err(|error| {
            ApiError::bad_data(format!("invalid metric_name_pattern: {error}"))
        })?),
    };
    let mut families = app.telemetry.families(&app);
    families.retain(|family| {
        let pattern = pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.is_match(family.name()))
    });
    Ok(done(call, families_to_json(&families)))
}

async fn features(State(app): State<Arc<App>>, call: Call) -> Response {
    let functions = Function::ALL.iter().map(|function| function.as_str());
    let (mut api, mut promql) = (enabled(API), enabled(PROMQL));
    api.insert("admin", app.options.enable_admin_api);
    promql.insert(
        "delayed_name_removal",
        app.options.query.delayed_name_removal,
    );
    let data = json!({
        "api": api,
        "prometheus": {"server_mode": true, "agent_mode": false},
        "promql": promql,
        "promql_functions": functions.map(|name| (name, true)).collect::<BTreeMap<_, _>>(),
        "tsdb": enabled(&["exemplar_storage", "native_histograms", "out_of_order"]),
    });
    done(call, data)
}

/// What of the API is there, by the names of Prometheus.
const API: &[&str] = &[
    "exclude_alerts",
    "label_values_match",
    "lifecycle",
    "otlp_write_receiver",
    "query_stats",
    "query_warnings",
    "remote_write_receiver",
    "time_range_labels",
    "time_range_series",
];

/// What of the language is there, by the names of Prometheus.
const PROMQL: &[&str] = &[
    "anchored",
    "at_modifier",
    "bool",
    "by",
    "duration_expr",
    "fill",
    "fill_left",
    "fill_right",
    "group_left",
    "group_right",
    "ignoring",
    "negative_offset",
    "offset",
    "on",
    "per_query_lookback_delta",
    "smoothed",
    "subqueries",
    "without",
];

fn enabled(names: &[&'static str]) -> BTreeMap<&'static str, bool> {
    names.iter().map(|name| (*name, true)).collect()
}
