//! What a simulated disk holds: as programs see it, and as a power cut would leave it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

use super::content::Content;

/// Names a file or directory, whatever it is called.
pub(super) type NodeId = u64;

const ROOT: NodeId = 0;

/// A change of a file that was not synced.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// A change of a directory that was not synced.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Set(String, NodeId),
    Remove(String),
    Rename(String, String, NodeId),
}

/// A file: what is read, what is on the disk for sure, and what lies between, in order and with the
/// number of the call that did it.
#[derive(Debug, Clone, Default)]
pub(super) struct FileNode {
    pub(super) live: Content,
    pub(super) durable: Content,
    pub(super) pending: Vec<(u64, Change)>,
    /// Whether a sync has failed, so that `durable` lacks what `live` shows.
    pub(super) diverged: bool,
}

/// A directory, in the same way.
#[derive(Debug, Clone, Default)]
pub(super) struct DirectoryNode {
    pub(super) live: BTreeMap<String, NodeId>,
    pub(super) durable: BTreeMap<String, NodeId>,
    pub(super) pending: Vec<(u64, NameChange)>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(FileNode),
    Directory(DirectoryNode),
}

/// Everything on a simulated disk. Cloning copies no bytes of files.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) nodes: BTreeMap<NodeId, Arc<Node>>,
    next: NodeId,
}

impl Default for Disk {
    fn default() -> Self {
        let root = Node::Directory(DirectoryNode::default());
        Self {
            nodes: BTreeMap::from([(ROOT, Arc::new(root))]),
            next: ROOT + 1,
        }
    }
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { offset, bytes } => content.write(bytes, *offset),
            Self::SetLen(len) => content.set_len(*len),
        }
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        match self {
            Self::Set(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

impl FileNode {
    pub(super) fn change(&mut self, call: u64, change: Change) {
        change.apply(&mut self.live);
        self.pending.push((call, change));
    }

    pub(super) fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if self.diverged {
            for (_call, change) in pending {
                change.apply(&mut self.durable);
            }
        } else {
            self.durable = self.live.clone();
        }
    }
}

impl DirectoryNode {
    pub(super) fn change(&mut self, call: u64, change: NameChange) {
        change.apply(&mut self.live);
        self.pending.push((call, change));
    }

    pub(super) fn sync(&mut self) {
        self.pending.clear();
        self.durable = self.live.clone();
    }
}

fn not_found() -> io::Error {
    ErrorKind::NotFound.into()
}

impl Disk {
    fn names(path: &Path) -> impl Iterator<Item = &str> {
        path.components().filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
    }

    /// Returns what `path` names.
    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for name in Self::names(path) {
            at = *self.directory(at)?.live.get(name).ok_or_else(not_found)?;
        }
        Ok(at)
    }

    /// Returns the directory that `path` lies in, and its last name.
    pub(super) fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let name = Self::names(path).last().ok_or(ErrorKind::InvalidInput)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("")))?;
        self.directory(parent)?;
        Ok((parent, name.to_owned()))
    }

    pub(super) fn directory(&self, node: NodeId) -> io::Result<&DirectoryNode> {
        match self.nodes.get(&node).map(AsRef::as_ref) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn directory_mut(&mut self, node: NodeId) -> io::Result<&mut DirectoryNode> {
        match self.nodes.get_mut(&node).map(Arc::make_mut) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn file(&self, node: NodeId) -> io::Result<&FileNode> {
        match self.nodes.get(&node).map(AsRef::as_ref) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn file_mut(&mut self, node: NodeId) -> io::Result<&mut FileNode> {
        match self.nodes.get_mut(&node).map(Arc::make_mut) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    /// Adds a node without a name.
    pub(super) fn add(&mut self, node: Node) -> NodeId {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, Arc::new(node));
        id
    }

    /// Calls `visit` with the path of every file that programs see.
    pub(super) fn visit_files(&self, visit: &mut dyn FnMut(String, NodeId, &FileNode)) {
        let mut waiting = vec![(String::new(), ROOT)];
        while let Some((path, at)) = waiting.pop() {
            match self.nodes.get(&at).map(AsRef::as_ref) {
                Some(Node::File(file)) => visit(path, at, file),
                Some(Node::Directory(directory)) => {
                    let names = directory.live.iter().rev();
                    waiting.extend(names.map(|(name, node)| (format!("{path}/{name}"), *node)));
                }
                None => {}
            }
        }
    }
}
