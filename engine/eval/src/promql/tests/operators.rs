//! Operators.

use crate::promql::testing::TestSource;

fn source() -> TestSource {
    TestSource::load(
        60_000,
        "a{l=\"1\"} 1 2 3
         a{l=\"2\"} 10 20 30
         b{l=\"1\"} 100 200 300
         b{l=\"3\"} 1000
         many{l=\"1\",x=\"p\"} 1
         many{l=\"1\",x=\"q\"} 2
         info{l=\"1\",name=\"one\"} 1
         h{l=\"1\"} h4
         h{l=\"2\"} h6",
    )
}

#[test]
fn scalars_and_vectors_are_combined() {
    let source = source();
    let table = [
        ("1 + 2 * 3 ^ 2", "scalar 19"),
        ("7 % -3", "scalar 1"),
        ("1 > bool 2", "scalar 0"),
        ("a * 2", "{l=\"1\"} 2\n{l=\"2\"} 20"),
        ("2 - a", "{l=\"1\"} 1\n{l=\"2\"} -8"),
        ("a > 5", "{__name__=\"a\", l=\"2\"} 10"),
        ("5 < a", "{__name__=\"a\", l=\"2\"} 10"),
        ("a > bool 5", "{l=\"1\"} 0\n{l=\"2\"} 1"),
        ("-a", "{l=\"1\"} -1\n{l=\"2\"} -10"),
        ("a + b", "{l=\"1\"} 101"),
        ("a < b", "{__name__=\"a\", l=\"1\"} 1"),
        ("a atan2 b", "{l=\"1\"} 0.009999666686665238"),
    ];
    for (query, answer) in table {
        assert_eq!(source.ask(query, 0), answer, "{query}");
    }
}

#[test]
fn set_operators_go_by_labels() {
    let source = source();
    assert_eq!(source.ask("a and b", 0), "{__name__=\"a\", l=\"1\"} 1");
    assert_eq!(source.ask("a unless b", 0), "{__name__=\"a\", l=\"2\"} 10");
    assert_eq!(
        source.ask("a or b", 0),
        "{__name__=\"a\", l=\"1\"} 1\n{__name__=\"a\", l=\"2\"} 10\n{__name__=\"b\", l=\"3\"} 1000"
    );
    assert_eq!(source.ask("a and on () nothing", 0), "");
    assert_eq!(source.ask("count(a unless on () nothing)", 0), "{} 2");
}

#[test]
fn set_operators_are_applied_step_by_step() {
    // From 300 s on there is no b{l="3"}.
    let source = source();
    let outcome = source.range("sum(b or vector(7))", (240_000, 360_000, 60_000));
    let text = crate::promql::testing::show(&outcome.unwrap());
    assert_eq!(text, "{} 1307@240000 307@300000 307@360000");
}

#[test]
fn one_side_may_have_several_series_when_the_query_says_so() {
    let source = source();
    assert_eq!(
        source.ask("many * on (l) group_left (name) info", 0),
        "{l=\"1\", name=\"one\", x=\"p\"} 1\n{l=\"1\", name=\"one\", x=\"q\"} 2"
    );
    assert_eq!(
        source.ask("info * on (l) group_right many", 0),
        "{l=\"1\", x=\"p\"} 1\n{l=\"1\", x=\"q\"} 2"
    );
    assert_eq!(
        source.ask("many * on (l) info", 0),
        "error: multiple matches for labels: many-to-one matching must be explicit \
         (group_left/group_right)"
    );
    assert_eq!(
        source.ask("info * on (l) many", 0),
        "error: found duplicate series for the match group {l=\"1\"} on the right hand-side of \
         the operation: [{__name__=\"many\", l=\"1\", x=\"p\"}, {__name__=\"many\", l=\"1\", \
         x=\"q\"}];many-to-many matching not allowed: matching labels must be unique on one side"
    );
    assert_eq!(
        source.ask("many * on (l) group_left (x) info", 0),
        "error: multiple matches for labels: grouping labels must ensure unique matches"
    );
}

#[test]
fn missing_sides_are_filled() {
    let source = source();
    assert_eq!(
        source.ask("a + fill (0) b", 0),
        "{l=\"1\"} 101\n{l=\"2\"} 10\n{l=\"3\"} 1000"
    );
    assert_eq!(
        source.ask("a + fill_left (5) b", 0),
        "{l=\"1\"} 101\n{l=\"3\"} 1005"
    );
    assert_eq!(
        source.ask("a + fill_right (5) b", 0),
        "{l=\"1\"} 101\n{l=\"2\"} 15"
    );
}

#[test]
fn histograms_are_combined_where_that_means_something() {
    let source = source();
    assert_eq!(
        source.ask("h * 2", 0),
        "{l=\"1\"} {count:8, sum:0, [-0.001,0.001]:8}\n\
         {l=\"2\"} {count:12, sum:0, [-0.001,0.001]:12}"
    );
    assert_eq!(
        source.ask("h - h", 0).lines().next(),
        Some("{l=\"1\"} {count:0, sum:0}")
    );
    assert_eq!(
        source.ask("h + 1", 0),
        "PromQL info: incompatible sample types encountered for binary operator \"+\": \
         histogram + float (1:1)"
    );
    // Of the elements of one step only the last finding is told.
    assert_eq!(
        source.ask("a{l=\"2\"} + h", 0),
        "PromQL info: incompatible sample types encountered for binary operator \"+\": \
         float + histogram (1:1)"
    );
    assert_eq!(source.ask("count(h == h)", 0), "{} 2");
}

#[test]
fn a_chain_of_50000_operators_is_evaluated() {
    let source = source();
    let ones = "+1".repeat(50_000);
    assert_eq!(source.ask(&format!("1{ones}"), 0), "scalar 50001");
    assert_eq!(
        source.ask(&format!("a{{l=\"1\"}}{ones}"), 0),
        "{l=\"1\"} 50001"
    );
}
