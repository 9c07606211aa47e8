use obsq_eval::promql::EngineOptions;
use obsq_metrics::{MetricStore, StoreOptions};
use obsq_model::{ManualClock, MetricMetadata, MetricType, Sample, TimeRange};
use obsq_source::{MetricAppender as _, MetricBatch, SeriesBatch};
use tempfile::TempDir;

use super::*;
use crate::prom::{ErrorType, Form};

/// A service over three series with one sample each, and the time of the samples.
struct Fixture {
    service: PromService,
    clock: Arc<ManualClock>,
    tenant: Tenant,
    _directory: TempDir,
}

const NOW_MS: i64 = 1_700_000_000_000;

fn fixture(options: QueryOptions) -> Fixture {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let store = StoreOptions::new(directory.path().to_owned(), Arc::clone(&shared));
    let store = Arc::new(MetricStore::open(store).unwrap());
    while !store.is_ready() {
        std::thread::yield_now();
    }
    let tenant = Tenant::anonymous();
    let series = ["a", "b", "c"].map(|job| SeriesBatch {
        labels: Labels::from_pairs(&[("__name__", "up"), ("job", job)]),
        samples: [Sample::float(NOW_MS - 60_000, 1.0)].into(),
        exemplars: Vec::new(),
    });
    let metadata = |name: &str, help: &str| {
        let metadata = MetricMetadata {
            metric_type: MetricType::Gauge,
            unit: String::new(),
            help: help.to_owned(),
        };
        (name.to_owned(), metadata)
    };
    let batch = MetricBatch {
        series: series.to_vec(),
        metadata: vec![metadata("up", "one"), metadata("other", "two")],
    };
    store
        .append(&tenant, batch)
        .unwrap()
        .durable
        .wait_blocking()
        .unwrap();
    let engine = Engine::new(EngineOptions::default()).unwrap();
    Fixture {
        service: PromService::new(store, engine, shared, options),
        clock,
        tenant,
        _directory: directory,
    }
}

fn instant(query: &str, change: impl FnOnce(&mut QueryCommon)) -> InstantRequest {
    let mut common = QueryCommon {
        query: query.to_owned(),
        ..QueryCommon::default()
    };
    change(&mut common);
    InstantRequest {
        common,
        time_ms: NOW_MS,
    }
}

impl Fixture {
    fn query(&self, request: &InstantRequest) -> Result<Answer<QueryData>, ApiError> {
        let context = self.service.context(request.common.timeout);
        self.service
            .query(&self.tenant, request, Duration::from_millis(3), &context)
    }
}

fn series_request(matchers: &[&str], limit: usize) -> SeriesRequest {
    SeriesRequest {
        matchers: matchers.iter().map(|text| (*text).to_owned()).collect(),
        range: TimeRange::ALL,
        limit,
    }
}

#[test]
fn a_limit_cuts_vectors_and_says_so() {
    let fixture = fixture(QueryOptions::default());
    let answer = fixture
        .query(&instant("up", |common| common.limit = 2))
        .unwrap();
    let QueryValue::Vector { samples, .. } = &answer.data.value else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (samples.len(), answer.warnings.as_slice()),
        (2, &[TRUNCATED.to_owned()][..])
    );
    let answer = fixture
        .query(&instant("up", |common| common.limit = 3))
        .unwrap();
    assert_eq!((answer.warnings.len(), answer.data.stats), (0, None));
    let answer = fixture
        .query(&instant("1", |common| common.limit = 1))
        .unwrap();
    assert!(answer.warnings.is_empty());
}

#[test]
fn the_cost_is_told_with_the_time_spent_waiting() {
    let fixture = fixture(QueryOptions::default());
    let answer = fixture
        .query(&instant("up", |common| common.stats.wanted = true))
        .unwrap();
    let stats = answer.data.stats.unwrap();
    assert_eq!(stats.timings.exec_queue, Duration::from_millis(3));
    assert_eq!(stats.samples.total_queryable, 3);
}

