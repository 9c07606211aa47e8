//! Reading the log while it is written.
//!
//! A follower reads the files that the writer writes, and never further than the last record that is
//! known to be on the disk. It begins with the first record of the segment that holds the record it
//! is to go on with, because definitions hold within a segment; what it has seen before is marked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::reader::RecordReader;
use crate::segment::{list_segments, segment_path};
use crate::stats::Counters;
use crate::vfs::Vfs;
use crate::wal::{first_seq, is_foreign};
use crate::{Error, FileKind};

/// How often a record is tried again while its file gets shorter.
const MAX_ATTEMPTS: usize = 3;

/// A record that a follower came to.
#[derive(Debug)]
pub struct Followed<'a> {
    /// The record's number.
    pub seq: u64,
    /// Its payload.
    pub payload: &'a [u8],
    /// Whether definitions of earlier records no longer hold.
    pub is_new_epoch: bool,
    /// Whether it was handed out before, or the follower was to begin behind it; it matters only
    /// for what it defines.
    pub is_known: bool,
}

/// Reads the records of a log in order, as they become durable.
#[derive(Debug)]
pub struct WalFollower {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    counters: Arc<Counters>,
    after_seq: u64,
    /// The largest number handed out, or passed over.
    last_seq: u64,
    /// The segment that is read or was read last.
    number: Option<u64>,
    reader: Option<RecordReader>,
    is_new_epoch: bool,
    /// A record that was read before it was known to be on the disk.
    early: Option<u64>,
    payload: Vec<u8>,
    missing: u64,
}

impl WalFollower {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        directory: PathBuf,
        counters: Arc<Counters>,
        after_seq: u64,
    ) -> Self {
        Self {
            vfs,
            directory,
            counters,
            after_seq,
            last_seq: after_seq,
            number: None,
            reader: None,
            is_new_epoch: true,
            early: None,
            payload: Vec::new(),
            missing: 0,
        }
    }

    /// Says whether there may be something to read. Looks at no file.
    pub fn has_more(&self) -> bool {
        self.counters.durable_seq() > self.last_seq
    }

    /// Returns how many records were to be read but are gone or damaged.
    pub fn missing_records(&self) -> u64 {
        let read = self.reader.as_ref();
        self.missing + read.map_or(0, |reader| reader.damage().missing_records())
    }

    /// Returns the next record that is on the disk, or `None` when there is none yet.
    pub fn next_record(&mut self) -> Result<Option<Followed<'_>>, Error> {
        let durable_seq = self.counters.durable_seq();
        if durable_seq <= self.last_seq {
            return Ok(None);
        }
        let seq = match self.early {
            Some(seq) => seq,
            None => match self.read_on()? {
                None => return Ok(None),
                Some(seq) => seq,
            },
        };
        if seq > durable_seq {
            self.early = Some(seq);
            return Ok(None);
        }
        self.early = None;
        let is_known = seq <= self.last_seq;
        self.last_seq = self.last_seq.max(seq);
        Ok(Some(Followed {
            seq,
            payload: &self.payload,
            is_new_epoch: std::mem::take(&mut self.is_new_epoch),
            is_known,
        }))
    }

    /// Reads the next record of this segment or of those that follow.
    fn read_on(&mut self) -> Result<Option<u64>, Error> {
        loop {
            if self.reader.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(reader) = &mut self.reader else {
                return Ok(None);
            };
            if let Some(seq) = read_record(reader, &mut self.payload)? {
                return Ok(Some(seq));
            }
            if !self.end_segment()? {
                return Ok(None);
            }
        }
    }

    /// Leaves a segment that has no more records; says whether there is a later one. If not, what
    /// is to come may still come here.
    fn end_segment(&mut self) -> Result<bool, Error> {
        let segments = list_segments(self.vfs.as_ref(), &self.directory)?;
        let is_last = segments.last() == self.number.as_ref();
        let reader = self.reader.take();
        if is_last {
            self.number = self.number.and_then(|number| number.checked_sub(1));
        } else if let Some(reader) = reader {
            self.missing += reader.damage().missing_records();
            self.last_seq = self.last_seq.max(reader.last_seq());
        }
        Ok(!is_last)
    }

    /// Opens the next segment, the first time the one that holds the first record wanted.
    fn open_next(&mut self) -> Result<bool, Error> {
        let segments = list_segments(self.vfs.as_ref(), &self.directory)?;
        let next = match self.number {
            Some(number) => segments.into_iter().find(|next| *next > number),
            None => self.first_segment(&segments)?,
        };
        let Some(number) = next else {
            return Ok(false);
        };
        let path = segment_path(&self.directory, number);
        let vfs = self.vfs.as_ref();
        let begins_with = first_seq(vfs, &path)?.unwrap_or(self.last_seq + 1);
        // Earlier records of the segment are read too, for what they define.
        let from_seq = self.last_seq.min(begins_with.saturating_sub(1));
        let open = || RecordReader::open(vfs, &path, FileKind::SEGMENT, from_seq);
        let reader = match retried(open) {
            Err(error) if is_foreign(&error) => {
                tracing::debug!(%error, "this is no segment of the log, passing over it");
                self.number = Some(number);
                return self.open_next();
            }
            other => other?,
        };
        self.reader = Some(reader);
        self.number = Some(number);
        self.is_new_epoch = true;
        Ok(true)
    }

    /// Returns the last segment that begins with the first record wanted or before it.
    fn first_segment(&self, segments: &[u64]) -> Result<Option<u64>, Error> {
        for number in segments.iter().rev() {
            let path = segment_path(&self.directory, *number);
            let begins_with = first_seq(self.vfs.as_ref(), &path)?;
            if begins_with.is_some_and(|seq| seq <= self.after_seq + 1) {
                return Ok(Some(*number));
            }
        }
        Ok(segments.first().copied())
    }
}

/// Reads the next record into `payload` and returns its number. The writer may cut off the zeros
/// behind its last record at any time, which makes a file shorter than it just was.
fn read_record(reader: &mut RecordReader, payload: &mut Vec<u8>) -> Result<Option<u64>, Error> {
    retried(|| {
        reader.refresh()?;
        let read = reader.next_record()?;
        Ok(read.map(|(seq, bytes)| {
            payload.clear();
            payload.extend_from_slice(bytes);
            seq
        }))
    })
}

/// Reads again when a file got shorter while it was read.
fn retried<T>(mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _attempt in 1..MAX_ATTEMPTS {
        match read() {
            Err(error) if is_cut_short(&error) => {}
            done => return done,
        }
    }
    read()
}

fn is_cut_short(error: &Error) -> bool {
    error.is_io(io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests;
