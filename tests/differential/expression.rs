//! Queries as trees, so that a mismatch can be made smaller.

use std::fmt;

/// What an expression is the value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Vector,
    /// A range vector.
    Matrix,
}

/// A piece of text, or an expression within another one.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Inner(Expression),
}

/// An expression: its text with the expressions inside.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) kind: Kind,
    pub(super) pieces: Vec<Piece>,
}

impl Expression {
    /// Returns an expression without inner ones.
    pub(super) fn leaf(kind: Kind, text: impl Into<String>) -> Self {
        let pieces = vec![Piece::Text(text.into())];
        Self { kind, pieces }
    }

    /// Returns `pattern` with each `@` followed by `#` replaced by the next inner expression.
    pub(super) fn of(kind: Kind, pattern: &str, inner: Vec<Self>) -> Self {
        let mut pieces = Vec::new();
        let mut inner = inner.into_iter();
        for (index, text) in pattern.split("@#").enumerate() {
            if index > 0 {
                pieces.extend(inner.next().map(Piece::Inner));
            }
            pieces.push(Piece::Text(text.to_owned()));
        }
        Self { kind, pieces }
    }

    fn inner(&self) -> impl Iterator<Item = (usize, &Self)> {
        let inner = |(index, piece)| match piece {
            &Piece::Text(_) => None,
            Piece::Inner(inner) => Some((index, inner)),
        };
        self.pieces.iter().enumerate().filter_map(inner)
    }

    /// Adds every expression inside that has the same kind, itself left out.
    fn same_kind<'a>(&'a self, kind: Kind, found: &mut Vec<&'a Self>) {
        for (_, inner) in self.inner() {
            if inner.kind == kind {
                found.push(inner);
            }
            inner.same_kind(kind, found);
        }
    }

    /// Returns expressions that are smaller by one step: an expression inside takes the place of one around it, or a
    /// constant the place of any.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        self.same_kind(self.kind, &mut found);
        let mut smaller: Vec<Self> = found.into_iter().cloned().collect();
        for (index, inner) in self.inner() {
            for candidate in inner.smaller() {
                let mut whole = self.clone();
                whole.pieces[index] = Piece::Inner(candidate);
                smaller.push(whole);
            }
            let constant = match inner.kind {
                Kind::Scalar => "1",
                Kind::Vector => "vector(1)",
                Kind::Matrix => continue,
            };
            if inner.to_string() != constant {
                let mut whole = self.clone();
                whole.pieces[index] = Piece::Inner(Self::leaf(inner.kind, constant));
                smaller.push(whole);
            }
        }
        smaller.sort_by_key(|expression| expression.to_string().len());
        smaller
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Inner(inner) => inner.fmt(f),
        })
    }
}
