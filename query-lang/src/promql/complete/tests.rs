use super::*;

struct Shop;

impl CompletionSource for Shop {
    fn metric_names(&self, prefix: &str) -> Vec<String> {
        let names = ["orders_total", "order.value", "latency_seconds"];
        let names = names.iter().filter(|name| name.starts_with(prefix));
        names.map(|name| (*name).to_owned()).collect()
    }

    fn label_names(&self, metric: Option<&str>) -> Vec<String> {
        let names: &[&str] = match metric {
            Some("orders_total") => &["shop", "status"],
            Some(_) => &["le"],
            None => &["host.name", "shop", "status"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn label_values(&self, metric: Option<&str>, label: &str, prefix: &str) -> Vec<String> {
        let values: &[&str] = match (metric, label) {
            (Some("orders_total"), "status") => &["paid", "pending", "lost \"x\""],
            _ => &["any"],
        };
        let values = values.iter().filter(|value| value.starts_with(prefix));
        values.map(|value| (*value).to_owned()).collect()
    }
}

/// Completes at `|` and returns the texts offered, cut to five, and what they replace.
fn offers(marked: &str) -> (String, String) {
    let cursor = marked.find('|').unwrap();
    let text = marked.replacen('|', "", 1);
    let completions = complete(&text, cursor, &Shop);
    let texts: Vec<_> = completions
        .items
        .iter()
        .map(|item| item.text.as_str())
        .collect();
    let replace = completions.replace.lo as usize..completions.replace.hi as usize;
    let texts = texts.get(..5).unwrap_or(&texts).join(" ");
    (texts, text.get(replace).unwrap().to_owned())
}

#[test]
fn what_fits_the_place_is_offered() {
    let cases = [
        (
            "|",
            "latency_seconds {\"order.value\"} orders_total abs( absent(",
            "",
        ),
        ("or|", "{\"order.value\"} orders_total", "or"),
        ("rat|e", "rate(", "rate"),
        ("ra|(x[5m])", "rad range rate", "ra"),
        ("sum(ord|", "{\"order.value\"} orders_total", "ord"),
        ("1 + hou|", "hour(", "hou"),
        ("ti|", "time() timestamp(", "ti"),
        ("su|", "sum_over_time( sum", "su"),
        ("sum |", "by without", ""),
        ("sum b|", "by", "b"),
        ("sum by (|) (orders_total)", "shop status", ""),
        (
            "sum by (shop, s|) (rate(orders_total[5m]))",
            "shop status",
            "s",
        ),
        ("sum by (|", "\"host.name\" shop status", ""),
        ("sum(orders_total) |", "by without and or unless", ""),
        ("sum(orders_total) by (st|", "status", "st"),
        ("orders_total{|", "shop status", ""),
        ("orders_total{shop=\"a\", st|", "status", "st"),
        ("orders_total{status|", "", "status"),
        ("orders_total{status |", "= != =~ !~", ""),
        (
            "orders_total{status=|",
            "\"lost \\\"x\\\"\" \"paid\" \"pending\"",
            "",
        ),
        ("orders_total{status=\"p|", "paid pending", "p"),
        (
            "orders_total{status=~'|'}",
            "lost \\\"x\\\" paid pending",
            "",
        ),
        ("{\"ord|", "order.value orders_total", "ord"),
        ("orders_total{status=\"paid\"|", "", ""),
        ("orders_total[|", "1m 5m 10m 15m 30m", ""),
        ("orders_total[5|", "5ms 5s 5m 5h 5d", "5"),
        ("orders_total[5m:|", "1m 5m 10m 15m 30m", ""),
        ("orders_total[s|", "step()", "s"),
        ("orders_total of|", "offset", "of"),
        ("orders_total offset |", "1m 5m 10m 15m 30m", ""),
        (
            "orders_total offset 5m |",
            "and or unless atan2 anchored",
            "",
        ),
        ("orders_total @ |", "end() start()", ""),
        ("orders_total > b|", "bool bottomk", "b"),
        ("orders_total * on|", "", "on"),
        ("orders_total * on(|", "shop status", ""),
        (
            "orders_total * on(shop) gr|",
            "group_left group_right group",
            "gr",
        ),
        ("orders_total * on(shop) group_left(|", "shop status", ""),
        (
            "orders_total * on(shop) group_left() fil|",
            "fill( fill_left( fill_right(",
            "fil",
        ),
        ("topk(5, or|", "{\"order.value\"} orders_total", "or"),
        ("\"a |", "", "a "),
        ("1 # or|", "", ""),
    ];
    for (marked, items, replaced) in cases {
        let (texts, replace) = offers(marked);
        assert_eq!(texts, items, "{marked}");
        assert_eq!(replace, replaced, "{marked}");
    }
}

#[test]
fn functions_come_with_their_arguments() {
    let completions = complete("label_rep", 9, &Shop);
    let [item] = completions.items.as_slice() else {
        panic!("{completions:?}");
    };
    assert_eq!(item.kind, CompletionKind::Function);
    assert_eq!(
        item.detail,
        "(instant vector, string, string, string, string) instant vector"
    );
}

#[test]
fn any_cursor_in_any_text_is_answered() {
    let text = "sum by (é) (x{a=\"ü\", b!~'c'}[5m:step()] offset -(1h) @ end()) # ö";
    for cursor in 0..=text.len() + 2 {
        let completions = complete(text, cursor, &Shop);
        assert!(
            text.get(completions.replace.lo as usize..).is_some(),
            "{cursor}"
        );
    }
}
