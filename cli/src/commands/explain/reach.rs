//! Which times a selector reads, given the times that the query is asked for.

use obsq_model::TimeRange;
use obsq_query_lang::promql::{Ast, At, Duration, ExprId, ExprKind, LabelMatcher, MatcherOp};

/// What an instant selector looks back when nothing else is said.
const LOOKBACK_MS: i64 = 300_000;

/// The times that a node is evaluated at, or a selector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The last time.
    pub(crate) end_ms: i64,
    /// How far before it the first one lies.
    pub(crate) window_ms: i64,
}

/// Returns the reach of every node. Of a selector it is what is read; duration expressions, which
/// depend on the step, count as nothing.
pub(crate) fn reaches(ast: &Ast, asked: TimeRange) -> Vec<Reach> {
    let root = Reach {
        end_ms: asked.end_ms,
        window_ms: asked.end_ms - asked.start_ms,
    };
    let mut reaches = vec![root; ast.len()];
    // Parents come after their children: from back to front a parent's reach is known first.
    for (id, expr) in ast.iter().rev() {
        let own = reaches[id.index()];
        let mut hand_down = |child: ExprId, reach: Reach| reaches[child.index()] = reach;
        match &expr.kind {
            ExprKind::Vector(selector) => {
                let moved = shift(own, asked, selector.at, selector.offset);
                hand_down(id, widen(moved, LOOKBACK_MS));
            }
            ExprKind::Matrix { selector, range } => {
                if let ExprKind::Vector(inner) = &ast.get(*selector).kind {
                    let moved = shift(own, asked, inner.at, inner.offset);
                    hand_down(id, widen(moved, millis(Some(*range))));
                }
            }
            ExprKind::Subquery {
                expr: inner,
                range,
                offset,
                at,
                ..
            } => {
                let moved = shift(own, asked, *at, *offset);
                hand_down(*inner, widen(moved, millis(Some(*range))));
            }
            ExprKind::Call { args, .. } => {
                for child in args {
                    hand_down(*child, own);
                }
            }
            ExprKind::Aggregate { expr, param, .. } => {
                hand_down(*expr, own);
                if let Some(param) = param {
                    hand_down(*param, own);
                }
            }
            ExprKind::Binary { lhs, rhs, .. } => {
                hand_down(*lhs, own);
                hand_down(*rhs, own);
            }
            ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => hand_down(*expr, own),
            ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Duration { .. } => {}
        }
    }
    reaches
}

fn shift(own: Reach, asked: TimeRange, at: Option<At>, offset: Option<Duration>) -> Reach {
    let fixed = at.map(|at| match at {
        At::Millis(ms) => ms,
        At::Start => asked.start_ms,
        At::End => asked.end_ms,
    });
    let moved = match fixed {
        Some(end_ms) => Reach {
            end_ms,
            window_ms: 0,
        },
        None => own,
    };
    Reach {
        end_ms: moved.end_ms.saturating_sub(millis(offset)),
        ..moved
    }
}

fn widen(reach: Reach, by_ms: i64) -> Reach {
    Reach {
        window_ms: reach.window_ms.saturating_add(by_ms),
        ..reach
    }
}

fn millis(duration: Option<Duration>) -> i64 {
    match duration {
        Some(Duration::Millis(ms)) => ms,
        Some(Duration::Expr(_)) | None => 0,
    }
}

/// Returns the matchers of a selector as text, without modifiers.
pub(crate) fn selector_text(ast: &Ast, id: ExprId) -> String {
    let inner = match &ast.get(id).kind {
        ExprKind::Matrix { selector, .. } => *selector,
        _ => id,
    };
    let ExprKind::Vector(selector) = &ast.get(inner).kind else {
        return String::new();
    };
    let matchers: Vec<String> = selector.matchers.iter().map(matcher_text).collect();
    format!("{{{}}}", matchers.join(","))
}

fn matcher_text(matcher: &LabelMatcher) -> String {
    let op = match matcher.op {
        MatcherOp::Equal => "=",
        MatcherOp::NotEqual => "!=",
        MatcherOp::Regex => "=~",
        MatcherOp::NotRegex => "!~",
    };
    // JSON's escapes are a subset of those of a PromQL string.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = if matcher.name.chars().all(plain) {
        matcher.name.clone()
    } else {
        quoted(&matcher.name)
    };
    format!("{name}{op}{}", quoted(&matcher.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_query_lang::promql::parse;

    /// Returns text, end and window of each selector in seconds, for a query at 1000 s to 4600 s.
    fn read(text: &str) -> Vec<(String, i64, i64)> {
        let ast = parse(text).into_result().unwrap();
        let reaches = reaches(&ast, TimeRange::new(1_000_000, 4_600_000));
        let selectors = ast.iter().filter(|(id, expr)| {
            let in_matrix = ast.iter().any(|(_, other)| {
                matches!(other.kind, ExprKind::Matrix { selector, .. } if selector == *id)
            });
            match expr.kind {
                ExprKind::Vector(_) => !in_matrix,
                ExprKind::Matrix { .. } => true,
                _ => false,
            }
        });
        selectors
            .map(|(id, _)| {
                let reach = reaches[id.index()];
                (
                    selector_text(&ast, id),
                    reach.end_ms / 1000,
                    reach.window_ms / 1000,
                )
            })
            .collect()
    }

    #[test]
    fn lookback_range_offset_at_and_subqueries_add_up() {
        let up = || r#"{__name__="up"}"#.to_owned();
        let table = [
            ("up", (4600, 3600 + 300)),
            ("rate(up[10m])", (4600, 3600 + 600)),
            ("up offset 10m", (4000, 3600 + 300)),
            ("up offset -10m", (5200, 3600 + 300)),
            ("up @ 50", (50, 300)),
            ("up @ start()", (1000, 300)),
            ("up @ end() offset 1m", (4540, 300)),
            (
                "max_over_time(rate(up[1m])[30m:1m] offset 5m)",
                (4300, 3600 + 1800 + 60),
            ),
        ];
        for (text, (end, window)) in table {
            assert_eq!(read(text), [(up(), end, window)], "{text}");
        }
    }

    #[test]
    fn a_selectors_text_is_quoted_where_it_must_be() {
        let got = read(r#"{"a.b", c!~"x\"y", "d e"!="\n"}"#);
        assert_eq!(got[0].0, r#"{__name__="a.b",c!~"x\"y","d e"!="\n"}"#);
    }
}
