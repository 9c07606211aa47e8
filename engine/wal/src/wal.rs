//! The log as stores see it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use obsq_model::Clock;
use parking_lot::Mutex;

use crate::follow::WalFollower;
use crate::quarantine::{self, Quarantined, quarantine_directory};
use crate::queue::{Done, Epoch, Queue, Refused};
use crate::reader::{Damage, RecordReader};
use crate::record::Record;
use crate::segment::{list_segments, segment_path};
use crate::stats::{Counters, WalStats};
use crate::vfs::Vfs;
use crate::writer::{ClosedSegment, Writer};
use crate::{Error, FileKind, abort_on_panic};

/// Where a log lies and how much it may hold.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// The file system.
    pub vfs: Arc<dyn Vfs>,
    /// Measures how long syncs take.
    pub clock: Arc<dyn Clock>,
    /// Directory of the segments; created when missing.
    pub directory: PathBuf,
    /// A new segment begins when the current one has this many bytes.
    pub segment_bytes: u64,
    /// Bytes that may wait for the disk before [`Wal::wait_for_room`] makes callers wait.
    pub queue_bytes: usize,
    /// Bytes of damaged segments and of a damaged checkpoint that are kept for inspection; 0 to keep
    /// none.
    pub quarantine_bytes: u64,
    /// How long callers wait for room before they are told that the log is too slow.
    pub patience: Duration,
    /// Zeros written ahead of the records, so that a sync of a few of them need not change the
    /// file's length or its map of blocks.
    pub preallocated_bytes: u64,
    /// Whether a thread of the log writes. Without it [`Wal::submit`] and [`Wal::cut`] do before
    /// they return: no group commit, but the same order of calls to the file system every time.
    pub threaded: bool,
}

impl WalOptions {
    /// Returns options with segments and a queue of 64 MiB, a patience of 10 s and a thread.
    pub fn new(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>, directory: PathBuf) -> Self {
        Self {
            vfs,
            clock,
            directory,
            segment_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            patience: Duration::from_secs(10),
            preallocated_bytes: 1 << 20,
            quarantine_bytes: 256 << 20,
            threaded: true,
        }
    }
}

/// What a replay found.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    /// Records handed out.
    pub records: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// The largest number seen, or the one to start after.
    pub last_seq: u64,
    /// What could not be read.
    pub damage: Damage,
    /// Places where the log was found damaged.
    pub corruptions: u64,
    segments: Vec<ClosedSegment>,
    /// A number for the next segment that no file has.
    next_number: u64,
}

/// Reads the records after number `after_seq`, in order, past any damage.
///
/// Fails when a segment has a newer format or the file system does not answer; never because of
/// what the bytes are.
pub fn replay(
    options: &WalOptions,
    after_seq: u64,
    mut on_record: impl FnMut(u64, &[u8]),
) -> Result<Replayed, Error> {
    let vfs = options.vfs.as_ref();
    let mut replayed = Replayed {
        last_seq: after_seq,
        ..Replayed::default()
    };
    let numbers = list_segments(vfs, &options.directory)?;
    for (index, number) in numbers.iter().copied().enumerate() {
        replayed.next_number = replayed.next_number.max(number + 1);
        // Kept for followers alone: what the next segment begins with is known already.
        if let Some(next) = numbers.get(index + 1)
            && let Some(first_seq) = first_seq(vfs, &segment_path(&options.directory, *next))?
            && first_seq <= after_seq + 1
        {
            replayed.pass_over(number, first_seq - 1);
            continue;
        }
        let path = segment_path(&options.directory, number);
        match RecordReader::open(vfs, &path, FileKind::SEGMENT, replayed.last_seq) {
            Ok(reader) => replayed.read(number, reader, &mut on_record)?,
            Err(error) if is_foreign(&error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "this is no segment of the log, passing over it");
            }
            Err(error) => return Err(error),
        }
    }
    let kept_in = quarantine_directory(&options.directory);
    if let Some(last) = list_segments(vfs, &kept_in)?.last() {
        replayed.next_number = replayed.next_number.max(last + 1);
    }
    Ok(replayed)
}

/// Returns the number of the first record in a segment, unless it is damaged or none.
pub(crate) fn first_seq(vfs: &dyn Vfs, path: &Path) -> Result<Option<u64>, Error> {
    match RecordReader::first_seq(vfs, path) {
        Err(error) if is_foreign(&error) => Ok(None),
        other => other,
    }
}

/// Says whether a file or directory that has a segment's name is none.
pub(crate) fn is_foreign(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. }) || error.is_io(ErrorKind::IsADirectory)
}

impl Replayed {
    /// Notes a segment that need not be read.
    fn pass_over(&mut self, number: u64, last_seq: u64) {
        self.segments.push(ClosedSegment {
            number,
            last_seq,
            is_damaged: false,
        });
    }

