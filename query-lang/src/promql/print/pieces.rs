//! What a node's text consists of.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Source;
use crate::go;
use crate::promql::ast::{
    AggregateOp, Ast, At, Duration, DurationOp, ExprId, ExprKind, FillValues, Grouping,
    LabelMatcher, MatchCardinality, MatcherOp, VectorMatching, VectorSelector,
};
use crate::promql::parse::METRIC_NAME;
use crate::promql::text::format_duration;

/// A part of a node's text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Text of the node itself.
    Text(Cow<'static, str>),
    /// The text of another node.
    Node(ExprId),
}

impl From<&'static str> for Piece {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl Source<'_> {
    /// Appends the pieces of node `id` on one line, in order.
    pub(super) fn pieces(&self, id: ExprId, out: &mut Vec<Piece>) {
        let kind = &self.ast.get(id).kind;
        match kind {
            ExprKind::Number { value, is_duration } => {
                out.push(number(*value, *is_duration).into());
            }
            ExprKind::String(text) => out.push(go::quote(text).into()),
            ExprKind::Vector(selector) => {
                let offset_first = self.offset_first.binary_search(&id).is_ok();
                vector(selector, offset_first, out);
            }
            ExprKind::Matrix { selector, range } => matrix(self.ast, *selector, *range, out),
            ExprKind::Subquery { expr, .. } => {
                out.push(Piece::Node(*expr));
                subquery_suffix(kind, out);
            }
            ExprKind::Call { function, args } => {
                out.extend([function.as_str().into(), "(".into()]);
                for (index, arg) in args.iter().enumerate() {
                    if index > 0 {
                        out.push(", ".into());
                    }
                    out.push(Piece::Node(*arg));
                }
                out.push(")".into());
            }
            ExprKind::Aggregate {
                op,
                expr,
                param,
                grouping,
            } => {
                out.push((aggregate_head(*op, grouping) + "(").into());
                if let Some(param) = param {
                    out.extend([Piece::Node(*param), ", ".into()]);
                }
                out.extend([Piece::Node(*expr), ")".into()]);
            }
            ExprKind::Binary { lhs, rhs, .. } => out.extend([
                Piece::Node(*lhs),
                format!(" {} ", operator(kind)).into(),
                Piece::Node(*rhs),
            ]),
            ExprKind::Unary { op, expr } => out.extend([op.as_str().into(), Piece::Node(*expr)]),
            ExprKind::Paren(expr) => out.extend(["(".into(), Piece::Node(*expr), ")".into()]),
            ExprKind::Duration { wrapped: false, .. } => duration_expression(kind, out),
            ExprKind::Duration { wrapped: true, .. } => {
                out.push("(".into());
                duration_expression(kind, out);
                out.push(")".into());
            }
        }
    }
}

fn number(value: f64, is_duration: bool) -> String {
    if !is_duration {
        return go::float(value);
    }
    let millis = (value.abs() * 1e9) as i64 / 1_000_000;
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", format_duration(millis))
}

fn duration(value: Duration, out: &mut Vec<Piece>) {
    out.push(match value {
        Duration::Millis(millis) => format_duration(millis).into(),
        Duration::Expr(id) => Piece::Node(id),
    });
}

/// Appends an operator or function of duration expressions without its parentheses.
fn duration_expression(kind: &ExprKind, out: &mut Vec<Piece>) {
    let ExprKind::Duration { op, lhs, rhs, .. } = kind else {
        return;
    };
    match (*lhs, *rhs) {
        (Some(lhs), Some(rhs)) if matches!(op, DurationOp::MinOf | DurationOp::MaxOf) => {
            out.extend([op.as_str().into(), "(".into(), Piece::Node(lhs)]);
            out.extend([", ".into(), Piece::Node(rhs), ")".into()]);
        }
        (Some(lhs), Some(rhs)) => {
            out.extend([Piece::Node(lhs), format!(" {op} ").into(), Piece::Node(rhs)]);
        }
        // A plus only carries parentheses around a number.
        (None, Some(rhs)) if *op == DurationOp::Add => out.push(Piece::Node(rhs)),
        (None, Some(rhs)) => out.extend([op.as_str().into(), Piece::Node(rhs)]),
        _ => out.extend([op.as_str().into(), "()".into()]),
    }
}

fn matcher(matcher: &LabelMatcher) -> String {
    let op = match matcher.op {
        MatcherOp::Equal => "=",
        MatcherOp::NotEqual => "!=",
        MatcherOp::Regex => "=~",
        MatcherOp::NotRegex => "!~",
    };
    let name = label_name(&matcher.name);
    format!("{name}{op}{}", go::quote(&matcher.value))
}

/// Quotes a label's name unless it is a plain identifier.
pub(in crate::promql) fn label_name(name: &str) -> Cow<'_, str> {
    let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    if starts_well && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(go::quote(name))
}

