//! Functions of single numbers.

use crate::promql::testing::TestSource;

/// Returns what a function makes of a number.
fn apply(function: &str, argument: &str) -> f64 {
    let source = TestSource::default();
    let answer = source.ask(&format!("scalar({function}(vector({argument})))"), 0);
    answer.strip_prefix("scalar ").unwrap().parse().unwrap()
}

#[test]
fn functions_of_single_numbers() {
    let table = [
        ("abs", "-2.5", 2.5),
        ("ceil", "1.2", 2.0),
        ("floor", "-1.2", -2.0),
        ("round", "2.5", 3.0),
        ("round", "-2.5", -2.0),
        ("sqrt", "16", 4.0),
        ("exp", "0", 1.0),
        ("ln", "1", 0.0),
        ("log2", "8", 3.0),
        ("log10", "1000", 3.0),
        ("sgn", "-7", -1.0),
        ("sin", "0", 0.0),
        ("cos", "0", 1.0),
        ("tan", "0", 0.0),
        ("asin", "1", std::f64::consts::FRAC_PI_2),
        ("acos", "1", 0.0),
        ("atan", "1", std::f64::consts::FRAC_PI_4),
        ("sinh", "0", 0.0),
        ("cosh", "0", 1.0),
        ("tanh", "0", 0.0),
        ("asinh", "0", 0.0),
        ("acosh", "1", 0.0),
        ("atanh", "0", 0.0),
        ("deg", "pi()", 180.0),
        ("rad", "180", std::f64::consts::PI),
    ];
    for (function, argument, expected) in table {
        let value = apply(function, argument);
        assert!(
            (value - expected).abs() < 1e-12,
            "{function}({argument}) = {value}"
        );
    }
}

#[test]
fn what_has_no_value_is_nan_or_infinite() {
    assert!(apply("sqrt", "-1").is_nan());
    assert!(apply("ln", "-1").is_nan());
    assert!(apply("acosh", "0").is_nan());
    assert_eq!(apply("ln", "0"), f64::NEG_INFINITY);
    assert_eq!(apply("exp", "1e9"), f64::INFINITY);
    assert_eq!(apply("atanh", "1"), f64::INFINITY);
}

#[test]
fn parameters_may_change_from_step_to_step() {
    let source = TestSource::load(10_000, "m 1 2 3 4");
    let range = |query: &str| {
        let outcome = source.range(query, (0, 30_000, 10_000)).unwrap();
        crate::promql::testing::show(&outcome)
    };
    assert_eq!(
        range("clamp_max(m, time() / 10)"),
        "{} 0@0 1@10000 2@20000 3@30000"
    );
    assert_eq!(range("clamp(m, 2, 3)"), "{} 2@0 2@10000 3@20000 3@30000");
    assert_eq!(range("clamp(m, 2, 2 - time())"), "{} 2@0");
    assert_eq!(
        range("round(m * 1.26, 0.5)"),
        "{} 1.5@0 2.5@10000 4@20000 5@30000"
    );
}

#[test]
fn histograms_are_left_out() {
    let source = TestSource::load(10_000, "m 1 h2 3");
    for function in ["abs", "year", "clamp_min"] {
        let rest = if function == "clamp_min" { ", 0" } else { "" };
        let query = format!("{function}(m{rest})");
        assert_eq!(source.ask(&query, 10_000), "", "{query}");
    }
}
