//! Label sets.
//!
//! A label set is immutable, sorted by label name and cheap to clone: one shared string that holds
//! `length name length value ...`, each length written as one character (or three, above 53,247
//! bytes). Compared with a vector of pairs it is a third of the memory and one allocation.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds a metric's type, where it is kept as a label.
pub const TYPE_LABEL: &str = "__type__";
/// The label that holds a metric's unit, where it is kept as a label.
pub const UNIT_LABEL: &str = "__unit__";

/// Lengths up to this fit one character; it lies below the surrogates, which no `char` can hold.
const SHORT: u32 = 0xD000;
/// Marks that two more characters hold the length, in base `SHORT`.
const LONG: char = '\u{E000}';

/// A name and a value, borrowed from a label set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label<'a> {
    /// The label's name, not empty.
    pub name: &'a str,
    /// The label's value, not empty.
    pub value: &'a str,
}

/// An immutable label set, sorted by name, without empty values and without repeated names.
///
/// Ordered as Prometheus orders label sets: pair by pair, name before value, a prefix first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl Labels {
    /// Returns the empty label set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Returns the label set of `pairs`, in any order. Pairs with an empty value are left out; of
    /// pairs with the same name the last one stays.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Returns the label set of pairs that are already sorted by name, without repeats and
    /// without empty values; checked in debug builds.
    pub fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self::from_sorted_sized(0, pairs)
    }

    /// Like [`Self::from_sorted`], for callers who know about how many bytes names and values have
    /// together, which saves growing step by step.
    pub fn from_sorted_sized<'a>(
        text_bytes: usize,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut packed = String::with_capacity(text_bytes);
        let mut last: Option<&str> = None;
        for (name, value) in pairs {
            debug_assert!(
                last.is_none_or(|last| last < name),
                "labels out of order at {name:?}"
            );
            debug_assert!(!value.is_empty(), "empty value of {name:?}");
            last = Some(name);
            push_text(&mut packed, name);
            push_text(&mut packed, value);
        }
        Self(Arc::from(packed))
    }

    /// Returns the pairs in order.
    pub fn iter(&self) -> LabelsIter<'_> {
        LabelsIter { rest: &self.0 }
    }

    /// Returns the number of labels. O(n).
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Says whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of `name`, or `None` when absent. O(n).
    pub fn get(&self, name: &str) -> Option<&str> {
        for label in self {
            match label.name.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some(label.value),
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// Returns the value of `name`, or the empty string when absent.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// Returns the metric's name, or the empty string.
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// Returns the set without the labels for which `drop` holds.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Self {
        if self.iter().all(|label| !drop(label.name)) {
            return self.clone();
        }
        let kept = self.iter().filter(|label| !drop(label.name));
        Self::from_sorted(kept.map(|label| (label.name, label.value)))
    }

    /// Returns only the labels for which `keep` holds.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        self.without(|name| !keep(name))
    }

    /// Returns the set without metric name, type and unit, the labels that a changed meaning drops.
    #[must_use]
    pub fn without_metadata(&self) -> Self {
        self.without(|name| matches!(name, METRIC_NAME | TYPE_LABEL | UNIT_LABEL))
    }

    /// Returns a builder that starts from this set.
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder {
            pairs: self
                .iter()
                .map(|l| (l.name.to_owned(), l.value.to_owned()))
                .collect(),
        }
    }

    /// Returns the xxHash64 of names and values, each followed by byte 0xFF, as Prometheus
    /// computes the stable hash of a label set.
    pub fn hash64(&self) -> u64 {
        let mut hasher = xxhash_rust::xxh64::Xxh64::new(0);
        for label in self {
            hasher.update(label.name.as_bytes());
            hasher.update(&[0xff]);
            hasher.update(label.value.as_bytes());
            hasher.update(&[0xff]);
        }
        hasher.digest()
    }

    /// Returns how many bytes, from the start, hold names and values that both sets have. Stops early
    /// at long ones.
    fn common_texts(&self, other: &Self) -> usize {
        let (mine, others) = (self.0.as_bytes(), other.0.as_bytes());
        let (words, _) = mine.as_chunks::<16>();
        let (other_words, _) = others.as_chunks::<16>();
        let equal = words.iter().zip(other_words).take_while(|(a, b)| a == b);
        let from = equal.count() * 16;
        let (rest, other_rest) = (&mine[from..], &others[from..]);
        let equal = rest.iter().zip(other_rest).take_while(|(a, b)| a == b);
        let same = from + equal.count();
        let mut at = 0;
        while let Some(length @ 0..0x80) = mine.get(at)
            && at + usize::from(*length) < same
        {
            at += 1 + usize::from(*length);
        }
        at
    }

    /// Returns the bytes of memory that the set's text takes.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Prints `{name="value", ...}`, the metric's name as a label like any other, names quoted where