fn label_list(labels: &[String]) -> String {
    let names: Vec<_> = labels.iter().map(|label| label_name(label)).collect();
    names.join(", ")
}

/// Returns name and matchers; the matcher that says the same as the name is left out.
fn metric(selector: &VectorSelector) -> String {
    let name = selector.name.as_deref().unwrap_or_default();
    let is_name = |matcher: &&LabelMatcher| {
        matcher.name == METRIC_NAME
            && matcher.op == MatcherOp::Equal
            && matcher.value == name
            && !name.is_empty()
    };
    let others = selector.matchers.iter().filter(|other| !is_name(other));
    let mut others: Vec<_> = others.map(matcher).collect();
    others.sort_unstable();
    if others.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", others.join(","))
}

fn at_modifier(at: Option<At>) -> String {
    match at {
        None => String::new(),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        Some(At::Millis(millis)) => format!(" @ {:.3}", millis as f64 / 1_000.0),
    }
}

fn offset_modifier(offset: Option<Duration>, out: &mut Vec<Piece>) {
    if let Some(offset) = offset {
        out.push(" offset ".into());
        duration(offset, out);
    }
}

fn extension(selector: &VectorSelector) -> &'static str {
    match (selector.anchored, selector.smoothed) {
        (true, _) => " anchored",
        (_, true) => " smoothed",
        _ => "",
    }
}

fn vector(selector: &VectorSelector, offset_first: bool, out: &mut Vec<Piece>) {
    let others = at_modifier(selector.at) + extension(selector);
    if offset_first {
        out.push(metric(selector).into());
        offset_modifier(selector.offset, out);
        out.push(others.into());
    } else {
        out.push((metric(selector) + &others).into());
        offset_modifier(selector.offset, out);
    }
}

fn matrix(ast: &Ast, selector: ExprId, range: Duration, out: &mut Vec<Piece>) {
    let ExprKind::Vector(selector) = &ast.get(selector).kind else {
        return;
    };
    out.push((metric(selector) + "[").into());
    duration(range, out);
    let behind = format!("]{}{}", extension(selector), at_modifier(selector.at));
    out.push(behind.into());
    offset_modifier(selector.offset, out);
}

/// Appends what stands behind the inner expression of a subquery.
pub(super) fn subquery_suffix(subquery: &ExprKind, out: &mut Vec<Piece>) {
    let ExprKind::Subquery {
        range,
        step,
        offset,
        at,
        ..
    } = subquery
    else {
        return;
    };
    out.push("[".into());
    duration(*range, out);
    out.push(":".into());
    if let Some(step) = step {
        duration(*step, out);
    }
    out.push(format!("]{}", at_modifier(*at)).into());
    offset_modifier(*offset, out);
}

/// Returns what stands before the parenthesis of an aggregation.
pub(super) fn aggregate_head(op: AggregateOp, grouping: &Grouping) -> String {
    let labels = label_list(&grouping.labels);
    if grouping.without {
        format!("{op} without ({labels}) ")
    } else if labels.is_empty() {
        op.as_str().to_owned()
    } else {
        format!("{op} by ({labels}) ")
    }
}

/// Returns a binary operator with its modifiers.
pub(super) fn operator(binary: &ExprKind) -> String {
    let ExprKind::Binary {
        op,
        matching,
        return_bool,
        ..
    } = binary
    else {
        return String::new();
    };
    let return_bool = if *return_bool { " bool" } else { "" };
    let matching = matching.as_ref().map(matching_modifiers);
    format!("{op}{return_bool}{}", matching.unwrap_or_default())
}

fn matching_modifiers(matching: &VectorMatching) -> String {
    let group = match matching.cardinality {
        MatchCardinality::ManyToOne => Some("left"),
        MatchCardinality::OneToMany => Some("right"),
        MatchCardinality::OneToOne | MatchCardinality::ManyToMany => None,
    };
    let mut out = String::new();
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        let word = if matching.on { "on" } else { "ignoring" };
        _ = write!(out, " {word} ({})", label_list(&matching.labels));
    }
    if let Some(side) = group {
        _ = write!(out, " group_{side} ({})", label_list(&matching.include));
    }
    out + &fill_modifiers(matching.fill)
}

fn fill_modifiers(fill: FillValues) -> String {
    match (fill.left, fill.right) {
        (Some(left), Some(right)) if left == right => format!(" fill ({})", go::float_v(left)),
        (left, right) => {
            let left = left.map(|value| format!(" fill_left ({})", go::float_v(value)));
            let right = right.map(|value| format!(" fill_right ({})", go::float_v(value)));
            left.unwrap_or_default() + &right.unwrap_or_default()
        }
    }
}
