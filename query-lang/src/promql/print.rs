//! The canonical text of a query, on one line or broken at a width.
//!
//! Iterative, and linear in the length of the result.

mod offset;
mod pieces;
mod pretty;

pub use pretty::{pretty, pretty_at};

use super::ast::{Ast, ExprId};
use pieces::Piece;

pub(super) use pieces::label_name;

/// Returns the canonical text of node `id` on one line, as upstream prints it: parsing it gives
/// the same query again, but for the order of matchers, which are sorted.
pub fn print(ast: &Ast, id: ExprId) -> String {
    let mut out = String::new();
    Source::new(ast).push_flat(id, &mut out);
    out
}

impl std::fmt::Display for Ast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        f.write_str(&print(self, self.root()))
    }
}

/// A tree, and what its text depends on.
struct Source<'a> {
    ast: &'a Ast,
    /// Selectors whose offset has to stand before their other modifiers, sorted.
    offset_first: Vec<ExprId>,
}

impl<'a> Source<'a> {
    fn new(ast: &'a Ast) -> Self {
        Self {
            ast,
            offset_first: offset::first(ast),
        }
    }

    /// Appends node `id` on one line.
    fn push_flat(&self, id: ExprId, out: &mut String) {
        let mut pending = vec![Piece::Node(id)];
        while let Some(piece) = pending.pop() {
            match piece {
                Piece::Text(text) => out.push_str(&text),
                Piece::Node(id) => {
                    let first = pending.len();
                    self.pieces(id, &mut pending);
                    pending[first..].reverse();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
