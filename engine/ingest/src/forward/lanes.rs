//! The lanes of a remote, and how many there are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::lane::{self, LaneContext};
use super::part::Part;
use crate::config::QueueOptions;

/// Time between two looks at how busy the lanes are.
const PERIOD: Duration = Duration::from_secs(10);

/// Lanes that are running.
#[derive(Debug)]
pub(super) struct Lanes {
    context: Arc<LaneContext>,
    senders: Vec<mpsc::Sender<Part>>,
    tasks: Vec<JoinHandle<()>>,
    /// Time spent waiting for room in lanes since the last look.
    blocked: Duration,
    looked_at: Duration,
}

impl Lanes {
    pub(super) fn start(context: Arc<LaneContext>) -> Self {
        let mut lanes = Self {
            senders: Vec::new(),
            tasks: Vec::new(),
            blocked: Duration::ZERO,
            looked_at: context.clock.monotonic(),
            context,
        };
        lanes.open(lanes.context.config.queue.min_shards);
        lanes
    }

    pub(super) fn count(&self) -> usize {
        self.senders.len()
    }

    fn open(&mut self, count: usize) {
        let queue = &self.context.config.queue;
        // Parts hold at most a request each.
        let depth = queue.capacity.div_ceil(queue.max_samples_per_send);
        for _lane in 0..count {
            let (sender, receiver) = mpsc::channel(depth);
            let running = lane::run(Arc::clone(&self.context), receiver);
            self.tasks.push(tokio::spawn(running));
            self.senders.push(sender);
        }
        let shards = &self.context.counters.shards;
        shards.store(count as u64, Ordering::Relaxed);
    }

    /// Hands a part to a lane, which may take a while.
    pub(super) async fn send(&mut self, lane: usize, part: Part) {
        let Some(sender) = self.senders.get(lane) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(part)) = sender.try_send(part) {
            let started = self.context.clock.monotonic();
            let sent = sender.send(part).await;
            let waited = self.context.clock.monotonic().saturating_sub(started);
            self.blocked += waited;
            if sent.is_err() {
                tracing::error!("a lane of remote write has ended early, which is a bug");
            }
        }
    }

    /// Opens more lanes when they are what sending waits for, and fewer when most do nothing.
    pub(super) async fn adapt(&mut self) {
        let now = self.context.clock.monotonic();
        let period = now.saturating_sub(self.looked_at);
        if period < PERIOD {
            return;
        }
        let counters = &self.context.counters;
        let load = Load {
            blocked: self.blocked.as_secs_f64() / period.as_secs_f64(),
            busy: counters.take_busy().as_secs_f64() / period.as_secs_f64() / self.count() as f64,
            is_failing: counters.is_failing.load(Ordering::Relaxed),
        };
        self.blocked = Duration::ZERO;
        self.looked_at = now;
        let wanted = wanted(self.count(), load, &self.context.config.queue);
        if wanted != self.count() {
            // Series change their lane: what is under way must have arrived first.
            self.end().await;
            self.open(wanted);
        }
    }

    /// Lets the lanes send what they have and end.
    pub(super) async fn end(&mut self) {
        self.senders.clear();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a lane of remote write ended in a panic");
            }
        }
    }
}

/// How the lanes did in a period, as parts of it.
#[derive(Debug, Clone, Copy)]
struct Load {
    /// Waiting for room in some lane.
    blocked: f64,
    /// Waiting for answers, per lane.
    busy: f64,
    is_failing: bool,
}

/// Returns how many lanes there should be.
fn wanted(count: usize, load: Load, queue: &QueueOptions) -> usize {
    if load.is_failing {
        // More requests at once do not help a receiver that is down.
        return count;
    }
    if load.blocked > 0.3 {
        return (count * 2).min(queue.max_shards);
    }
    if load.busy < 0.2 && load.blocked == 0.0 {
        return (count / 2).max(queue.min_shards);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_follow_the_load_within_their_bounds() {
        let queue = QueueOptions {
            min_shards: 2,
            max_shards: 10,
            ..QueueOptions::default()
        };
        let load = |blocked, busy, is_failing| Load {
            blocked,
            busy,
            is_failing,
        };
        for (count, load, expected) in [
            (2, load(0.9, 1.0, false), 4),
            (8, load(0.9, 1.0, false), 10),
            (8, load(0.9, 1.0, true), 8),
            (8, load(0.0, 0.1, false), 4),
            (3, load(0.0, 0.1, false), 2),
            (8, load(0.0, 0.5, false), 8),
            (8, load(0.1, 0.1, false), 8),
        ] {
            assert_eq!(wanted(count, load, &queue), expected, "{count} {load:?}");
        }
    }
}
