//! What the store holds.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use obsq_metrics::{HeadStatus, NamedCount};
use serde_json::{Value, json};

use super::call::Call;
use crate::app::App;
use crate::prom::{Answer, ApiError, Form};

/// The most entries of one list.
const MAX_LIMIT: usize = 10_000;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/status/tsdb", get(tsdb))
}

async fn tsdb(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let limit = limit(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let status = turn.app.stores.head_status(&turn.tenant, limit);
        Ok(Answer::plain(answer(&status)))
    });
    work.await
}

fn limit(form: &Form) -> Result<usize, ApiError> {
    match form.get("limit") {
        "" => Ok(10),
        text => match text.parse::<usize>() {
            Err(_) | Ok(0) => Err(ApiError::bad_data("limit must be a positive number")),
            Ok(limit) if limit > MAX_LIMIT => {
                let problem = format!("limit must not exceed {MAX_LIMIT}");
                Err(ApiError::bad_data(problem))
            }
            Ok(limit) => Ok(limit),
        },
    }
}

/// The times of an empty head are those that Prometheus shows.
fn answer(status: &HeadStatus) -> Value {
    json!({
        "headStats": {
            "numSeries": status.series,
            "numLabelPairs": status.label_pairs,
            "chunkCount": status.chunks,
            "minTime": status.min_time_ms.unwrap_or(i64::MAX),
            "maxTime": status.max_time_ms.unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": list(&status.series_by_metric_name),
        "labelValueCountByLabelName": list(&status.values_by_label_name),
        "memoryInBytesByLabelName": list(&status.bytes_by_label_name),
        "seriesCountByLabelValuePair": list(&status.series_by_label_pair),
    })
}

fn list(counts: &[NamedCount]) -> Value {
    let entries = counts.iter();
    entries
        .map(|count| json!({"name": count.name, "value": count.value}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_positive_number() {
        let limit = |text: &str| limit(&Form::from_pairs([("limit", text)]));
        assert_eq!((limit(""), limit("20")), (Ok(10), Ok(20)));
        for (text, problem) in [
            ("0", "limit must be a positive number"),
            ("x", "limit must be a positive number"),
            ("10001", "limit must not exceed 10000"),
        ] {
            assert_eq!(limit(text).unwrap_err().message, problem);
        }
    }

    #[test]
    fn an_empty_head_has_empty_lists() {
        let body = answer(&HeadStatus::default());
        assert_eq!(body["headStats"]["numSeries"], 0);
        assert_eq!(body["headStats"]["minTime"], i64::MAX);
        assert_eq!(body["seriesCountByMetricName"], json!([]));
    }
}
