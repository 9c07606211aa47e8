//! Functions.

use obsq_model::{Labels, SampleColumns};

use crate::promql::testing::{TestSource, show};

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "c_total{l=\"1\"} 0+60x10
         c_total{l=\"2\"} 0 60 120 30 90 150 210 270 330 390 450
         g{l=\"b\"} 3 1 2
         g{l=\"a\"} 1 2 3
         g{l=\"c\"} 2 3 1
         lat_bucket{le=\"1\"} 10
         lat_bucket{le=\"2\"} 30
         lat_bucket{le=\"+Inf\"} 40
         h h8
         target_info{instance=\"i\",job=\"j\",version=\"2\"} 1
         metric{instance=\"i\",job=\"j\"} 5",
    )
}

#[test]
fn rates_extrapolate_and_see_resets() {
    let source = source();
    assert_eq!(
        source.ask("rate(c_total{l=\"1\"}[5m])", 600_000),
        "{l=\"1\"} 1"
    );
    assert_eq!(
        source.ask("increase(c_total{l=\"1\"}[5m])", 600_000),
        "{l=\"1\"} 300"
    );
    assert_eq!(
        source.ask("resets(c_total{l=\"2\"}[10m])", 600_000),
        "{l=\"2\"} 1"
    );
    assert_eq!(
        source.ask("irate(c_total{l=\"2\"}[5m])", 180_000),
        "{l=\"2\"} 0.5"
    );
    assert_eq!(
        source.ask("rate(g{l=\"a\"}[2m])", 120_000).lines().last(),
        Some(
            "PromQL info: metric might not be a counter, name does not end in \
             _total/_sum/_count/_bucket: \"g\" (1:6)"
        )
    );
}

#[test]
fn values_are_ordered_by_sort_functions() {
    let source = source();
    let order = |query: &str| {
        let answer = source.ask(query, 0);
        let labels = answer.lines().map(|line| {
            let (_, value) = line.split_once("l=\"").unwrap();
            value.chars().next().unwrap()
        });
        labels.collect::<String>()
    };
    assert_eq!(order("sort(g)"), "acb");
    assert_eq!(order("sort_desc(g)"), "bca");
    assert_eq!(order("sort_by_label(g, \"l\")"), "abc");
    assert_eq!(order("sort_by_label_desc(g, \"l\")"), "cba");
    let range = source.range("sort(g)", (0, 60_000, 60_000)).unwrap();
    assert_eq!(
        range.warnings,
        [
            "PromQL warning: sort is ineffective for range queries since results are always \
             ordered by labels (1:1)"
        ]
    );
}

#[test]
fn labels_are_replaced_and_joined() {
    let source = source();
    assert_eq!(
        source.ask(
            "label_replace(g{l=\"a\"}, \"n\", \"<$1>\", \"l\", \"(.)\")",
            0
        ),
        "{__name__=\"g\", l=\"a\", n=\"<a>\"} 1"
    );
    assert_eq!(
        source.ask("label_join(g{l=\"a\"}, \"n\", \"-\", \"l\", \"l\")", 0),
        "{__name__=\"g\", l=\"a\", n=\"a-a\"} 1"
    );
    assert_eq!(
        source.ask("label_replace(g, \"l\", \"\", \"\", \"\")", 0),
        "error: vector cannot contain metrics with the same labelset"
    );
    assert_eq!(
        source.ask("label_replace(g, \"\", \"\", \"\", \"\")", 0),
        "error: invalid destination label name in label_replace(): "
    );
    assert_eq!(
        source.ask("label_replace(g, \"l\", \"\", \"\", \"(\")", 0),
        "error: invalid regular expression in label_replace(): ("
    );
}

#[test]
fn absence_is_told_with_the_labels_that_are_sure() {
    let source = source();
    assert_eq!(
        source.ask("absent(x{a=\"1\", b=~\"2\", c!=\"3\"})", 0),
        "{a=\"1\"} 1"
    );
    assert_eq!(source.ask("absent(g)", 0), "");
    assert_eq!(source.ask("absent(sum(x))", 0), "{} 1");
    assert_eq!(
        source.ask("absent_over_time(x{a=\"1\"}[5m])", 0),
        "{a=\"1\"} 1"
    );
    assert_eq!(source.ask("absent_over_time(g[5m])", 0), "");
    let over = source.range(
        "absent_over_time(g{l=\"a\"}[1m])",
        (60_000, 240_000, 60_000),
    );
    assert_eq!(show(&over.unwrap()), "{l=\"a\"} 1@180000 1@240000");
}

#[test]
fn scalars_come_from_single_elements() {
    let source = source();
    assert_eq!(source.ask("scalar(g{l=\"a\"})", 0), "scalar 1");
    assert_eq!(source.ask("scalar(g)", 0), "scalar NaN");
    assert_eq!(source.ask("scalar(h)", 0), "scalar NaN");
    assert_eq!(source.ask("vector(3)", 0), "{} 3");
    assert_eq!(source.ask("min_of(1, 2) + max_of(1, 2)", 0), "scalar 3");
    assert_eq!(source.ask("time()", 1_500), "scalar 1.5");
    assert_eq!(source.ask("\"text\"", 0), "string \"text\"");
    let constants = source.range("end() - start() - range() + step()", (0, 30_000, 10_000));
    assert_eq!(
        show(&constants.unwrap()),
        "{} 10@0 10@10000 10@20000 10@30000"
    );
}

#[test]
fn times_are_those_of_samples() {
    let source = source();
    assert_eq!(
        source.ask("timestamp(g{l=\"a\"})", 150_000),
        "{l=\"a\"} 120"
    );
    assert_eq!(
        source.ask("timestamp(abs(g{l=\"a\"}))", 150_000),
        "{l=\"a\"} 150"
    );
    assert_eq!(source.ask("timestamp(h)", 30_000), "{} 0");
    let columns = SampleColumns {
        float_ts: vec![10_000],
        floats: vec![1.0],
        float_start_ts: vec![4_000],
        ..SampleColumns::default()
    };
    let started = source.with(Labels::from_pairs(&[("__name__", "s")]), columns);
    assert_eq!(started.ask("start_timestamp(s)", 20_000), "{} 4");
    assert_eq!(started.ask("start_timestamp(abs(s))", 20_000), "");
}

#[test]
fn dates_are_taken_apart() {
    let source = source();
    // 2024-02-29 13:37:00 UTC, a Thursday.
    let now_ms = 1_709_213_820_000;
    let table = [
        ("year()", "{} 2024"),
        ("month()", "{} 2"),
        ("day_of_month()", "{} 29"),
        ("day_of_week()", "{} 4"),
        ("day_of_year()", "{} 60"),
        ("days_in_month()", "{} 29"),
        ("hour()", "{} 13"),
        ("minute()", "{} 37"),
        ("year(vector(0))", "{} 1970"),
    ];
    for (query, answer) in table {
        assert_eq!(source.ask(query, now_ms), answer, "{query}");
    }
}

#[test]
fn quantiles_of_classic_and_native_histograms() {
    let source = source();
    assert_eq!(
        source.ask("histogram_quantile(0.5, lat_bucket)", 0),
        "{} 1.5"
    );
    assert_eq!(
        source.ask("histogram_quantiles(lat_bucket, \"q\", 0.25, 0.5)", 0),
        "{q=\"0.25\"} 1\n{q=\"0.5\"} 1.5"
    );
    assert_eq!(
        source.ask("histogram_fraction(0, 1, lat_bucket)", 0),
        "{} 0.25"
    );
    assert_eq!(source.ask("histogram_count(h)", 0), "{} 8");
    assert_eq!(source.ask("histogram_avg(h)", 0), "{} 0");
    assert_eq!(
        source.ask("histogram_quantile(0.5, g{l=\"a\"})", 0),
        "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" for \
         metric name \"g\" (1:25)"
    );
    assert_eq!(
        source.ask("histogram_quantile(7, lat_bucket)", 0),
        "{} inf\nPromQL warning: quantile value should be between 0 and 1, got 7 (1:20)"
    );
}

#[test]
fn info_adds_labels_of_the_target() {
    let source = source();
    assert_eq!(
        source.ask("info(metric)", 0),
        "{__name__=\"metric\", instance=\"i\", job=\"j\", version=\"2\"} 5"
    );
    assert_eq!(source.ask("info(metric, {version=\"3\"})", 0), "");
    assert_eq!(
        source.ask("info(g{l=\"a\"})", 0),
        "{__name__=\"g\", l=\"a\"} 1"
    );
}

#[test]
fn smoothing_factors_are_checked() {
    let source = source();
    assert_eq!(
        source.ask("double_exponential_smoothing(g[5m], 2, 0.5)", 60_000),
        "error: invalid smoothing factor. Expected: 0 < sf < 1, got: 2.000000"
    );
    assert_eq!(
        source.ask("quantile_over_time(0.5, g{l=\"a\"}[5m])", 120_000),
        "{l=\"a\"} 2"
    );
}

#[test]
fn an_offset_beside_at_limits_what_timestamp_sees() {
    let source = source();
    let at = |modifiers: &str| source.ask(&format!("timestamp(c_total{{l=\"1\"}} {modifiers})"), 0);
    assert_eq!(at("@ 300"), "{l=\"1\"} 300");
    assert_eq!(at("@ 300 offset 1m"), "{l=\"1\"} 240");
    assert_eq!(at("@ 300 offset 6m"), "");
    assert_eq!(at("@ 300 offset -1m"), "{l=\"1\"} 300");
}
