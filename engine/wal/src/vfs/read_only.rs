//! A file system that is looked at and left as it is.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DiskSpace, Vfs, VfsFile, VfsLock};

/// Reads another file system and changes nothing in it.
///
/// Creating fails. Removing and renaming do nothing and succeed: whoever tidies up what a crash has
/// left can go on with the leftovers in place.
///
/// Directories are listed once, and the files opened last stay open, so that they can be opened
/// again after another process has removed them.
#[derive(Debug)]
pub struct ReadOnlyVfs {
    below: Arc<dyn Vfs>,
    listed: Mutex<HashMap<PathBuf, Vec<String>>>,
    kept: Mutex<VecDeque<(PathBuf, Arc<dyn VfsFile>)>>,
}

/// Files that stay open, well below what a process may have.
const KEPT_FILES: usize = 512;

impl ReadOnlyVfs {
    /// Returns `below`, to be read only.
    pub fn new(below: Arc<dyn Vfs>) -> Self {
        Self {
            below,
            listed: Mutex::default(),
            kept: Mutex::default(),
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(ErrorKind::ReadOnlyFilesystem, "opened for reading only")
}

/// A file that is open once for all.
#[derive(Debug)]
struct Kept(Arc<dyn VfsFile>);

impl VfsFile for Kept {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(refused())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(refused())
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Vfs for ReadOnlyVfs {
    fn create(&self, _path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Err(refused())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut kept = self.kept.lock();
        let known = kept.iter().find(|(known, _file)| known == path);
        if let Some((_path, file)) = known {
            return Ok(Box::new(Kept(Arc::clone(file))));
        }
        let file: Arc<dyn VfsFile> = Arc::from(self.below.open(path)?);
        if kept.len() >= KEPT_FILES {
            kept.pop_front();
        }
        kept.push_back((path.to_owned(), Arc::clone(&file)));
        Ok(Box::new(Kept(file)))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.below.exists(path)
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        Err(refused())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut listed = self.listed.lock();
        if let Some(names) = listed.get(directory) {
            return Ok(names.clone());
        }
        let names = self.below.list(directory)?;
        listed.insert(directory.to_owned(), names.clone());
        Ok(names)
    }

    fn create_dir(&self, _directory: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn create_dir_all(&self, _directory: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir_all(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.below.space(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::DiskVfs;

    #[test]
    fn nothing_changes_whatever_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "kept").unwrap();
        let vfs = ReadOnlyVfs::new(Arc::new(DiskVfs));
        assert!(vfs.create(&file).is_err());
        assert!(vfs.create_dir_all(&folder.path().join("d")).is_err());
        vfs.remove_file(&file).unwrap();
        vfs.rename(&file, &folder.path().join("b")).unwrap();
        vfs.remove_dir_all(folder.path()).unwrap();
        assert_eq!(vfs.list(folder.path()).unwrap(), ["a"]);
        let opened = vfs.open(&file).unwrap();
        assert!(opened.write_all_at(b"lost", 0).is_err() && opened.set_len(0).is_err());
        std::fs::remove_file(&file).unwrap();
        let mut bytes = [0; 4];
        let again = vfs.open(&file).unwrap();
        again.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"kept");
    }
}
