//! The syntax tree as lines, parents first.

use obsq_query_lang::Span;
use obsq_query_lang::promql::{
    Ast, ExprId, ExprKind, Grouping, MatchCardinality, ValueType, VectorMatching,
};

/// Deeper nodes are drawn at this depth, so that a long chain of operators stays readable.
const MAX_DEPTH: usize = 30;

/// One line of the tree.
#[derive(Debug)]
pub(crate) struct Node {
    /// Which node it is.
    pub(crate) id: ExprId,
    /// How far below the root it lies.
    pub(crate) depth: usize,
    /// The lines that lead to it.
    pub(crate) branch: String,
    /// What it does.
    pub(crate) text: String,
    /// The type of its value.
    pub(crate) kind: &'static str,
    /// Series that it selects, when asked.
    pub(crate) series: Option<u64>,
    /// Samples that it selects, when asked.
    pub(crate) samples: Option<u64>,
}

/// A node to visit.
struct Visit {
    id: ExprId,
    depth: usize,
    /// What is drawn in front of the node's children.
    prefix: String,
    is_last: bool,
}

/// Returns the nodes from the root down; parentheses and parts of durations have no line.
pub(crate) fn outline(ast: &Ast, text: &str) -> Vec<Node> {
    let types = ast.value_types();
    let mut nodes = Vec::new();
    let mut pending = vec![Visit {
        id: ast.root(),
        depth: 0,
        prefix: String::new(),
        is_last: true,
    }];
    while let Some(visit) = pending.pop() {
        let id = without_parens(ast, visit.id);
        let (branch, below) = draw(&visit);
        nodes.push(Node {
            id,
            depth: visit.depth,
            branch,
            text: describe(ast, id, text),
            kind: type_name(types[id.index()]),
            series: None,
            samples: None,
        });
        let children = children(ast, id);
        for (index, child) in children.iter().enumerate().rev() {
            pending.push(Visit {
                id: *child,
                depth: visit.depth + 1,
                prefix: below.clone(),
                is_last: index + 1 == children.len(),
            });
        }
    }
    nodes
}

/// Returns what is drawn before a node, and before its children.
fn draw(visit: &Visit) -> (String, String) {
    match (visit.depth, visit.is_last) {
        (0, _) => (String::new(), String::new()),
        (depth, _) if depth > MAX_DEPTH => {
            (format!("{}({depth}) ", visit.prefix), visit.prefix.clone())
        }
        (_, true) => (
            format!("{}└─ ", visit.prefix),
            format!("{}   ", visit.prefix),
        ),
        (_, false) => (
            format!("{}├─ ", visit.prefix),
            format!("{}│  ", visit.prefix),
        ),
    }
}

fn without_parens(ast: &Ast, id: ExprId) -> ExprId {
    let mut id = id;
    while let ExprKind::Paren(inner) = ast.get(id).kind {
        id = inner;
    }
    id
}

fn children(ast: &Ast, id: ExprId) -> Vec<ExprId> {
    match &ast.get(id).kind {
        ExprKind::Call { args, .. } => args.clone(),
        ExprKind::Aggregate { expr, param, .. } => param.iter().copied().chain([*expr]).collect(),
        ExprKind::Binary { lhs, rhs, .. } => vec![*lhs, *rhs],
        ExprKind::Subquery { expr, .. } | ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => {
            vec![*expr]
        }
        ExprKind::Number { .. }
        | ExprKind::String(_)
        | ExprKind::Vector(_)
        | ExprKind::Matrix { .. }
        | ExprKind::Duration { .. } => Vec::new(),
    }
}

fn describe(ast: &Ast, id: ExprId, text: &str) -> String {
    let expr = ast.get(id);
    match &expr.kind {
        ExprKind::Call { function, .. } => format!("{function}()"),
        ExprKind::Aggregate { op, grouping, .. } => format!("{op}{}", grouping_text(grouping)),
        ExprKind::Unary { op, .. } => format!("unary {op}"),
        ExprKind::Binary {
            op,
            matching,
            return_bool,
            ..
        } => {
            let bool_text = if *return_bool { " bool" } else { "" };
            let matching = matching.as_ref().map(matching_text).unwrap_or_default();
            format!("{op}{bool_text}{matching}")
        }
        ExprKind::Subquery { expr: inner, .. } => {
            let behind = Span {
                lo: ast.get(*inner).span.hi,
                hi: expr.span.hi,
            };
            format!(
                "subquery {}",
                slice(text, behind).trim_start_matches([')', ' '])
            )
        }
        _ => slice(text, expr.span),
    }
}

fn slice(text: &str, span: Span) -> String {
    let found = text
        .get(span.lo as usize..span.hi as usize)
        .unwrap_or_default();
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn grouping_text(grouping: &Grouping) -> String {
    let labels = grouping.labels.join(", ");
    match (grouping.without, labels.is_empty()) {
        (true, _) => format!(" without ({labels})"),
        (false, true) => String::new(),
        (false, false) => format!(" by ({labels})"),
    }
}

fn matching_text(matching: &VectorMatching) -> String {
    let mut text = String::new();
    let labels = matching.labels.join(", ");
    if matching.on {
        text.push_str(&[" on (", &labels, ")"].concat());
    } else if !labels.is_empty() {
        text.push_str(&[" ignoring (", &labels, ")"].concat());
    }
    let side = match matching.cardinality {
        MatchCardinality::ManyToOne => " group_left",
        MatchCardinality::OneToMany => " group_right",
        MatchCardinality::OneToOne | MatchCardinality::ManyToMany => return text,
    };
    text.push_str(side);
    if !matching.include.is_empty() {
        text.push_str(&[" (", &matching.include.join(", "), ")"].concat());
    }
    text
}

fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "instant vector",
        ValueType::Matrix => "range vector",
    }
}
