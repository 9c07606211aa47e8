//! What goes because it is too old or too much.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use obsq_model::Clock;
use obsq_source::Error;
use ulid::Ulid;

use super::{MetricStore, Shared};
use crate::block::Block;
use crate::boundary::io;
use crate::options::Retention;
use crate::tenant::TenantStore;

/// A clock that moves by more than this against the machine's own has jumped.
const JUMP_MS: i64 = 60 * 60 * 1000;
/// At the start, samples that are no older than this confirm what the clock says.
const CONFIRMED_MS: i64 = 24 * 60 * 60 * 1000;
/// How long nothing expires after a jump, or after a start at a time that nothing confirms.
const DOUBT: Duration = Duration::from_mins(5);

/// Watches whether the clock can be believed, so that one that is wrong for a while, as before its
/// first synchronisation, expires nothing.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    /// Wall clock minus the clock that only goes forward, when last looked at.
    offset_ms: Option<i64>,
    doubtful_until: Duration,
}

impl ClockWatch {
    /// Says whether the clock can be believed now. `newest_ms` is the time of the newest sample.
    fn is_believed(&mut self, clock: &dyn Clock, newest_ms: i64) -> bool {
        let (now_ms, monotonic) = (clock.now_ms(), clock.monotonic());
        let offset_ms = now_ms.saturating_sub(monotonic.as_millis() as i64);
        let is_strange = match self.offset_ms.replace(offset_ms) {
            Some(known_ms) => known_ms.abs_diff(offset_ms) > JUMP_MS.unsigned_abs(),
            None => now_ms.saturating_sub(newest_ms) > CONFIRMED_MS,
        };
        if is_strange {
            tracing::info!("the clock is not confirmed: nothing expires for five minutes");
            self.doubtful_until = monotonic.saturating_add(DOUBT);
        }
        monotonic >= self.doubtful_until
    }
}

impl MetricStore {
    /// Keeps samples as `retention` says from now on.
    pub fn set_retention(&self, retention: Retention) {
        *self.shared.retention.write() = retention;
    }
}

impl Shared {
    /// Returns how long and how much is kept.
    pub(super) fn retention(&self) -> Retention {
        *self.retention.read()
    }

    /// Takes blocks off the list that lie wholly before the retention, and the oldest ones of the
    /// largest tenants as long as there is too much of all.
    pub(super) fn drop_expired(&self, watch: &mut ClockWatch) -> Result<(), Error> {
        let tenants = self.tenants.read().all();
        let retention = self.retention();
        if let Some(age_ms) = retention.time_ms {
            let newest_ms = tenants.iter().map(|tenant| tenant.newest_ms()).max();
            let clock = &self.options.clock;
            if watch.is_believed(clock.as_ref(), newest_ms.unwrap_or(i64::MIN)) {
                let kept_from_ms = clock.now_ms().saturating_sub(age_ms);
                for tenant in &tenants {
                    let is_expired = |block: &Block| block.meta().max_time <= kept_from_ms;
                    drop_blocks(tenant, is_expired);
                }
            }
        }
        if let Some(limit) = self.size_limit(retention)? {
            drop_largest(&tenants, limit);
        }
        Ok(())
    }

    /// Returns how many bytes may be kept; the percentage wins.
    fn size_limit(&self, retention: Retention) -> Result<Option<u64>, Error> {
        let Some(percentage) = retention.percentage else {
            return Ok(retention.bytes);
        };
        let data_dir = &self.options.data_dir;
        let space = self.options.vfs.space(data_dir);
        let space = space.map_err(io("look at", data_dir))?;
        Ok(Some((space.total_bytes as f64 / 100.0 * percentage) as u64))
    }
}

fn drop_blocks(tenant: &TenantStore, is_gone: impl Fn(&Block) -> bool) {
    let blocks = tenant.blocks.snapshot();
    let gone = blocks.iter().filter(|block| is_gone(block));
    let gone: Vec<Ulid> = gone.map(|block| block.meta().ulid).collect();
    drop(blocks);
    if !gone.is_empty() {
        tracing::info!(tenant = %tenant.name, blocks = gone.len(), "dropping expired blocks");
        tenant.blocks.drop_blocks(&gone);
    }
}

