//! The files of one tenant's head.

use std::path::PathBuf;
use std::sync::Arc;

use obsq_encoding::EncodedChunk;
use obsq_source::Error;
use obsq_wal::Vfs;
use parking_lot::Mutex;

use super::chunk::{HeadChunk, Place};
use super::file::HeadFile;
use super::series::ChunkSink;
use crate::boundary::io;

/// A file that has this many bytes gets no more chunks.
const FILE_BYTES: u64 = 64 << 20;

/// Takes full chunks out of memory.
#[derive(Debug)]
pub(crate) struct ChunkFiles {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<HeadFile>>,
    /// All files that may hold chunks, the current one included.
    files: Vec<Arc<HeadFile>>,
    next_number: u64,
}

impl ChunkFiles {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, directory: PathBuf) -> Self {
        let state = State {
            next_number: 1,
            ..State::default()
        };
        Self {
            vfs,
            directory,
            state: Mutex::new(state),
        }
    }

    /// Returns file `number` as an earlier run left it.
    pub(crate) fn restore(&self, number: u64) -> Arc<HeadFile> {
        let mut state = self.state.lock();
        if let Some(known) = state.files.iter().find(|file| file.number() == number) {
            return Arc::clone(known);
        }
        let vfs = Arc::clone(&self.vfs);
        let file = Arc::new(HeadFile::existing(vfs, &self.directory, number));
        state.files.push(Arc::clone(&file));
        state.next_number = state.next_number.max(number + 1);
        file
    }

    /// Takes note of the files that are in the directory: new ones get larger numbers. Removes
    /// those that nothing refers to, when `clean` says that all references are known.
    pub(crate) fn adopt(&self, clean: bool) -> Result<(), Error> {
        let names = self
            .vfs
            .list(&self.directory)
            .map_err(io("list", &self.directory))?;
        let numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        for number in numbers {
            self.restore(number);
        }
        if clean {
            let unused = self.unused();
            self.remove_unused(&unused)?;
        }
        Ok(())
    }

    /// Opens the files of an earlier run, so that they can be read when another process has removed
    /// them. One that is gone already is missed when it is read.
    pub(crate) fn pin(&self) {
        for file in self.all() {
            if let Err(error) = file.pin() {
                tracing::debug!(file = file.number(), %error, "cannot open chunks of the head");
            }
        }
    }

    /// Syncs all files as far as they go. One that fails is doubtful from then on.
    pub(crate) fn sync_all(&self) {
        for file in self.all() {
            if let Err(error) = file.sync() {
                tracing::error!(file = file.number(), %error, "cannot sync chunks of the head");
            }
        }
    }

    /// Syncs all files but the doubtful ones.
    pub(crate) fn sync_referred(&self) -> Result<(), Error> {
        for file in self.all() {
            if !file.is_doubtful() {
                file.sync()?;
            }
        }
        Ok(())
    }

    fn all(&self) -> Vec<Arc<HeadFile>> {
        self.state.lock().files.clone()
    }

    /// Ends the current file, so that it can go once its chunks are sealed, and closes those that
    /// are not written.
    pub(crate) fn rotate(&self) {
        let files = {
            let mut state = self.state.lock();
            state.current = None;
            state.files.clone()
        };
        for file in files {
            file.rest();
        }
    }

    /// Returns the bytes of chunks that wait for the disk.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let state = self.state.lock();
        state.files.iter().map(|file| file.waiting_bytes()).sum()
    }

    /// Writes the chunks that wait, as far as the disk takes them, and says whether all are written.
    pub(crate) fn write_waiting(&self) -> bool {
        self.all().iter().all(|file| file.write_out())
    }

    /// Returns the bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let state = self.state.lock();
        state.files.iter().map(|file| file.len()).sum()
    }

    /// Removes those of the files that nobody refers to any more.
    pub(crate) fn remove_unused(&self, unused: &[u64]) -> Result<(), Error> {
        let mut state = self.state.lock();
        let mut failed = Ok(());
        state.files.retain(|file| {
            let gone = unused.contains(&file.number()) && Arc::strong_count(file) == 1;
            if gone && let Err(error) = file.remove() {
                failed = Err(error);
                return true;
            }
            !gone
        });
        failed
    }

    /// Returns the numbers of ended files to which no chunk refers.
    pub(crate) fn unused(&self) -> Vec<u64> {
        let state = self.state.lock();
        let unused = state
            .files
            .iter()
            .filter(|file| Arc::strong_count(file) == 1);
        unused.map(|file| file.number()).collect()
    }
}

impl ChunkSink for ChunkFiles {
    fn store(&self, chunk: EncodedChunk) -> HeadChunk {
        let mut state = self.state.lock();
        let file = match &state.current {
            Some(file) if file.len() < FILE_BYTES => Arc::clone(file),
            _ => {
                let vfs = Arc::clone(&self.vfs);
                let file = HeadFile::new(vfs, &self.directory, state.next_number);
                let file = Arc::new(file);
                state.next_number += 1;
                state.files.push(Arc::clone(&file));
                state.current = Some(Arc::clone(&file));
                file
            }
        };
        // Under the lock, so that the file does not end before the chunk is in it.
        let offset = file.append(&chunk.bytes);
        drop(state);
        HeadChunk {
            min_ts_ms: chunk.min_ts_ms,
            max_ts_ms: chunk.max_ts_ms,
            samples: chunk.samples,
            encoding: chunk.encoding,
            place: Place::File {
                file,
                offset,
                len: chunk.bytes.len() as u32,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use obsq_encoding::Encoding;
    use obsq_wal::DiskVfs;

    use super::*;

    #[test]
    fn a_file_that_ends_while_a_chunk_is_stored_loses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let files = ChunkFiles::new(Arc::new(DiskVfs), directory.path().join("head"));
        let chunk = |ts_ms: i64| EncodedChunk {
            encoding: Encoding::Xor,
            min_ts_ms: ts_ms,
            max_ts_ms: ts_ms,
            samples: 1,
            bytes: ts_ms.to_le_bytes().repeat(2048),
        };
        let ended = AtomicBool::new(false);
        let stored: Vec<_> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    files.rotate();
                }
            });
            let stored = (0..2000).map(|ts_ms| files.store(chunk(ts_ms))).collect();
            ended.store(true, Ordering::Relaxed);
            stored
        });
        for stored in stored {
            let expected = chunk(stored.min_ts_ms).bytes;
            assert_eq!(*stored.bytes().unwrap(), *expected);
        }
    }
}
