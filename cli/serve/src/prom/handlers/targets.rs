//! Targets that are scraped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use obsq_ingest::config::ScrapeConfig;
use obsq_ingest::relabel::{self, RelabelConfig};
use obsq_ingest::scrape::{DroppedTarget, PoolSnapshot, TargetMetadata, TargetSnapshot};
use obsq_model::{Labels, MIN_TIME_MS, Matcher, MetricMetadata, rfc3339};
use serde_json::{Map, Value, json};

use super::call::Call;
use crate::app::App;
use crate::options::duration_text;
use crate::prom::selectors::parse_one_selector;
use crate::prom::{Answer, ApiError, Form, GlobalUrl};

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/scrape_pools", get(scrape_pools))
        .route("/scrape_pools/config", get(scrape_pool_config))
        .route("/targets", get(targets))
        .route("/targets/relabel_steps", get(relabel_steps))
        .route("/targets/metadata", get(metadata))
}

async fn scrape_pools(State(app): State<Arc<App>>, call: Call) -> Response {
    let pools = app.scraper.scrape_pools();
    call.answer(&Answer::plain(json!({"scrapePools": pools})))
}

async fn scrape_pool_config(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let config = pool_config(&app, &call.form)?;
    Ok(call.answer(&Answer::plain(json!({"yaml": config.to_yaml()}))))
}

fn pool_config(app: &App, form: &Form) -> Result<Arc<ScrapeConfig>, ApiError> {
    let name = form.get("scrapePool");
    if name.is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    let config = app.scraper.pool_config(name);
    config.ok_or_else(|| {
        let message = format!("error retrieving scrape config: scrape pool {name:?} not found");
        ApiError::bad_data(message)
    })
}

async fn relabel_steps(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    if call.form.get("scrapePool").is_empty() {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    }
    let labels = match call.form.get("labels") {
        "" => return Err(ApiError::bad_data("no labels parameter provided")),
        text => serde_json::from_str::<BTreeMap<String, String>>(text)
            .map_err(|error| ApiError::bad_data(format!("error parsing labels: {error}")))?,
    };
    let labels: Vec<_> = labels.into_iter().collect();
    let config = pool_config(&app, &call.form)?;
    let steps = steps(&Labels::from_pairs(&labels), &config.relabel_configs);
    Ok(call.answer(&Answer::plain(json!({"steps": steps}))))
}

fn steps(labels: &Labels, rules: &[RelabelConfig]) -> Value {
    let left = relabel::steps(labels, rules);
    let steps = rules.iter().zip(left);
    steps
        .map(|(rule, left)| {
            let output = left.as_ref().map_or_else(|| json!({}), object);
            json!({"rule": rule_object(rule), "output": output, "keep": left.is_some()})
        })
        .collect()
}

fn rule_object(rule: &RelabelConfig) -> Value {
    let mut object = json!({
        "separator": rule.separator,
        "regex": rule.regex.as_str(),
        "replacement": rule.replacement,
        "action": rule.action.as_str(),
    });
    if !rule.source_labels.is_empty() {
        object["source_labels"] = json!(rule.source_labels);
    }
    if rule.modulus != 0 {
        object["modulus"] = rule.modulus.into();
    }
    if !rule.target_label.is_empty() {
        object["target_label"] = json!(rule.target_label);
    }
    object
}

async fn targets(State(app): State<Arc<App>>, call: Call) -> Response {
    let pool = call.form.get("scrapePool");
    let mut pools = app.scraper.targets();
    pools.retain(|known| pool.is_empty() || known.name == pool);
    let data = discovery(
        &pools,
        &call.form.get("state").to_lowercase(),
        &app.global_url,
    );
    call.answer(&Answer::plain(data))
}

fn discovery(pools: &[PoolSnapshot], state: &str, global: &GlobalUrl) -> Value {
    let shown = |kind: &str| matches!(state, "" | "any") || state == kind;
    let (mut active, mut dropped, mut counts) = (Vec::new(), Vec::new(), Map::new());
    for pool in pools {
        if shown("active") {
            let targets = pool.active.iter();
            active.extend(targets.map(|target| active_target(&pool.name, target, global)));
        }
        if shown("dropped") {
            let targets = pool.dropped.iter();
            dropped.extend(targets.map(|target| dropped_target(&pool.name, target)));
            counts.insert(pool.name.clone(), pool.dropped_count.into());
        }
    }
    // Without dropped targets their counts are not known, which Prometheus writes as null.
    let counts = if shown("dropped") {
        Value::Object(counts)
    } else {
        Value::Null
    };
    json!({"activeTargets": active, "droppedTargets": dropped, "droppedTargetCounts": counts})
}

