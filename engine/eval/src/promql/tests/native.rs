//! Native histograms.

use std::sync::Arc;

use obsq_model::{BucketSpan, CounterResetHint, FloatHistogram, Labels, SampleColumns};

use crate::promql::testing::TestSource;

/// Returns a histogram of schema 0 with those counts in the buckets from `(0.5, 1]` on.
fn exponential(buckets: &[f64]) -> FloatHistogram {
    FloatHistogram {
        count: buckets.iter().sum(),
        sum: buckets.iter().sum::<f64>() * 2.0,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: buckets.len() as u32,
        }],
        positive_buckets: buckets.to_vec(),
        ..FloatHistogram::default()
    }
}

/// Returns a histogram with custom bounds.
fn custom(bounds: &[f64], buckets: &[f64]) -> FloatHistogram {
    FloatHistogram {
        schema: obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA,
        custom_values: bounds.into(),
        ..exponential(buckets)
    }
}

/// Returns a source with the histograms of each series, ten seconds apart.
fn source(series: &[(&str, Vec<FloatHistogram>)]) -> TestSource {
    let mut source = TestSource::default();
    for (name, histograms) in series {
        let columns = SampleColumns {
            histogram_ts: (0..histograms.len() as i64).map(|at| at * 10_000).collect(),
            histograms: histograms.iter().cloned().map(Arc::new).collect(),
            ..SampleColumns::default()
        };
        source = source.with(Labels::from_pairs(&[("__name__", name)]), columns);
    }
    source
}

fn rising() -> TestSource {
    let histograms = vec![
        exponential(&[1.0, 2.0]),
        exponential(&[2.0, 4.0]),
        exponential(&[3.0, 6.0]),
    ];
    source(&[("h", histograms)])
}

#[test]
fn numbers_are_taken_out_of_histograms() {
    let source = rising();
    let table = [
        ("histogram_count(h)", "{} 9"),
        ("histogram_sum(h)", "{} 18"),
        ("histogram_avg(h)", "{} 2"),
        ("histogram_quantile(0, h)", "{} 0.5"),
        ("histogram_quantile(1, h)", "{} 2"),
        ("histogram_fraction(0, 1, h)", "{} 0.3333333333333333"),
        ("histogram_count(increase(h[20s]))", "{} 6"),
        ("histogram_count(rate(h[20s]))", "{} 0.30000000000000004"),
        ("histogram_count(sum_over_time(h[1m]))", "{} 18"),
        ("histogram_count(last_over_time(h[1m]))", "{} 9"),
        ("count_over_time(h[1m])", "{} 3"),
    ];
    for (query, answer) in table {
        assert_eq!(source.ask(query, 20_000), answer, "{query}");
    }
}

#[test]
fn histograms_are_trimmed() {
    let source = rising();
    assert_eq!(source.ask("histogram_count(h </ 1)", 20_000), "{} 3");
    assert_eq!(source.ask("histogram_count(h >/ 1)", 20_000), "{} 6");
    assert_eq!(
        source.ask("1 </ h", 20_000),
        "PromQL info: incompatible sample types encountered for binary operator \"</\": float </ \
         histogram (1:1)"
    );
}

#[test]
fn gauges_and_counters_are_told_apart() {
    let gauge = |buckets: &[f64]| FloatHistogram {
        counter_reset_hint: CounterResetHint::Gauge,
        ..exponential(buckets)
    };
    let source = source(&[
        ("c", vec![exponential(&[1.0]), exponential(&[2.0])]),
        ("g", vec![gauge(&[1.0]), gauge(&[2.0])]),
    ]);
    assert_eq!(
        source
            .ask("histogram_count(rate(g[1m]))", 10_000)
            .lines()
            .last(),
        Some("PromQL warning: this native histogram metric is not a counter: \"g\" (1:22)")
    );
    assert_eq!(
        source
            .ask("histogram_count(delta(c[1m]))", 10_000)
            .lines()
            .last(),
        Some("PromQL warning: this native histogram metric is not a gauge: \"c\" (1:23)")
    );
    assert_eq!(source.ask("histogram_count(idelta(g[1m]))", 10_000), "{} 1");
}