#[test]
fn the_lookback_of_a_request_wins() {
    let fixture = fixture(QueryOptions::default());
    let found = |lookback_ms| {
        let request = instant("count(up)", |common| common.lookback_ms = lookback_ms);
        match fixture.query(&request).unwrap().data.value {
            QueryValue::Vector { samples, .. } => samples.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (found(None), found(Some(60_001)), found(Some(60_000))),
        (1, 1, 0)
    );
}

#[test]
fn errors_are_told_as_prometheus_tells_them() {
    let options = QueryOptions {
        max_samples: 2,
        ..QueryOptions::default()
    };
    let fixture = fixture(options);
    let error = |query: &str| {
        let error = fixture.query(&instant(query, |_| ())).unwrap_err();
        (error.error_type, error.message)
    };
    assert_eq!(
        error("sum("),
        (
            ErrorType::BadData,
            r#"invalid parameter "query": 1:5: parse error: unclosed left parenthesis"#.to_owned()
        )
    );
    let (error_type, message) = error("up");
    assert_eq!(error_type, ErrorType::Execution);
    assert!(message.contains("too many samples"), "{message}");
}

#[test]
fn a_query_ends_when_its_time_is_over_or_nobody_waits() {
    let fixture = fixture(QueryOptions::default());
    let request = instant("up", |_| ());
    let ask = |context: &QueryContext| {
        let answer = fixture
            .service
            .query(&fixture.tenant, &request, Duration::ZERO, context);
        answer.unwrap_err().error_type
    };
    let context = fixture.service.context(Some(Duration::from_secs(5)));
    fixture.clock.advance_ms(5_001);
    assert_eq!(ask(&context), ErrorType::Timeout);
    let context = fixture.service.context(None);
    context.cancel.cancel();
    assert_eq!(ask(&context), ErrorType::Canceled);
    let context = fixture.service.context(Some(Duration::from_hours(1)));
    fixture.clock.advance_ms(120_001);
    assert_eq!(
        ask(&context),
        ErrorType::Timeout,
        "the server's limit holds"
    );
}

#[test]
fn ranges_are_evaluated_step_by_step() {
    let fixture = fixture(QueryOptions::default());
    let form = Form::from_pairs([
        ("query", "sum(up)"),
        ("start", "1699999880"),
        ("end", "1700000000"),
        ("step", "60"),
    ]);
    let request = RangeRequest::from_form(&form).unwrap();
    let context = fixture.service.context(None);
    let answer = fixture
        .service
        .query_range(&fixture.tenant, &request, Duration::ZERO, &context);
    assert_eq!(
        String::from_utf8(answer.unwrap().to_json()).unwrap(),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1699999940,"3"],[1700000000,"3"]]}]}}"#
    );
}

#[test]
fn label_calls_cut_only_what_is_longer_than_the_limit() {
    let fixture = fixture(QueryOptions::default());
    let (service, tenant) = (&fixture.service, &fixture.tenant);
    let context = service.context(None);
    let values = |limit| {
        let request = series_request(&["up"], limit);
        service
            .label_values(tenant, "job", &request, &context)
            .unwrap()
    };
    assert_eq!((values(3).data.len(), values(3).warnings.len()), (3, 0));
    assert_eq!((values(2).data.len(), values(2).warnings.len()), (2, 1));
    let names = service
        .labels(tenant, &series_request(&[], 0), &context)
        .unwrap();
    assert_eq!(names.data, ["__name__", "job"]);
    let series = service.series(tenant, &series_request(&["up", "{job='a'}"], 0), &context);
    assert_eq!(series.unwrap().data.len(), 3);
    let refused = |matchers: &[&str]| {
        let request = series_request(matchers, 0);
        service
            .series(tenant, &request, &context)
            .unwrap_err()
            .message
    };
    assert_eq!(refused(&[]), "no match[] parameter provided");
    assert!(refused(&["{"]).starts_with("invalid parameter \"match[]\": 1:2: parse error"));
    let unnamed = service.label_values(tenant, "", &series_request(&[], 0), &context);
    assert_eq!(unnamed.unwrap_err().message, "invalid label name: \"\"");
}

#[test]
fn metadata_is_limited_by_metric_and_per_metric() {
    let fixture = fixture(QueryOptions::default());
    let metrics = |request: MetadataRequest| {
        let answer = fixture.service.metadata(&fixture.tenant, &request).unwrap();
        let metrics = answer.data.into_iter().map(|entry| entry.metric);
        metrics.collect::<Vec<_>>()
    };
    assert_eq!(metrics(MetadataRequest::default()), ["other", "up"]);
    let one = MetadataRequest {
        limit: Some(1),
        ..MetadataRequest::default()
    };
    assert_eq!(metrics(one), ["other"]);
    let up = MetadataRequest {
        metric: Some("up".into()),
        limit_per_metric: Some(1),
        ..MetadataRequest::default()
    };
    assert_eq!(metrics(up), ["up"]);
}

#[test]
fn queries_can_be_formatted_and_parsed() {
    let fixture = fixture(QueryOptions::default());
    let service = &fixture.service;
    let formatted = service.format_query("sum(up)by(job)").unwrap();
    assert_eq!(formatted.data, "sum by (job) (up)");
    assert!(
        service
            .parse_query("up")
            .unwrap()
            .data
            .0
            .contains("vectorSelector")
    );
    for message in [
        service.format_query("sum(").unwrap_err().message,
        service.parse_query("sum(").unwrap_err().message,
    ] {
        assert!(
            message.starts_with("invalid parameter \"query\": 1:5"),
            "{message}"
        );
    }
}

#[test]
fn exemplars_are_asked_for_by_the_selectors_of_a_query() {
    let fixture = fixture(QueryOptions::default());
    let context = fixture.service.context(None);
    let ask = |query: &str| {
        let request = ExemplarRequest {
            query: query.to_owned(),
            range: TimeRange::ALL,
        };
        fixture
            .service
            .query_exemplars(&fixture.tenant, &request, &context)
    };
    assert_eq!(ask("1 + 1").unwrap().data, []);
    assert_eq!(ask("rate(up[5m])").unwrap().data, []);
    assert_eq!(ask("up{").unwrap_err().error_type, ErrorType::BadData);
}