fn active_target(pool: &str, target: &TargetSnapshot, global: &GlobalUrl) -> Value {
    let length = |ms: i64| duration_text(Duration::from_millis(ms.unsigned_abs()));
    json!({
        "discoveredLabels": object(&target.discovered_labels),
        "labels": object(&target.labels),
        "scrapePool": pool,
        "scrapeUrl": target.url,
        "globalUrl": global.of(&target.url),
        "lastError": target.last_error.as_deref().unwrap_or_default(),
        "lastScrape": rfc3339(target.last_scrape_ms.unwrap_or(MIN_TIME_MS)),
        "lastScrapeDuration": target.last_duration.as_secs_f64(),
        "health": target.health.as_str(),
        "scrapeInterval": length(target.interval_ms),
        "scrapeTimeout": length(target.timeout_ms),
    })
}

fn dropped_target(pool: &str, target: &DroppedTarget) -> Value {
    json!({"discoveredLabels": object(&target.discovered_labels), "scrapePool": pool})
}

fn object(labels: &Labels) -> Value {
    let pairs = labels.iter();
    pairs
        .map(|label| (label.name.to_owned(), Value::from(label.value)))
        .collect()
}

async fn metadata(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let request = MetadataRequest::from_form(&call.form)?;
    let entries = request.answer(&app.scraper.target_metadata());
    Ok(call.answer(&Answer::plain(entries)))
}

/// `/api/v1/targets/metadata`
#[derive(Debug)]
struct MetadataRequest {
    matchers: Vec<Matcher>,
    metric: String,
    limit: usize,
}

impl MetadataRequest {
    fn from_form(form: &Form) -> Result<Self, ApiError> {
        let limit = match form.get("limit") {
            "" => usize::MAX,
            text => match text.parse::<i64>() {
                Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
                Err(_) => return Err(ApiError::bad_data("limit must be a number")),
            },
        };
        let matchers = match form.get("match_target") {
            "" => Vec::new(),
            text => parse_one_selector(text)
                .map_err(|error| ApiError::parameter("match_target", error.message))?,
        };
        Ok(Self {
            matchers,
            metric: form.get("metric").to_owned(),
            limit,
        })
    }

    fn answer(&self, targets: &[TargetMetadata]) -> Value {
        let mut entries = Vec::new();
        for target in targets {
            let labels = &target.labels;
            let wanted = |matcher: &Matcher| matcher.matches(labels.value(matcher.name()));
            if entries.len() >= self.limit || !self.matchers.iter().all(wanted) {
                continue;
            }
            for (family, metadata) in &target.families {
                if self.metric.is_empty() {
                    entries.push(entry(labels, Some(family), metadata));
                } else if *family == self.metric {
                    entries.push(entry(labels, None, metadata));
                }
            }
        }
        Value::Array(entries)
    }
}

