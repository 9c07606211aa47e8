//! A file system in memory that forgets what was not synced.
//!
//! It is as unkind as POSIX allows. Only a sync makes bytes of a file last, and only the sync of its
//! directory makes a name last, be it new, changed or removed. When the power goes, any part of what
//! was not synced is there and any part is not: nothing, all up to some call, or any sectors of 512
//! bytes and any names, the length of a file with or without its bytes. A sync that fails loses what
//! it should have written, and the next one succeeds all the same, as on Linux.
//!
//! The same seed gives the same losses. What a call is: everything that changes or syncs something;
//! reads are not counted, since a cut before one leaves what a cut before the next change leaves.

mod content;
mod cut;
mod disk;
mod fault;
mod rng;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

pub use fault::{FaultKind, PlannedFault};
pub use rng::SimRng;

use self::disk::{Change, DirectoryNode, Disk, FileNode, NameChange, Node, NodeId};
use super::{DiskSpace, Vfs, VfsFile, VfsLock};

/// A file system in memory that forgets what was not synced. Clones share it.
#[derive(Debug, Clone)]
pub struct SimVfs {
    state: Arc<Mutex<State>>,
}

/// The disk before a call, from which power cuts are made. What is made of it counts calls on.
#[derive(Debug, Clone)]
pub struct SimImage {
    /// How many calls were made before.
    pub calls: u64,
    disk: Disk,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    calls: u64,
    watching: bool,
    images: Vec<SimImage>,
    faults: Vec<PlannedFault>,
    rng: SimRng,
    capacity_bytes: Option<u64>,
    locked: BTreeSet<PathBuf>,
}

impl SimImage {
    /// Returns a file system as it is found after the power went, with losses as `seed` has it.
    pub fn after_power_cut(&self, seed: u64) -> SimVfs {
        let mut rng = SimRng::new(seed ^ self.calls.rotate_left(32));
        SimVfs::with(self.disk.after_power_cut(&mut rng), self.calls, seed)
    }

    /// Returns a file system that lost nothing, as after the end of a process.
    pub fn after_kill(&self) -> SimVfs {
        SimVfs::with(self.disk.clone(), self.calls, self.calls)
    }
}

impl SimVfs {
    /// Returns an empty file system whose failures `seed` decides.
    pub fn new(seed: u64) -> Self {
        Self::with(Disk::default(), 0, seed)
    }

    fn with(disk: Disk, calls: u64, seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                disk,
                calls,
                watching: false,
                images: Vec::new(),
                faults: Vec::new(),
                rng: SimRng::new(seed),
                capacity_bytes: None,
                locked: BTreeSet::new(),
            })),
        }
    }

    /// Returns the number of calls made.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Returns the disk as it is now.
    pub fn image(&self) -> SimImage {
        self.state.lock().image()
    }

    /// From now on takes an image before every call.
    pub fn watch(&self) {
        self.state.lock().watching = true;
    }

    /// Returns the images taken since the last time.
    pub fn take_images(&self) -> Vec<SimImage> {
        std::mem::take(&mut self.state.lock().images)
    }

    /// Lets calls fail, instead of what was planned before.
    pub fn plan_faults(&self, faults: Vec<PlannedFault>) {
        self.state.lock().faults = faults;
    }

    /// Limits the disk to so many bytes of files.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Returns all files with their content, sorted by path.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let disk = self.state.lock().disk.clone();
        disk.visit_files(&mut |path, _node, file| files.push((path, file.live.to_vec())));
        files
    }

    /// Flips bit `bit` of a file, past everything that counts or fails.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let node = state.disk.find(path)?;
        let file = state.disk.file_mut(node)?;
        let mut byte = [0];
        if !file.live.read(&mut byte, bit / 8) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        byte[0] ^= 1 << (bit % 8);
        file.live.write(&byte, bit / 8);
        file.durable = file.live.clone();
        Ok(())
    }

    fn file(&self, node: NodeId) -> Box<dyn VfsFile> {
        Box::new(SimFile {
            state: Arc::clone(&self.state),
            node,
        })
    }

    /// Makes one call that changes names in the directory of `path`.
    fn change_name(
        &self,
        kind: FaultKind,
        path: &Path,
        change: impl FnOnce(&mut Disk, NodeId, String, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        let call = state.begin(kind)?;
        let (parent, name) = state.disk.place(path)?;
        change(&mut state.disk, parent, name, call)
    }
}

impl State {
    fn image(&self) -> SimImage {
        SimImage {
            calls: self.calls,
            disk: self.disk.clone(),
        }
    }

    /// Counts a call, takes an image before it if that is wanted, and fails if that is planned.
    fn begin(&mut self, kind: FaultKind) -> io::Result<u64> {
        if self.watching {
            self.images.push(self.image());
        }
        self.calls += 1;
        let call = self.calls;
        match self.faults.iter().find(|fault| fault.hits(kind, call)) {
            Some(fault) => Err(fault.error()),
            None => Ok(call),
        }
    }

    fn used_bytes(&self) -> u64 {
        let mut bytes = 0;
        self.disk
            .visit_files(&mut |_path, _node, file| bytes += file.live.len());
        bytes
    }

    /// Returns how many of `bytes` more find room.
    fn room_for(&self, bytes: u64) -> u64 {
        self.capacity_bytes.map_or(bytes, |capacity| {
            bytes.min(capacity.saturating_sub(self.used_bytes()))
        })
    }
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    node: NodeId,
}

impl SimFile {
    /// Writes part of `bytes`, as a write that fails may.
    fn write_part(
        &self,
        state: &mut State,
        bytes: &[u8],
        offset: u64,
        most: u64,
    ) -> io::Result<()> {
        let count = state.rng.below(most + 1) as usize;
        let call = state.calls;
        let file = state.disk.file_mut(self.node)?;
        let bytes = bytes.get(..count).unwrap_or(bytes).into();
        file.change(call, Change::Write { offset, bytes });
        Ok(())
    }
}

