//! How fast requests may come: a bucket of tokens, one for each request.

use std::sync::Arc;
use std::time::Duration;

use obsq_ingest::config::RateLimit;
use obsq_model::Clock;
use parking_lot::Mutex;

/// The bucket, shared by all ports.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    /// When the bucket will be full again, which says how full it is.
    full_at: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            full_at: Mutex::new(Duration::ZERO),
            clock,
        }
    }

    /// Takes a token out of the bucket; says whether there was one.
    pub(super) fn take(&self, limit: RateLimit) -> bool {
        let now = self.clock.monotonic();
        let mut full_at = self.full_at.lock();
        let next = (*full_at).max(now).saturating_add(limit.interval);
        let fits = next.saturating_sub(now) <= limit.interval.saturating_mul(limit.burst);
        if fits {
            *full_at = next;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[test]
    fn a_burst_passes_and_then_one_in_each_interval() {
        let clock = Arc::new(ManualClock::at(0));
        let pace = Pace::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let limit = RateLimit {
            interval: Duration::from_secs(1),
            burst: 3,
        };
        let passed = |pace: &Pace| (0..10).filter(|_| pace.take(limit)).count();
        assert_eq!(passed(&pace), 3);
        clock.advance_ms(2_500);
        assert_eq!(passed(&pace), 2);
        clock.advance_ms(3_600_000);
        assert_eq!(passed(&pace), 3);
    }
}
