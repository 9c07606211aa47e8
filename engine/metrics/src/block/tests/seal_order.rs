//! A block is there wholly or not at all.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use obsq_wal::{DiskSpace, VfsFile, VfsLock};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;

/// What a disk would still have to write, and which step fails.
#[derive(Debug, Default)]
struct Journal {
    steps: usize,
    fails_at: Option<usize>,
    unsynced: BTreeSet<PathBuf>,
    /// Directories with names that are not durable.
    unsynced_names: BTreeSet<PathBuf>,
    published: bool,
}

impl Journal {
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        if self.fails_at == Some(self.steps) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn name_changed(&mut self, path: &Path) {
        self.unsynced_names
            .extend(path.parent().map(Path::to_owned));
    }
}

/// The machine's file system with a journal.
#[derive(Debug, Clone, Default)]
struct JournalVfs(Arc<Mutex<Journal>>);

#[derive(Debug)]
struct JournalFile {
    file: Box<dyn VfsFile>,
    path: PathBuf,
    journal: Arc<Mutex<Journal>>,
}

impl VfsFile for JournalFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut journal = self.journal.lock();
        journal.step()?;
        journal.unsynced.insert(self.path.clone());
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn sync(&self) -> io::Result<()> {
        let mut journal = self.journal.lock();
        journal.step()?;
        journal.unsynced.remove(&self.path);
        Ok(())
    }
}

impl Vfs for JournalVfs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut journal = self.0.lock();
        journal.step()?;
        journal.name_changed(path);
        Ok(Box::new(JournalFile {
            file: DiskVfs.create(path)?,
            path: path.to_owned(),
            journal: Arc::clone(&self.0),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        DiskVfs.open(path)
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
        self.0.lock().step()?;
        DiskVfs.create_dir(directory)
    }

    fn create_dir_all(&self, directory: &Path) -> io::Result<()> {
        self.0.lock().step()?;
        DiskVfs.create_dir_all(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut journal = self.0.lock();
        journal.step()?;
        if from.is_dir() {
            let inside = |path: &&PathBuf| path.starts_with(from);
            assert_eq!(
                journal.unsynced.iter().find(inside),
                None,
                "published unsynced"
            );
            assert_eq!(
                journal.unsynced_names.iter().find(inside),
                None,
                "published unsynced"
            );
            journal.published = true;
        } else if journal.unsynced.contains(from) {
            panic!("{} is renamed before it is synced", from.display());
        }
        journal.name_changed(to);
        DiskVfs.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut journal = self.0.lock();
        journal.unsynced.remove(path);
        journal.name_changed(path);
        DiskVfs.remove_file(path)
    }

    fn remove_dir_all(&self, directory: &Path) -> io::Result<()> {
        DiskVfs.remove_dir_all(directory)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let mut journal = self.0.lock();
        journal.step()?;
        journal.unsynced_names.remove(directory);
        Ok(())
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        DiskVfs.space(path)
    }
}

fn write_through(vfs: &JournalVfs, parent: &Path) -> Result<BlockMeta, crate::Error> {
    let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let mut writer = BlockWriter::create(&vfs, parent, spec(1))?;
    writer.set_max_segment_bytes(1000);
    for (labels, samples) in &small_model() {
        writer.add_series(labels, &encode_chunks(samples))?;
    }
    writer.finish()
}

#[test]
fn a_block_gets_its_name_when_all_of_it_is_on_the_disk() {
    let directory = TempDir::new().unwrap();
    let vfs = JournalVfs::default();
    let meta = write_through(&vfs, directory.path()).unwrap();
    let journal = vfs.0.lock();
    assert!(journal.published);
    assert!(
        journal.unsynced_names.is_empty(),
        "{:?}",
        journal.unsynced_names
    );
    let block = open(directory.path(), &meta);
    assert_eq!(read_all(&block, &[], TimeRange::ALL), small_model());
}

#[test]
fn whichever_step_fails_no_half_block_is_left() {
    let whole = {
        let directory = TempDir::new().unwrap();
        let vfs = JournalVfs::default();
        write_through(&vfs, directory.path()).unwrap();
        let journal = vfs.0.lock();
        journal.steps
    };
    assert!(whole > 20, "{whole} steps");
    for step in 1..=whole {
        let directory = TempDir::new().unwrap();
        let vfs = JournalVfs::default();
        vfs.0.lock().fails_at = Some(step);
        write_through(&vfs, directory.path()).unwrap_err();
        let names = DiskVfs.list(directory.path()).unwrap();
        if vfs.0.lock().published {
            // Only making the name durable failed: the block may stay or go, but it is whole.
            assert_eq!(step, whole);
            assert_eq!(names, [ulid::Ulid(1).to_string()]);
        } else {
            assert!(names.is_empty(), "step {step}: {names:?}");
        }
    }
}
