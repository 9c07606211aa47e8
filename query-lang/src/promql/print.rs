//! The canonical text of a query, on one line or broken at a width.
//!
//! Iterative, and linear in the length of the result.

mod pieces;
mod pretty;

pub use pretty::{pretty, pretty_at};

use super::ast::{Ast, ExprId};
use pieces::{Piece, pieces};

pub(super) use pieces::label_name;

/// Returns the canonical text of node `id` on one line, as upstream prints it: parsing it gives
/// the same query again, but for the order of matchers, which are sorted.
pub fn print(ast: &Ast, id: ExprId) -> String {
    let mut out = String::new();
    push_flat(ast, id, &mut out);
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

/// Appends node `id` on one line.
fn push_flat(ast: &Ast, id: ExprId, out: &mut String) {
    let mut pending = vec![Piece::Node(id)];
    while let Some(piece) = pending.pop() {
        match piece {
            Piece::Text(text) => out.push_str(&text),
            Piece::Node(id) => {
                let first = pending.len();
                pieces(ast, id, &mut pending);
                pending[first..].reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests;
