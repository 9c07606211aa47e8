//! Metric names: dropped at the end, or at once.

use obsq_model::Tenant;

use crate::promql::EngineOptions;
use crate::promql::testing::{TestSource, context, engine, request, show};

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "a_total{l=\"1\"} 0+1x10
         b_total{l=\"1\"} 0+2x10
         typed{__type__=\"gauge\",__unit__=\"s\",l=\"1\"} 0+1x10",
    )
}

fn ask_old_way(query: &str) -> String {
    let options = EngineOptions {
        delayed_name_removal: false,
        ..EngineOptions::default()
    };
    let (engine, tenant) = (engine(options), Tenant::anonymous());
    match engine.instant(&request(query, &tenant), 600_000, &source(), &context()) {
        Ok(outcome) => show(&outcome),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn names_stay_until_the_end_so_that_labels_stay_different() {
    let query = "sum by (__name__) (increase({__name__=~\"[ab]_total\"}[5m]))";
    assert_eq!(
        source().ask(query, 600_000),
        "error: vector cannot contain metrics with the same labelset"
    );
    let kept = "label_replace(increase({__name__=~\"[ab]_total\"}[5m]), \"n\", \"$1\", \"__name__\", \"(.).*\")";
    assert_eq!(
        source().ask(kept, 600_000),
        "{l=\"1\", n=\"a\"} 5\n{l=\"1\", n=\"b\"} 10"
    );
    assert_eq!(
        ask_old_way(kept),
        "error: vector cannot contain metrics with the same labelset"
    );
}

#[test]
fn equal_labels_in_the_answer_are_refused_either_way() {
    let query = "rate({__name__=~\"[ab]_total\"}[5m])";
    let refused = "error: vector cannot contain metrics with the same labelset";
    assert_eq!(source().ask(query, 600_000), refused);
    assert_eq!(ask_old_way(query), refused);
    assert_eq!(ask_old_way("count(-{__name__=~\"[ab]_total\"})"), refused);
    assert_eq!(
        source().ask("count(-{__name__=~\"[ab]_total\"})", 600_000),
        "{} 2"
    );
}

#[test]
fn type_and_unit_go_with_the_name() {
    assert_eq!(source().ask("typed + 1", 600_000), "{l=\"1\"} 11");
    assert_eq!(ask_old_way("typed + 1"), "{l=\"1\"} 11");
    assert_eq!(
        source().ask("last_over_time(typed[5m])", 600_000),
        "{__name__=\"typed\", __type__=\"gauge\", __unit__=\"s\", l=\"1\"} 10"
    );
}

#[test]
fn a_name_given_by_label_replace_stays() {
    let named = "label_replace(rate(a_total[5m]), \"__name__\", \"x\", \"\", \"\")";
    assert!(
        source()
            .ask(named, 600_000)
            .starts_with("{__name__=\"x\", l=\"1\"}")
    );
}

#[test]
fn a_comparison_does_not_bring_back_a_name_that_is_to_go() {
    let compared = "rate(b_total[5m]) > rate(a_total[5m])";
    let answer = source().ask(compared, 600_000);
    assert!(answer.starts_with("{l=\"1\"} 0.03"), "{answer}");
}