    fn read(
        &mut self,
        number: u64,
        mut reader: RecordReader,
        on_record: &mut impl FnMut(u64, &[u8]),
    ) -> Result<(), Error> {
        let before = reader.damage().gaps.len();
        if before > 0
            && let Some(previous) = self.segments.last_mut()
        {
            // What this one misses before it was at the end of that one.
            previous.is_damaged = true;
        }
        while let Some((seq, payload)) = reader.next_record()? {
            self.records += 1;
            self.bytes += payload.len() as u64;
            on_record(seq, payload);
        }
        self.last_seq = reader.last_seq().max(self.last_seq);
        let damage = reader.damage();
        if *damage != Damage::default() {
            tracing::warn!(
                segment = number,
                ?damage,
                "a segment is damaged, its good records were read"
            );
        }
        self.corruptions += damage.gaps.len().max(damage.bad_stretches) as u64;
        self.segments.push(ClosedSegment {
            number,
            last_seq: self.last_seq,
            is_damaged: damage.bad_stretches > 0 || damage.gaps.len() > before,
        });
        self.damage.absorb(damage.clone());
        Ok(())
    }
}

/// A write-ahead log with one writing thread.
///
/// A record is acknowledged, by its callback, after it is written and synced. A sync starts as soon
/// as the last one ended and takes along everything queued meanwhile. After a failed write or sync
/// the segment is cut back to its last good record and abandoned, all that was waiting is told, and
/// the next record starts a new segment; no failed sync is ever repeated.
///
/// Records may name things that earlier records defined. So that a lost segment cannot take the
/// definitions of later ones with it, the log counts *epochs*: a definition holds within the epoch
/// it was written in, and [`Wal::submit`] refuses a record that was encoded for an earlier one.
///
/// Dropping without [`Wal::close`] stops at once, as a crash would.
#[derive(Debug)]
pub struct Wal {
    options: WalOptions,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    closed: Arc<Mutex<Vec<ClosedSegment>>>,
    quarantined: Mutex<Quarantined>,
    writer: Mutex<Writing>,
}

/// Who writes.
#[derive(Debug)]
enum Writing {
    Thread(JoinHandle<()>),
    /// Whoever submits.
    Caller(Box<Writer>),
    /// Nobody any more.
    Ended,
}

impl Wal {
    /// Starts writing behind what was replayed, always in a new segment.
    pub fn open(options: WalOptions, replayed: Replayed) -> Result<Self, Error> {
        let directory = &options.directory;
        options
            .vfs
            .create_dir_all(directory)
            .map_err(Error::io("create", directory))?;
        let queue = Arc::new(Queue::new(
            replayed.last_seq + 1,
            options.queue_bytes,
            options.segment_bytes,
        ));
        let counters = Arc::new(Counters::default());
        counters.note_durable(replayed.last_seq);
        let number = replayed.next_number.max(1);
        let held = quarantine::look(options.vfs.as_ref(), directory)?;
        let closed = Arc::new(Mutex::new(replayed.segments));
        let writer = Writer {
            vfs: Arc::clone(&options.vfs),
            directory: directory.clone(),
            clock: Arc::clone(&options.clock),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            closed: Arc::clone(&closed),
            segment: None,
            number,
            good_seq: replayed.last_seq,
            buffer: Vec::new(),
            preallocated_bytes: options.preallocated_bytes,
        };
        let writing = if options.threaded {
            let thread = std::thread::Builder::new()
                .name("wal-writer".to_owned())
                .spawn(move || abort_on_panic("wal-writer", || writer.run()))
                .map_err(Error::io("start the writer of", directory))?;
            Writing::Thread(thread)
        } else {
            Writing::Caller(Box::new(writer))
        };
        Ok(Self {
            options,
            queue,
            counters,
            closed,
            quarantined: Mutex::new(held),
            writer: Mutex::new(writing),
        })
    }

    /// Waits until the queue has room. Callers do so before they take the locks under which they
    /// encode and submit, so that a slow disk holds up no reader.
    pub fn wait_for_room(&self) -> Result<(), Error> {
        self.queue.wait_for_room(self.options.patience)
    }

    /// Returns the present epoch. What a record builds on must have been submitted in the same.
    pub fn epoch(&self) -> Epoch {
        self.queue.epoch()
    }

    /// Queues a record that was encoded for `epoch` and returns its number. `done` is called once,
    /// on the writer's thread, when the record is on disk or cannot get there. Never blocks on the
    /// disk.
    pub fn submit(&self, record: Record, epoch: Epoch, done: Done) -> Result<u64, Box<Refused>> {
        let seq = self.queue.push(record, epoch, done).map_err(Box::new)?;
        self.write_here();
        Ok(seq)
    }

    /// Writes what waits, if there is no thread to do so.
    fn write_here(&self) {
        if !self.options.threaded
            && let Writing::Caller(writer) = &mut *self.writer.lock()
        {
            writer.write_waiting();
        }
    }

    /// Returns the number of the last record submitted, or the one the log started after.
    pub fn last_seq(&self) -> u64 {
        self.queue.last_seq()
    }

    /// Begins a new segment and epoch and returns the number of the last record before them, the
    /// one to hand to [`Wal::truncate`] once a checkpoint holds everything up to it.
    pub fn cut(&self) -> u64 {
        let last_seq = self.queue.cut();
        self.write_here();
        last_seq
    }

