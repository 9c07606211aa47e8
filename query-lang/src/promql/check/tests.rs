use crate::promql::{ExprKind, MatchCardinality, parse};

fn messages(text: &str) -> Vec<String> {
    let diagnostics = parse(text).into_result().err().unwrap_or_default();
    diagnostics.iter().map(|found| found.compat(text)).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_makes_no_sense_is_refused() {
    let cases = [
        (
            "rate(a)",
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        ),
        (
            "abs(1)",
            "1:5: parse error: expected type instant vector in call to function \"abs\", got scalar",
        ),
        (
            "abs(a, b)",
            "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 2",
        ),
        (
            "round()",
            "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0",
        ),
        (
            "round(a, 1, 2)",
            "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3",
        ),
        (
            "topk(\"x\", a)",
            "1:6: parse error: expected type scalar in aggregation parameter, got string",
        ),
        (
            "sum(1)",
            "1:5: parse error: expected type instant vector in aggregation expression, got scalar",
        ),
        (
            "-\"a\"",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
        ),
        (
            "a[5m][5m:]",
            "1:1: parse error: subquery is only allowed on instant vector, got matrix instead",
        ),
        (
            "1 + a[5m]",
            "1:5: parse error: binary expression must contain only scalar and instant vector types",
        ),
        (
            "1 == 2",
            "1:3: parse error: comparisons between scalars must use BOOL modifier",
        ),
        (
            "a + bool b",
            "1:3: parse error: bool modifier can only be used on comparison operators",
        ),
        (
            "a and 1",
            "1:1: parse error: set operator \"and\" not allowed in binary scalar expression",
        ),
        (
            "a + on(x) 1",
            "1:1: parse error: vector matching only allowed between instant vectors",
        ),
        (
            "a + fill(1) 1",
            "1:1: parse error: filling in missing series only allowed between instant vectors",
        ),
        (
            "a or fill(1) b",
            "1:1: parse error: filling in missing series not allowed for set operators",
        ),
        (
            "a and on(x) group_left b",
            "1:1: parse error: no grouping allowed for \"and\" operation",
        ),
        (
            "a * on(x) group_left(x) b",
            "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        (
            "a{__name__=\"b\"}",
            "1:1: parse error: metric name must not be set twice: \"a\" or \"b\"",
        ),
        (
            "{a=~\".*\",b!=\"x\"}",
            "1:1: parse error: vector selector must contain at least one non-empty matcher",
        ),
        (
            "info(a, b)",
            "1:9: parse error: expected label selectors only, got vector selector instead",
        ),
        (
            "info(a, b + c)",
            "1:9: parse error: expected label selectors only",
        ),
        (
            "a{b=~\"(\"}",
            "1:3: parse error: error parsing regexp: missing closing ): `(`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            messages(text).first().map(String::as_str),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn findings_come_in_the_order_of_the_text_as_upstream_visits_it() {
    let found = messages("rate(sum(1), -\"a\") + {}");
    let expected = [
        "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 2",
        "1:10: parse error: expected type instant vector in aggregation expression, got scalar",
        "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
        "1:22: parse error: vector selector must contain at least one non-empty matcher",
    ];
    assert_eq!(found, expected);
}

#[test]
fn matching_is_settled() {
    let matching = |text: &str| {
        let ast = parse(text).into_result().unwrap();
        match &ast.get(ast.root()).kind {
            ExprKind::Binary { matching, .. } => matching.as_ref().map(|m| m.cardinality),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(matching("a + 1"), None);
    assert_eq!(matching("1 > bool 2"), None);
    assert_eq!(matching("a + b"), Some(MatchCardinality::OneToOne));
    assert_eq!(matching("a or b"), Some(MatchCardinality::ManyToMany));
    assert_eq!(
        matching("a + on(x) group_right b"),
        Some(MatchCardinality::OneToMany)
    );
}

#[test]
fn matchers_of_info_may_match_everything() {
    assert_eq!(messages("info(a, {})"), Vec::<String>::new());
    assert_eq!(messages("info(a, {b=~\".*\"})"), Vec::<String>::new());
    assert!(!messages("info(a, ({}))").is_empty());
}
