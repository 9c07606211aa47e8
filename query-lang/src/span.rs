//! Where in a query's text something stands.

/// A half-open range of byte offsets into the query's text: `lo` is inside, `hi` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub lo: u32,
    /// Offset behind the last byte.
    pub hi: u32,
}

impl Span {
    /// Returns the span from `lo` (inside) to `hi` (outside).
    pub fn new(lo: usize, hi: usize) -> Self {
        let clamp = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            lo: clamp(lo),
            hi: clamp(hi),
        }
    }

    /// Returns the smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
        }
    }

    /// Returns line and column of `lo`, both from 1, columns counted in bytes as Prometheus does.
    pub fn line_column(self, text: &str) -> (usize, usize) {
        let before = text
            .as_bytes()
            .get(..self.lo as usize)
            .unwrap_or(text.as_bytes());
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        (line, before.len() - start + 1)
    }
}
