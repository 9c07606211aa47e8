//! Properties of random queries, and how diagnostics look.

mod queries;

use proptest::prelude::*;

use super::*;
use crate::Diagnostic;
use queries::{mutated, query};

/// Returns the tree without places, the matchers sorted: what printing keeps.
fn essence(ast: &Ast) -> String {
    let mut nodes = ast.nodes.clone();
    for node in &mut nodes {
        node.span = crate::Span::default();
        if let ExprKind::Vector(selector) = &mut node.kind {
            let named = usize::from(selector.name.is_some());
            let others = selector.matchers.len() - named;
            selector.matchers[..others].sort_by_key(|matcher| format!("{matcher:?}"));
        }
    }
    format!("{nodes:?}")
}

proptest! {
    #[test]
    fn printing_and_parsing_again_gives_the_same_query(text in query()) {
        let parsed = parse(&text);
        prop_assume!(parsed.ast.is_some());
        let ast = parsed.ast.unwrap();
        let printed = ast.to_string();
        let again = parse(&printed).into_result();
        prop_assert!(again.is_ok(), "{} printed as {}: {:?}", text, printed, again);
        let again = again.unwrap();
        prop_assert_eq!(essence(&again), essence(&ast), "{} printed as {}", text, printed);
        prop_assert_eq!(again.to_string(), printed);
    }

    #[test]
    fn breaking_lines_changes_nothing(text in query(), width in 1..120_usize) {
        let parsed = parse(&text);
        prop_assume!(parsed.ast.is_some());
        let ast = parsed.ast.unwrap();
        let pretty = pretty_at(&ast, width);
        let again = parse(&pretty).into_result().unwrap();
        prop_assert_eq!(essence(&again), essence(&ast), "{}", pretty);
        prop_assert_eq!(pretty_at(&again, width), pretty);
    }

    #[test]
    fn children_come_before_parents_and_every_node_is_used(text in query()) {
        let parsed = parse(&text);
        prop_assume!(parsed.ast.is_some());
        let mut ast = parsed.ast.unwrap();
        let mut used = vec![0; ast.len()];
        for (index, node) in ast.nodes.iter_mut().enumerate() {
            parse::for_each_child(&mut node.kind, |child| {
                assert!(child.index() < index, "{text}");
                used[child.index()] += 1;
            });
        }
        used.pop();
        prop_assert!(used.iter().all(|count| *count == 1), "{}", text);
    }

    #[test]
    fn resolved_queries_hold_no_duration_expressions(text in query(), step in 1..100_000_i64) {
        let parsed = parse(&text);
        prop_assume!(parsed.ast.is_some());
        if let Ok(resolved) = parsed.ast.unwrap().resolve_durations(step, step * 10) {
            for node in &resolved.nodes {
                let is_duration = matches!(node.kind, ExprKind::Duration { .. });
                prop_assert!(!is_duration, "{}", text);
            }
            let again = resolved.resolve_durations(1, 1);
            prop_assert_eq!(format!("{:?}", again), format!("{:?}", Ok::<_, ()>(resolved)));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in mutated()) {
        let parsed = parse(&text);
        let has_error = parsed.diagnostics.iter().any(|d| d.severity == crate::Severity::Error);
        prop_assert_eq!(parsed.ast.is_none(), has_error);
        for diagnostic in &parsed.diagnostics {
            prop_assert!(diagnostic.span.lo <= diagnostic.span.hi);
            prop_assert!(diagnostic.span.hi as usize <= text.len());
            prop_assert!(!diagnostic.compat(&text).is_empty());
        }
        drop(parse_selector(&text));
    }

    #[test]
    fn no_cursor_makes_completion_panic(text in mutated(), cursor in 0..80_usize) {
        struct Nothing;
        impl CompletionSource for Nothing {
            fn metric_names(&self, _: &str) -> Vec<String> {
                vec!["a b".to_owned()]
            }
            fn label_names(&self, _: Option<&str>) -> Vec<String> {
                vec!["é".to_owned()]
            }
            fn label_values(&self, _: Option<&str>, _: &str, _: &str) -> Vec<String> {
                vec!["\"".to_owned()]
            }
        }
        let completions = complete(&text, cursor, &Nothing);
        let range = completions.replace.lo as usize..completions.replace.hi as usize;
        prop_assert!(text.get(range).is_some());
    }

    #[test]
    fn arbitrary_text_is_answered(text in "\\PC{0,60}") {
        drop(parse(&text));
    }
}

/// Shows a diagnostic with its place underlined.
fn shown(text: &str, diagnostic: &Diagnostic) -> String {
    let (lo, hi) = (diagnostic.span.lo as usize, diagnostic.span.hi as usize);
    let mut out = format!(
        "{}\n  {text}\n  {}{}\n  {}\n  {}",
        diagnostic.code,
        " ".repeat(lo),
        "^".repeat((hi - lo).max(1)),
        diagnostic.message,
        diagnostic.compat(text),
    );
    if let Some(help) = &diagnostic.help {
        out += "\n  hint: ";
        out += help;
    }
    out
}

#[test]
fn diagnostics_say_what_and_where() {
    let texts = [
        "",
        "sum(rate(x[5m])",
        "rat(x[5m])",
        "rate(x)",
        "rate(sum(x))",
        "abs(x[5m])",
        "clamp(x, y, 1)",
        "x ofset 5m",
        "sum(x) group by (a)",
        "1 > 2",
        "{a=~\".*\"}",
        "x{a=~\"(\"}",
        "x[5m1h]",
        "x[0s]",
        "holt_winters(x[5m], 1, 2)",
        "x{a}",
        "x + on(a) group_left",
        "\"a\\q\"",
    ];
    let shown: Vec<_> = texts
        .iter()
        .flat_map(|text| {
            let diagnostics = parse(text).diagnostics;
            diagnostics
                .into_iter()
                .map(move |found| shown(text, &found))
        })
        .collect();
    let _bound = obsq_snapshots::bind("query-lang");
    insta::assert_snapshot!("promql_diagnostics", shown.join("\n\n"));
}