/// The bytes of a tenant and its blocks, the oldest last.
struct Share {
    bytes: u64,
    blocks: Vec<(u64, Ulid)>,
}

impl Share {
    fn of(tenant: &TenantStore) -> Self {
        let blocks = tenant.blocks.snapshot();
        let mut by_age: Vec<&Arc<Block>> = blocks.iter().collect();
        by_age.sort_by_key(|block| Reverse((block.meta().max_time, block.meta().min_time)));
        let blocks = by_age.into_iter();
        let blocks: Vec<_> = blocks
            .map(|block| (block.size_bytes(), block.meta().ulid))
            .collect();
        let sum: u64 = blocks.iter().map(|(bytes, _ulid)| bytes).sum();
        Self {
            bytes: sum + tenant.head.files.bytes(),
            blocks,
        }
    }
}

/// Drops the oldest block of the tenant that has most, again and again, until no more than `limit`
/// bytes are left: whoever writes much cannot drive out the samples of others.
fn drop_largest(tenants: &[Arc<TenantStore>], limit: u64) {
    let mut shares: Vec<Share> = tenants.iter().map(|tenant| Share::of(tenant)).collect();
    let mut total: u64 = shares.iter().map(|share| share.bytes).sum();
    let mut gone: BTreeSet<Ulid> = BTreeSet::new();
    while total > limit {
        let with_blocks = shares.iter_mut().filter(|share| !share.blocks.is_empty());
        let Some(largest) = with_blocks.max_by_key(|share| share.bytes) else {
            break;
        };
        if let Some((bytes, ulid)) = largest.blocks.pop() {
            largest.bytes -= bytes;
            total -= bytes;
            gone.insert(ulid);
        }
    }
    if !gone.is_empty() {
        for tenant in tenants {
            drop_blocks(tenant, |block| gone.contains(&block.meta().ulid));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A wall clock that can be set, beside one that only goes forward.
    #[derive(Debug, Default)]
    struct TwoClocks {
        wall_ms: AtomicI64,
        passed_ms: AtomicI64,
    }

    impl TwoClocks {
        fn pass(&self, ms: i64) {
            self.wall_ms.fetch_add(ms, Ordering::Relaxed);
            self.passed_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    impl Clock for TwoClocks {
        fn now_ms(&self) -> i64 {
            self.wall_ms.load(Ordering::Relaxed)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.passed_ms.load(Ordering::Relaxed).unsigned_abs())
        }
    }

    #[test]
    fn a_clock_that_jumps_is_believed_when_it_has_stayed_there() {
        let clock = TwoClocks::default();
        let mut watch = ClockWatch::default();
        assert!(watch.is_believed(&clock, 0));
        clock.pass(30 * 24 * JUMP_MS);
        assert!(watch.is_believed(&clock, 0), "time has passed");
        for jump_ms in [2 * JUMP_MS, -2 * JUMP_MS, 9000 * JUMP_MS] {
            clock.wall_ms.fetch_add(jump_ms, Ordering::Relaxed);
            assert!(!watch.is_believed(&clock, 0));
            clock.pass(299_999);
            assert!(!watch.is_believed(&clock, 0));
            clock.pass(1);
            assert!(watch.is_believed(&clock, 0));
        }
        clock.wall_ms.fetch_add(JUMP_MS / 2, Ordering::Relaxed);
        assert!(watch.is_believed(&clock, 0));
    }

    #[test]
    fn a_start_long_after_the_newest_sample_waits() {
        let clock = TwoClocks::default();
        clock.wall_ms.store(CONFIRMED_MS + 1, Ordering::Relaxed);
        let mut watch = ClockWatch::default();
        assert!(!watch.is_believed(&clock, 0));
        clock.pass(300_000);
        assert!(watch.is_believed(&clock, 0));
        assert!(ClockWatch::default().is_believed(&clock, CONFIRMED_MS));
    }
}
