//! From the thread that writes an answer to the task that sends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::prom::ApiError;

/// Bytes that are written ahead of a client that keeps up.
const AHEAD_BYTES: usize = 256 << 10;
/// Bytes that may wait for slow clients, over all answers.
const BACKLOG_BYTES: usize = 256 << 20;
/// Threads that may wait for slow clients once that much waits.
const WAITING_THREADS: usize = 32;
/// How long a thread waits before a client counts as slow.
const PATIENCE: Duration = Duration::from_millis(50);

/// A part of an answer.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    /// Compressed; all parts of an answer are, or none.
    pub(super) gzip: bool,
    pub(super) last: bool,
}

/// What all answers together hold for slow clients.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: AtomicUsize,
    threads: AtomicUsize,
    limit_bytes: usize,
    limit_threads: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self::new(BACKLOG_BYTES, WAITING_THREADS)
    }
}

impl Backlog {
    pub(super) fn new(limit_bytes: usize, limit_threads: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
            limit_bytes,
            limit_threads,
        }
    }

    /// Returns the bytes that wait at present.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn take_bytes(&self, count: usize) -> bool {
        take(&self.bytes, count, self.limit_bytes)
    }

    fn take_thread(&self) -> bool {
        take(&self.threads, 1, self.limit_threads)
    }
}

fn take(held: &AtomicUsize, count: usize, limit: usize) -> bool {
    if held.fetch_add(count, Ordering::Relaxed) + count > limit {
        held.fetch_sub(count, Ordering::Relaxed);
        return false;
    }
    true
}

/// A part that waits, and what of it counts in the backlog.
#[derive(Debug)]
struct Waiting {
    part: Result<Part, ApiError>,
    counted: usize,
}

/// What is known of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pace {
    #[default]
    KeepsUp,
    Slow,
    /// A part found no room, so that no other may follow.
    BrokenOff,
}

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Waiting>,
    bytes: usize,
    pace: Pace,
    sender_gone: bool,
    receiver_gone: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ready: Notify,
    room: Condvar,
    backlog: Arc<Backlog>,
}

/// Where parts go in; blocks.
#[derive(Debug)]
pub(super) struct Sender(Arc<Shared>);

/// Where parts come out.
#[derive(Debug)]
pub(super) struct Receiver(Arc<Shared>);

/// Returns both ends of an empty queue.
pub(super) fn queue(backlog: Arc<Backlog>) -> (Sender, Receiver) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        ready: Notify::new(),
        room: Condvar::new(),
        backlog,
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl Sender {
    /// Adds a part, once there is room for it; says whether the client still listens.
    pub(super) fn send(&self, part: Result<Part, ApiError>) -> bool {
        let size = part.as_ref().map_or(0, |part| part.bytes.len());
        let mut state = self.0.state.lock();
        if state.pace == Pace::KeepsUp && !state.has_room() {
            let full = |state: &mut State| !state.has_room() && !state.receiver_gone;
            let waited = self.0.room.wait_while_for(&mut state, full, PATIENCE);
            if waited.timed_out() {
                state.pace = Pace::Slow;
            }
        }
        let mut counted = 0;
        if !state.has_room() && state.pace != Pace::BrokenOff {
            if self.0.backlog.take_bytes(size) {
                counted = size;
            } else if self.0.backlog.take_thread() {
                let full = |state: &mut State| !state.has_room() && !state.receiver_gone;
                self.0.room.wait_while(&mut state, full);
                self.0.backlog.threads.fetch_sub(1, Ordering::Relaxed);
            } else {
                tracing::warn!("too many slow clients: an answer breaks off");
                state.pace = Pace::BrokenOff;
            }
        }
        if state.receiver_gone || state.pace == Pace::BrokenOff {
            self.0.backlog.bytes.fetch_sub(counted, Ordering::Relaxed);
            return false;
        }
        state.bytes += size;
        state.parts.push_back(Waiting { part, counted });
        self.0.ready.notify_one();
        true
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.bytes < AHEAD_BYTES
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.state.lock().sender_gone = true;
        self.0.ready.notify_one();
    }
}

impl Receiver {
    /// Returns the next part, or `None` when there is none any more.
    pub(super) async fn next(&mut self) -> Option<Result<Part, ApiError>> {
        loop {
            if let Poll::Ready(next) = self.take() {
                return next;
            }
            self.0.ready.notified().await;
        }
    }

    /// Returns what is there at once: a part or the end.
    fn take(&self) -> Poll<Option<Result<Part, ApiError>>> {
        let mut state = self.0.state.lock();
        let Some(Waiting { part, counted }) = state.parts.pop_front() else {
            return if state.sender_gone {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        };
        state.bytes -= part.as_ref().map_or(0, |part| part.bytes.len());
        self.0.backlog.bytes.fetch_sub(counted, Ordering::Relaxed);
        self.0.room.notify_one();
        Poll::Ready(Some(part))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.receiver_gone = true;
        let counted: usize = state.parts.drain(..).map(|waiting| waiting.counted).sum();
        self.0.backlog.bytes.fetch_sub(counted, Ordering::Relaxed);
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a part of that size.
    fn send(sender: &Sender, bytes: usize) -> bool {
        sender.send(Ok(Part {
            bytes: vec![b'x'; bytes],
            gzip: false,
            last: false,
        }))
    }

    #[tokio::test]
    async fn the_thread_of_a_client_that_takes_nothing_is_free_at_once() {
        let backlog = Arc::new(Backlog::new(10 << 20, 0));
        let (sender, mut receiver) = queue(Arc::clone(&backlog));
        for _ in 0..20 {
            assert!(send(&sender, AHEAD_BYTES));
        }
        assert_eq!(backlog.bytes(), 19 * AHEAD_BYTES);
        drop(sender);
        let mut received = 0;
        while let Some(part) = receiver.next().await {
            received += part.unwrap().bytes.len();
        }
        assert_eq!((received, backlog.bytes()), (20 * AHEAD_BYTES, 0));
    }

    #[test]
    fn beyond_the_budget_an_answer_breaks_off() {
        let backlog = Arc::new(Backlog::new(AHEAD_BYTES, 0));
        let (first, receiver) = queue(Arc::clone(&backlog));
        assert!(send(&first, AHEAD_BYTES) && send(&first, AHEAD_BYTES));
        assert!(!send(&first, AHEAD_BYTES));
        assert!(receiver.take().is_ready() && receiver.take().is_ready());
        assert!(!send(&first, 1), "no part may follow one that is missing");
        drop(receiver);
        assert_eq!(backlog.bytes(), 0);
        assert!(!send(&first, 1));
    }

    #[test]
    fn a_thread_that_waits_goes_on_when_there_is_room_or_nobody_listens() {
        let backlog = Arc::new(Backlog::new(0, 1));
        for takes in [true, false] {
            let (sender, receiver) = queue(Arc::clone(&backlog));
            assert!(send(&sender, AHEAD_BYTES));
            let writing = std::thread::spawn(move || send(&sender, 1));
            while backlog.threads.load(Ordering::Relaxed) == 0 && !writing.is_finished() {
                std::thread::yield_now();
            }
            if takes {
                assert!(receiver.take().is_ready());
            } else {
                drop(receiver);
            }
            assert_eq!(writing.join().unwrap(), takes);
            assert_eq!(backlog.threads.load(Ordering::Relaxed), 0);
        }
    }
}
