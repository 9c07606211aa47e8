//! Whole files of records: written by the seal order, read past damage.

use std::path::{Path, PathBuf};

use crate::reader::{Damage, RecordReader};
use crate::record::{FileHeader, Record, VERSION};
use crate::vfs::{Vfs, VfsFile};
use crate::{Error, FileKind};

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes a file of records that appears under its name all at once.
///
/// The seal order: write `<name>.tmp`, sync it, rename it, sync the directory. Dropping the writer
/// before [`FramedWriter::commit`] removes what was written; what a crash leaves the next start
/// removes.
#[derive(Debug)]
pub struct FramedWriter<'a> {
    vfs: &'a dyn Vfs,
    path: PathBuf,
    unfinished: PathBuf,
    file: Box<dyn VfsFile>,
    buffer: Vec<u8>,
    written: u64,
    next_seq: u64,
    committed: bool,
}

impl Drop for FramedWriter<'_> {
    fn drop(&mut self) {
        if !self.committed
            && let Err(error) = self.vfs.remove_file(&self.unfinished)
        {
            let path = self.unfinished.display();
            tracing::warn!(%path, %error, "cannot remove an unfinished file");
        }
    }
}

impl<'a> FramedWriter<'a> {
    /// Begins the file that will be `path`.
    pub fn create(vfs: &'a dyn Vfs, path: &Path, kind: FileKind) -> Result<Self, Error> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".tmp");
        let unfinished = PathBuf::from(unfinished);
        let file = vfs
            .create(&unfinished)
            .map_err(Error::io("create", &unfinished))?;
        let header = FileHeader {
            version: VERSION,
            kind,
            first_seq: 1,
            previous_seq: 0,
        };
        Ok(Self {
            vfs,
            path: path.to_owned(),
            unfinished,
            file,
            buffer: header.encode().to_vec(),
            written: 0,
            next_seq: 1,
            committed: false,
        })
    }

    /// Appends a record with this payload.
    pub fn push(&mut self, mut record: Record) -> Result<(), Error> {
        record.seal();
        record.number(self.next_seq);
        self.next_seq += 1;
        self.buffer.extend_from_slice(record.bytes());
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(Error::io("write", &self.unfinished))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Returns the bytes appended so far.
    pub fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Says whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.next_seq == 1
    }

    /// Marks the end and makes the file appear, durable. Replaces a file of that name.
    pub fn commit(mut self) -> Result<(), Error> {
        self.push(Record::with_capacity(0))?;
        self.flush()?;
        self.file
            .sync()
            .map_err(Error::io("sync", &self.unfinished))?;
        self.vfs
            .rename(&self.unfinished, &self.path)
            .map_err(Error::io("rename", &self.unfinished))?;
        self.committed = true;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        self.vfs
            .sync_dir(directory)
            .map_err(Error::io("sync", directory))
    }
}

/// Reads a file of records to its end and returns what was damaged; a missing end mark counts as
/// one bad stretch. Bytes behind the end mark are ignored. Errors as [`RecordReader::open`].
pub fn read_framed(
    vfs: &dyn Vfs,
    path: &Path,
    kind: FileKind,
    mut on_record: impl FnMut(&[u8]),
) -> Result<Damage, Error> {
    let mut reader = RecordReader::open(vfs, path, kind, 0)?;
    let mut ended = false;
    while let Some((_seq, payload)) = reader.next_record()? {
        if payload.is_empty() {
            ended = true;
            break;
        }
        on_record(payload);
    }
    let mut damage = reader.damage().clone();
    damage.bad_stretches += usize::from(!ended);
    Ok(damage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::DiskVfs;

    const KIND: FileKind = FileKind(77);

    fn payload(bytes: &[u8]) -> Record {
        let mut record = Record::default();
        record.buffer().extend_from_slice(bytes);
        record
    }

    fn read(path: &Path) -> (Vec<Vec<u8>>, Damage) {
        let mut records = Vec::new();
        let damage = read_framed(&DiskVfs, path, KIND, |r| records.push(r.to_vec())).unwrap();
        (records, damage)
    }

    #[test]
    fn a_file_appears_only_when_committed_and_survives_a_dirty_tail() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let mut writer = FramedWriter::create(&DiskVfs, &path, KIND).unwrap();
        for index in 0..1000_u32 {
            writer.push(payload(&[index as u8; 700])).unwrap();
        }
        assert!(!path.try_exists().unwrap());
        writer.commit().unwrap();
        let (records, damage) = read(&path);
        assert_eq!((records.len(), damage), (1000, Damage::default()));
        let mut bytes = std::fs::read(&path).unwrap();
        let clean = bytes.len();
        bytes.extend_from_slice(&[0x5A; 99]);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path).1, Damage::default());
        std::fs::write(&path, &bytes[..clean - 800]).unwrap();
        let (records, damage) = read(&path);
        assert_eq!((records.len(), damage.bad_stretches > 0), (998, true));
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let writer = FramedWriter::create(&DiskVfs, &path, FileKind(1)).unwrap();
        writer.commit().unwrap();
        let read = read_framed(&DiskVfs, &path, KIND, |_payload| {});
        assert!(matches!(read, Err(Error::Corrupt { .. })));
    }
}
