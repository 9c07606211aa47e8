//! Patterns that can be answered without an automaton, or refused early.

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// How many values a pattern may stand for when they come from combining parts of it.
const MAX_COMBINED: usize = 256;
/// How many bytes all values of a pattern may have together.
const MAX_LITERAL_BYTES: usize = 1 << 20;

/// What a pattern looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// These values and no others, sorted.
    Literals(Vec<String>),
    /// `prefix.+suffix` or `prefix.*suffix`, either part possibly empty.
    Affixes {
        prefix: String,
        suffix: String,
        /// How many bytes at least lie between them.
        gap: usize,
    },
    /// `prefix.*part.*part.*suffix`.
    Parts {
        prefix: String,
        parts: Vec<Finder<'static>>,
        suffix: String,
    },
    /// Letters in either case. Holds for values of ASCII only.
    Caseless(String),
    /// Anything else; the parts are necessary, not sufficient.
    Program { prefix: String, suffix: String },
}

impl Shape {
    /// Looks at the pattern.
    pub(super) fn of(hir: &Hir) -> Self {
        let parts = flat_parts(hir);
        if let Some(mut literals) = combined(&parts) {
            literals.sort_unstable();
            literals.dedup();
            return Self::Literals(literals);
        }
        if let Some(shape) = gapped(&parts) {
            return shape;
        }
        match caseless(&parts) {
            Some(text) => Self::Caseless(text),
            None => Self::Program {
                prefix: leading_literal(&parts).to_owned(),
                suffix: parts
                    .last()
                    .and_then(|last| literal(last))
                    .unwrap_or_default()
                    .to_owned(),
            },
        }
    }

    /// Says whether matching may need the automaton.
    pub(super) fn needs_program(&self) -> bool {
        matches!(self, Self::Caseless(_) | Self::Program { .. })
    }

    /// Says whether the pattern matches, `None` when only the automaton can tell.
    pub(super) fn matches(&self, value: &str) -> Option<bool> {
        match self {
            Self::Literals(literals) => {
                let found = literals.binary_search_by(|literal| literal.as_str().cmp(value));
                Some(found.is_ok())
            }
            Self::Affixes {
                prefix,
                suffix,
                gap,
            } => Some(
                value.len() >= prefix.len() + gap + suffix.len()
                    && value.starts_with(prefix.as_str())
                    && value.ends_with(suffix.as_str()),
            ),
            Self::Parts {
                prefix,
                parts,
                suffix,
            } => Some(contains_in_order(value, prefix, parts, suffix)),
            Self::Caseless(text) if value.is_ascii() => Some(value.eq_ignore_ascii_case(text)),
            Self::Caseless(_) => None,
            Self::Program { prefix, suffix } => {
                let possible = value.len() >= prefix.len().max(suffix.len())
                    && value.starts_with(prefix.as_str())
                    && value.ends_with(suffix.as_str());
                if possible { None } else { Some(false) }
            }
        }
    }

    pub(super) fn literals(&self) -> Option<&[String]> {
        match self {
            Self::Literals(literals) => Some(literals),
            _ => None,
        }
    }

    /// Returns what every matching value starts with.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Literals(literals) => match literals.as_slice() {
                [first, .., last] => common_prefix(first, last),
                [only] => only,
                [] => "",
            },
            Self::Affixes { prefix, .. }
            | Self::Parts { prefix, .. }
            | Self::Program { prefix, .. } => prefix,
            Self::Caseless(_) => "",
        }
    }
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let pairs = a.char_indices().zip(b.chars());
    let differing = pairs.into_iter().find(|((_, a), b)| a != b);
    let end = differing.map_or(a.len().min(b.len()), |((at, _), _)| at);
    a.get(..end).unwrap_or_default()
}

fn contains_in_order(value: &str, prefix: &str, parts: &[Finder<'_>], suffix: &str) -> bool {
    let inner = value
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix));
    let Some(inner) = inner else {
        return false;
    };
    let mut rest = inner.as_bytes();
    for part in parts {
        let Some(at) = part.find(rest) else {
            return false;
        };
        rest = &rest[at + part.needle().len()..];
    }
    true
}

/// Returns the parts of a concatenation, groups and outer anchors taken off.
fn flat_parts(hir: &Hir) -> Vec<&Hir> {
    let mut parts = Vec::new();
    let mut pending = vec![hir];
    while let Some(hir) = pending.pop() {
        match hir.kind() {
            HirKind::Concat(subs) => pending.extend(subs.iter().rev()),
            HirKind::Capture(capture) => pending.push(&capture.sub),
            HirKind::Empty => {}
            _ => parts.push(hir),
        }
    }
    let is = |hir: Option<&&Hir>, wanted: Look| {
        hir.is_some_and(|hir| matches!(hir.kind(), HirKind::Look(look) if *look == wanted))
    };
    while is(parts.last(), Look::End) {
        parts.pop();
    }
    let starts = parts
        .iter()
        .take_while(|part| is(Some(part), Look::Start))
        .count();
    parts.drain(..starts);
    parts
}

fn literal(hir: &Hir) -> Option<&str> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok(),
        _ => None,
    }
}

