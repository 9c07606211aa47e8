//! Reading the log, on threads that may block.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use obsq_model::{Clock, MetricMetadata, Tenant};
use obsq_source::{Error, LogFollower};

use super::counters::Counters;
use super::prepare::{Preparer, Share};

/// Samples after which reading pauses.
const MAX_SAMPLES: usize = 20_000;
/// Batches after which reading pauses.
const MAX_BATCHES: usize = 256;

/// A batch that was read, shared out.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) seq: u64,
    pub(super) shares: Vec<Share>,
}

/// Reads, labels and shares out. A read that nobody waits for any more does no harm: what it read
/// is read again after the next start.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    state: Arc<Mutex<State>>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct State {
    follower: Box<dyn LogFollower>,
    preparer: Preparer,
    committed_seq: u64,
}

impl Reader {
    pub(super) fn new(
        follower: Box<dyn LogFollower>,
        preparer: Preparer,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Self {
        let state = State {
            follower,
            preparer,
            committed_seq: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            counters,
            clock,
        }
    }

    /// Returns the next batches, none when there are none yet.
    pub(super) async fn read(&self, lanes: usize) -> Vec<Prepared> {
        if !self.lock().follower.has_more() {
            return Vec::new();
        }
        let reader = self.clone();
        let reading = tokio::task::spawn_blocking(move || reader.read_blocking(lanes));
        match reading.await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "reading the log for remote write ended in a panic");
                Vec::new()
            }
        }
    }

    fn read_blocking(&self, lanes: usize) -> Vec<Prepared> {
        let (mut state, mut samples) = (self.lock(), 0);
        let mut prepared = Vec::new();
        while samples < MAX_SAMPLES && prepared.len() < MAX_BATCHES {
            let batch = match state.follower.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "cannot read the log for remote write");
                    break;
                }
            };
            let seq = batch.seq;
            let shares = state.preparer.prepare(batch, lanes, self.clock.now_ms());
            samples += shares.iter().map(|share| share.weight).sum::<usize>();
            prepared.push(Prepared { seq, shares });
        }
        let lost = state.follower.lost_batches();
        if self.counters.lost_batches.swap(lost, Ordering::Relaxed) < lost {
            tracing::error!(lost, "batches were gone before remote write had read them");
        }
        prepared
    }

    /// Notes on the disk that everything up to a batch is acknowledged.
    pub(super) async fn commit(&self, through_seq: u64) {
        let reader = self.clone();
        let committing = tokio::task::spawn_blocking(move || reader.commit_blocking(through_seq));
        match committing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot save how far remote write has come");
            }
            Err(error) => tracing::error!(%error, "saving the position ended in a panic"),
        }
    }

    fn commit_blocking(&self, through_seq: u64) -> Result<(), Error> {
        let mut state = self.lock();
        if through_seq > state.committed_seq {
            state.follower.commit(through_seq)?;
            state.committed_seq = through_seq;
        }
        Ok(())
    }

    /// Returns all metadata that is known.
    pub(super) async fn metadata(&self) -> Vec<(Tenant, Vec<(String, MetricMetadata)>)> {
        let reader = self.clone();
        let reading = tokio::task::spawn_blocking(move || reader.lock().preparer.metadata.all());
        reading.await.unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