#[test]
fn layouts_that_do_not_go_together_are_told() {
    let source = source(&[
        ("a", vec![custom(&[1.0, 2.0], &[1.0, 1.0])]),
        ("b", vec![custom(&[1.0, 3.0], &[1.0, 1.0])]),
        ("e", vec![exponential(&[1.0])]),
    ]);
    assert_eq!(
        source
            .ask("histogram_quantile(0.5, sum({__name__=~\"a|b\"}))", 0)
            .lines()
            .last(),
        Some("PromQL info: mismatched custom buckets were reconciled during aggregation (1:29)")
    );
    // Below a function that looks at the count alone there is nothing to reconcile.
    assert_eq!(
        source.ask("histogram_count(sum({__name__=~\"a|b\"}))", 0),
        "{} 4"
    );
    assert_eq!(
        source.ask("sum({__name__=~\"a|e\"})", 0),
        "PromQL warning: vector contains a mix of histograms with exponential and custom buckets \
         schemas for metric name \"e\" (1:5)"
    );
    assert_eq!(
        source.ask("a + on () e", 0),
        "PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)"
    );
    assert_eq!(
        source.ask("count(a + on () b)", 0),
        "{} 1\nPromQL info: mismatched custom buckets were reconciled during addition (1:7)"
    );
}

#[test]
fn contradicting_resets_are_told() {
    let hinted = |counter_reset_hint, buckets: &[f64]| FloatHistogram {
        counter_reset_hint,
        ..exponential(buckets)
    };
    let source = source(&[
        ("x", vec![hinted(CounterResetHint::Reset, &[1.0])]),
        ("y", vec![hinted(CounterResetHint::NotReset, &[1.0])]),
    ]);
    let warning = |operation: &str, column: usize| {
        format!(
            "PromQL warning: conflicting counter resets during histogram {operation} (1:{column})"
        )
    };
    assert_eq!(source.ask("x + on () y", 0), warning("addition", 1));
    assert_eq!(
        source.ask("count(sum({__name__=~\"x|y\"}))", 0),
        format!("{{}} 1\n{}", warning("aggregation", 11))
    );
}

#[test]
fn resets_are_found_before_the_buckets_are_forgotten() {
    // The count rises, but one bucket goes down.
    let histograms = vec![exponential(&[4.0, 1.0]), exponential(&[1.0, 9.0])];
    let source = source(&[("h", histograms)]);
    assert_eq!(source.ask("resets(h[1m])", 10_000), "{} 1");
    let whole = source.ask("histogram_count(increase(h[20s]) * 1)", 10_000);
    assert_eq!(whole, "{} 15");
}

#[test]
fn classic_and_native_histograms_of_one_name_are_both_left_out() {
    let mixed = source(&[("m", vec![exponential(&[1.0])])]).with(
        Labels::from_pairs(&[("__name__", "m"), ("le", "1")]),
        SampleColumns {
            float_ts: vec![0],
            floats: vec![1.0],
            ..SampleColumns::default()
        },
    );
    assert_eq!(
        mixed.ask("histogram_quantile(0.5, m)", 0),
        "PromQL warning: vector contains a mix of classic and native histograms for metric name \
         \"m\" (1:25)"
    );
}

#[test]
fn a_histogram_takes_part_in_comparisons_and_counts_as_itself() {
    let source = rising();
    assert_eq!(source.ask("count(h == h)", 20_000), "{} 1");
    assert_eq!(source.ask("count(h != h offset 10s)", 20_000), "{} 1");
    assert_eq!(source.ask("h == bool h", 20_000), "{} 1");
    assert!(
        source
            .ask("count_values(\"v\", h)", 20_000)
            .contains("count:9")
    );
    assert_eq!(source.ask("timestamp(h)", 25_000), "{} 20");
    assert_eq!(source.ask("absent(h)", 20_000), "");
    assert_eq!(
        source.ask("count(topk(1, h))", 20_000).lines().next(),
        Some("PromQL info: ignored histogram in topk aggregation (1:7)")
    );
}
