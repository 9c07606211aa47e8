//! Files of a block: written from front to back, read at offsets.

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obsq_encoding::crc32c_append;
use obsq_wal::{Vfs, VfsFile};

use super::meta::FileMeta;
use crate::Error;

const BUFFER_BYTES: usize = 256 << 10;

/// Writes a file from front to back through a buffer, and knows its length and CRC.
#[derive(Debug)]
pub(super) struct FileWriter {
    file: Box<dyn VfsFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    flushed: u64,
    crc: u32,
}

impl FileWriter {
    pub(super) fn create(vfs: &dyn Vfs, path: PathBuf) -> Result<Self, Error> {
        let file = vfs
            .create(&path)
            .map_err(obsq_wal::Error::io("create", &path))?;
        Ok(Self {
            file,
            path,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            flushed: 0,
            crc: 0,
        })
    }

    /// Returns the number of bytes written.
    pub(super) fn position(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_through(bytes)
    }

    /// Writes zeros up to a multiple of `alignment`, a power of two.
    pub(super) fn align(&mut self, alignment: u64) -> Result<(), Error> {
        let padding = self.position().wrapping_neg() & (alignment - 1);
        self.write(&[0; 16][..padding as usize])
    }

    fn flush(&mut self) -> Result<(), Error> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.write_through(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    fn write_through(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all_at(bytes, self.flushed)
            .map_err(obsq_wal::Error::io("write", &self.path))?;
        self.flushed += bytes.len() as u64;
        self.crc = crc32c_append(self.crc, bytes);
        Ok(())
    }

    /// Makes everything written readable through [`FileWriter::file`].
    pub(super) fn file(&mut self) -> Result<&dyn VfsFile, Error> {
        self.flush()?;
        Ok(self.file.as_ref())
    }

    /// Ends the file; its content is on the disk when this returns.
    pub(super) fn finish(mut self, name: &str) -> Result<FileMeta, Error> {
        self.flush()?;
        self.file
            .sync()
            .map_err(obsq_wal::Error::io("sync", &self.path))?;
        Ok(FileMeta {
            path: name.to_owned(),
            size: self.flushed,
            crc32c: self.crc,
        })
    }
}

thread_local! {
    static READ_AHEAD: Cell<ReadAhead> = Cell::default();
}

/// What a thread read last, and perhaps some more.
#[derive(Debug, Default)]
struct ReadAhead {
    /// The number of the file; 0 when there is none.
    file: u64,
    /// Where in the file the bytes begin, and how many count.
    start: u64,
    count: usize,
    bytes: Vec<u8>,
    /// Behind what was asked for last.
    asked_end: u64,
}

impl ReadAhead {
    /// So much is read at once.
    const MAX_BYTES: usize = 128 << 10;
    /// Who leaves out no more than this reads from front to back.
    const NEAR_BYTES: u64 = 16 << 10;

    /// Returns where in `bytes` up to `length` bytes of the file from `offset` are.
    fn find(&mut self, file: &ReadFile, offset: u64, length: usize) -> io::Result<Range<usize>> {
        let end = offset.saturating_add(length as u64).min(file.size);
        let length = end.saturating_sub(offset) as usize;
        let same = self.file == file.number;
        if !same || offset < self.start || end > self.start + self.count as u64 {
            let behind = same && offset >= self.start;
            let near = behind && offset <= self.asked_end.saturating_add(Self::NEAR_BYTES);
            self.fill(file, offset, if near { Self::MAX_BYTES } else { length })?;
        }
        self.asked_end = end;
        let from = (offset - self.start) as usize;
        Ok(from..from + length)
    }

    fn fill(&mut self, file: &ReadFile, offset: u64, length: usize) -> io::Result<()> {
        let left = usize::try_from(file.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = length.min(left);
        if self.bytes.len() < count {
            self.bytes.resize(count, 0);
        }
        // Nothing counts when the read fails.
        (self.file, self.start, self.count) = (0, offset, 0);
        file.file.read_exact_at(&mut self.bytes[..count], offset)?;
        (self.file, self.count) = (file.number, count);
        Ok(())
    }
}

/// An open file that knows its path and length. Its bytes do not change.
#[derive(Debug, Clone)]
pub(super) struct ReadFile {
    /// No other file that was ever opened has it.
    number: u64,
    file: Arc<dyn VfsFile>,
    path: Arc<Path>,
    size: u64,
}

impl ReadFile {
    pub(super) fn open(vfs: &dyn Vfs, path: PathBuf) -> Result<Self, Error> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let failed = || obsq_wal::Error::io("open", &path);
        let file = vfs.open(&path).map_err(failed())?;
        let size = file.size().map_err(failed())?;
        Ok(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            file: Arc::from(file),
            path: Arc::from(path),
            size,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads up to `length` bytes from `offset`; fewer only at the end of the file.
    pub(super) fn read_up_to(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).map_or(length, |left| left.min(length));
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(obsq_wal::Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Calls `take` with up to `length` bytes from `offset`; fewer only at the end of the file. A
    /// thread that reads from front to back, in pieces, reads ahead.
    pub(super) fn with_bytes<T>(
        &self,
        offset: u64,
        length: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        if length > ReadAhead::MAX_BYTES {
            return self.read_up_to(offset, length).map(|bytes| take(&bytes));
        }
        let mut ahead = READ_AHEAD.take();
        let found = ahead
            .find(self, offset, length)
            .map_err(obsq_wal::Error::io("read", &self.path))?;
        let taken = take(ahead.bytes.get(found).unwrap_or_default());
        READ_AHEAD.set(ahead);
        Ok(taken)
    }

    /// Reads `length` bytes from `offset`; a file too short for that is damaged.
    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let bytes = self.read_up_to(offset, length)?;
        if bytes.len() < length {
            return Err(self.corrupt(offset)(
                obsq_encoding::DecodeError::UnexpectedEnd,
            ));
        }
        Ok(bytes)
    }

    /// Returns a function that says that bytes from `offset` on could not be decoded.
    pub(super) fn corrupt(
        &self,
        offset: u64,
    ) -> impl Fn(obsq_encoding::DecodeError) -> Error + use<> {
        let path = Arc::clone(&self.path);
        move |source| Error::Corrupt {
            path: path.to_path_buf(),
            offset,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_wal::DiskVfs;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_ahead_is_what_is_in_the_file(
            reads in proptest::collection::vec((0_usize..2, 0_u64..400_000, 0_usize..5_000, 0_u64..20_000), 1..40),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let contents = [3_u32, 7].map(|step| -> Vec<u8> {
                (0..90_000_u32).flat_map(|at| (at * step).to_le_bytes()).collect()
            });
            let files = [0, 1].map(|index| {
                let path = directory.path().join(index.to_string());
                std::fs::write(&path, &contents[index]).unwrap();
                ReadFile::open(&DiskVfs, path).unwrap()
            });
            for (index, offset, length, step) in reads {
                for offset in [offset, offset + step, offset + 2 * step, offset + 90_000] {
                    let content = &contents[index];
                    let start = content.len().min(offset as usize);
                    let end = content.len().min(start + length);
                    let read = files[index].with_bytes(offset, length, <[u8]>::to_vec).unwrap();
                    prop_assert_eq!(&read, &content[start..end]);
                }
            }
        }
    }
}