fn leading_literal<'a>(parts: &[&'a Hir]) -> &'a str {
    parts
        .first()
        .and_then(|first| literal(first))
        .unwrap_or_default()
}

/// Returns all values that a concatenation can match, if they are few enough.
fn combined(parts: &[&Hir]) -> Option<Vec<String>> {
    let mut heads = vec![String::new()];
    let mut bytes = 0;
    let mut steps = 0;
    for part in parts {
        let tails = values(part)?;
        let many = heads.len() > 1 && tails.len() > 1;
        if many && heads.len() * tails.len() > MAX_COMBINED {
            return None;
        }
        let tail_bytes: usize = tails.iter().map(String::len).sum();
        bytes = bytes * tails.len() + tail_bytes * heads.len();
        steps += heads.len() * tails.len();
        if bytes > MAX_LITERAL_BYTES || steps > MAX_LITERAL_BYTES {
            return None;
        }
        if let [tail] = tails.as_slice() {
            for head in &mut heads {
                head.push_str(tail);
            }
        } else {
            let pairs = heads
                .iter()
                .flat_map(|head| tails.iter().map(move |tail| (head, tail)));
            heads = pairs.map(|(head, tail)| format!("{head}{tail}")).collect();
        }
    }
    Some(heads)
}

/// Returns all values that a part can match. Recursive, as deep as the pattern nests.
fn values(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(_) => Some(vec![literal(hir)?.to_owned()]),
        HirKind::Class(Class::Unicode(class)) => {
            let count = |range: &regex_syntax::hir::ClassUnicodeRange| range.len();
            if class.ranges().iter().map(count).sum::<usize>() > MAX_COMBINED {
                return None;
            }
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            Some(chars.map(String::from).collect())
        }
        HirKind::Repetition(repetition) if repetition.max == Some(1) => {
            let mut values = values(&repetition.sub)?;
            if repetition.min == 0 {
                values.push(String::new());
            }
            Some(values)
        }
        HirKind::Capture(capture) => values(&capture.sub),
        HirKind::Concat(subs) => combined(&subs.iter().collect::<Vec<_>>()),
        HirKind::Alternation(subs) => {
            let mut all = Vec::new();
            for sub in subs {
                all.append(&mut values(sub)?);
            }
            Some(all)
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// A part of a pattern that consists of literals and of gaps where anything may stand.
enum Gapped<'a> {
    Literal(&'a str),
    /// At least this many characters.
    Gap(u32),
}

fn gapped(parts: &[&Hir]) -> Option<Shape> {
    let parts: Vec<_> = parts
        .iter()
        .map(|part| gapped_part(part))
        .collect::<Option<_>>()?;
    let mut parts = parts.as_slice();
    let mut prefix = "";
    let mut suffix = "";
    if let [Gapped::Literal(first), rest @ ..] = parts {
        (prefix, parts) = (first, rest);
    }
    if let [rest @ .., Gapped::Literal(last)] = parts {
        (suffix, parts) = (last, rest);
    }
    let (prefix, suffix) = (prefix.to_owned(), suffix.to_owned());
    if let [Gapped::Gap(gap)] = parts {
        let gap = *gap as usize;
        return Some(Shape::Affixes {
            prefix,
            suffix,
            gap,
        });
    }
    let mut found = Vec::new();
    for part in parts {
        match part {
            Gapped::Literal(text) => found.push(Finder::new(text).into_owned()),
            Gapped::Gap(0) => {}
            Gapped::Gap(_) => return None,
        }
    }
    let alternates = parts.len() == 2 * found.len() + 1;
    alternates.then_some(Shape::Parts {
        prefix,
        parts: found,
        suffix,
    })
}

fn gapped_part(hir: &Hir) -> Option<Gapped<'_>> {
    if let Some(text) = literal(hir) {
        return Some(Gapped::Literal(text));
    }
    let HirKind::Repetition(repetition) = hir.kind() else {
        return None;
    };
    let HirKind::Class(Class::Unicode(class)) = repetition.sub.kind() else {
        return None;
    };
    let everything =
        matches!(class.ranges(), [all] if all.start() == '\0' && all.end() == char::MAX);
    // A gap of one character may be longer than a byte, but no value is shorter than that.
    (everything && repetition.max.is_none() && repetition.min <= 1)
        .then_some(Gapped::Gap(repetition.min))
}

/// Returns the text of which the pattern matches every casing, if that is all it does for ASCII.
fn caseless(parts: &[&Hir]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        if let Some(literal) = literal(part) {
            let cased = literal.bytes().any(|byte| byte.is_ascii_alphabetic());
            if cased || !literal.is_ascii() {
                return None;
            }
            text.push_str(literal);
            continue;
        }
        let HirKind::Class(Class::Unicode(class)) = part.kind() else {
            return None;
        };
        let ascii = class.iter().filter(|range| range.start().is_ascii());
        let ascii: Vec<_> = ascii.map(|range| (range.start(), range.end())).collect();
        match ascii.as_slice() {
            [(upper, a), (lower, b)]
                if upper == a && lower == b && upper.eq_ignore_ascii_case(lower) =>
            {
                text.push(*lower);
            }
            _ => return None,
        }
    }
    Some(text)
}
