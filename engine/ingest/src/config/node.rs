//! YAML as a tree with positions.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};

use super::ConfigError;
use super::section::Problems;

/// Most nodes of a file, aliases expanded.
const MAX_NODES: usize = 200_000;

/// A place in the file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    /// Nothing, or one of the words for it.
    Null,
    Scalar {
        text: String,
        /// Whether the text stands without quotes, so that it may be more than text.
        is_plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) at: Position,
}

impl Node {
    /// Says whether there is nothing in the node.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            NodeKind::Null => true,
            NodeKind::Scalar { text, .. } => text.is_empty(),
            NodeKind::List(list) => list.is_empty(),
            NodeKind::Map(entries) => entries.is_empty(),
        }
    }

    /// Says whether there is no value anywhere in the node, only keys and lists around nothing.
    pub(super) fn has_no_value(&self) -> bool {
        match &self.kind {
            NodeKind::List(list) => list.iter().all(Self::has_no_value),
            NodeKind::Map(entries) => entries.iter().all(|(_, node)| node.has_no_value()),
            NodeKind::Null | NodeKind::Scalar { .. } => self.is_empty(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Null)
    }

    /// Returns what kind of node it is, for messages.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Scalar { .. } => "a single value",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }
}

/// Parses the only document of `text`; an empty text is the empty document.
///
/// # Errors
/// The text is no YAML, or too large when its aliases are expanded. Keys that occur twice are
/// noted in `problems`; the first one counts.
pub(super) fn parse(text: &str, problems: &Problems) -> Result<Node, ConfigError> {
    let mut builder = Builder {
        root: None,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        problems,
    };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let marker = error.marker();
                return Err(ConfigError {
                    line: marker.line().max(1),
                    column: marker.col() + 1,
                    message: error.info(),
                });
            }
        }
    }
    let start = Position { line: 1, column: 1 };
    Ok(builder.root.unwrap_or(Node {
        at: start,
        kind: NodeKind::Null,
    }))
}

#[derive(Debug)]
struct Builder<'p> {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: &'p Problems,
}

/// A list or map whose end is still to come.
#[derive(Debug)]
struct Open {
    at: Position,
    anchor: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        key: Option<Key>,
    },
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ConfigError> {
        let at = Position {
            line: span.start.line().max(1),
            column: span.start.col() + 1,
        };
        match event {
            Event::Scalar(text, style, anchor, _tag) => {
                let kind = scalar(text.into_owned(), style);
                self.complete(Node { at, kind }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(ConfigError::new(at, "alias refers to itself"));
                };
                let node = node.clone();
                self.nodes += count(&node);
                self.complete(node, 0)
            }
            Event::SequenceStart(_, anchor, _) => {
                let content = Content::List(Vec::new());
                self.open.push(Open {
                    at,
                    anchor,
                    content,
                });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    key: None,
                };
                self.open.push(Open {
                    at,
                    anchor,
                    content,
                });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(ConfigError::new(at, "only one document is expected"))
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), ConfigError> {
        let Some(Open {
            at,
            anchor,
            content,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let kind = match content {
            Content::List(list) => NodeKind::List(list),
            Content::Map { entries, .. } => NodeKind::Map(merged(entries)),
        };
        self.complete(Node { at, kind }, anchor)
    }

    /// Puts a complete node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), ConfigError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values");
            return Err(ConfigError::new(node.at, message));
        }
        if anchor != 0 {
            self.nodes += count(&node);
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(list)) => list.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some(name) => {
                    let is_merge = name.text == "<<";
                    if !is_merge && entries.iter().any(|(known, _)| known.text == name.text) {
                        let message = format!("key `{}` occurs twice", name.text);
                        self.problems.add(name.at, message);
                    } else {
                        entries.push((name, node));
                    }
                }
            },
        }
        Ok(())
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Null | NodeKind::Scalar { .. } => 1,
        NodeKind::List(list) => 1 + list.iter().map(count).sum::<usize>(),
        NodeKind::Map(entries) => 1 + entries.iter().map(|(_, node)| count(node)).sum::<usize>(),
    }
}

fn scalar(text: String, style: ScalarStyle) -> NodeKind {
    let is_plain = style == ScalarStyle::Plain;
    if is_plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return NodeKind::Null;
    }
    NodeKind::Scalar { text, is_plain }
}

fn as_key(node: Node) -> Result<Key, ConfigError> {
    match node.kind {
        NodeKind::Scalar { text, .. } => Ok(Key { text, at: node.at }),
        _ => Err(ConfigError::new(node.at, "a key must be a single value")),
    }
}

/// Resolves merge keys: what they refer to counts where the map itself says nothing.
fn merged(entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
    if entries.iter().all(|(key, _)| key.text != "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(key, _)| key.text == "<<");
    for (key, node) in merges {
        let sources = match node.kind {
            NodeKind::List(list) => list,
            _ => vec![node],
        };
        for source in sources {
            let NodeKind::Map(inherited) = source.kind else {
                // Left in place, where it is reported as an unknown key.
                own.push((key.clone(), source));
                continue;
            };
            for (name, value) in inherited {
                if own.iter().all(|(known, _)| known.text != name.text) {
                    own.push((name, value));
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn parse_text(text: &str) -> Result<Node, ConfigError> {
        let problems = Problems::default();
        let node = parse(text, &problems)?;
        problems
            .into_result(node)
            .map_err(|mut list| list.swap_remove(0))
    }

    #[test]
    fn errors_have_a_place() {
        let cases = [
            ("a: 1\nb: [1, 2", 2),
            ("a: 1\na: 2\n", 2),
            ("a: 1\n---\nb: 2\n", 2),
            ("? [a]\n: 1\n", 1),
            ("a: *nothing\n", 1),
        ];
        for (text, line) in cases {
            assert_eq!(parse_text(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn aliases_and_merges_are_resolved_within_bounds() {
        let node = parse_text("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n").unwrap();
        let NodeKind::Map(entries) = node.kind else {
            panic!("{node:?}");
        };
        let NodeKind::Map(merged) = &entries[1].1.kind else {
            panic!("{entries:?}");
        };
        let keys: Vec<_> = merged.iter().map(|(key, _)| key.text.as_str()).collect();
        assert_eq!(keys, ["k", "l"]);

        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = level - 1;
            let list = vec![format!("*a{below}"); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{list}]").unwrap();
        }
        assert!(parse_text(&bomb).unwrap_err().message.contains("more than"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "[a-z:{}\\[\\]&*<,|>'\"# \n-]{0,80}") {
            let _unused = parse_text(&text);
        }
    }
}
