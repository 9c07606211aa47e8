//! The thread that writes and syncs.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use obsq_model::Clock;
use parking_lot::Mutex;

use crate::Error;
use crate::queue::{Done, Entry, Queue};
use crate::record::Record;
use crate::segment::{SegmentWriter, segment_path};
use crate::stats::Counters;
use crate::vfs::Vfs;

/// A segment that is no longer written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClosedSegment {
    pub(crate) number: u64,
    /// The last good record in it.
    pub(crate) last_seq: u64,
    /// Whether what is in it was found damaged.
    pub(crate) is_damaged: bool,
}

/// State of the writer's thread.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) vfs: Arc<dyn Vfs>,
    pub(crate) directory: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) closed: Arc<Mutex<Vec<ClosedSegment>>>,
    pub(crate) segment: Option<SegmentWriter>,
    /// Number of the segment that is written or, without one, of the next.
    pub(crate) number: u64,
    /// The last record that is on the disk.
    pub(crate) good_seq: u64,
    pub(crate) buffer: Vec<u8>,
    pub(crate) preallocated_bytes: u64,
}

/// Records that are written and synced together.
#[derive(Default)]
struct Group {
    done: Vec<Done>,
    bytes: usize,
    first_seq: u64,
    last_seq: u64,
}

impl Group {
    fn add(&mut self, record: &Record, seq: u64, done: Done, buffer: &mut Vec<u8>) {
        if self.done.is_empty() {
            self.first_seq = seq;
        }
        self.last_seq = seq;
        self.bytes += record.bytes().len();
        buffer.extend_from_slice(record.bytes());
        self.done.push(done);
    }
}

impl Writer {
    /// Writes until the queue is closed.
    pub(crate) fn run(mut self) {
        while let Some(entries) = self.queue.take() {
            self.write_entries(entries);
            if self.buffer.capacity() > 8 << 20 {
                self.buffer = Vec::new();
            }
        }
        if !self.queue.is_aborted() {
            self.finish_segment();
        }
        fail_entries(self.queue.take_waiting(), &Error::Closed);
    }

    /// Writes what waits now.
    pub(crate) fn write_waiting(&mut self) {
        let entries = self.queue.take_waiting();
        self.write_entries(entries);
    }

    /// Ends the segment in order.
    fn finish_segment(&mut self) {
        let Some(segment) = self.segment.take() else {
            return;
        };
        if let Err(error) = segment.finish() {
            tracing::warn!(%error, "cannot end a segment");
        }
        self.close_number();
    }

    fn close_number(&mut self) {
        self.closed.lock().push(ClosedSegment {
            number: self.number,
            last_seq: self.good_seq,
            is_damaged: false,
        });
        self.number += 1;
    }

    fn write_entries(&mut self, entries: Vec<Entry>) {
        let mut group = Group::default();
        let mut entries = entries.into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Entry::Record { record, seq, done } => {
                    group.add(&record, seq, done, &mut self.buffer);
                }
                Entry::Cut => {
                    if !self.commit(std::mem::take(&mut group), &mut entries) {
                        return;
                    }
                    self.finish_segment();
                }
            }
        }
        self.commit(group, &mut entries);
    }

    /// Writes and syncs a group and tells its callers. On failure the segment is abandoned and all
    /// that follows in `rest` and in the queue fails too, because it may build on what is lost;
    /// says whether it went well.
    fn commit(&mut self, group: Group, rest: &mut dyn Iterator<Item = Entry>) -> bool {
        if group.done.is_empty() {
            return true;
        }
        let written = self.write_group(&group);
        self.buffer.clear();
        let Err(error) = written else {
            self.good_seq = group.last_seq;
            self.counters.note_durable(group.last_seq);
            self.counters.note_group(group.done.len(), group.bytes);
            self.queue.release(group.bytes);
            group.done.into_iter().for_each(|done| done(Ok(())));
            return true;
        };
        self.abandon_segment(&error);
        let source = Arc::new(error);
        let error = Error::WriteFailed { source };
        // Before anyone is told: who hears of the failure and tries again must not fail with it.
        let mut failed: Vec<Entry> = rest.collect();
        failed.extend(self.queue.fail());
        for done in group.done {
            done(Err(error.clone()));
        }
        let bytes = group.bytes + fail_entries(failed, &error);
        self.queue.release(bytes);
        false
    }

    fn write_group(&mut self, group: &Group) -> Result<(), Error> {
        if self.segment.is_none() {
            self.segment = Some(self.begin_segment(group.first_seq)?);
            self.counters.note_segment();
        }
        let Some(segment) = &mut self.segment else {
            return Err(Error::Closed);
        };
        segment.append(&self.buffer)?;
        let started = self.clock.monotonic();
        segment.sync()?;
        let took = self.clock.monotonic().saturating_sub(started);
        self.counters.note_sync(took);
        Ok(())
    }

    /// Begins a segment under the next number that nothing else has.
    fn begin_segment(&mut self, first_seq: u64) -> Result<SegmentWriter, Error> {
        loop {
            let path = segment_path(&self.directory, self.number);
            let (vfs, ahead) = (self.vfs.as_ref(), self.preallocated_bytes);
            match SegmentWriter::create(vfs, path, first_seq, self.good_seq, ahead) {
                Err(error) if error.is_io(ErrorKind::AlreadyExists) => {
                    tracing::warn!(%error, "something else has the name of the next segment, passing over it");
                    self.number += 1;
                }
                other => return other,
            }
        }
    }

    fn abandon_segment(&mut self, error: &Error) {
        self.counters.note_failure();
        tracing::error!(%error, segment = self.number, "cannot write the log, going on in a new segment");
        if let Some(segment) = self.segment.take() {
            segment.abandon();
            return self.close_number();
        }
        // It could not be begun and is not there.
        self.number += 1;
    }
}

/// Tells every caller and returns the bytes of their records.
fn fail_entries(entries: Vec<Entry>, error: &Error) -> usize {
    let mut bytes = 0;
    for entry in entries {
        if let Entry::Record { record, done, .. } = entry {
            bytes += record.bytes().len();
            done(Err(error.clone()));
        }
    }
    bytes
}
