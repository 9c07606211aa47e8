//! What waits to be written.

use std::fmt;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::Error;
use crate::record::{MAX_PAYLOAD_BYTES, Record};

/// Called once with what became of a record, on the writer's thread.
pub type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Counts the stretches of the log within which definitions hold; see [`crate::Wal::epoch`].
pub type Epoch = u32;

/// One entry of the queue, in the order of writing.
pub(crate) enum Entry {
    Record {
        record: Record,
        seq: u64,
        done: Done,
    },
    /// What follows goes to a new segment.
    Cut,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { seq, .. } => write!(f, "Record({seq})"),
            Self::Cut => f.write_str("Cut"),
        }
    }
}

/// A record that the queue did not take, given back with its callback.
pub struct Refused {
    /// The record, unchanged.
    pub record: Record,
    /// Its callback, not called.
    pub done: Done,
    /// `None` when the epoch has changed: encode again and submit again. Else why nothing will
    /// ever be taken.
    pub error: Option<Error>,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({:?})", self.error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// Write what waits, then stop.
    Drain,
    /// Stop at once; what waits fails.
    Abort,
}

#[derive(Debug)]
struct State {
    entries: Vec<Entry>,
    /// Bytes of records that wait or are being written.
    queued_bytes: usize,
    /// Bytes of records given to the current segment.
    segment_bytes: u64,
    next_seq: u64,
    epoch: Epoch,
    closing: Closing,
}

/// The queue between the threads that append and the one that writes. Bounded in bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
    limit_bytes: usize,
    segment_limit_bytes: u64,
}

impl Queue {
    pub(crate) fn new(next_seq: u64, limit_bytes: usize, segment_limit_bytes: u64) -> Self {
        Self {
            state: Mutex::new(State {
                entries: Vec::new(),
                queued_bytes: 0,
                segment_bytes: 0,
                next_seq,
                epoch: 1,
                closing: Closing::No,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
            limit_bytes,
            segment_limit_bytes,
        }
    }

    /// Waits until the queue is below its limit, but not longer than `patience`.
    pub(crate) fn wait_for_room(&self, patience: Duration) -> Result<(), Error> {
        let mut state = self.state.lock();
        let full = |state: &mut State| {
            state.queued_bytes >= self.limit_bytes && state.closing == Closing::No
        };
        let waited = self.drained.wait_while_for(&mut state, full, patience);
        if waited.timed_out() && full(&mut state) {
            return Err(Error::QueueFull {
                queued_bytes: state.queued_bytes,
            });
        }
        if state.closing != Closing::No {
            return Err(Error::Closed);
        }
        Ok(())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.state.lock().epoch
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.state.lock().next_seq - 1
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.state.lock().queued_bytes
    }

    /// Numbers and takes the record, unless the epoch has changed since it was encoded.
    pub(crate) fn push(
        &self,
        mut record: Record,
        epoch: Epoch,
        done: Done,
    ) -> Result<u64, Refused> {
        let len = record.payload().len();
        if len > MAX_PAYLOAD_BYTES {
            let limit = MAX_PAYLOAD_BYTES;
            let error = Some(Error::TooLong { len, limit });
            return Err(Refused {
                record,
                done,
                error,
            });
        }
        record.seal();
        let mut state = self.state.lock();
        if state.closing != Closing::No || state.epoch != epoch {
            let error = (state.closing != Closing::No).then_some(Error::Closed);
            return Err(Refused {
                record,
                done,
                error,
            });
        }
        let seq = state.next_seq;
        state.next_seq += 1;
        record.number(seq);
        state.queued_bytes += record.bytes().len();
        state.segment_bytes += record.bytes().len() as u64;
        state.entries.push(Entry::Record { record, seq, done });
        if state.segment_bytes >= self.segment_limit_bytes {
            cut(&mut state);
        }
        self.filled.notify_one();
        Ok(seq)
    }

    /// Begins a new segment and returns the number of the last record before it.
    pub(crate) fn cut(&self) -> u64 {
        let mut state = self.state.lock();
        if state.segment_bytes > 0 {
            cut(&mut state);
            self.filled.notify_one();
        }
        state.next_seq - 1
    }

    /// Waits for entries and takes all of them; `None` when the writer has to stop.
    pub(crate) fn take(&self) -> Option<Vec<Entry>> {
        let mut state = self.state.lock();
        self.filled.wait_while(&mut state, |state| {
            state.entries.is_empty() && state.closing == Closing::No
        });
        if state.closing == Closing::Abort || state.entries.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut state.entries))
    }

    /// Takes what came meanwhile and begins a new epoch, after a failed write: nothing that builds
    /// on the failed records may be written any more.
    pub(crate) fn fail(&self) -> Vec<Entry> {
        let mut state = self.state.lock();
        state.epoch += 1;
        state.segment_bytes = 0;
        std::mem::take(&mut state.entries)
    }

    /// Gives back room for `bytes` that were written or have failed.
    pub(crate) fn release(&self, bytes: usize) {
        self.state.lock().queued_bytes -= bytes;
        self.drained.notify_all();
    }

    /// Lets the writer stop, after writing what waits unless `abort`.
    pub(crate) fn close(&self, abort: bool) {
        let mut state = self.state.lock();
        if state.closing != Closing::No {
            return;
        }
        state.closing = if abort {
            Closing::Abort
        } else {
            Closing::Drain
        };
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Says whether the writer was told to stop at once.
    pub(crate) fn is_aborted(&self) -> bool {
        self.state.lock().closing == Closing::Abort
    }

    /// Takes what waits now, or is left after the writer has stopped.
    pub(crate) fn take_waiting(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state.lock().entries)
    }
}

fn cut(state: &mut State) {
    state.entries.push(Entry::Cut);
    state.segment_bytes = 0;
    state.epoch += 1;
}
