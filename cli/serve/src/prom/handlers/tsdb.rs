//! What the store holds.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use obsq_metrics::{BlockMeta, HeadStatus, NamedCount};
use serde_json::{Value, json};

use super::call::Call;
use crate::app::App;
use crate::prom::{Answer, ApiError, ErrorType, Form};

/// The most entries of one list.
const MAX_LIMIT: usize = 10_000;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/status/tsdb", get(tsdb))
        .route("/status/tsdb/blocks", get(blocks))
}

async fn tsdb(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let limit = limit(&call.form)?;
    let work = call.run(app, None, move |turn| {
        let status = turn.app.stores.head_status(&turn.tenant, limit);
        Ok(Answer::plain(answer(&status)))
    });
    work.await
}

/// The sections of other programs in a block's description are left out, as Prometheus does.
async fn blocks(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let work = call.run(app, None, move |turn| {
        let metas = turn.app.stores.block_metas(&turn.tenant).into_iter();
        let metas = metas.map(|meta| {
            let (thanos, obsq) = (None, None);
            serde_json::to_value(BlockMeta {
                thanos,
                obsq,
                ..meta
            })
        });
        let metas: Result<Vec<Value>, _> = metas.collect();
        let metas = metas.map_err(|error| ApiError::new(ErrorType::Internal, error.to_string()))?;
        Ok(Answer::plain(json!({"blocks": metas})))
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
    use crate::testing::TestServer;

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

    #[tokio::test]
    async fn blocks_are_described_once_sealed() {
        let server = TestServer::start().await;
        let ask = async || -> Value {
            let answer = server.get("/api/v1/status/tsdb/blocks").await;
            serde_json::from_slice(&answer.body).unwrap()
        };
        assert_eq!(ask().await["data"], json!({"blocks": []}));
        let labels = [("__name__", "up")];
        let samples = [(1_700_000_000_000, 1.0), (1_700_000_015_000, 2.0)];
        server.store("anonymous", &labels, &samples).await;
        let app = Arc::clone(&server.app);
        tokio::task::spawn_blocking(move || app.flush())
            .await
            .unwrap()
            .unwrap();
        let block = ask().await["data"]["blocks"][0].take();
        let time = |name: &str| block[name].as_i64().unwrap();
        assert!(time("minTime") <= samples[0].0 && time("maxTime") > samples[1].0);
        assert_eq!(block["stats"]["numSamples"], 2);
        assert_eq!(block["compaction"]["level"], 1);
        assert!(block["ulid"].is_string() && block.get("obsq").is_none());
    }

    #[test]
    fn an_empty_head_has_empty_lists() {
        let body = answer(&HeadStatus::default());
        assert_eq!(body["headStats"]["numSeries"], 0);
        assert_eq!(body["headStats"]["minTime"], i64::MAX);
        assert_eq!(body["seriesCountByMetricName"], json!([]));
    }
}
