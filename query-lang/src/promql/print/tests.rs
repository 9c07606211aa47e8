use super::*;
use crate::promql::parse;

fn printed(text: &str) -> String {
    parse(text).into_result().unwrap().to_string()
}

#[test]
fn queries_have_one_canonical_form() {
    let cases = [
        ("SUM(a)by(b,\"c d\")", "sum by (b, \"c d\") (a)"),
        ("sum by()(a)", "sum(a)"),
        ("sum without()(a)", "sum without () (a)"),
        ("topk(3,a)", "topk(3, a)"),
        ("{b='x',a!~`y`}", "{a!~\"y\",b=\"x\"}"),
        ("{__name__!=\"y\",b='x'}", "{__name__!=\"y\",b=\"x\"}"),
        ("a[90s]offset 1w@1.5", "a[1m30s] @ 1.500 offset 1w"),
        ("a anchored offset -5m", "a anchored offset -5m"),
        ("a[300]smoothed", "a[5m] smoothed"),
        ("a[step()*2:min_of(5m,1h)]", "a[step() * 2:min_of(5m, 1h)]"),
        ("a offset -(5m)", "a offset -(5m)"),
        ("a offset -2^2", "a offset -2s ^ 2"),
        ("a+on()group_left b", "a + on () group_left () b"),
        (
            "a+ignoring(x)fill_right(2)fill_left(1)b",
            "a + ignoring (x) fill_left (1) fill_right (2) b",
        ),
        ("a>bool fill(1e9)b", "a > bool fill (1e+09) b"),
        ("0x1F+1e3-Inf", "31 + 1000 - +Inf"),
        ("-1^2", "-1 ^ 2"),
        ("5m*-1h", "5m * -1h"),
        ("\"a\\x00\"", "\"a\\x00\""),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected, "{text}");
        assert_eq!(printed(expected), expected, "{text}");
    }
}

#[test]
fn long_nodes_are_broken_into_lines() {
    let text = "sum by (a) (rate(x[5m])) / -(y + z) > 3";
    let ast = parse(text).into_result().unwrap();
    let expected = "    sum by (a) (
      rate(
        x[5m]
      )
    )
  /
    -(
      y + z
    )
>
  3";
    assert_eq!(pretty_at(&ast, 5), expected);
    assert_eq!(pretty(&ast), text);
}

#[test]
fn a_long_chain_gives_a_text_of_bounded_size() {
    let text = vec!["a"; 50_000].join("+");
    let ast = parse(&text).into_result().unwrap();
    assert_eq!(ast.to_string().len(), text.len() + 2 * 49_999);
    assert!(pretty(&ast).len() < 16 << 20);
}

#[test]
fn an_offset_that_would_swallow_an_operator_is_kept_apart() {
    let cases = [
        ("a offset (5m) @ 1 + b", "a offset (5m) @ 1.000 + b"),
        ("-a offset (5m) anchored * b", "-a offset (5m) anchored * b"),
        ("b > a offset (5m) @ 1 ^ 2", "b > a offset (5m) @ 1.000 ^ 2"),
        ("a offset (5m) @ 1 > b", "a @ 1.000 offset (5m) > b"),
        ("a offset step() @ 1 + b", "a @ 1.000 offset step() + b"),
        ("a offset -(5m) @ 1 + b", "a @ 1.000 offset -(5m) + b"),
        ("a offset (5m) @ 1", "a @ 1.000 offset (5m)"),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected, "{text}");
        assert_eq!(printed(expected), expected, "{text}");
    }
}
