//! One file of the log, while it is written and when it is listed.

use std::path::{Path, PathBuf};

use crate::record::{FILE_HEADER_BYTES, FileHeader, VERSION};
use crate::vfs::{Vfs, VfsFile};
use crate::{Error, FileKind};

/// Returns the segment's file.
pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}"))
}

/// Returns the numbers of the segments in `directory`, rising.
pub(crate) fn list_segments(vfs: &dyn Vfs, directory: &Path) -> Result<Vec<u64>, Error> {
    let names = vfs.list(directory).map_err(Error::io("list", directory))?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| segment_number(name))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns the number of the segment that is called `name`, if it can be one.
fn segment_number(name: &str) -> Option<u64> {
    let digits = name.len() <= 18 && name.bytes().all(|byte| byte.is_ascii_digit());
    let number = name.parse().ok().filter(|_number| digits)?;
    (format!("{number:08}") == name).then_some(number)
}

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    path: PathBuf,
    file: Box<dyn VfsFile>,
    /// End of the records written.
    written: u64,
    /// End of the records known to be on the disk.
    synced: u64,
    /// End of the room filled with zeros.
    allocated: u64,
    /// How many zeros are written ahead.
    preallocated_bytes: u64,
}

impl SegmentWriter {
    /// Creates the file, durable with its name. Never touches what is there already: that fails with
    /// `AlreadyExists`. Any other failure leaves no file behind, as far as the disk allows.
    pub(crate) fn create(
        vfs: &dyn Vfs,
        path: PathBuf,
        first_seq: u64,
        previous_seq: u64,
        preallocated_bytes: u64,
    ) -> Result<Self, Error> {
        let header = FileHeader {
            version: VERSION,
            kind: FileKind::SEGMENT,
            first_seq,
            previous_seq,
        };
        let file = vfs.create_new(&path).map_err(Error::io("create", &path))?;
        let mut segment = Self {
            path,
            file,
            written: 0,
            synced: 0,
            allocated: 0,
            preallocated_bytes,
        };
        match segment.begin(vfs, header) {
            Ok(()) => Ok(segment),
            Err(error) => {
                let path = segment.path.display();
                if let Err(error) = vfs.remove_file(&segment.path) {
                    tracing::warn!(%path, %error, "cannot remove an unfinished segment");
                }
                Err(error)
            }
        }
    }

    fn begin(&mut self, vfs: &dyn Vfs, header: FileHeader) -> Result<(), Error> {
        self.append(&header.encode())?;
        self.sync()?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let synced = vfs.sync_dir(directory);
        synced.map_err(Error::io("sync", directory))?;
        debug_assert_eq!(self.written, FILE_HEADER_BYTES as u64);
        Ok(())
    }

    /// Writes `bytes` behind what is there. After an error the tail is undefined.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.preallocate(bytes.len() as u64);
        self.file
            .write_all_at(bytes, self.written)
            .map_err(Error::io("write", &self.path))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Fills room with zeros. That it fails is no harm: the records may still fit.
    fn preallocate(&mut self, len: u64) {
        let needed = self.written + len;
        if needed <= self.allocated || self.preallocated_bytes == 0 {
            return;
        }
        let from = self.allocated.max(needed);
        let zeros = vec![0; self.preallocated_bytes as usize];
        if self.file.write_all_at(&zeros, from).is_ok() {
            self.allocated = from + self.preallocated_bytes;
        }
    }

    /// Returns once everything appended is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.file.sync().map_err(Error::io("sync", &self.path))?;
        self.synced = self.written;
        Ok(())
    }

    /// Cuts off whatever is not known to be on the disk, after a failure. That it fails is no
    /// harm: replay recognises the tail.
    pub(crate) fn abandon(self) {
        if let Err(error) = self.file.set_len(self.synced) {
            tracing::warn!(path = %self.path.display(), %error, "cannot cut off the torn end of a segment");
        }
    }

    /// Gives back the room that was never used. Everything appended must be synced.
    pub(crate) fn finish(self) -> Result<(), Error> {
        debug_assert_eq!(self.synced, self.written);
        self.file
            .set_len(self.written)
            .and_then(|()| self.file.sync())
            .map_err(Error::io("cut", &self.path))
    }
}
