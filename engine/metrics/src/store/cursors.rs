//! How far the followers of the log have come.
//!
//! One file of records for each in `data/wal/metrics/cursors`, replaced as a whole at each commit:
//!
//! ```text
//! record: version byte (1), name text, number of the last log record that is done uvarint
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_source::Error;
use obsq_wal::{FileKind, FramedWriter, Record, Vfs, read_framed, remove_unfinished};

use crate::boundary::{from_wal, io};
use crate::bytes::{Bytes, put_text, put_uvarint};
use crate::options::StoreOptions;

const FILE_KIND: FileKind = FileKind(5);
const VERSION: u8 = 1;

/// The numbers of the last log records that are done, by follower.
#[derive(Debug)]
pub(crate) struct Cursors {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    done: BTreeMap<String, u64>,
}

impl Cursors {
    /// Reads what earlier runs have left. A damaged file is as good as none.
    pub(super) fn open(options: &StoreOptions, wal_directory: &Path) -> Result<Self, Error> {
        let mut cursors = Self {
            vfs: Arc::clone(&options.vfs),
            directory: wal_directory.join("cursors"),
            done: BTreeMap::new(),
        };
        let vfs = cursors.vfs.as_ref();
        let names = vfs.list(&cursors.directory);
        for name in names.map_err(io("list", &cursors.directory))? {
            let path = cursors.directory.join(name);
            if path.extension().is_some_and(|extension| extension == "tmp") {
                continue;
            }
            let mut read = None;
            let done = &mut read;
            match read_framed(vfs, &path, FILE_KIND, |payload| *done = decode(payload)) {
                Ok(_damage) => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot read how far a follower has come");
                }
            }
            cursors.done.extend(read);
        }
        Ok(cursors)
    }

    /// Returns the number behind which everything is still needed by some follower.
    pub(super) fn oldest_seq(&self) -> Option<u64> {
        self.done.values().min().copied()
    }

    /// Returns how far `name` has come, if it is known.
    pub(super) fn get(&self, name: &str) -> Option<u64> {
        self.done.get(name).copied()
    }

    /// Notes durably how far `name` has come.
    pub(super) fn set(&mut self, name: &str, seq: u64) -> Result<(), Error> {
        if self.done.get(name) == Some(&seq) {
            return Ok(());
        }
        let vfs = self.vfs.as_ref();
        vfs.create_dir_all(&self.directory)
            .map_err(io("create", &self.directory))?;
        if self.done.is_empty() {
            remove_unfinished(vfs, &self.directory).map_err(from_wal)?;
        }
        let path = self.path(name);
        let mut writer = FramedWriter::create(vfs, &path, FILE_KIND).map_err(from_wal)?;
        writer.push(encode(name, seq)).map_err(from_wal)?;
        writer.commit().map_err(from_wal)?;
        self.done.insert(name.to_owned(), seq);
        Ok(())
    }

    /// Forgets all followers but those named.
    pub(super) fn retain(&mut self, names: &[String]) -> Result<(), Error> {
        let gone: Vec<String> = self
            .done
            .keys()
            .filter(|known| !names.contains(known))
            .cloned()
            .collect();
        for name in gone {
            let path = self.path(&name);
            self.vfs.remove_file(&path).map_err(io("remove", &path))?;
            self.done.remove(&name);
        }
        Ok(())
    }

    /// Names may hold anything, so files are named by their hash: FNV-1a.
    fn path(&self, name: &str) -> PathBuf {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.directory.join(format!("{hash:016x}"))
    }
}

fn encode(name: &str, seq: u64) -> Record {
    let mut record = Record::default();
    record.buffer().push(VERSION);
    put_text(record.buffer(), name);
    put_uvarint(record.buffer(), seq);
    record
}

fn decode(payload: &[u8]) -> Option<(String, u64)> {
    let mut bytes = Bytes::new(payload);
    if bytes.byte()? != VERSION {
        return None;
    }
    Some((bytes.text()?.to_owned(), bytes.uvarint()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[test]
    fn what_was_set_is_there_after_a_start_and_what_was_dropped_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let options = StoreOptions::new(folder.path().to_owned(), clock);
        let open = || Cursors::open(&options, folder.path()).unwrap();
        let mut cursors = open();
        assert_eq!((cursors.oldest_seq(), cursors.get("a")), (None, None));
        for (name, seq) in [("a", 5), ("b/../c", 3), ("a", 7)] {
            cursors.set(name, seq).unwrap();
        }
        let mut cursors = open();
        assert_eq!(
            (cursors.get("a"), cursors.get("b/../c")),
            (Some(7), Some(3))
        );
        assert_eq!(cursors.oldest_seq(), Some(3));
        cursors.retain(&["a".to_owned()]).unwrap();
        assert_eq!(open().oldest_seq(), Some(7));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let options = StoreOptions::new(folder.path().to_owned(), clock);
        let mut cursors = Cursors::open(&options, folder.path()).unwrap();
        cursors.set("a", 5).unwrap();
        std::fs::write(cursors.path("a"), b"damage").unwrap();
        std::fs::write(folder.path().join("cursors/x.tmp"), b"unfinished").unwrap();
        let cursors = Cursors::open(&options, folder.path()).unwrap();
        assert_eq!(cursors.get("a"), None);
    }
}
