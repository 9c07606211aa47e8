//! Range queries.

use crate::promql::testing::{TestSource, show};

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "b{i=\"2\"} 1 2 3 4 5
         b{i=\"1\"} 5 4 3 2 1
         a 10 20 30 40 50
         late _ _ _ 7 8
         early 7 8 stale",
    )
}

fn range(query: &str, steps: (i64, i64, i64)) -> String {
    match source().range(query, steps) {
        Ok(outcome) => show(&outcome),
        Err(error) => format!("error: {error}"),
    }
}

/// The five steps at which there are samples.
const ALL: (i64, i64, i64) = (0, 240_000, 60_000);

#[test]
fn series_are_sorted_by_their_labels() {
    assert_eq!(
        range("{__name__=~\"a|b\"}", ALL),
        "{__name__=\"a\"} 10@0 20@60000 30@120000 40@180000 50@240000\n\
         {__name__=\"b\", i=\"1\"} 5@0 4@60000 3@120000 2@180000 1@240000\n\
         {__name__=\"b\", i=\"2\"} 1@0 2@60000 3@120000 4@180000 5@240000"
    );
    assert_eq!(
        range("late or early", ALL),
        "{__name__=\"early\"} 7@0 8@60000\n{__name__=\"late\"} 7@180000 8@240000"
    );
    assert!(range("sort_desc(b)", ALL).starts_with("{__name__=\"b\", i=\"1\"} 5@0"));
}

#[test]
fn each_step_picks_for_itself() {
    let table = [
        (
            "topk(1, b)",
            "{__name__=\"b\", i=\"1\"} 5@0 4@60000 3@120000\n\
             {__name__=\"b\", i=\"2\"} 4@180000 5@240000",
        ),
        (
            "bottomk(1, b) and on () vector(1)",
            "{__name__=\"b\", i=\"1\"} 3@120000 2@180000 1@240000\n\
             {__name__=\"b\", i=\"2\"} 1@0 2@60000",
        ),
        (
            "sum(b) by (i) > 3",
            "{i=\"1\"} 5@0 4@60000\n{i=\"2\"} 4@180000 5@240000",
        ),
        (
            "b == on () group_left max(b)",
            "{__name__=\"b\", i=\"1\"} 5@0 4@60000 3@120000\n\
             {__name__=\"b\", i=\"2\"} 3@120000 4@180000 5@240000",
        ),
        (
            "quantile(time() / 240, b)",
            "{} 1@0 2.5@60000 3@120000 3.5@180000 5@240000",
        ),
        (
            "count_values(\"v\", b)",
            "{v=\"1\"} 1@0 1@240000\n{v=\"2\"} 1@60000 1@180000\n{v=\"3\"} 2@120000\n\
             {v=\"4\"} 1@60000 1@180000\n{v=\"5\"} 1@0 1@240000",
        ),
        (
            "topk(time() / 60 - 2, a)",
            "{__name__=\"a\"} 40@180000 50@240000",
        ),
    ];
    for (query, answer) in table {
        assert_eq!(range(query, ALL), answer, "{query}");
    }
}

#[test]
fn what_is_missing_at_some_steps_is_missing_there_only() {
    let table = [
        (
            "count(late) or vector(0)",
            "{} 0@0 0@60000 0@120000 1@180000 1@240000",
        ),
        ("absent(late)", "{} 1@0 1@60000 1@120000"),
        ("max_over_time(late[2m])", "{} 7@180000 8@240000"),
        ("early + on () a", "{} 17@0 28@60000"),
        (
            "early + on () fill (0) a",
            "{} 17@0 28@60000 30@120000 40@180000 50@240000",
        ),
        (
            "scalar(late) + 1",
            "{} NaN@0 NaN@60000 NaN@120000 8@180000 9@240000",
        ),
    ];
    for (query, answer) in table {
        assert_eq!(range(query, ALL), answer, "{query}");
    }
}

#[test]
fn scalars_become_a_series_without_labels() {
    assert_eq!(range("1", ALL), "{} 1@0 1@60000 1@120000 1@180000 1@240000");
    assert_eq!(
        range("time()", (500, 2_600, 1_000)),
        "{} 0.5@500 1.5@1500 2.5@2500"
    );
}

#[test]
fn subqueries_slide_along_with_the_steps() {
    assert_eq!(
        range("sum_over_time(a[2m:1m])", ALL),
        "{} 10@0 30@60000 50@120000 70@180000 90@240000"
    );
    assert_eq!(
        range("avg_over_time(b{i=\"1\"}[3m:30s] offset 1m)", ALL),
        "{i=\"1\"} 5@60000 4.666666666666667@120000 4.2@180000 3.5@240000"
    );
    assert_eq!(
        range("max_over_time((a @ 60)[2m:1m])", (0, 60_000, 60_000)),
        "{} 20@0 20@60000"
    );
}

#[test]
fn a_fixed_time_gives_every_step_the_same_value() {
    assert_eq!(
        range("a @ 60", ALL),
        "{__name__=\"a\"} 20@0 20@60000 20@120000 20@180000 20@240000"
    );
    assert_eq!(
        range("a - on () a @ end()", ALL),
        "{} -40@0 -30@60000 -20@120000 -10@180000 0@240000"
    );
    // The prediction is made from the same samples, but for another time at each step.
    assert_eq!(
        range("predict_linear(a[3m] @ 120, 0)", (120_000, 240_000, 60_000)),
        "{} 30@120000 40@180000 50@240000"
    );
}

#[test]
fn the_grid_starts_where_it_is_told_to() {
    assert_eq!(
        range("a", (30_000, 100_000, 60_000)),
        "{__name__=\"a\"} 10@30000 20@90000"
    );
    assert_eq!(range("a", (-60_000, 0, 60_000)), "{__name__=\"a\"} 10@0");
    assert_eq!(range("a", (600_000, 900_000, 60_000)), "");
    assert_eq!(range("a", (60_000, 60_000, 1)), "{__name__=\"a\"} 20@60000");
}

#[test]
fn labels_that_become_equal_are_joined_where_the_steps_allow_it() {
    assert_eq!(
        range(
            "label_replace({__name__=~\"late|early\"}, \"__name__\", \"x\", \"\", \"\")",
            ALL
        ),
        "{__name__=\"x\"} 7@0 8@60000 7@180000 8@240000"
    );
    assert_eq!(
        range("-{__name__=~\"late|early\"}", ALL),
        "{} -7@0 -8@60000 -7@180000 -8@240000"
    );
    assert_eq!(
        range("-{__name__=~\"late|a\"}", ALL),
        "error: vector cannot contain metrics with the same labelset"
    );
}
