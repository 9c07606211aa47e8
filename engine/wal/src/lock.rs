//! One process per data directory.

use std::path::Path;

use crate::Error;
use crate::vfs::{Vfs, VfsLock};

/// Holds a data directory for this process until dropped. A killed process leaves the file behind
/// but not the lock.
#[derive(Debug)]
pub struct DirectoryLock {
    _lock: Box<dyn VfsLock>,
}

impl DirectoryLock {
    /// Locks `directory` by its file `LOCK`, or fails at once with [`Error::Locked`].
    pub fn acquire(vfs: &dyn Vfs, directory: &Path) -> Result<Self, Error> {
        let path = directory.join("LOCK");
        let locked = vfs.lock(&path).map_err(Error::io("lock", &path))?;
        match locked {
            Some(lock) => Ok(Self { _lock: lock }),
            None => Err(Error::Locked { path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::DiskVfs;

    #[test]
    fn a_directory_is_held_by_one_until_it_lets_go() {
        let directory = tempfile::tempdir().unwrap();
        let acquire = || DirectoryLock::acquire(&DiskVfs, directory.path());
        let first = acquire().unwrap();
        assert!(matches!(acquire(), Err(Error::Locked { .. })));
        drop(first);
        acquire().unwrap();
    }
}
