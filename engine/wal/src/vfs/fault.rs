//! A file system that fails on demand.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{DiskSpace, DiskVfs, Vfs, VfsFile, VfsLock};

/// What shall fail; shared between a [`FaultVfs`] and the test that owns it.
#[derive(Debug, Default)]
pub struct Faults {
    /// Every write fails with "no space left" after half of it was written.
    pub full: AtomicBool,
    /// Every sync of a file fails.
    pub sync_fails: AtomicBool,
    /// The disk reports that almost nothing is free.
    pub short: AtomicBool,
    /// Syncs of files that were asked for.
    pub syncs: AtomicUsize,
    /// Which rename from now on fails, counted from 1; 0 for none.
    pub failing_rename: AtomicUsize,
}

impl Faults {
    fn is(flag: &AtomicBool) -> bool {
        flag.load(Ordering::SeqCst)
    }

    fn writable(&self) -> io::Result<()> {
        if Self::is(&self.full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// The machine's file system with faults in front of it.
#[derive(Debug, Clone, Default)]
pub struct FaultVfs {
    faults: Arc<Faults>,
}

impl FaultVfs {
    /// Returns a file system whose faults `faults` switches.
    pub fn new(faults: Arc<Faults>) -> Self {
        Self { faults }
    }

    fn wrap(&self, file: Box<dyn VfsFile>) -> Box<dyn VfsFile> {
        Box::new(FaultFile {
            file,
            faults: Arc::clone(&self.faults),
        })
    }
}

#[derive(Debug)]
struct FaultFile {
    file: Box<dyn VfsFile>,
    faults: Arc<Faults>,
}

impl VfsFile for FaultFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.faults.writable() {
            let (half, _rest) = bytes.split_at(bytes.len() / 2);
            self.file.write_all_at(half, offset)?;
            return Err(error);
        }
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if Faults::is(&self.faults.sync_fails) {
            return Err(io::Error::other("sync failed on demand"));
        }
        self.file.sync()
    }
}

impl Vfs for FaultVfs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        self.faults.writable()?;
        Ok(self.wrap(DiskVfs.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        Ok(self.wrap(DiskVfs.open(path)?))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        DiskVfs.exists(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn VfsLock>>> {
        DiskVfs.lock(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        DiskVfs.list(directory)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.faults.writable()?;
        DiskVfs.create_dir(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.writable()?;
        let countdown = &self.faults.failing_rename;
        let left = countdown.load(Ordering::SeqCst);
        countdown.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 1 {
            return Err(io::Error::other("rename failed on demand"));
        }
        DiskVfs.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.writable()?;
        DiskVfs.link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        DiskVfs.remove_file(path)
    }

    fn remove_dir_all(&self, directory: &Path) -> io::Result<()> {
        DiskVfs.remove_dir_all(directory)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        DiskVfs.sync_dir(directory)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        if Faults::is(&self.faults.short) {
            return Ok(DiskSpace {
                free_bytes: 1,
                total_bytes: 1 << 40,
            });
        }
        DiskVfs.space(path)
    }
}
