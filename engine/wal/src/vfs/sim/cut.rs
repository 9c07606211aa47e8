//! What is left when the power goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::content::Content;
use super::disk::{Change, DirectoryNode, Disk, FileNode, Node, NodeId};
use super::rng::SimRng;

/// What a disk writes at once.
const SECTOR_BYTES: u64 = 512;

/// Which unsynced changes survive.
#[derive(Debug, Clone, Copy)]
enum Survival {
    Nothing,
    /// All changes up to this call; those of that call are torn.
    Until(u64),
    /// Each sector and each name on its own.
    Any,
}

impl Survival {
    fn choose(rng: &mut SimRng, first_call: u64, last_call: u64) -> Self {
        match rng.below(4) {
            0 => Self::Nothing,
            1 => Self::Until(last_call),
            2 => Self::Until(first_call + rng.below(last_call + 1 - first_call.min(last_call))),
            _ => Self::Any,
        }
    }

    fn of(self, call: u64, rng: &mut SimRng) -> Fate {
        match self {
            Self::Nothing => Fate::Lost,
            Self::Until(last) if call < last => Fate::Kept,
            Self::Until(last) if call > last => Fate::Lost,
            Self::Until(_) => Fate::Torn,
            Self::Any => match rng.below(3) {
                0 => Fate::Lost,
                1 => Fate::Kept,
                _ => Fate::Torn,
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lost,
    Kept,
    Torn,
}

impl Disk {
    /// Returns the disk as it is found after the power went: what was synced, and of the rest what
    /// `rng` decides.
    pub(super) fn after_power_cut(&self, rng: &mut SimRng) -> Self {
        let calls = |node: &Arc<Node>| match node.as_ref() {
            Node::File(file) => ends(&file.pending),
            Node::Directory(directory) => ends(&directory.pending),
        };
        let ranges = self.nodes.values().filter_map(calls);
        let (first, last) = ranges.fold((u64::MAX, 0), |(first, last), (from, to)| {
            (first.min(from), last.max(to))
        });
        let survival = Survival::choose(rng, first.min(last), last);
        let mut left = self.clone();
        for node in left.nodes.values_mut() {
            let cut = match node.as_ref() {
                Node::File(file) => Node::File(cut_file(file, survival, rng)),
                Node::Directory(directory) => {
                    Node::Directory(cut_directory(directory, survival, rng))
                }
            };
            *node = Arc::new(cut);
        }
        left.forget_nameless();
        left
    }

    /// Drops what no directory names.
    fn forget_nameless(&mut self) {
        let mut named: BTreeMap<NodeId, Arc<Node>> = BTreeMap::new();
        let mut waiting: Vec<NodeId> = vec![0];
        while let Some(id) = waiting.pop() {
            if let Some(node) = self.nodes.get(&id)
                && named.insert(id, Arc::clone(node)).is_none()
                && let Node::Directory(directory) = node.as_ref()
            {
                waiting.extend(directory.live.values());
            }
        }
        self.nodes = named;
    }
}

fn ends<T>(pending: &[(u64, T)]) -> Option<(u64, u64)> {
    Some((pending.first()?.0, pending.last()?.0))
}

fn cut_file(file: &FileNode, survival: Survival, rng: &mut SimRng) -> FileNode {
    let mut content = file.durable.clone();
    for (call, change) in &file.pending {
        match survival.of(*call, rng) {
            Fate::Lost => {}
            Fate::Kept => change.apply(&mut content),
            Fate::Torn => tear(change, &mut content, rng),
        }
    }
    FileNode {
        live: content.clone(),
        durable: content,
        pending: Vec::new(),
        diverged: false,
    }
}

/// Applies a change in part: some sectors, or only the new length.
pub(super) fn tear(change: &Change, content: &mut Content, rng: &mut SimRng) {
    let Change::Write { offset, bytes } = change else {
        if rng.one_in(2) {
            change.apply(content);
        }
        return;
    };
    let end = offset + bytes.len() as u64;
    let whole_until = rng.one_in(2).then(|| rng.below(bytes.len() as u64 + 1));
    if rng.one_in(2) {
        // The length is there, and zeros, but not yet the bytes.
        content.set_len(content.len().max(end));
    }
    let mut at = *offset;
    while at < end {
        let sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        let next = sector_end.min(end);
        let part = &bytes[(at - offset) as usize..(next - offset) as usize];
        let survives = match whole_until {
            Some(until) => next - offset <= until,
            None => rng.one_in(2),
        };
        if survives {
            content.write(part, at);
        } else if at >= content.len() && rng.one_in(16) {
            // What lay there before the file grew.
            let garbage: Vec<u8> = part.iter().map(|_byte| rng.any() as u8).collect();
            content.write(&garbage, at);
        }
        at = next;
    }
}

fn cut_directory(directory: &DirectoryNode, survival: Survival, rng: &mut SimRng) -> DirectoryNode {
    let mut names = directory.durable.clone();
    for (call, change) in &directory.pending {
        let survives = match survival.of(*call, rng) {
            Fate::Lost => false,
            Fate::Kept => true,
            // A name is there or not.
            Fate::Torn => rng.one_in(2),
        };
        if survives {
            change.apply(&mut names);
        }
    }
    DirectoryNode {
        live: names.clone(),
        durable: names,
        pending: Vec::new(),
    }
}
