//! The machine's own file system.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::{DiskSpace, Vfs, VfsFile, VfsLock};

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskVfs;

impl VfsFile for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl VfsLock for File {}

impl Vfs for DiskVfs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(options.open(path)?))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true);
        Ok(Box::new(options.open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::hard_link(from, to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // Another file system, or one without links.
                super::copy(self, from, to)
            }
            linked => linked,
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_file(path))
    }

    fn remove_dir_all(&self, directory: &Path) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(directory))
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let directory = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        File::open(directory)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(DiskSpace {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::remove_unfinished;

    #[test]
    fn directories_appear_with_their_parents_and_names_come_sorted() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        DiskVfs.create_dir_all(&deep).unwrap();
        DiskVfs.create_dir_all(&deep).unwrap();
        for name in ["2", "1", "x.tmp"] {
            drop(DiskVfs.create(&deep.join(name)).unwrap());
        }
        assert_eq!(DiskVfs.list(&deep).unwrap(), ["1", "2", "x.tmp"]);
        assert_eq!(remove_unfinished(&DiskVfs, &deep).unwrap(), 1);
        assert_eq!(DiskVfs.list(&deep).unwrap(), ["1", "2"]);
        assert!(DiskVfs.list(&root.path().join("none")).unwrap().is_empty());
        DiskVfs.remove_file(&deep.join("none")).unwrap();
    }

    #[test]
    fn a_small_disk_keeps_a_twentieth_free_and_a_large_one_a_gibibyte() {
        let space = |free_bytes, total_bytes| DiskSpace {
            free_bytes,
            total_bytes,
        };
        assert!(space(4 << 20, 96 << 20).is_short());
        assert!(!space(5 << 20, 96 << 20).is_short());
        assert_eq!(space(0, 1 << 42).needed_bytes(), 1 << 30);
        assert!(DiskVfs.space(Path::new("/")).unwrap().total_bytes > 0);
    }
}
