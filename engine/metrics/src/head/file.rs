//! Files of the head: full chunks, append-only.
//!
//! ```text
//! chunk: length u32, crc32c(data) u32, data
//! ```
//!
//! Integers are little-endian. References (file number, offset, length) live in memory and in
//! checkpoints; a file is never searched.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_source::Error;
use obsq_wal::{Vfs, VfsFile};
use parking_lot::Mutex;

use crate::boundary::{from_wal, io};

/// Length and CRC in front of a chunk's data.
const FRAME_BYTES: usize = 8;
/// Bytes that wait in memory before they are written together.
const BUFFER_BYTES: usize = 64 << 10;

/// The length of a file of an earlier run: whatever is asked for is on disk, if anywhere.
const EXISTING: u64 = u64::MAX;

/// A file of full chunks. The last ones may still wait in memory; reads see them all the same.
#[derive(Debug)]
pub(crate) struct HeadFile {
    number: u64,
    path: PathBuf,
    vfs: Arc<dyn Vfs>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<Arc<dyn VfsFile>>,
    waiting: Vec<u8>,
    written: u64,
    synced: u64,
    /// A sync has failed: what the disk holds is unknown for good.
    doubtful: bool,
}

/// Returns the path of head file `number`.
pub(crate) fn head_file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}"))
}

impl HeadFile {
    /// Returns a new file, which appears with the first bytes written to it.
    pub(crate) fn new(vfs: Arc<dyn Vfs>, directory: &Path, number: u64) -> Self {
        Self::with(vfs, directory, number, 0)
    }

    /// Returns a file of an earlier run. Nothing may be appended to it.
    pub(crate) fn existing(vfs: Arc<dyn Vfs>, directory: &Path, number: u64) -> Self {
        Self::with(vfs, directory, number, EXISTING)
    }

    fn with(vfs: Arc<dyn Vfs>, directory: &Path, number: u64, len: u64) -> Self {
        Self {
            number,
            path: head_file_path(directory, number),
            vfs,
            state: Mutex::new(State {
                file: None,
                waiting: Vec::new(),
                written: len,
                synced: len,
                doubtful: false,
            }),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Appends a chunk's data and returns its offset. The bytes may wait in memory.
    pub(crate) fn append(&self, data: &[u8]) -> u64 {
        let mut state = self.state.lock();
        let offset = state.written + state.waiting.len() as u64;
        let (len, crc) = (data.len() as u32, crc32c::crc32c(data));
        state.waiting.extend_from_slice(&len.to_le_bytes());
        state.waiting.extend_from_slice(&crc.to_le_bytes());
        state.waiting.extend_from_slice(data);
        if state.waiting.len() >= BUFFER_BYTES
            && let Err(error) = self.write_waiting(&mut state)
        {
            // They stay in memory and are tried again with the next ones.
            tracing::debug!(path = %self.path.display(), %error, "cannot write chunks of the head");
        }
        offset
    }

    /// Returns the bytes appended so far, those that wait in memory included.
    pub(crate) fn len(&self) -> u64 {
        let state = self.state.lock();
        if state.written == EXISTING {
            return 0;
        }
        state.written + state.waiting.len() as u64
    }

    /// Says whether what the disk holds is unknown for good.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.state.lock().doubtful
    }

    /// Returns the bytes that wait in memory.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Writes the bytes that wait in memory and says whether that went well.
    pub(crate) fn write_out(&self) -> bool {
        self.write_waiting(&mut self.state.lock()).is_ok()
    }

    /// Returns the data of the chunk at `offset` after checking its CRC.
    pub(crate) fn read(&self, offset: u64, len: u32) -> Result<Arc<[u8]>, Error> {
        let mut frame = vec![0; FRAME_BYTES + len as usize];
        let file = {
            let mut state = self.state.lock();
            if let Some(at) = offset.checked_sub(state.written) {
                let waiting = state.waiting.get(at as usize..at as usize + frame.len());
                frame.copy_from_slice(waiting.ok_or_else(|| self.corrupt())?);
                None
            } else {
                Some(self.open(&mut state)?)
            }
        };
        if let Some(file) = file {
            file.read_exact_at(&mut frame, offset)
                .map_err(io("read", &self.path))?;
        }
        let data = frame.split_off(FRAME_BYTES);
        let sound =
            frame[..4] == len.to_le_bytes() && frame[4..] == crc32c::crc32c(&data).to_le_bytes();
        if sound {
            Ok(data.into())
        } else {
            Err(self.corrupt())
        }
    }

    /// Returns once everything appended is on the disk. After one failure it fails for good: the
    /// chunks must then be kept elsewhere.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        self.write_waiting(&mut state)?;
        if state.doubtful {
            return Err(self.corrupt());
        }
        if state.synced == state.written {
            return Ok(());
        }
        // One that rests was closed before it was synced.
        let file = self.open(&mut state)?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let synced = file.sync().and_then(|()| self.vfs.sync_dir(directory));
        state.doubtful = synced.is_err();
        synced.map_err(io("sync", &self.path))?;
        state.synced = state.written;
        Ok(())
    }

