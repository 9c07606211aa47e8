//! Which samples a step sees.

use crate::promql::testing::TestSource;

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "up{job=\"a\"} 0+1x20
         up{job=\"b\"} 5 6 7 stale _ _ _ _ 9
         gone 1",
    )
}

#[test]
fn the_lookback_is_open_on_its_far_side() {
    let source = source();
    assert_eq!(source.ask("gone", 0), "{__name__=\"gone\"} 1");
    assert_eq!(source.ask("gone", 299_999), "{__name__=\"gone\"} 1");
    assert_eq!(source.ask("gone", 300_000), "");
    assert_eq!(source.ask("gone", -1), "");
}

#[test]
fn a_stale_series_is_gone_until_it_comes_back() {
    let source = source();
    let at = |time_ms| source.ask("sum(up{job=\"b\"})", time_ms);
    assert_eq!(at(120_000), "{} 7");
    assert_eq!(at(179_999), "{} 7");
    assert_eq!(at(180_000), "");
    assert_eq!(at(480_000), "{} 9");
    let count = source.ask("count_over_time(up{job=\"b\"}[10m])", 480_000);
    assert_eq!(count, "{job=\"b\"} 4");
}

#[test]
fn ranges_are_open_on_their_left_side() {
    let source = source();
    let count =
        |range: &str, at| source.ask(&format!("count_over_time(up{{job=\"a\"}}[{range}])"), at);
    assert_eq!(count("1m", 60_000), "{job=\"a\"} 1");
    assert_eq!(count("1m1ms", 60_000), "{job=\"a\"} 2");
    assert_eq!(count("30s", 89_999), "{job=\"a\"} 1");
    assert_eq!(count("30s", 90_000), "");
}

#[test]
fn offset_and_at_move_the_window() {
    let source = source();
    let sum = |modifiers: &str| source.ask(&format!("sum(up{{job=\"a\"}} {modifiers})"), 600_000);
    assert_eq!(sum(""), "{} 10");
    assert_eq!(sum("offset 3m"), "{} 7");
    assert_eq!(sum("offset -3m"), "{} 13");
    assert_eq!(sum("@ 120"), "{} 2");
    assert_eq!(sum("@ 120 offset 1m"), "{} 1");
    assert_eq!(sum("offset 1m @ 120"), "{} 1");
    assert_eq!(sum("@ start()"), "{} 10");
}

#[test]
fn start_and_end_are_those_of_the_whole_query() {
    let source = source();
    let range = |query| {
        source
            .range(query, (60_000, 300_000, 120_000))
            .unwrap()
            .value
    };
    let last = range("up{job=\"a\"} @ end()");
    let text = format!("{last:?}");
    assert!(
        text.contains("(60000, 5.0), (180000, 5.0), (300000, 5.0)"),
        "{text}"
    );
    let ended = range("max_over_time(up{job=\"a\"}[2m] @ start())");
    let text = format!("{ended:?}");
    assert!(
        text.contains("(60000, 1.0), (180000, 1.0), (300000, 1.0)"),
        "{text}"
    );
}

#[test]
fn subqueries_are_evaluated_at_multiples_of_their_step() {
    let source = source();
    let times = |query: &str| source.ask(query, 605_000);
    assert_eq!(
        times("up{job=\"a\"}[2m:45s]"),
        "{__name__=\"up\", job=\"a\"} 8@495000 9@540000 9@585000"
    );
    // Without a step it is one minute.
    assert_eq!(
        times("up{job=\"a\"}[2m:] offset 1m"),
        "{__name__=\"up\", job=\"a\"} 8@480000 9@540000"
    );
    assert_eq!(times("sum_over_time(up{job=\"a\"}[2m:])"), "{job=\"a\"} 19");
    assert_eq!(times("up{job=\"a\"}[30s:1m] @ 50"), "");
}

#[test]
fn a_range_selector_alone_gives_its_samples() {
    let source = source();
    assert_eq!(
        source.ask("up{job=\"b\"}[5m]", 180_000),
        "{__name__=\"up\", job=\"b\"} 5@0 6@60000 7@120000"
    );
    assert_eq!(
        source.ask("up{job=\"a\"}[90s] smoothed", 150_000),
        "{__name__=\"up\", job=\"a\"} 1@60000 2@120000 2.5@150000"
    );
    assert_eq!(
        source.ask("up{job=\"a\"}[90s] anchored", 140_000),
        "{__name__=\"up\", job=\"a\"} 0@50000 1@60000 2@120000 2@140000"
    );
}

#[test]
fn a_smoothed_selector_lies_between_its_samples() {
    let source = source();
    let at = |time_ms| source.ask("up{job=\"a\"} smoothed", time_ms);
    assert_eq!(at(90_000), "{__name__=\"up\", job=\"a\"} 1.5");
    assert_eq!(at(120_000), "{__name__=\"up\", job=\"a\"} 2");
    assert_eq!(at(1_230_000), "{__name__=\"up\", job=\"a\"} 20");
}

#[test]
fn warnings_of_a_source_come_with_the_answer() {
    for query in [
        "up",
        "up[5m]",
        "rate(up[5m])",
        "timestamp(up)",
        "start_timestamp(up)",
        "sum by (job) (up)",
        "topk(1, up)",
        "quantile(0.5, up)",
        "count_values(\"v\", up)",
        "max_over_time(sum(up)[5m:1m])",
        "up + on (job) up",
        "absent(up)",
        "absent_over_time(up[5m])",
        "histogram_quantile(0.5, up)",
        "info(up)",
        "label_replace(up, \"a\", \"b\", \"\", \"\")",
        "sort_desc(up)",
        "scalar(up)",
        "-up",
        "limitk(1, up)",
    ] {
        let outcome = source().warning("a block is damaged").instant(query, 0);
        let warnings = outcome.unwrap().warnings;
        assert!(
            warnings.iter().any(|text| text == "a block is damaged"),
            "{query}: {warnings:?}"
        );
    }
}