    /// Removes the segments that hold no record after `through_seq`. Those that were found damaged move
    /// to the folder `quarantine` instead, as far as there is room; one that cannot be moved stays.
    pub fn truncate(&self, through_seq: u64) -> Result<(), Error> {
        self.truncate_keeping(through_seq, u64::MAX, 0).map(drop)
    }

    /// Like [`Wal::truncate`], but keeps the segments with records after `after_seq` as long as
    /// all that is kept for that alone has at most `max_bytes`; the oldest go first. Says whether
    /// some had to go.
    pub fn truncate_keeping(
        &self,
        through_seq: u64,
        after_seq: u64,
        max_bytes: u64,
    ) -> Result<bool, Error> {
        let mut superfluous = self.closed.lock().clone();
        superfluous.retain(|segment| segment.last_seq <= through_seq);
        let mut gone = superfluous.clone();
        gone.retain(|segment| segment.last_seq <= after_seq);
        let mut held_bytes = 0;
        let mut has_lost = false;
        for segment in superfluous.iter().rev() {
            if segment.last_seq <= after_seq {
                break;
            }
            let path = segment_path(&self.options.directory, segment.number);
            let file = self.options.vfs.open(&path);
            let bytes = file
                .and_then(|file| file.size())
                .map_err(Error::io("read", &path))?;
            if has_lost || held_bytes + bytes > max_bytes {
                has_lost = true;
                gone.push(*segment);
            } else {
                held_bytes += bytes;
            }
        }
        self.counters.note_held(held_bytes);
        self.remove_segments(gone)?;
        Ok(has_lost)
    }

    fn remove_segments(&self, mut gone: Vec<ClosedSegment>) -> Result<(), Error> {
        gone.retain(|segment| !segment.is_damaged || self.quarantine(segment.number));
        for segment in gone.iter().filter(|segment| !segment.is_damaged) {
            let path = segment_path(&self.options.directory, segment.number);
            self.options
                .vfs
                .remove_file(&path)
                .map_err(Error::io("remove", &path))?;
        }
        self.closed.lock().retain(|segment| !gone.contains(segment));
        Ok(())
    }

    /// Says whether the segment is out of the way.
    fn quarantine(&self, number: u64) -> bool {
        let (vfs, limit) = (self.options.vfs.as_ref(), self.options.quarantine_bytes);
        match quarantine::quarantine(vfs, &self.options.directory, number, limit) {
            Ok(held) => *self.quarantined.lock() = held,
            Err(error) => {
                tracing::warn!(segment = number, %error, "cannot put a damaged segment aside");
                return false;
            }
        }
        true
    }

    /// Returns the number of the last record that is on the disk.
    pub fn durable_seq(&self) -> u64 {
        self.counters.durable_seq()
    }

    /// Returns a reader of what is on the disk after record `after_seq`, now and later.
    pub fn follow(&self, after_seq: u64) -> WalFollower {
        WalFollower::new(
            Arc::clone(&self.options.vfs),
            self.options.directory.clone(),
            Arc::clone(&self.counters),
            after_seq,
        )
    }

    /// Keeps a copy of the damaged checkpoint `path` in the folder `quarantine`, as far as there is room;
    /// before it is replaced, for what it held may be wanted.
    pub fn keep_checkpoint(&self, path: &Path) -> Result<(), Error> {
        let (vfs, limit) = (self.options.vfs.as_ref(), self.options.quarantine_bytes);
        let directory = &self.options.directory;
        let kept = quarantine::keep_checkpoint(vfs, directory, path, limit);
        // What made way for a copy that failed is gone all the same.
        let held = match &kept {
            Ok(held) => Ok(*held),
            Err(_told_below) => quarantine::look(vfs, directory),
        };
        if let Ok(held) = held {
            *self.quarantined.lock() = held;
        }
        kept.map(|_held| ())
    }

    /// Returns how many writes and syncs have failed. Counted before the epoch ends that a failure
    /// ends: who finds none after [`Wal::epoch`] and has a record of that epoch taken builds on nothing
    /// that was lost.
    pub fn failures(&self) -> u64 {
        self.counters.failures()
    }

    /// Returns what the log counts about itself.
    pub fn stats(&self) -> WalStats {
        let stats = self.counters.snapshot();
        let quarantined = *self.quarantined.lock();
        WalStats {
            queued_bytes: self.queue.queued_bytes() as u64,
            segments: self.closed.lock().len() as u64 + 1,
            quarantined_segments: quarantined.segments,
            quarantined_bytes: quarantined.bytes,
            ..stats
        }
    }

    /// Writes what waits, ends the segment and stops.
    pub fn close(&self) {
        self.stop(false);
    }

    fn stop(&self, abort: bool) {
        self.queue.close(abort);
        match std::mem::replace(&mut *self.writer.lock(), Writing::Ended) {
            Writing::Thread(writer) => {
                if writer.join().is_err() {
                    tracing::error!("the writer of the log has panicked");
                }
            }
            Writing::Caller(writer) => writer.run(),
            Writing::Ended => {}
        }
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.stop(true);
    }
}

#[cfg(test)]
mod tests;
