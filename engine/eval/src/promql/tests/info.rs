//! `info`.

use crate::promql::testing::{TestSource, show};

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "metric{instance=\"a\",job=\"1\",label=\"x\"} 1 2 3
         metric{instance=\"b\",job=\"1\"} 4 5 6
         metric{other=\"c\"} 7 8 9
         target_info{instance=\"a\",job=\"1\",data=\"old\",label=\"y\"} 1 stale
         target_info{instance=\"a\",job=\"1\",data=\"new\"} _ 1 1
         build_info{instance=\"a\",job=\"1\",build=\"7\"} 1 1 1
         build_info{instance=\"b\",job=\"1\",build=\"8\"} 1 1 1",
    )
}

#[test]
fn labels_of_the_target_are_added_but_never_changed() {
    assert_eq!(
        source().ask("info(metric)", 0),
        "{__name__=\"metric\", data=\"old\", instance=\"a\", job=\"1\", label=\"x\"} 1\n\
         {__name__=\"metric\", instance=\"b\", job=\"1\"} 4\n{__name__=\"metric\", other=\"c\"} 7"
    );
}

#[test]
fn the_info_series_of_each_step_counts() {
    let outcome = source().range("info(metric{instance=\"a\"})", (0, 120_000, 60_000));
    assert_eq!(
        show(&outcome.unwrap()),
        "{__name__=\"metric\", data=\"new\", instance=\"a\", job=\"1\", label=\"x\"} 2@60000 \
         3@120000\n\
         {__name__=\"metric\", data=\"old\", instance=\"a\", job=\"1\", label=\"x\"} 1@0"
    );
}

#[test]
fn matchers_choose_info_metrics_and_labels() {
    let source = source();
    assert_eq!(
        source.ask("info(metric, {__name__=\"build_info\"})", 0),
        "{__name__=\"metric\", build=\"7\", instance=\"a\", job=\"1\", label=\"x\"} 1\n\
         {__name__=\"metric\", build=\"8\", instance=\"b\", job=\"1\"} 4\n\
         {__name__=\"metric\", other=\"c\"} 7"
    );
    // A label that must be there leaves out what has no info series with it.
    assert_eq!(
        source.ask("info(metric, {__name__=\"build_info\", build=\"8\"})", 0),
        "{__name__=\"metric\", build=\"8\", instance=\"b\", job=\"1\"} 4"
    );
    assert_eq!(
        source.ask(
            "info(metric{instance=\"b\"}, {__name__=~\".+_info\", build=~\".*\"})",
            0
        ),
        "{__name__=\"metric\", build=\"8\", instance=\"b\", job=\"1\"} 4"
    );
}

#[test]
fn info_series_are_not_enriched_themselves() {
    assert_eq!(
        source().ask(
            "info(build_info{instance=\"b\"}, {__name__=\"build_info\"})",
            0
        ),
        "{__name__=\"build_info\", build=\"8\", instance=\"b\", job=\"1\"} 1"
    );
}

#[test]
fn the_time_of_the_argument_is_that_of_the_info_series() {
    let source = source();
    let data = |query: &str| {
        let answer = source.ask(query, 120_000);
        let value = answer.split("data=\"").nth(1).unwrap_or("none\"");
        value.split('"').next().unwrap().to_owned()
    };
    assert_eq!(data("info(metric{instance=\"a\"})"), "new");
    assert_eq!(data("info(metric{instance=\"a\"} @ 0)"), "old");
    assert_eq!(data("info(metric{instance=\"a\"} offset 2m)"), "old");
    assert_eq!(
        data("info(last_over_time(metric{instance=\"a\"}[1m:] offset 2m))"),
        "old"
    );
}

#[test]
fn what_cannot_be_decided_is_an_error() {
    let twice = TestSource::load(
        60_000,
        "metric{instance=\"a\",job=\"1\"} 1
         target_info{instance=\"a\",job=\"1\",data=\"x\"} 1
         target_info{instance=\"a\",job=\"1\",data=\"y\"} 1
         build_info{instance=\"a\",job=\"1\",data=\"z\"} 1
         h_info{instance=\"a\",job=\"1\"} h1",
    );
    assert_eq!(
        twice.ask("info(metric)", 0),
        "error: found duplicate series for info metric: existing {__name__=\"target_info\", \
         data=\"x\", instance=\"a\", job=\"1\"} @ 0, new {__name__=\"target_info\", data=\"y\", \
         instance=\"a\", job=\"1\"} @ 0"
    );
    assert_eq!(
        twice.ask(
            "info(metric, {__name__=~\"target_info|build_info\", data!=\"y\"})",
            0
        ),
        "error: conflicting label: data"
    );
    assert_eq!(
        twice.ask("info(metric, {__name__=\"h_info\"})", 0),
        "error: this should be an info metric, with float samples: {__name__=\"h_info\", \
         instance=\"a\", job=\"1\"}"
    );
}
