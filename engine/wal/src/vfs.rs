//! The seam between stores and the file system.
//!
//! Everything that must survive a crash goes through [`Vfs`], so that tests can put a disk under it
//! that fails, fills up or forgets what was not synced.

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the one place that calls the system"
)]
mod disk;
#[cfg(any(test, feature = "fault"))]
mod fault;
mod read_only;
#[cfg(any(test, feature = "fault"))]
mod sim;

use std::fmt::Debug;
use std::io;
use std::path::Path;

pub use disk::DiskVfs;
#[cfg(any(test, feature = "fault"))]
pub use fault::{FaultVfs, Faults};
pub use read_only::ReadOnlyVfs;
#[cfg(any(test, feature = "fault"))]
pub use sim::{FaultKind, PlannedFault, SimImage, SimRng, SimVfs};

use crate::Error;

/// Bytes that are copied at once.
const COPIED_BYTES: usize = 1 << 20;

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

impl DiskSpace {
    /// Returns the bytes that must stay free for writes to be taken: 5 % of the disk, at most 1 GiB.
    pub fn needed_bytes(self) -> u64 {
        (self.total_bytes / 20).min(1 << 30)
    }

    /// Says whether less is free than writes need.
    pub fn is_short(self) -> bool {
        self.free_bytes < self.needed_bytes()
    }
}

/// An open file. Calls may come from several threads; offsets are explicit.
pub trait VfsFile: Debug + Send + Sync {
    /// Fills `buffer` from `offset`; fails at the end of the file.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. After an error any part may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns the length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Returns once content and length are on the disk. After an error it is unknown which writes
    /// are; calling again proves nothing.
    fn sync(&self) -> io::Result<()>;
}

/// Something that is held until it is dropped.
pub trait VfsLock: Debug + Send + Sync {}

/// A file system.
pub trait Vfs: Debug + Send + Sync {
    /// Creates an empty file, replacing an existing one, for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// Like [`Vfs::create`], but fails with `AlreadyExists` when there is something of that name. By
    /// default it looks first; the directory must then be this process' own.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        if self.exists(path)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.create(path)
    }

    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// Says whether there is a file or directory of that name.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Locks a file, which is created when missing, against other processes; `None` when one of
    /// them holds it. A killed process leaves the file behind but not the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn VfsLock>>>;

    /// Returns the names in a directory, sorted; none when it does not exist.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Creates a directory in one that exists.
    fn create_dir(&self, directory: &Path) -> io::Result<()>;

    /// Creates a directory and its parents; they are durable when this returns.
    ///
    /// The one that was there already is synced too: whoever made it may have been killed before that.
    /// Those above it were synced before it was made.
    fn create_dir_all(&self, directory: &Path) -> io::Result<()> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut parent = Some(directory);
        while let Some(path) = parent
            && !path.as_os_str().is_empty()
            && !self.exists(path)?
        {
            missing.push(path);
            parent = path.parent();
        }
        if let Some(known) = parent.and_then(Path::parent) {
            match self.sync_dir(known) {
                // Somebody else's, who has given it to us with all that is above it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        for path in missing.into_iter().rev() {
            match self.create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if let Some(parent) = path.parent() {
                self.sync_dir(parent)?;
            }
        }
        Ok(())
    }

    /// Renames a file or directory, replacing a file.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file, which does not change any more, another name, which must be free. The new name may
    /// also be a copy.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        copy(self, from, to)
    }

    /// Removes a file; a missing one is no error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all it holds; a missing one is no error.
    fn remove_dir_all(&self, directory: &Path) -> io::Result<()>;

    /// Returns once the names in `directory` are on the disk.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;

    /// Returns the room on the file system that holds `path`.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;
}

/// Copies a file, durably but for its name.
fn copy<V: Vfs + ?Sized>(vfs: &V, from: &Path, to: &Path) -> io::Result<()> {
    let source = vfs.open(from)?;
    let target = vfs.create(to)?;
    let size = source.size()?;
    let (mut offset, mut buffer) = (0, vec![0; COPIED_BYTES]);
    while offset < size {
        let part = (size - offset).min(COPIED_BYTES as u64) as usize;
        source.read_exact_at(&mut buffer[..part], offset)?;
        target.write_all_at(&buffer[..part], offset)?;
        offset += part as u64;
    }
    target.sync()
}

/// Reads a whole file of at most `limit` bytes.
pub fn read_file(vfs: &dyn Vfs, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = || Error::io("read", path);
    let file = vfs.open(path).map_err(failed())?;
    let size = file.size().map_err(failed())?;
    if size > limit {
        return Err(Error::Corrupt {
            path: path.to_owned(),
            offset: limit,
        });
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, 0).map_err(failed())?;
    Ok(bytes)
}

/// Removes every file and directory in `directory` whose name ends in `.tmp`: what a crash left
/// half written. Returns how many there were.
pub fn remove_unfinished(vfs: &dyn Vfs, directory: &Path) -> Result<usize, Error> {
    let failed = || Error::io("clean", directory);
    let mut removed = 0;
    for name in vfs.list(directory).map_err(failed())? {
        if Path::new(&name).extension().is_some_and(|end| end == "tmp") {
            let path = directory.join(&name);
            vfs.remove_dir_all(&path)
                .or_else(|_not_a_directory| vfs.remove_file(&path))
                .map_err(failed())?;
            removed += 1;
        }
    }
    Ok(removed)
}
