//! The answer of `/api/v1/parse_query`: the syntax tree as JSON, as Prometheus 3 shows it.
//!
//! The text is written directly, without recursion and without a tree of JSON values: a chain of
//! many operators is a tree as deep as the chain is long.

use std::borrow::Cow;

use obsq_query_lang::promql::{
    Ast, At, Duration, ExprId, ExprKind, Function, Grouping, LabelMatcher, MatchCardinality,
    MatcherOp, VectorMatching, VectorSelector, without_stray_bytes,
};
use serde_json::{Value, json};

/// Returns the JSON text of a query; object keys are sorted. O(n).
pub(crate) fn ast_to_json(ast: &Ast) -> String {
    if ast.is_empty() {
        return "null".to_owned();
    }
    let mut out = String::new();
    let mut pending = vec![Piece::Node(ast.root())];
    while let Some(piece) = pending.pop() {
        let first = pending.len();
        match piece {
            Piece::Text(text) => out.push_str(&text),
            Piece::Node(id) => node(ast, id, &mut pending),
            Piece::DurationNode(id) => duration_node(ast, id, &mut pending),
        }
        pending[first..].reverse();
    }
    out
}

/// A part of the JSON text.
enum Piece {
    Text(Cow<'static, str>),
    Node(ExprId),
    /// A node of a duration expression; numbers look different there.
    DurationNode(ExprId),
}

fn text(text: &'static str) -> Piece {
    Piece::Text(Cow::Borrowed(text))
}

fn owned(text: String) -> Piece {
    Piece::Text(Cow::Owned(text))
}

fn optional(id: Option<ExprId>, piece: impl Fn(ExprId) -> Piece) -> Piece {
    id.map_or_else(|| text("null"), piece)
}

fn string(value: &str) -> Value {
    Value::String(without_stray_bytes(value))
}

fn strings(values: &[String]) -> Value {
    values.iter().map(|value| string(value)).collect()
}

/// Appends the pieces of a node, in order.
fn node(ast: &Ast, id: ExprId, out: &mut Vec<Piece>) {
    let kind = &ast.get(id).kind;
    match kind {
        ExprKind::Number { value, .. } => {
            let value = json!({"type": "numberLiteral", "val": float(*value)});
            out.push(owned(value.to_string()));
        }
        ExprKind::String(value) => {
            let value = json!({"type": "stringLiteral", "val": string(value)});
            out.push(owned(value.to_string()));
        }
        ExprKind::Vector(vector) => {
            selector(vector, out);
            out.push(text(r#","type":"vectorSelector"}"#));
        }
        ExprKind::Matrix {
            selector: id,
            range,
        } => {
            if let ExprKind::Vector(vector) = &ast.get(*id).kind {
                selector(vector, out);
                duration("range", Some(*range), out);
                out.push(text(r#","type":"matrixSelector"}"#));
            }
        }
        ExprKind::Subquery { .. } => subquery(kind, out),
        ExprKind::Call { function, args } => call(*function, args, out),
        ExprKind::Aggregate {
            op,
            expr,
            param,
            grouping,
        } => {
            let Grouping { without, labels } = grouping;
            let labels = strings(labels);
            out.extend([text(r#"{"expr":"#), Piece::Node(*expr)]);
            out.push(owned(format!(
                r#","grouping":{labels},"op":"{op}","param":"#
            )));
            out.push(optional(*param, Piece::Node));
            out.push(owned(format!(
                r#","type":"aggregation","without":{without}}}"#
            )));
        }
        ExprKind::Binary {
            op,
            lhs,
            rhs,
            matching: vectors,
            return_bool,
        } => {
            let vectors = vectors.as_ref().map_or(Value::Null, matching);
            let head = format!(r#"{{"bool":{return_bool},"lhs":"#);
            let middle = format!(r#","matching":{vectors},"op":"{op}","rhs":"#);
            out.extend([owned(head), Piece::Node(*lhs), owned(middle)]);
            out.extend([Piece::Node(*rhs), text(r#","type":"binaryExpr"}"#)]);
        }
        ExprKind::Unary { op, expr } => {
            let tail = format!(r#","op":"{op}","type":"unaryExpr"}}"#);
            out.extend([text(r#"{"expr":"#), Piece::Node(*expr), owned(tail)]);
        }
        ExprKind::Paren(expr) => {
            out.extend([text(r#"{"expr":"#), Piece::Node(*expr)]);
            out.push(text(r#","type":"parenExpr"}"#));
        }
        ExprKind::Duration { .. } => duration_node(ast, id, out),
    }
}

fn duration_node(ast: &Ast, id: ExprId, out: &mut Vec<Piece>) {
    match &ast.get(id).kind {
        ExprKind::Number { value, is_duration } => {
            let value = json!({
                "duration": is_duration,
                "type": "numberLiteral",
                "val": float(*value),
            });
            out.push(owned(value.to_string()));
        }
        ExprKind::Duration {
            op,
            lhs,
            rhs,
            wrapped,
        } => {
            out.extend([text(r#"{"lhs":"#), optional(*lhs, Piece::DurationNode)]);
            out.push(owned(format!(r#","op":"{op}","rhs":"#)));
            out.push(optional(*rhs, Piece::DurationNode));
            out.push(owned(format!(
                r#","type":"durationExpr","wrapped":{wrapped}}}"#
            )));
        }
        _ => out.push(Piece::Node(id)),
    }
}

/// Appends what vector and matrix selectors have in common, the brace left open.
fn selector(vector: &VectorSelector, out: &mut Vec<Piece>) {
    let matchers: Value = vector.matchers.iter().map(matcher).collect();
    let name = string(vector.name.as_deref().unwrap_or_default());
    out.push(owned(format!(
        r#"{{"anchored":{},"matchers":{matchers},"name":{name}"#,
        vector.anchored
    )));
    duration("offset", vector.offset, out);
    out.push(owned(format!(r#","smoothed":{}"#, vector.smoothed)));
    at_modifier(vector.at, out);
}

fn matcher(matcher: &LabelMatcher) -> Value {
    let op = match matcher.op {
        MatcherOp::Equal => "=",
        MatcherOp::NotEqual => "!=",
        MatcherOp::Regex => "=~",
        MatcherOp::NotRegex => "!~",
    };
    json!({"name": string(&matcher.name), "type": op, "value": string(&matcher.value)})
}

/// Appends a duration's milliseconds, 0 unless known, and its expression.
fn duration(key: &str, duration: Option<Duration>, out: &mut Vec<Piece>) {
    let (millis, expr) = match duration {
        None => (0, None),
        Some(Duration::Millis(millis)) => (millis, None),
        Some(Duration::Expr(id)) => (0, Some(id)),
    };
    out.push(owned(format!(r#","{key}":{millis},"{key}Expr":"#)));
    out.push(optional(expr, Piece::DurationNode));
}

fn at_modifier(at: Option<At>, out: &mut Vec<Piece>) {
    let (word, timestamp) = match at {
        None => (Value::Null, Value::Null),
        Some(At::Start) => (json!("start"), Value::Null),
        Some(At::End) => (json!("end"), Value::Null),
        Some(At::Millis(millis)) => (Value::Null, json!(millis)),
    };
    out.push(owned(format!(
        r#","startOrEnd":{word},"timestamp":{timestamp}"#
    )));
}

fn subquery(kind: &ExprKind, out: &mut Vec<Piece>) {
    let ExprKind::Subquery {
        expr,
        range,
        step,
        offset,
        at,
    } = kind
    else {
        return;
    };
    out.extend([text(r#"{"expr":"#), Piece::Node(*expr)]);
    duration("offset", *offset, out);
    duration("range", Some(*range), out);
    duration("step", *step, out);
    at_modifier(*at, out);
    out.push(text(r#","type":"subquery"}"#));
}

fn call(function: Function, args: &[ExprId], out: &mut Vec<Piece>) {
    out.push(text(r#"{"args":["#));
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push(text(","));
        }
        out.push(Piece::Node(*arg));
    }
    let signature = function.signature();
    let arg_types: Vec<_> = signature.args.iter().map(|kind| kind.as_str()).collect();
    let func = json!({
        "argTypes": arg_types,
        "name": function.as_str(),
        "returnType": signature.returns.as_str(),
        "variadic": signature.variadic,
    });
    out.push(owned(format!(r#"],"func":{func},"type":"call"}}"#)));
}

fn matching(matching: &VectorMatching) -> Value {
    let card = match matching.cardinality {
        MatchCardinality::OneToOne => "one-to-one",
        MatchCardinality::ManyToOne => "many-to-one",
        MatchCardinality::OneToMany => "one-to-many",
        MatchCardinality::ManyToMany => "many-to-many",
    };
    json!({
        "card": card,
        "fillValues": {"lhs": matching.fill.left, "rhs": matching.fill.right},
        "include": strings(&matching.include),
        "labels": strings(&matching.labels),
        "on": matching.on,
    })
}

/// Formats a number without exponent, infinities as `+Inf` and `-Inf`.
fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_query_lang::promql::parse;

    fn json_of(query: &str) -> Value {
        let ast = parse(query).into_result().unwrap();
        serde_json::from_str(&ast_to_json(&ast)).unwrap()
    }

    #[test]
    fn selectors_show_name_matchers_and_modifiers() {
        let expected = json!({
            "type": "matrixSelector",
            "name": "a",
            "matchers": [
                {"name": "b", "type": "!=", "value": "\u{fffd}"},
                {"name": "__name__", "type": "=", "value": "a"},
            ],
            "range": 300_000,
            "rangeExpr": null,
            "offset": 0,
            "offsetExpr": {
                "type": "durationExpr",
                "op": "*",
                "lhs": {"type": "durationExpr", "op": "step", "lhs": null, "rhs": null, "wrapped": false},
                "rhs": {"type": "numberLiteral", "val": "2", "duration": false},
                "wrapped": true,
            },
            "startOrEnd": "end",
            "timestamp": null,
            "anchored": false,
            "smoothed": true,
        });
        let query = r#"a{b!="\xff"}[5m] smoothed @ end() offset (step() * 2)"#;
        assert_eq!(json_of(query), expected);
    }

    #[test]
    fn operators_and_calls_show_types_and_matching() {
        let value = json_of("sum by (x) (a) > bool on (x) group_left fill (0) round(-b, Inf)");
        assert_eq!(value["bool"], true);
        assert_eq!(value["lhs"]["grouping"], json!(["x"]));
        assert_eq!(value["lhs"]["param"], Value::Null);
        assert_eq!(value["matching"]["card"], "many-to-one");
        assert_eq!(
            value["matching"]["fillValues"],
            json!({"lhs": 0.0, "rhs": 0.0})
        );
        assert_eq!(
            value["rhs"]["func"]["argTypes"],
            json!(["vector", "scalar"])
        );
        assert_eq!(value["rhs"]["args"][1]["val"], "+Inf");
    }

    #[test]
    fn a_long_chain_needs_no_recursion() {
        let query = vec!["1"; 50_000].join("+");
        let ast = parse(&query).into_result().unwrap();
        let text = ast_to_json(&ast);
        assert_eq!(text.matches("binaryExpr").count(), 49_999);
    }
}