impl VfsFile for SimFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state.lock();
        if state.disk.file(self.node)?.live.read(buffer, offset) {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let len = bytes.len() as u64;
        match state.begin(FaultKind::Write) {
            Err(error) => {
                self.write_part(&mut state, bytes, offset, len)?;
                Err(error)
            }
            Ok(call) => {
                let grows = (offset + len).saturating_sub(state.disk.file(self.node)?.live.len());
                let room = state.room_for(grows);
                if room < grows {
                    self.write_part(&mut state, bytes, offset, room)?;
                    return Err(ErrorKind::StorageFull.into());
                }
                let bytes = bytes.into();
                let file = state.disk.file_mut(self.node)?;
                file.change(call, Change::Write { offset, bytes });
                Ok(())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let call = state.begin(FaultKind::Write)?;
        state
            .disk
            .file_mut(self.node)?
            .change(call, Change::SetLen(len));
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state.lock().disk.file(self.node)?.live.len())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let begun = state.begin(FaultKind::Sync);
        let State { disk, rng, .. } = &mut *state;
        let file = disk.file_mut(self.node)?;
        if begun.is_ok() {
            file.sync();
        } else {
            file.fail_sync(rng);
        }
        begun.map(|_call| ())
    }
}

impl FileNode {
    /// Forgets what should have been synced; some of it may have got to the disk.
    fn fail_sync(&mut self, rng: &mut SimRng) {
        for (_call, change) in std::mem::take(&mut self.pending) {
            cut::tear(&change, &mut self.durable, rng);
        }
        self.diverged = true;
    }
}

#[derive(Debug)]
struct SimLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

impl VfsLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locked.remove(&self.path);
    }
}

impl Vfs for SimVfs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut state = self.state.lock();
        let call = state.begin(FaultKind::Create)?;
        let (parent, name) = state.disk.place(path)?;
        if let Some(known) = state.disk.directory(parent)?.live.get(&name).copied() {
            state.disk.file_mut(known)?.change(call, Change::SetLen(0));
            return Ok(self.file(known));
        }
        let node = state.disk.add(Node::File(FileNode::default()));
        let directory = state.disk.directory_mut(parent)?;
        directory.change(call, NameChange::Set(name, node));
        Ok(self.file(node))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let state = self.state.lock();
        let node = state.disk.find(path)?;
        state.disk.file(node)?;
        Ok(self.file(node))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.state.lock().disk.find(path) {
            Ok(_node) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        if !self.exists(path)? {
            drop(self.create(path)?);
        }
        let free = self.state.lock().locked.insert(path.to_owned());
        let lock = || -> Box<dyn VfsLock> {
            Box::new(SimLock {
                state: Arc::clone(&self.state),
                path: path.to_owned(),
            })
        };
        Ok(free.then(lock))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        match state.disk.find(directory) {
            Ok(node) => Ok(state.disk.directory(node)?.live.keys().cloned().collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.change_name(FaultKind::Create, directory, |disk, parent, name, call| {
            if disk.directory(parent)?.live.contains_key(&name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let node = disk.add(Node::Directory(DirectoryNode::default()));
            let parent = disk.directory_mut(parent)?;
            parent.change(call, NameChange::Set(name, node));
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_name(FaultKind::Create, to, |disk, parent, name, call| {
            let node = disk.find(from)?;
            disk.file(node)?;
            let target = disk.directory_mut(parent)?;
            if target.live.contains_key(&name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            target.change(call, NameChange::Set(name, node));
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_name(FaultKind::Rename, from, |disk, parent, name, call| {
            let node = disk.find(from)?;
            let (new_parent, new_name) = disk.place(to)?;
            let old = disk.directory(new_parent)?.live.get(&new_name).copied();
            if let Some(old) = old
                && disk.directory(old).is_ok_and(|old| !old.live.is_empty())
            {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            if new_parent == parent {
                let change = NameChange::Rename(name, new_name, node);
                disk.directory_mut(parent)?.change(call, change);
            } else {
                let target = disk.directory_mut(new_parent)?;
                target.change(call, NameChange::Set(new_name, node));
                disk.directory_mut(parent)?
                    .change(call, NameChange::Remove(name));
            }
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path)? {
            return Ok(());
        }
        self.change_name(FaultKind::Remove, path, |disk, parent, name, call| {
            disk.file(disk.find(path)?)?;
            disk.directory_mut(parent)?
                .change(call, NameChange::Remove(name));
            Ok(())
        })
    }

    fn remove_dir_all(&self, directory: &Path) -> io::Result<()> {
        if !self.exists(directory)? {
            return Ok(());
        }
        let node = self.state.lock().disk.find(directory)?;
        self.state.lock().disk.directory(node)?;
        for name in self.list(directory)? {
            let path = directory.join(name);
            self.remove_dir_all(&path)
                .or_else(|_no_directory| self.remove_file(&path))?;
        }
        self.change_name(FaultKind::Remove, directory, |disk, parent, name, call| {
            disk.directory_mut(parent)?
                .change(call, NameChange::Remove(name));
            Ok(())
        })
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin(FaultKind::SyncDirectory)?;
        let node = state.disk.find(directory)?;
        state.disk.directory_mut(node)?.sync();
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        let state = self.state.lock();
        let total_bytes = state.capacity_bytes.unwrap_or(1 << 50);
        let free_bytes = state.room_for(total_bytes);
        Ok(DiskSpace {
            free_bytes,
            total_bytes,
        })
    }
}

#[cfg(test)]
mod tests;
