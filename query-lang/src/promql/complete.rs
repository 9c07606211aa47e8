//! What may stand at a place in a query that is still being written.
//!
//! The text up to the cursor is split into tokens once more; which of them are open decides what
//! is offered. The text need not parse, and what follows the cursor hardly matters.

mod items;
mod place;

use super::lex::{Token, TokenKind, lex};
use crate::span::Span;
use items::Offer;
use place::Place;

/// Names and values that are known to exist. Implementations should answer from memory or with a
/// limit of their own: a keystroke waits for them.
pub trait CompletionSource {
    /// Returns names of metrics that start with `prefix`.
    fn metric_names(&self, prefix: &str) -> Vec<String>;

    /// Returns names of labels, of one metric if it is known.
    fn label_names(&self, metric: Option<&str>) -> Vec<String>;

    /// Returns values of a label that start with `prefix`, of one metric if it is known.
    fn label_values(&self, metric: Option<&str>, label: &str, prefix: &str) -> Vec<String>;
}

/// What an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompletionKind {
    /// The name of a metric.
    Metric,
    /// The name of a label.
    Label,
    /// The value of a label.
    LabelValue,
    /// A function.
    Function,
    /// An aggregation.
    Aggregation,
    /// A word of the grammar, or an operator.
    Keyword,
    /// A duration.
    Duration,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What to write in place of [`Completions::replace`].
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// A short remark, such as a function's arguments; may be empty.
    pub detail: String,
}

/// All offers at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completions {
    /// The word that the cursor is in or behind; empty between words.
    pub replace: Span,
    /// The offers, the likeliest kinds first, each kind sorted. At most 1,000.
    pub items: Vec<Completion>,
}

/// Returns what may stand at byte offset `cursor` of `text`. O(n) besides asking the source.
pub fn complete(text: &str, cursor: usize, source: &dyn CompletionSource) -> Completions {
    let (head, tail) = text.split_at(floor_char_boundary(text, cursor));
    let mut tokens = lex(head).tokens;
    let in_comment = tokens
        .iter()
        .any(|token| token.kind == TokenKind::Comment && token.span.hi as usize == head.len());
    tokens.retain(|token| !matches!(token.kind, TokenKind::Comment | TokenKind::Eof));
    let (start, in_string) = take_word(head, &mut tokens);
    let word = head.get(start..).unwrap_or_default();
    let end = head.len() + rest_of_word(word, tail);
    let place = if in_comment {
        Place::Nothing
    } else {
        Place::of(head, &tokens, in_string)
    };
    let offer = Offer {
        word,
        behind: text.get(end..).unwrap_or_default(),
        source,
    };
    Completions {
        replace: Span::new(start, end),
        items: offer.at(&place),
    }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Removes the word at the end of `head` from the tokens. Returns where it starts, and whether it
/// is the inside of a string that is not closed.
fn take_word(head: &str, tokens: &mut Vec<Token>) -> (usize, bool) {
    let text_of = |token: &Token| head.get(token.span.lo as usize..).unwrap_or_default();
    if let Some(unread) = tokens.pop_if(|token| token.kind == TokenKind::Error) {
        let (start, text) = (unread.span.lo as usize, text_of(&unread));
        if text.starts_with(['"', '\'', '`']) {
            return (start + 1, true);
        }
        if !text.is_empty() {
            let is_word = text.chars().all(is_word);
            return (if is_word { start } else { head.len() }, false);
        }
    }
    let word = tokens.pop_if(|token| {
        token.kind != TokenKind::Colon
            && token.span.hi as usize == head.len()
            && text_of(token).chars().all(is_word)
    });
    (
        word.map_or(head.len(), |token| token.span.lo as usize),
        false,
    )
}

/// Returns how many bytes behind the cursor belong to the word in front of it.
fn rest_of_word(word: &str, tail: &str) -> usize {
    if word.is_empty() {
        return 0;
    }
    tail.find(|c: char| !is_word(c)).unwrap_or(tail.len())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')
}

#[cfg(test)]
mod tests;
