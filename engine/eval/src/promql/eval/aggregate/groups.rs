//! Which series belong together, known before their values are.

use obsq_model::{Label, Labels, METRIC_NAME};
use rustc_hash::FxHashMap;

use crate::promql::plan::Aggregate;

/// Builds keys of label sets without allocating for each.
///
/// A key is names and values, each preceded by its length, so that different sets never have the
/// same key.
#[derive(Debug, Default)]
pub(crate) struct KeyBuffer {
    bytes: Vec<u8>,
}

impl KeyBuffer {
    /// Returns the key of the labels whose name `keep` wants.
    pub(crate) fn key(&mut self, labels: &Labels, keep: impl Fn(&str) -> bool) -> &[u8] {
        self.bytes.clear();
        for label in labels.iter().filter(|label| keep(label.name)) {
            self.push(label);
        }
        &self.bytes
    }
}

impl KeyBuffer {
    /// Returns the key of the labels with those names, which must be sorted.
    fn key_of(&mut self, labels: &Labels, names: &[String]) -> &[u8] {
        self.bytes.clear();
        let mut wanted = names.iter().map(String::as_str).peekable();
        for label in labels {
            while wanted.next_if(|name| *name < label.name).is_some() {}
            match wanted.peek() {
                None => break,
                Some(name) if *name == label.name => self.push(label),
                Some(_) => {}
            }
        }
        &self.bytes
    }

    fn push(&mut self, label: Label<'_>) {
        for text in [label.name, label.value] {
            let length = (text.len() as u32).to_le_bytes();
            self.bytes.extend_from_slice(&length);
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }
}

/// Numbers keys in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    numbers: FxHashMap<Box<[u8]>, u32>,
}

impl Numbering {
    /// Returns the number of `key` and whether it is new.
    pub(crate) fn number(&mut self, key: &[u8]) -> (u32, bool) {
        if let Some(number) = self.numbers.get(key) {
            return (*number, false);
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(key.into(), number);
        (number, true)
    }

    /// Returns how many keys have a number.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The groups of an aggregation.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The group of each series.
    pub(super) of_series: Vec<u32>,
    /// Labels of each group, in the order of their first series.
    pub(super) labels: Vec<Labels>,
}

impl Groups {
    /// Groups series by their labels.
    pub(super) fn of<'a>(aggregate: &Aggregate, series: impl Iterator<Item = &'a Labels>) -> Self {
        let mut groups = Self::default();
        if !aggregate.without && aggregate.grouping.is_empty() {
            groups.of_series = series.map(|_| 0).collect();
            if !groups.of_series.is_empty() {
                groups.labels.push(Labels::empty());
            }
            return groups;
        }
        let (mut numbering, mut buffer) = (Numbering::default(), KeyBuffer::default());
        for labels in series {
            let key = if aggregate.without {
                buffer.key(labels, |name| aggregate.keeps(name))
            } else {
                buffer.key_of(labels, &aggregate.grouping)
            };
            let (number, new) = numbering.number(key);
            if new {
                groups
                    .labels
                    .push(labels.only(|name| aggregate.keeps(name)));
            }
            groups.of_series.push(number);
        }
        groups
    }

    /// Returns the number of groups.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }
}

impl Aggregate {
    /// Says whether the label tells groups apart.
    pub(super) fn keeps(&self, name: &str) -> bool {
        let listed = self.grouping.iter().any(|label| label == name);
        if self.without {
            !listed && name != METRIC_NAME
        } else {
            listed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::plan::NodeId;
    use obsq_query_lang::Span;
    use obsq_query_lang::promql::AggregateOp;

    fn sum(without: bool, labels: &[&str]) -> Aggregate {
        Aggregate {
            op: AggregateOp::Sum,
            expr: NodeId(0),
            expr_span: Span::default(),
            param: None,
            value_label: None,
            without,
            grouping: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    #[test]
    fn series_are_grouped_by_the_labels_that_are_kept() {
        let set = |a, b| Labels::from_pairs(&[("__name__", "m"), ("a", a), ("b", b)]);
        let all = [set("1", "x"), set("2", "x"), set("1", "y")];
        let series = || all.iter();
        let by = Groups::of(&sum(false, &["a"]), series());
        assert_eq!(by.of_series, [0, 1, 0]);
        assert_eq!(by.labels[0], Labels::from_pairs(&[("a", "1")]));
        let without = Groups::of(&sum(true, &["a"]), series());
        assert_eq!(without.of_series, [0, 0, 1]);
        assert_eq!(without.labels[1], Labels::from_pairs(&[("b", "y")]));
        let one = Groups::of(&sum(false, &[]), series());
        assert_eq!((one.len(), one.labels[0].is_empty()), (1, true));
    }

    #[test]
    fn keys_of_different_label_sets_differ() {
        let mut buffer = KeyBuffer::default();
        let mut key =
            |pairs: &[(&str, &str)]| buffer.key(&Labels::from_pairs(pairs), |_| true).to_vec();
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
        let labels = Labels::from_pairs(&[("a", "1"), ("b", "2"), ("d", "3")]);
        let names = ["b", "c", "d", "e"].map(str::to_owned);
        let by_name = KeyBuffer::default().key_of(&labels, &names).to_vec();
        assert_eq!(by_name, key(&[("b", "2"), ("d", "3")]));
    }
}
