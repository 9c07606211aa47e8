//! Limits, cancellation, time-outs, and queries that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use obsq_model::{Clock, ErrorKind, ManualClock, Tenant};
use obsq_source::{CancelToken, MemoryBudget, QueryContext};

use crate::promql::testing::{TestSource, context, engine, request};
use crate::promql::{EngineOptions, QueryError, QueryValue};

fn source() -> TestSource {
    TestSource::load(
        10_000,
        "m{i=\"1\"} 0+1x100
         m{i=\"2\"} 0+1x100
         h h1+1x100",
    )
}

fn run(query: &str, context: &QueryContext) -> Result<usize, QueryError> {
    let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
    let outcome = engine.range(
        &request(query, &tenant),
        0,
        1_000_000,
        10_000,
        &source(),
        context,
    )?;
    Ok(outcome.stats.samples.peak)
}

#[test]
fn a_query_fails_exactly_when_it_holds_more_samples_than_allowed() {
    let queries = [
        "m",
        "h",
        "sum(m)",
        "sum(rate(m[1m]))",
        "rate(m[1m])",
        "m + m",
        "m * 2",
        "topk(1, m)",
        "quantile_over_time(0.5, m[1m])",
        "avg_over_time(m[1m:10s])",
        "count_values(\"v\", m)",
        "vector(1)",
        "m @ 100",
        "timestamp(m)",
    ];
    for query in queries {
        let peak = run(query, &context()).unwrap();
        let mut limited = context();
        limited.limits.max_samples = peak;
        assert!(run(query, &limited).is_ok(), "{query} at {peak}");
        limited.limits.max_samples = peak - 1;
        let error = run(query, &limited).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Execution, "{query}");
        assert_eq!(
            error.to_string(),
            "query processing would load too many samples into memory in query execution"
        );
    }
}

#[test]
fn memory_is_taken_from_the_budget_and_given_back() {
    let memory = MemoryBudget::new(1 << 20);
    let clock = Arc::new(ManualClock::default());
    let context = QueryContext::new(clock, None, Arc::clone(&memory));
    run("sum by (i) (m + m)", &context).unwrap();
    assert_eq!(memory.used_bytes(), 0);
    let small = QueryContext::new(
        Arc::new(ManualClock::default()),
        None,
        MemoryBudget::new(500),
    );
    let error = run("m + m", &small).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_canceled_or_late_query_ends() {
    let canceled = context();
    CancelToken::cancel(&canceled.cancel);
    let error = run("m", &canceled).unwrap_err();
    assert_eq!(error.to_string(), "query was canceled in query execution");
    assert_eq!(error.kind(), ErrorKind::Canceled);
    let clock = Arc::new(ManualClock::at(0));
    let late = QueryContext::new(
        Arc::clone(&clock) as _,
        Some(Duration::from_secs(1)),
        MemoryBudget::new(1 << 20),
    );
    clock.advance_ms(1_001);
    let error = run("m", &late).unwrap_err();
    assert_eq!(error.to_string(), "query timed out in query execution");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn queries_that_mean_nothing_are_refused_before_any_work() {
    let refused = |query: &str| {
        let error = run(query, &context()).unwrap_err();
        (error.kind(), error.to_string())
    };
    assert_eq!(
        refused("sum("),
        (
            ErrorKind::BadQuery,
            "1:5: parse error: unclosed left parenthesis".to_owned()
        )
    );
    assert_eq!(
        refused("m[5m]").1,
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
    assert_eq!(
        refused("\"text\"").1,
        "invalid expression type \"string\" for range query, must be Scalar or instant Vector"
    );
    assert_eq!(
        refused("rate(m[step() - 10s])").1,
        "7:19: duration must be greater than 0"
    );
    assert_eq!(
        refused("avg_over_time(m[1m] smoothed)").1,
        "smoothed modifier can only be used with: delta, increase, rate - not with avg_over_time"
    );
}

#[test]
fn a_grid_that_no_answer_could_be_held_for_is_refused_at_once() {
    for query in [
        "max_over_time(m[10y:1ms])",
        "vector(1)[10y:1ms]",
        "count_over_time((1 + vector(2))[200y:1ms])",
    ] {
        let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
        let error = engine
            .instant(&request(query, &tenant), 0, &source(), &context())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Execution, "{query}");
    }
}

#[test]
fn spreading_one_value_over_all_steps_is_checked_before_it_is_done() {
    let small = QueryContext::new(
        Arc::new(ManualClock::default()),
        None,
        MemoryBudget::new(30_000),
    );
    assert!(run("m @ 100", &small).is_ok());
    let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
    let many_steps = engine.range(
        &request("m @ 100", &tenant),
        0,
        10_000_000,
        1_000,
        &source(),
        &small,
    );
    assert_eq!(many_steps.unwrap_err().kind(), ErrorKind::LimitExceeded);
}

/// A clock that is a millisecond later each time it is read.
#[derive(Debug, Default)]
struct TickingClock(AtomicI64);

impl Clock for TickingClock {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms() as u64)
    }
}

#[test]
fn one_series_with_wide_windows_is_given_up_in_the_middle() {
    let long = TestSource::load(1_000, "m 0+1x20000");
    let (engine, tenant) = (engine(EngineOptions::default()), Tenant::anonymous());
    let run = |timeout| {
        let context = QueryContext::new(
            Arc::new(TickingClock::default()),
            Some(Duration::from_millis(timeout)),
            MemoryBudget::new(1 << 30),
        );
        let query = request("count_over_time(m[10000s])", &tenant);
        engine.range(&query, 10_000_000, 20_000_000, 5_000, &long, &context)
    };
    assert!(matches!(run(8), Err(QueryError::Timeout)));
    let outcome = run(1_000).unwrap();
    let QueryValue::Matrix(series) = outcome.value else {
        panic!("a range query gives a matrix");
    };
    assert_eq!(series[0].floats.len(), 2_001);
    assert!(series[0].floats.iter().all(|(_, count)| *count == 10_000.0));
}
