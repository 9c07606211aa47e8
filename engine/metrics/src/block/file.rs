//! Files of a block: written from front to back, read at offsets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// An open file that knows its path and length.
#[derive(Debug, Clone)]
pub(super) struct ReadFile {
    file: Arc<dyn VfsFile>,
    path: Arc<Path>,
    size: u64,
}

impl ReadFile {
    pub(super) fn open(vfs: &dyn Vfs, path: PathBuf) -> Result<Self, Error> {
        let failed = || obsq_wal::Error::io("open", &path);
        let file = vfs.open(&path).map_err(failed())?;
        let size = file.size().map_err(failed())?;
        Ok(Self {
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