/// they are not plain identifiers.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, label) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            if is_plain_name(label.name) {
                write!(f, "{}=", label.name)?;
            } else {
                write!(f, "{:?}=", label.name)?;
            }
            write!(f, "{:?}", label.value)?;
        }
        f.write_str("}")
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        let start = self.common_texts(other);
        let mut mine = self.0.get(start..).unwrap_or_default();
        let mut others = other.0.get(start..).unwrap_or_default();
        loop {
            match (take_text(&mut mine), take_text(&mut others)) {
                (None, None) => return Ordering::Equal,
                (mine, others) if mine != others => return mine.cmp(&others),
                _ => {}
            }
        }
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = Label<'a>;
    type IntoIter = LabelsIter<'a>;

    fn into_iter(self) -> LabelsIter<'a> {
        self.iter()
    }
}

/// Walks a label set in order of names.
#[derive(Debug, Clone)]
pub struct LabelsIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for LabelsIter<'a> {
    type Item = Label<'a>;

    fn next(&mut self) -> Option<Label<'a>> {
        let name = take_text(&mut self.rest)?;
        let value = take_text(&mut self.rest)?;
        Some(Label { name, value })
    }
}

/// Collects labels in any order; an empty value removes.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Sets `name` to `value`; the empty value removes the label.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.iter_mut().find(|(known, _)| known == name) {
            Some(pair) => value.clone_into(&mut pair.1),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes `name`.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(known, _)| known != name);
        self
    }

    /// Returns the value of `name`, or the empty string.
    pub fn get(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }

    /// Returns the pairs set so far, in the order of their first setting.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the label set.
    pub fn build(&mut self) -> Labels {
        self.pairs.retain(|(_, value)| !value.is_empty());
        self.pairs.sort_unstable();
        Labels::from_sorted(
            self.pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }
}

/// Says whether a label's name can be written without quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn push_text(packed: &mut String, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let digit = |digit: u32| char::from_u32(digit).unwrap_or_default();
    if length < SHORT {
        packed.push(digit(length));
    } else {
        packed.push(LONG);
        packed.push(digit(length / SHORT));
        packed.push(digit(length % SHORT));
    }
    packed.push_str(text);
}

fn take_text<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut chars = rest.chars();
    let length = match chars.next()? {
        LONG => u32::from(chars.next()?) * SHORT + u32::from(chars.next()?),
        short => u32::from(short),
    };
    let (text, tail) = chars.as_str().split_at_checked(length as usize)?;
    *rest = tail;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_left_out() {
        let labels = Labels::from_pairs(&[("z", "1"), ("a", "2"), ("m", ""), ("a", "3")]);
        assert_eq!(labels.to_string(), r#"{a="3", z="1"}"#);
        assert_eq!(labels.get("m"), None);
        assert_eq!(labels.value("z"), "1");
        assert_eq!(labels.len(), 2);
    }

    #[test]
    fn values_beyond_one_character_of_length_survive() {
        for length in [0xCFFF, 0xD000, 0xD001, 0x20000] {
            let value = "x".repeat(length);
            let labels = Labels::from_pairs(&[("a", value.as_str()), ("b", "y")]);
            assert_eq!(labels.value("a").len(), length);
            assert_eq!(labels.value("b"), "y");
        }
    }

    #[test]
    fn the_hash_is_that_of_prometheus() {
        let labels = Labels::from_pairs(&[("__name__", "up"), ("job", "api")]);
        let expected = xxhash_rust::xxh64::xxh64(b"__name__\xffup\xffjob\xffapi\xff", 0);
        assert_eq!(labels.hash64(), expected);
    }

    proptest! {
        #[test]
        fn any_map_round_trips(map in btree_map("\\PC{1,8}", "\\PC{1,20}", 0..8)) {
            let pairs: Vec<_> = map.iter().collect();
            let labels = Labels::from_pairs(&pairs);
            let back: Vec<_> = labels.iter().map(|l| (l.name, l.value)).collect();
            let expected: Vec<_> = map.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            prop_assert_eq!(back, expected);
        }

        #[test]
        fn the_order_is_that_of_the_pairs(
            a in btree_map("[a-c]", "[a-c]{1,2}|a{14}[ab]{1,4}|a{130}[ab]", 0..4),
            b in btree_map("[a-c]", "[a-c]{1,2}|a{14}[ab]{1,4}|a{130}[ab]", 0..4),
        ) {
            let left: Vec<_> = a.iter().collect();
            let right: Vec<_> = b.iter().collect();
            let by_labels = Labels::from_pairs(&left).cmp(&Labels::from_pairs(&right));
            prop_assert_eq!(by_labels, left.cmp(&right));
        }
    }
}