    /// Closes the file until it is read again. Nothing may be appended any more.
    pub(crate) fn rest(&self) {
        let mut state = self.state.lock();
        if self.write_waiting(&mut state).is_ok() {
            state.file = None;
        }
    }

    /// Opens the file if it is one of an earlier run.
    pub(crate) fn pin(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.written == EXISTING {
            self.open(&mut state)?;
        }
        Ok(())
    }

    /// Removes the file. Those who have chunks in it can still read them while it is open.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        // Kept open for those who read it.
        let opened = self.open(&mut self.state.lock());
        if let Err(error @ Error::Unavailable { .. }) = opened {
            return Err(error);
        }
        self.vfs
            .remove_file(&self.path)
            .map_err(io("remove", &self.path))
    }

    fn open(&self, state: &mut State) -> Result<Arc<dyn VfsFile>, Error> {
        if let Some(file) = &state.file {
            return Ok(Arc::clone(file));
        }
        let opened = self.vfs.open(&self.path).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                self.corrupt()
            } else {
                io("open", &self.path)(error)
            }
        });
        let file: Arc<dyn VfsFile> = Arc::from(opened?);
        state.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn write_waiting(&self, state: &mut State) -> Result<(), Error> {
        if state.waiting.is_empty() {
            return Ok(());
        }
        if state.file.is_none() {
            let directory = self.path.parent().unwrap_or(Path::new("."));
            self.vfs
                .create_dir_all(directory)
                .map_err(io("create", directory))?;
            let file = self
                .vfs
                .create(&self.path)
                .map_err(io("create", &self.path))?;
            state.file = Some(Arc::from(file));
        }
        if let Some(file) = &state.file {
            file.write_all_at(&state.waiting, state.written)
                .map_err(io("write", &self.path))?;
        }
        state.written += state.waiting.len() as u64;
        state.waiting = Vec::new();
        Ok(())
    }

    fn corrupt(&self) -> Error {
        from_wal(obsq_wal::Error::Corrupt {
            path: self.path.clone(),
            offset: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_wal::DiskVfs;

    #[test]
    fn chunks_are_read_whether_they_wait_or_are_written_and_damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = HeadFile::new(Arc::new(DiskVfs), directory.path(), 1);
        let first = file.append(b"first");
        let second = file.append(&[7; 100]);
        assert_eq!(&*file.read(first, 5).unwrap(), b"first");
        file.sync().unwrap();
        assert_eq!(file.waiting_bytes(), 0);
        assert_eq!(&*file.read(second, 100).unwrap(), &[7; 100]);
        let path = head_file_path(directory.path(), 1);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(file.read(first, 5).is_err());
        assert!(file.read(second, 99).is_err());
        assert!(file.read(second, 100).is_ok());
        let again = HeadFile::existing(Arc::new(DiskVfs), directory.path(), 1);
        assert!(again.read(second, 100).is_ok());
        again.remove().unwrap();
        assert!(again.read(second, 100).is_ok(), "still open");
        assert!(!path.try_exists().unwrap());
    }

    #[test]
    fn a_file_that_rests_is_synced_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let faults = Arc::new(obsq_wal::Faults::default());
        let vfs = Arc::new(obsq_wal::FaultVfs::new(Arc::clone(&faults)));
        let file = HeadFile::new(vfs, directory.path(), 1);
        file.append(b"chunk");
        file.rest();
        file.sync().unwrap();
        assert_eq!(faults.syncs.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
