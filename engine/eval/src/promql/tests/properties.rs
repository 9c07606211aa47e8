//! What holds for all queries.

use obsq_model::{Labels, SampleColumns, Tenant};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::promql::testing::{TestSource, context, engine, request, show};
use crate::promql::{EngineOptions, QueryOutcome, QueryValue, RangeSeries};

/// Queries whose value at a step does not depend on the other steps.
const QUERIES: [&str; 30] = [
    "m",
    "m offset 30s",
    "rate(m[1m])",
    "increase(m[90s] offset 10s)",
    "deriv(m[2m])",
    "max_over_time(m[1m])",
    "changes(m[2m])",
    "resets(m[2m])",
    "stddev_over_time(m[2m])",
    "quantile_over_time(0.3, m[2m])",
    "last_over_time(m[1m])",
    "avg_over_time(m[2m:17s])",
    "sum by (g) (rate(m[1m]))",
    "avg by (g) (m)",
    "stddev by (g) (m)",
    "min without (i) (m)",
    "count(m)",
    "quantile by (g) (0.5, m)",
    "topk by (g) (2, m)",
    "limitk(3, m)",
    "count_values(\"v\", m > bool 0)",
    "m > 0",
    "m * on (i, g) m",
    "m / on (g) group_left sum by (g) (m)",
    "m and on (i) m > 0",
    "m or on (i) -m",
    "abs(m) + scalar(sum(m))",
    "clamp(m, -1, 1)",
    "absent(m{i=\"1\"})",
    "timestamp(m)",
];

/// Returns a source with some series of two groups; each has its samples at its own times.
fn sources() -> impl Strategy<Value = TestSource> {
    let samples = vec((1..40_000_i64, -5..20_i32), 0..25);
    vec(samples, 1..6).prop_map(|all| {
        let mut source = TestSource::default();
        for (index, samples) in all.into_iter().enumerate() {
            let mut columns = SampleColumns::default();
            let mut ts_ms = 0;
            for (gap_ms, value) in samples {
                ts_ms += gap_ms;
                columns.float_ts.push(ts_ms);
                columns.floats.push(f64::from(value));
            }
            let (group, index) = ((index % 2).to_string(), index.to_string());
            let pairs = [("__name__", "m"), ("g", &group), ("i", &index)];
            source = source.with(Labels::from_pairs(&pairs), columns);
        }
        source
    })
}

/// Returns what a range query has at one time, as an instant query would show it, sorted.
fn at(outcome: &QueryOutcome, time_ms: i64) -> Vec<(Labels, f64)> {
    let QueryValue::Matrix(series) = &outcome.value else {
        return Vec::new();
    };
    let value = |one: &RangeSeries| {
        let found = one.floats.iter().find(|(at, _)| *at == time_ms);
        found.map(|(_, value)| (one.labels.clone(), *value))
    };
    series.iter().filter_map(value).collect()
}

fn elements(outcome: &QueryOutcome) -> Vec<(Labels, f64)> {
    let QueryValue::Vector { samples, .. } = &outcome.value else {
        return Vec::new();
    };
    let mut elements: Vec<(Labels, f64)> = samples
        .iter()
        .filter_map(|sample| match &sample.value {
            crate::promql::Value::Float(value) => Some((sample.labels.clone(), *value)),
            crate::promql::Value::Histogram(_) => None,
        })
        .collect();
    elements.sort_by(|a, b| a.0.cmp(&b.0));
    elements
}

fn close(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_range_query_is_the_instant_queries_at_its_steps(source in sources()) {
        for query in QUERIES {
            let range = source.range(query, (0, 300_000, 20_000));
            for step in 0..=15 {
                let time_ms = step * 20_000;
                let instant = source.instant(query, time_ms);
                let (Ok(range), Ok(instant)) = (&range, &instant) else {
                    prop_assert!(range.is_err(), "{query} fails at {time_ms} alone");
                    continue;
                };
                let (a, b) = (at(range, time_ms), elements(instant));
                prop_assert_eq!(a.len(), b.len(), "{} at {}: {:?} {:?}", query, time_ms, &a, &b);
                for (a, b) in a.iter().zip(&b) {
                    prop_assert_eq!(&a.0, &b.0, "{} at {}", query, time_ms);
                    prop_assert!(close(a.1, b.1), "{} at {}: {} {}", query, time_ms, a.1, b.1);
                }
            }
        }
    }
}

/// Returns many series, so that there are several parts to work on.
fn many() -> TestSource {
    let mut source = TestSource::default();
    for index in 0..150_i32 {
        let mut columns = SampleColumns::default();
        for step in 0..40_i32 {
            columns.float_ts.push(i64::from(step) * 15_000);
            let value = f64::from(step * (index % 7)) + f64::from(index) / 3.0;
            columns.floats.push(value);
        }
        let (group, index) = ((index % 4).to_string(), format!("{index:03}"));
        let pairs = [("__name__", "m"), ("g", &group), ("i", &index)];
        source = source.with(Labels::from_pairs(&pairs), columns);
    }
    source
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_threads() {
    let (source, tenant) = (many(), Tenant::anonymous());
    for query in QUERIES {
        let answers = [1, 2, 5].map(|threads| {
            let engine = engine(EngineOptions {
                threads,
                ..EngineOptions::default()
            });
            let request = request(query, &tenant);
            let outcome = engine.range(&request, 0, 600_000, 20_000, &source, &context());
            let outcome = outcome.unwrap();
            (show(&outcome), outcome.stats.samples)
        });
        assert_eq!(answers[0], answers[1], "{query}");
        assert_eq!(answers[0], answers[2], "{query}");
    }
}

#[test]
fn streaming_gives_what_aggregating_a_result_gives() {
    let source = many();
    for op in [
        "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar",
    ] {
        for inner in ["m", "rate(m[1m])", "avg_over_time(m[45s])"] {
            let steps = (0, 600_000, 20_000);
            let streamed = source
                .range(&format!("{op} by (g) ({inner})"), steps)
                .unwrap();
            // Sorting has no effect over a range but needs all series.
            let held = source
                .range(&format!("{op} by (g) (sort({inner}))"), steps)
                .unwrap();
            assert_eq!(streamed.value, held.value, "{op} of {inner}");
        }
    }
}
