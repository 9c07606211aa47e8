//! Functions over windows.

use crate::promql::testing::TestSource;

fn source() -> TestSource {
    TestSource::load(
        10_000,
        "v 1 2 4 8 16 8 4
         odd 1 NaN 3 2
         c_total 0 10 20 5 15 25
         gaps 1 _ _ 4 stale 6
         both 1 h2 3",
    )
}

/// Returns the value of the only element, or what was said instead.
fn value(query: &str, time_ms: i64) -> String {
    let answer = source().ask(query, time_ms);
    let first = answer.lines().next().unwrap_or_default().to_owned();
    match first.strip_prefix("{} ") {
        Some(value) => value.to_owned(),
        None => first,
    }
}

#[test]
fn floats_of_a_window_become_one() {
    // The window of a minute holds 2, 4, 8, 16, 8, 4; that of 30 s the last three.
    let table = [
        ("sum_over_time(v[1m])", "42"),
        ("avg_over_time(v[1m])", "7"),
        ("min_over_time(v[1m])", "2"),
        ("max_over_time(v[1m])", "16"),
        ("count_over_time(v[1m])", "6"),
        ("present_over_time(v[1m])", "1"),
        ("quantile_over_time(0.5, v[1m])", "6"),
        ("mad_over_time(v[1m])", "2"),
        ("ts_of_min_over_time(v[1m])", "10"),
        ("ts_of_max_over_time(v[1m])", "40"),
        ("ts_of_first_over_time(v[1m])", "10"),
        ("ts_of_last_over_time(v[1m])", "60"),
        ("changes(v[1m])", "5"),
        ("resets(v[1m])", "2"),
        ("idelta(v[1m])", "-4"),
        ("stdvar_over_time(v[30s])", "24.88888888888889"),
        ("deriv(v[30s])", "-0.6"),
        ("predict_linear(v[30s], 10)", "-2.666666666666666"),
        ("double_exponential_smoothing(v[30s], 0.5, 0.5)", "2"),
    ];
    for (query, expected) in table {
        assert_eq!(value(query, 60_000), expected, "{query}");
    }
}

#[test]
fn first_and_last_keep_the_name() {
    let source = source();
    assert_eq!(
        source.ask("first_over_time(v[1m])", 60_000),
        "{__name__=\"v\"} 2"
    );
    assert_eq!(
        source.ask("last_over_time(v[1m])", 60_000),
        "{__name__=\"v\"} 4"
    );
}

#[test]
fn counters_are_followed_through_resets() {
    // 10, 20, reset to 5, 15, 25 in 40 s: 35, stretched to the window of 50 s.
    assert_eq!(value("increase(c_total[50s])", 50_000), "43.75");
    assert_eq!(value("rate(c_total[50s])", 50_000), "0.875");
    assert_eq!(value("irate(c_total[50s])", 50_000), "1");
    assert_eq!(value("irate(c_total[50s])", 30_000), "0.5");
    assert_eq!(value("delta(c_total[50s])", 50_000), "18.75");
    // A counter is not stretched below zero.
    assert_eq!(value("increase(c_total[30s])", 20_000), "20");
    // One sample is not enough.
    assert_eq!(value("rate(c_total[10s])", 50_000), "");
}

#[test]
fn stale_samples_are_not_in_a_window() {
    assert_eq!(value("count_over_time(gaps[1m])", 50_000), "3");
    assert_eq!(value("sum_over_time(gaps[1m])", 50_000), "11");
    assert_eq!(value("changes(gaps[1m])", 50_000), "2");
}

#[test]
fn nan_is_a_value() {
    assert_eq!(value("sum_over_time(odd[1m])", 30_000), "NaN");
    assert_eq!(value("min_over_time(odd[1m])", 30_000), "1");
    assert_eq!(value("max_over_time(odd[1m])", 30_000), "3");
    assert_eq!(value("count_over_time(odd[1m])", 30_000), "4");
    assert_eq!(value("changes(odd[1m])", 30_000), "3");
    assert_eq!(value("mad_over_time(odd[1m])", 30_000), "NaN");
}

#[test]
fn a_window_of_both_kinds_has_no_rate_and_no_sum() {
    let source = source();
    for (query, column) in [("rate(both[1m])", 6), ("sum_over_time(both[1m])", 15)] {
        let warning = format!(
            "PromQL warning: encountered a mix of histograms and floats for metric name \"both\" \
             (1:{column})"
        );
        assert_eq!(source.ask(query, 20_000), warning);
    }
    assert_eq!(
        source.ask("max_over_time(both[1m])", 20_000),
        "{} 3\nPromQL info: ignored histograms in a range containing both floats and histograms \
         for metric name \"both\" (1:15)"
    );
    assert_eq!(source.ask("count_over_time(both[1m])", 20_000), "{} 3");
    assert_eq!(source.ask("changes(both[1m])", 20_000), "{} 2");
}

#[test]
fn annotations_about_a_subquery_point_at_the_start() {
    assert_eq!(
        source()
            .ask("rate(v[1m:10s])", 60_000)
            .lines()
            .nth(1)
            .unwrap(),
        "PromQL info: metric might not be a counter, name does not end in \
         _total/_sum/_count/_bucket: \"v\" (1:1)"
    );
}

#[test]
fn anchored_and_smoothed_ranges_take_values_at_their_edges() {
    // At 45 s the window of 20 s begins between 20 at 20 s and 5 at 30 s.
    assert_eq!(value("increase(c_total[20s] anchored)", 45_000), "15");
    assert_eq!(value("increase(c_total[20s] smoothed)", 45_000), "17.5");
    assert_eq!(value("changes(c_total[20s] anchored)", 45_000), "2");
}
