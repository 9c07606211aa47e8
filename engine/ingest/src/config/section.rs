//! Reading the keys of a map, strictly.

use std::cell::RefCell;

use super::ConfigError;
use super::duration::parse_duration;
use super::node::{Key, Node, NodeKind, Position};
use super::size::parse_size;

/// Most problems that are reported.
const MAX_PROBLEMS: usize = 100;

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: RefCell<Vec<ConfigError>>,
}

impl Problems {
    pub(super) fn add(&self, at: Position, message: impl Into<String>) {
        let mut list = self.list.borrow_mut();
        if list.len() < MAX_PROBLEMS {
            list.push(ConfigError::new(at, message));
        }
    }

    fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Returns `value` if there was no problem, else the problems in the order of the file.
    pub(super) fn into_result<T>(self, value: T) -> Result<T, Vec<ConfigError>> {
        let mut list = self.list.into_inner();
        if list.is_empty() {
            return Ok(value);
        }
        list.sort_by_key(|problem| (problem.line, problem.column));
        Err(list)
    }

    /// Returns the elements of a list; a node of another kind is a problem.
    pub(super) fn elements<'a>(&self, node: &'a Node, what: &str) -> &'a [Node] {
        match &node.kind {
            NodeKind::List(list) => list,
            NodeKind::Null => &[],
            _ => {
                let kind = node.kind_name();
                self.add(node.at, format!("`{what}` must be a list, not {kind}"));
                &[]
            }
        }
    }

    /// Returns the entries of a map; a node of another kind is a problem.
    pub(super) fn entries<'a>(&self, node: &'a Node, what: &str) -> &'a [(Key, Node)] {
        match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null => &[],
            _ => {
                let kind = node.kind_name();
                self.add(node.at, format!("`{what}` must be a map, not {kind}"));
                &[]
            }
        }
    }

    /// Returns the text of a single value, which need not be quoted whatever it looks like.
    pub(super) fn text(&self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            NodeKind::Scalar { text, .. } => Some(text.clone()),
            NodeKind::Null => None,
            _ => {
                let kind = node.kind_name();
                self.add(
                    node.at,
                    format!("`{what}` must be a single value, not {kind}"),
                );
                None
            }
        }
    }

    /// Returns the texts of a list.
    pub(super) fn texts(&self, node: &Node, what: &str) -> Vec<String> {
        self.elements(node, what)
            .iter()
            .map(|element| self.text(element, what).unwrap_or_default())
            .collect()
    }
}

/// A map whose keys are taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    what: &'a str,
    entries: &'a [(Key, Node)],
    taken: Vec<bool>,
    problems: &'a Problems,
    /// Number of problems found before this section was begun.
    problems_before: usize,
}

impl<'a> Section<'a> {
    /// Returns the map of a node, or `None` and a problem when it is something else.
    pub(super) fn of(node: &'a Node, what: &'a str, problems: &'a Problems) -> Option<Self> {
        if node.is_null() {
            problems.add(node.at, format!("{what} is empty"));
            return None;
        }
        Self::of_optional(node, what, problems)
    }

    /// Like [`Self::of`] for maps that may be empty, for which it returns `None`.
    pub(super) fn of_optional(
        node: &'a Node,
        what: &'a str,
        problems: &'a Problems,
    ) -> Option<Self> {
        match &node.kind {
            NodeKind::Map(entries) => Some(Self {
                what,
                entries,
                taken: vec![false; entries.len()],
                problems,
                problems_before: problems.len(),
            }),
            NodeKind::Null => None,
            _ => {
                let kind = node.kind_name();
                problems.add(node.at, format!("{what} must be a map, not {kind}"));
                None
            }
        }
    }

    pub(super) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Says whether a value that was taken is wrong.
    pub(super) fn has_problems(&self) -> bool {
        self.problems.len() > self.problems_before
    }

    /// Takes the value of `key`; `None` when it is absent or null.
    pub(super) fn node(&mut self, key: &str) -> Option<&'a Node> {
        self.entry(key)
            .map(|(_, node)| node)
            .filter(|node| !node.is_null())
    }

    fn entry(&mut self, key: &str) -> Option<&'a (Key, Node)> {
        let index = self
            .entries
            .iter()
            .position(|(known, _)| known.text == key)?;
        self.taken[index] = true;
        self.entries.get(index)
    }

    /// Takes a single value and interprets it; `None` when it is absent or wrong.
    pub(super) fn scalar<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.node(key)?;
        let text = self.problems.text(node, key)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problems.add(node.at, format!("`{key}`: {message}"));
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.scalar(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        Some(self.problems.texts(node, key))
    }

    /// Takes a duration in ms.
    pub(super) fn duration_ms(&mut self, key: &str) -> Option<i64> {
        self.scalar(key, parse_duration)
    }

    /// Takes a size in bytes.
    pub(super) fn size_bytes(&mut self, key: &str) -> Option<u64> {
        self.scalar(key, parse_size)
    }

    pub(super) fn count(&mut self, key: &str) -> Option<usize> {
        self.scalar(key, |text| {
            text.parse()
                .map_err(|_bad| format!("{text:?} is not a whole number from 0 on"))
        })
    }

    pub(super) fn float(&mut self, key: &str) -> Option<f64> {
        self.scalar(key, |text| {
            text.parse()
                .map_err(|_bad| format!("{text:?} is not a number"))
        })
    }

    /// Takes a number that `check` does not refuse.
    pub(super) fn checked_float(
        &mut self,
        key: &str,
        check: impl Fn(f64) -> Result<(), String>,
    ) -> Option<f64> {
        self.scalar(key, |text| {
            let number = text
                .parse()
                .map_err(|_bad| format!("{text:?} is not a number"))?;
            check(number).map(|()| number)
        })
    }

    /// Takes a truth value in any of the spellings of YAML 1.1.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.node(key)?;
        let flag = match &node.kind {
            NodeKind::Scalar {
                text,
                is_plain: true,
            } => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if flag.is_none() {
            self.problems
                .add(node.at, format!("`{key}` must be `true` or `false`"));
        }
        flag
    }

    /// Refuses a key of Prometheus that is not served, unless it says nothing.
    pub(super) fn refuse(&mut self, key: &str) {
        // The file that Prometheus comes with lists an Alertmanager without an address.
        let says_nothing = |node: &Node| match key {
            "alerting" => node.has_no_value(),
            _ => node.is_empty(),
        };
        if let Some((key, node)) = self.entry(key)
            && !says_nothing(node)
        {
            let message = format!("`{}` is not served by obsq yet: remove it", key.text);
            self.problems.add(key.at, message);
        }
    }

    /// Reports the keys that were not taken.
    pub(super) fn finish(self) {
        for ((key, _), taken) in self.entries.iter().zip(&self.taken) {
            if !taken {
                let message = format!("unknown key `{}` in {}", key.text, self.what);
                self.problems.add(key.at, message);
            }
        }
    }
}
