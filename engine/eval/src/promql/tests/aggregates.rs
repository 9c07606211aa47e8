//! Aggregations.

use crate::promql::testing::TestSource;

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "m{g=\"x\",i=\"1\"} 1 2
         m{g=\"x\",i=\"2\"} 3 4
         m{g=\"y\",i=\"1\"} 5 NaN
         m{g=\"y\",i=\"2\"} 7 8
         h{i=\"1\"} h1 h10
         h{i=\"2\"} h2 h20
         mixed{i=\"1\"} h1
         mixed{i=\"2\"} 2",
    )
}

#[test]
fn values_of_a_group_become_one() {
    let source = source();
    let table = [
        ("sum(m)", "{} 16"),
        ("sum by (g) (m)", "{g=\"x\"} 4\n{g=\"y\"} 12"),
        ("sum without (i) (m)", "{g=\"x\"} 4\n{g=\"y\"} 12"),
        ("avg by (g) (m)", "{g=\"x\"} 2\n{g=\"y\"} 6"),
        ("count by (i) (m)", "{i=\"1\"} 2\n{i=\"2\"} 2"),
        ("min(m)", "{} 1"),
        ("max(m)", "{} 7"),
        ("group by (g) (m)", "{g=\"x\"} 1\n{g=\"y\"} 1"),
        ("stdvar by (g) (m)", "{g=\"x\"} 1\n{g=\"y\"} 1"),
        ("stddev(m{g=\"x\"})", "{} 1"),
        ("quantile(0.5, m)", "{} 4"),
        ("quantile by (g) (0.25, m)", "{g=\"x\"} 1.5\n{g=\"y\"} 5.5"),
        ("sum(nothing)", ""),
    ];
    for (query, answer) in table {
        assert_eq!(source.ask(query, 0), answer, "{query}");
    }
}

#[test]
fn nan_loses_against_numbers() {
    let source = source();
    assert_eq!(source.ask("min(m{g=\"y\"})", 60_000), "{} 8");
    assert_eq!(source.ask("max(m{g=\"y\"})", 60_000), "{} 8");
    assert_eq!(source.ask("sum(m{g=\"y\"})", 60_000), "{} NaN");
    let ranked = source.ask("topk(2, m{g=\"y\"})", 60_000);
    assert!(ranked.ends_with("NaN"), "{ranked}");
}

#[test]
fn the_best_of_each_group_come_in_order() {
    let source = source();
    assert_eq!(
        source.ask("topk(3, m)", 0),
        "{__name__=\"m\", g=\"y\", i=\"2\"} 7\n{__name__=\"m\", g=\"y\", i=\"1\"} 5\n\
         {__name__=\"m\", g=\"x\", i=\"2\"} 3"
    );
    assert_eq!(
        source.ask("bottomk by (g) (1, m)", 0),
        "{__name__=\"m\", g=\"x\", i=\"1\"} 1\n{__name__=\"m\", g=\"y\", i=\"1\"} 5"
    );
    assert_eq!(
        source.ask("limitk by (g) (1, m)", 0),
        "{__name__=\"m\", g=\"x\", i=\"1\"} 1\n{__name__=\"m\", g=\"y\", i=\"1\"} 5"
    );
    assert_eq!(source.ask("topk(0, m)", 0), "");
    assert_eq!(
        source.ask("topk(NaN, m)", 0),
        "error: Parameter value is NaN"
    );
    assert_eq!(
        source.ask("topk(1e20, m)", 0),
        "error: Scalar value 1e+20 overflows int64"
    );
}

#[test]
fn a_ratio_takes_some_series_and_its_complement_the_others() {
    let source = source();
    let some = source.ask("count(limit_ratio(0.5, m) or limit_ratio(-0.5, m))", 0);
    assert_eq!(some, "{} 4");
    assert_eq!(
        source.ask("limit_ratio(0.5, m) and limit_ratio(-0.5, m)", 0),
        ""
    );
    let capped = source.instant("count(limit_ratio(1.5, m))", 0).unwrap();
    assert_eq!(
        capped.warnings,
        ["PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:19)"]
    );
}

#[test]
fn a_quantile_outside_of_its_range_is_infinite_and_warned_about() {
    let outcome = source().instant("quantile(2, m)", 0).unwrap();
    assert_eq!(
        outcome.warnings,
        ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]
    );
}

#[test]
fn values_are_counted_as_labels() {
    let source = source();
    assert_eq!(
        source.ask("count_values by (i) (\"v\", m > bool 3)", 0),
        "{i=\"1\", v=\"0\"} 1\n{i=\"2\", v=\"0\"} 1\n{i=\"1\", v=\"1\"} 1\n{i=\"2\", v=\"1\"} 1"
    );
    assert_eq!(
        source
            .ask("count_values without (g, i) (\"i\", m)", 0)
            .lines()
            .count(),
        1
    );
    assert_eq!(
        source.ask("count_values(\"\", m)", 0),
        "error: invalid label name \"\""
    );
}

#[test]
fn histograms_are_added_up_and_never_mixed_with_floats() {
    let source = source();
    assert_eq!(
        source.ask("sum(h)", 60_000),
        "{} {count:30, sum:0, [-0.001,0.001]:30}"
    );
    assert_eq!(
        source.ask("avg(h)", 60_000),
        "{} {count:15, sum:0, [-0.001,0.001]:15}"
    );
    assert_eq!(source.ask("count(h)", 0), "{} 2");
    assert_eq!(
        source.ask("sum(mixed)", 0),
        "PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)"
    );
    assert_eq!(
        source.ask("max(mixed)", 0),
        "{} 2\nPromQL info: ignored histogram in max aggregation (1:5)"
    );
    assert_eq!(
        source.ask("topk(2, mixed)", 0),
        "{__name__=\"mixed\", i=\"2\"} 2\nPromQL info: ignored histogram in topk aggregation (1:1)"
    );
}