/// The family is left out where it was asked for.
fn entry(target: &Labels, family: Option<&String>, metadata: &MetricMetadata) -> Value {
    let mut entry = json!({
        "target": object(target),
        "type": metadata.metric_type.as_str(),
        "help": metadata.help,
        "unit": metadata.unit,
    });
    if let Some(family) = family {
        entry["metric"] = family.as_str().into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestServer;
    use obsq_ingest::scrape::TargetHealth;
    use obsq_model::MetricType;

    fn pool() -> PoolSnapshot {
        let labels = |job: &str| Labels::from_pairs(&[("job", job)]);
        PoolSnapshot {
            name: "shop".into(),
            active: vec![TargetSnapshot {
                discovered_labels: labels("a"),
                labels: labels("b"),
                url: "http://127.0.0.1:9100/metrics".into(),
                last_error: None,
                last_scrape_ms: None,
                last_duration: Duration::ZERO,
                health: TargetHealth::Unknown,
                interval_ms: 15_000,
                timeout_ms: 10_000,
            }],
            dropped: vec![DroppedTarget {
                discovered_labels: labels("c"),
            }],
            dropped_count: 1,
        }
    }

    #[test]
    fn targets_have_the_shape_of_prometheus() {
        let _guard = obsq_snapshots::bind("cli/serve");
        let global = GlobalUrl::new("https://obsq.example/", 4600);
        let body = discovery(&[pool()], "", &global);
        insta::assert_snapshot!("targets", serde_json::to_string_pretty(&body).unwrap());
        let body = discovery(&[pool()], "active", &global);
        assert_eq!(body["droppedTargets"], json!([]));
        assert_eq!(body["droppedTargetCounts"], Value::Null);
    }

    #[test]
    fn metadata_of_targets_is_chosen_by_target_and_metric() {
        let metadata = MetricMetadata {
            metric_type: MetricType::Counter,
            unit: String::new(),
            help: "h".into(),
        };
        let targets = [TargetMetadata {
            labels: Labels::from_pairs(&[("job", "a")]),
            families: vec![("x".into(), metadata.clone()), ("y".into(), metadata)],
        }];
        let ask = |pairs: &[(&str, &str)]| {
            let form = Form::from_pairs(pairs.iter().copied());
            MetadataRequest::from_form(&form).map(|request| request.answer(&targets))
        };
        let all = ask(&[]).unwrap();
        assert_eq!(
            all[0],
            json!({"target": {"job": "a"}, "metric": "x", "type": "counter", "help": "h", "unit": ""})
        );
        let one = ask(&[("metric", "y"), ("match_target", "{job=\"a\"}")]).unwrap();
        assert_eq!(
            one,
            json!([{"target": {"job": "a"}, "type": "counter", "help": "h", "unit": ""}])
        );
        assert_eq!(ask(&[("match_target", "{job=\"b\"}")]).unwrap(), json!([]));
        assert_eq!(ask(&[("limit", "0")]).unwrap(), json!([]));
        assert!(ask(&[("limit", "x")]).is_err() && ask(&[("match_target", "{")]).is_err());
    }

    #[tokio::test]
    async fn configuration_and_relabelling_of_a_job_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("obsq.yml");
        let text = r#"scrape_configs:
- job_name: shop
  relabel_configs:
  - {source_labels: [a, b], target_label: c, replacement: "x$1"}
  - {source_labels: [c], regex: "xdrop.*", action: drop}
"#;
        std::fs::write(&file, text).unwrap();
        let server = TestServer::start_with(|options| options.config_file = Some(file)).await;
        server.app.reload().await.unwrap();
        let ask = async |path: &str| -> Value {
            let answer = server.get(path).await;
            serde_json::from_slice(&answer.body).unwrap()
        };
        let config = ask("/api/v1/scrape_pools/config?scrapePool=shop").await;
        let yaml = config["data"]["yaml"].as_str().unwrap();
        assert!(yaml.starts_with("job_name: shop\n") && yaml.contains("metrics_path: /metrics"));
        let path = "/api/v1/targets/relabel_steps?scrapePool=shop&labels=";
        let kept = ask(&format!("{path}%7B%22a%22:%221%22%7D")).await;
        let expected = json!({
            "source_labels": ["a", "b"],
            "separator": ";",
            "regex": "(.*)",
            "target_label": "c",
            "replacement": "x$1",
            "action": "replace",
        });
        assert_eq!(kept["data"]["steps"][0]["rule"], expected);
        assert_eq!(
            kept["data"]["steps"][1]["output"],
            json!({"a": "1", "c": "x1;"})
        );
        let dropped = ask(&format!("{path}%7B%22a%22:%22drop%22%7D")).await;
        let step = &dropped["data"]["steps"][1];
        assert_eq!(
            (&step["output"], &step["keep"]),
            (&json!({}), &json!(false))
        );
        for (path, problem) in [
            (
                "/api/v1/scrape_pools/config",
                "no scrapePool parameter provided",
            ),
            (
                "/api/v1/scrape_pools/config?scrapePool=no",
                "error retrieving scrape config: scrape pool \"no\" not found",
            ),
            (
                "/api/v1/targets/relabel_steps?scrapePool=shop",
                "no labels parameter provided",
            ),
        ] {
            let answer = ask(path).await;
            assert_eq!(
                (&answer["errorType"], &answer["error"]),
                (&json!("bad_data"), &json!(problem))
            );
        }
        let answer = ask(&format!("{path}[1]")).await;
        let problem = answer["error"].as_str().unwrap();
        assert!(problem.starts_with("error parsing labels: "), "{problem}");
    }
}
