//! Long queries broken into lines.

use std::borrow::Cow;

use super::Source;
use super::pieces::{Piece, aggregate_head, operator, subquery_suffix};
use crate::promql::ast::{Ast, ExprId, ExprKind};

/// The width that upstream breaks at.
const WIDTH: usize = 100;
const INDENT: &str = "  ";
/// What indentation may add at most, so that a long chain of operators, each one level deeper than
/// the one before, does not give a text of quadratic size.
const MAX_INDENT_BYTES: usize = 4 << 20;

/// Returns the canonical text, with every node that is longer than 100 bytes broken into lines.
pub fn pretty(ast: &Ast) -> String {
    pretty_at(ast, WIDTH)
}

/// Returns the canonical text, with every node that is longer than `width` bytes broken into
/// lines, as upstream's formatter does. Very deep levels are indented no further.
pub fn pretty_at(ast: &Ast, width: usize) -> String {
    if ast.is_empty() {
        return String::new();
    }
    let source = Source::new(ast);
    let mut printer = Printer {
        lengths: lengths(&source),
        source,
        width,
        max_level: MAX_INDENT_BYTES / (2 * INDENT.len() * ast.len()),
        out: String::new(),
        trim: false,
    };
    printer.run();
    printer.out
}

/// Returns the length of every node on one line, by [`ExprId`].
fn lengths(source: &Source<'_>) -> Vec<usize> {
    let mut lengths: Vec<usize> = Vec::with_capacity(source.ast.len());
    let mut parts = Vec::new();
    for (id, _) in source.ast.iter() {
        source.pieces(id, &mut parts);
        let length = parts.drain(..).map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Node(id) => lengths[id.index()],
        });
        let length = length.sum();
        lengths.push(length);
    }
    lengths
}

/// What remains to be written, last first.
enum Task {
    /// A node at this level.
    Node(ExprId, usize),
    /// A node on one line.
    Flat(ExprId),
    Text(Cow<'static, str>),
    /// The start of a line at this level.
    Indent(usize),
    /// Leave out the next indentation.
    Trim,
}

impl From<Piece> for Task {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::Node(id) => Self::Flat(id),
        }
    }
}

fn text(text: &'static str) -> Task {
    Task::Text(Cow::Borrowed(text))
}

struct Printer<'a> {
    source: Source<'a>,
    lengths: Vec<usize>,
    width: usize,
    max_level: usize,
    out: String,
    trim: bool,
}

impl Printer<'_> {
    fn run(&mut self) {
        let mut pending = vec![Task::Node(self.source.ast.root(), 0)];
        while let Some(task) = pending.pop() {
            match task {
                Task::Node(id, level) => {
                    let first = pending.len();
                    self.expand(id, level, &mut pending);
                    pending[first..].reverse();
                }
                Task::Flat(id) => {
                    self.trim = false;
                    self.source.push_flat(id, &mut self.out);
                }
                Task::Text(text) => {
                    self.trim = false;
                    self.out.push_str(&text);
                }
                Task::Indent(_) if self.trim => {}
                Task::Indent(level) => {
                    let level = level.min(self.max_level);
                    self.out.extend(std::iter::repeat_n(INDENT, level));
                }
                Task::Trim => self.trim = true,
            }
        }
    }

    /// Appends the tasks of a node, in order.
    fn expand(&self, id: ExprId, level: usize, out: &mut Vec<Task>) {
        let kind = &self.source.ast.get(id).kind;
        let is_long = self.lengths[id.index()] > self.width;
        let inner = |id: &ExprId| Task::Node(*id, level + 1);
        let close = || [text("\n"), Task::Indent(level), text(")")];
        match kind {
            ExprKind::Unary { op, expr } => {
                out.extend([Task::Indent(level), text(op.as_str())]);
                out.extend([Task::Trim, Task::Node(*expr, level)]);
            }
            // Upstream does not indent a short subquery.
            ExprKind::Subquery { .. } if !is_long => out.push(Task::Flat(id)),
            ExprKind::Subquery { expr, .. } => {
                out.push(Task::Node(*expr, level));
                let mut suffix = Vec::new();
                subquery_suffix(kind, &mut suffix);
                out.extend(suffix.into_iter().map(Task::from));
            }
            ExprKind::Aggregate {
                op,
                expr,
                param,
                grouping,
            } if is_long => {
                let head = aggregate_head(*op, grouping) + "(\n";
                out.extend([Task::Indent(level), Task::Text(head.into())]);
                if let Some(param) = param {
                    out.extend([inner(param), text(",\n")]);
                }
                out.push(inner(expr));
                out.extend(close());
            }
            ExprKind::Binary { lhs, rhs, .. } if is_long => {
                let operator = Task::Text(operator(kind).into());
                out.extend([inner(lhs), text("\n"), Task::Indent(level), operator]);
                out.extend([text("\n"), inner(rhs)]);
            }
            ExprKind::Call { function, args } if is_long => {
                out.extend([Task::Indent(level), text(function.as_str()), text("(\n")]);
                for (index, arg) in args.iter().enumerate() {
                    if index > 0 {
                        out.push(text(",\n"));
                    }
                    out.push(inner(arg));
                }
                out.extend(close());
            }
            ExprKind::Paren(expr) if is_long => {
                out.extend([Task::Indent(level), text("(\n"), inner(expr)]);
                out.extend(close());
            }
            _ => out.extend([Task::Indent(level), Task::Flat(id)]),
        }
    }
}
