use super::*;

fn first_error(text: &str) -> String {
    match parse(text).into_result() {
        Ok(_) => "accepted".to_owned(),
        Err(diagnostics) => diagnostics[0].compat(text),
    }
}

#[test]
fn syntax_errors_name_the_place_and_what_is_expected() {
    let cases = [
        (
            "",
            "unknown position: parse error: no expression found in input",
        ),
        (
            "# nothing\n",
            "1:1: parse error: no expression found in input",
        ),
        ("1 + ", "1:5: parse error: unexpected end of input"),
        ("a b", "1:3: parse error: unexpected identifier \"b\""),
        (
            "sum(a b)",
            "1:7: parse error: unexpected identifier \"b\" in aggregation",
        ),
        ("rate(a b)", "1:8: parse error: unexpected identifier \"b\""),
        ("sum x", "1:5: parse error: unexpected identifier \"x\""),
        (
            "sum by x (y)",
            "1:8: parse error: unexpected identifier \"x\" in grouping opts, expected \"(\"",
        ),
        (
            "sum by (x y) (z)",
            "1:11: parse error: unexpected identifier \"y\" in grouping opts, expected \",\" or \")\"",
        ),
        (
            "sum by (=) (z)",
            "1:9: parse error: unexpected \"=\" in grouping opts, expected label",
        ),
        (
            "a offset b",
            "1:10: parse error: unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
        ),
        (
            "a @ b",
            "1:5: parse error: unexpected identifier \"b\" in @, expected timestamp",
        ),
        (
            "a[5m 5m]",
            "1:6: parse error: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"",
        ),
        (
            "a{b}",
            "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator",
        ),
        (
            "a{b=1}",
            "1:5: parse error: unexpected character inside braces: '1'",
        ),
        (
            "a{b=c}",
            "1:5: parse error: unexpected identifier \"c\" in label matching, expected string",
        ),
        (
            "a{,}",
            "1:3: parse error: unexpected \",\" in label matching, expected identifier or \"}\"",
        ),
        (
            "a\n  + + )",
            "2:8: parse error: unexpected right parenthesis ')'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(first_error(text), expected, "{text}");
    }
}
