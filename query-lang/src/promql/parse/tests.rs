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

#[test]
fn lists_after_group_left_may_be_missing_only_before_the_right_side() {
    let cases = [
        ("a + on(b) group_left c", "accepted"),
        ("a + on(b) group_left fill(1) c", "accepted"),
        (
            "a + on(b) group_left",
            "1:21: parse error: unexpected end of input in grouping opts, expected \"(\"",
        ),
        (
            "a + on(b) group_right [5m]",
            "1:23: parse error: unexpected \"[\" in grouping opts, expected \"(\"",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(first_error(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_comes_before_findings_that_need_it() {
    const UNREADABLE: &str = "parse error: unexpected character after '!': '\u{fffd}'";
    let cases = [
        ("sum() !", "1:7: ", UNREADABLE),
        (
            "sum() by (a) !",
            "1:1: ",
            "parse error: no arguments for aggregate expression provided",
        ),
        (
            "no() !",
            "1:1: ",
            "parse error: unknown function with name \"no\"",
        ),
        ("rate(a, !", "1:9: ", UNREADABLE),
        ("a[0 !", "1:5: ", UNREADABLE),
        (
            "1 offset 5m !",
            "1:1: ",
            "parse error: offset modifier must be preceded by an instant vector selector or range \
             vector selector or a subquery",
        ),
        ("1 offset (5m) !", "1:15: ", UNREADABLE),
    ];
    for (text, place, message) in cases {
        assert_eq!(first_error(text), format!("{place}{message}"), "{text}");
    }
}

#[test]
fn an_offset_ends_after_a_number_and_reaches_on_after_a_parenthesis() {
    let texts = [
        "a offset 5m + b",
        "a offset -5m ^ 2",
        "a offset step() * 2",
        "a offset -(5m) * 2",
        "a offset -min_of(5m, 1h) * 2",
    ];
    for text in texts {
        let ast = parse(text).into_result().unwrap();
        assert!(
            matches!(ast.get(ast.root()).kind, ExprKind::Binary { .. }),
            "{text}"
        );
        assert_eq!(ast.to_string(), text);
    }
    let ast = parse("a offset (5m) * 2").into_result().unwrap();
    assert!(matches!(ast.get(ast.root()).kind, ExprKind::Vector(_)));
    assert_eq!(
        first_error("a offset (5m) + b"),
        "1:17: parse error: unexpected identifier \"b\" in offset, expected number, duration, \
         step(), or range()"
    );
}

/// Repeats `open` and `close` around an operand.
fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}x{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn nesting_ends_at_256_levels() {
    let wrappers = [
        ("(", ")", 256),
        ("-", "", 256),
        ("abs(", ")", 256),
        ("sum by (a) (", ")", 256),
        ("x ^ ", "", 256),
        ("x or x and x > x + x * (", ")", 256),
        ("abs(sum(-(x ^ ", ")))", 51),
    ];
    for (open, close, levels) in wrappers {
        let ast = parse(&nested(open, close, levels)).into_result().unwrap();
        assert!(ast.to_string().len() >= levels * open.len());
        let text = nested(open, close, levels + 1);
        assert!(
            first_error(&text).contains("nested deeper than 256 levels"),
            "{open}"
        );
    }
    let duration = |levels| format!("x[{}5m{}]", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&duration(256)).ast.is_some());
    assert!(first_error(&duration(257)).contains("nested deeper"));
}

#[test]
fn long_texts_are_answered_in_linear_time() {
    let size = 1 << 15;
    let texts = [
        "1+".repeat(size / 2) + "1",
        "a==".repeat(size / 3) + "a",
        "(".repeat(size),
        "-".repeat(size),
        "a[5m:]".repeat(size / 6),
        "a".to_owned() + &"[5m:]".repeat(size / 5),
        "{".to_owned() + &"a=\"b\",".repeat(size / 6) + "}",
        "abs(".to_owned() + &"a,".repeat(size / 2) + "a)",
        "a".to_owned() + &" offset 5m".repeat(size / 10),
        "a".to_owned() + &" offset (step())".repeat(size / 16),
        "sum by (".to_owned() + &"a,".repeat(size / 2) + ") (a)",
        "x offset (1".to_owned() + &"+1".repeat(size / 2) + ")",
        "\"".to_owned() + &"\\x41".repeat(size / 4) + "\"",
        "9".repeat(size),
        "x unless ".repeat(size / 9) + "x",
    ];
    for text in texts {
        let parsed = parse(&text);
        assert!(parsed.diagnostics.len() <= MAX_DIAGNOSTICS);
        if let Ok(ast) = parsed.into_result() {
            assert!(!ast.to_string().is_empty());
            assert!(ast.resolve_durations(1, 1).is_ok());
        }
    }
}

#[test]
fn a_text_of_a_mebibyte_is_answered() {
    let text = format!("{{a=\"{}\"}}", "x".repeat(1 << 20));
    assert!(parse(&text).ast.is_some());
    assert!(parse(&"(".repeat(1 << 20)).ast.is_none());
}
