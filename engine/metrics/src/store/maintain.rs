//! What the store does by the clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use obsq_source::Error;
use obsq_wal::Wal;

use super::retention::ClockWatch;
use super::{Shared, wal_directory};
use crate::boundary::from_wal;
use crate::checkpoint::{checkpoint_path, write_checkpoint};
use crate::head::{SealRequest, seal_due_ms};
use crate::options::StoreOptions;
use crate::stats::add;
use crate::tenant::TenantStore;

/// A checkpoint is written when the last one is this old,
const CHECKPOINT_INTERVAL_MS: i64 = 5 * 60 * 1000;
/// or when the log has grown by this much.
const CHECKPOINT_BYTES: u64 = 256 << 20;

/// What was done last.
#[derive(Debug)]
pub(crate) struct Maintenance {
    checkpoint_ms: i64,
    checkpoint_bytes: u64,
    /// Failed log writes whose samples may be in the heads but not in the log.
    failures: u64,
    /// Whether something was sealed that the checkpoint still has.
    sealed: bool,
    clock: ClockWatch,
}

impl Maintenance {
    pub(super) fn begin(options: &StoreOptions) -> Self {
        Self {
            checkpoint_ms: options.clock.now_ms(),
            checkpoint_bytes: 0,
            failures: 0,
            sealed: false,
            clock: ClockWatch::default(),
        }
    }
}

impl Shared {
    /// Does what is due. One failure does not keep the rest from being tried.
    pub(super) fn maintain(&self) -> Result<(), Error> {
        if !self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut done = Ok(());
        let mut note = |result: Result<(), Error>| {
            if let Err(error) = result {
                add(&self.counters.failures, 1);
                done = Err(error);
            }
        };
        let mut last = self.maintenance.lock();
        let now_ms = self.options.clock.now_ms();
        for tenant in self.tenants.read().all() {
            if tenant.sealing.rests(now_ms) {
                continue;
            }
            let sealed = self.seal_due(&tenant, now_ms, &mut last);
            tenant.sealing.note(now_ms, &tenant.name, &sealed);
            note(sealed);
        }
        if !self.checkpointing.rests(now_ms) && self.is_checkpoint_due(&last, now_ms) {
            note(self.write_checkpoint(&mut last));
        }
        note(self.drop_expired(&mut last.clock));
        for tenant in self.tenants.read().all() {
            tenant.blocks.sweep();
        }
        done
    }

    /// Merges blocks as long as there is something to merge.
    pub(super) fn compact(&self) -> Result<(), Error> {
        if !self.ready.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one_at_a_time = self.compacting.lock();
        let mut done = Ok(());
        let stop = || self.is_stopping();
        for tenant in self.tenants.read().all() {
            let now_ms = self.options.clock.now_ms();
            if tenant.compacting.rests(now_ms) {
                continue;
            }
            loop {
                let (blocks, retention_ms) = (&tenant.blocks, self.retention().time_ms);
                let compacted = blocks.compact(now_ms, retention_ms, &stop);
                if !matches!(compacted, Err(crate::Error::Stopped)) {
                    tenant.compacting.note(now_ms, &tenant.name, &compacted);
                }
                match compacted {
                    Ok(true) => add(&self.counters.compactions, 1),
                    Ok(false) | Err(crate::Error::Stopped) => break,
                    Err(error) => {
                        add(&self.counters.failures, 1);
                        done = Err(error.into());
                        break;
                    }
                }
            }
        }
        done
    }

    /// Seals everything of all tenants and writes a checkpoint.
    pub(super) fn flush(&self) -> Result<(), Error> {
        let mut last = self.maintenance.lock();
        let mut done = Ok(());
        for tenant in self.tenants.read().all() {
            let head = &tenant.head;
            let newest_ms = head.newest_ms().saturating_add(1);
            let until_ms = newest_ms.max(head.horizon().late_before_ms);
            let sealed = self.seal(&tenant, until_ms, true, &mut last);
            let now_ms = self.options.clock.now_ms();
            tenant.sealing.note(now_ms, &tenant.name, &sealed);
            if sealed.is_err() {
                done = sealed;
            }
        }
        self.write_checkpoint(&mut last)?;
        done
    }

    /// Writes a checkpoint, whether it is due or not.
    pub(super) fn checkpoint(&self) -> Result<(), Error> {
        self.write_checkpoint(&mut self.maintenance.lock())
    }

    fn seal_due(
        &self,
        tenant: &TenantStore,
        now_ms: i64,
        last: &mut Maintenance,
    ) -> Result<(), Error> {
        let head = &tenant.head;
        let sealed_ms = head.horizon().late_before_ms;
        let late = head.late.is_due(now_ms);
        // Never further than there are samples: a clock that is wrong must not make all that comes
        // later late.
        let until_ms = seal_due_ms(now_ms)
            .min(head.newest_window_end_ms())
            .max(sealed_ms);
        if !late && head.oldest_ms() >= until_ms {
            return Ok(());
        }
        self.seal(tenant, until_ms, late, last)
    }

    fn seal(
        &self,
        tenant: &TenantStore,
        until_ms: i64,
        late: bool,
        last: &mut Maintenance,
    ) -> Result<(), Error> {
        let log = self.wal()?;
        let request = SealRequest {
            until_ms,
            late,
            now_ms: self.options.clock.now_ms(),
            retention_ms: self.retention().time_ms,
        };
        let blocks = tenant
            .head
            .seal(request, &tenant.blocks, || log.last_seq())?;
        if blocks > 0 {
            add(&self.counters.seals, blocks as u64);
            last.sealed = true;
            tenant.head.files.rotate();
        }
        Ok(())
    }

    fn is_checkpoint_due(&self, last: &Maintenance, now_ms: i64) -> bool {
        let wal = self.wal.get().map(Wal::stats).unwrap_or_default();
        let grown = wal.bytes.saturating_sub(last.checkpoint_bytes);
        let age_ms = now_ms.saturating_sub(last.checkpoint_ms);
        let old = !(0..CHECKPOINT_INTERVAL_MS).contains(&age_ms);
        last.sealed
            || wal.failures != last.failures
            || grown >= CHECKPOINT_BYTES
            || (old && grown > 0)
    }

    fn write_checkpoint(&self, last: &mut Maintenance) -> Result<(), Error> {
        let written = self.try_checkpoint(last);
        let now_ms = self.options.clock.now_ms();
        self.checkpointing.note(now_ms, "all tenants", &written);
        written
    }

    fn try_checkpoint(&self, last: &mut Maintenance) -> Result<(), Error> {
        let log = self.wal()?;
        let wal = log.stats();
        let now_ms = self.options.clock.now_ms();
        let through_seq = log.cut();
        let tenants: Vec<Arc<TenantStore>> = self.tenants.read().all();
        let unused: Vec<_> = tenants
            .iter()
            .map(|tenant| tenant.head.files.unused())
            .collect();
        let vfs = self.options.vfs.as_ref();
        // The companions first: once the checkpoint is there, older log records are not read again.
        for tenant in &tenants {
            tenant.head.settle();
            tenant.save_companions()?;
        }
        self.keep_damaged_checkpoint(log);
        write_checkpoint(vfs, &wal_directory(&self.options), &tenants, through_seq)?;
        self.checkpoint_damaged.store(false, Ordering::Relaxed);
        self.truncate_log(log, through_seq)?;
        for (tenant, unused) in tenants.iter().zip(unused) {
            tenant.head.files.remove_unused(&unused)?;
        }
        self.settled_failures.store(wal.failures, Ordering::Release);
        *last = Maintenance {
            checkpoint_ms: now_ms,
            checkpoint_bytes: wal.bytes,
            failures: wal.failures,
            sealed: false,
            clock: std::mem::take(&mut last.clock),
        };
        add(&self.counters.checkpoints, 1);
        Ok(())
    }

    /// Removes what neither a start nor a follower needs of the log.
    fn truncate_log(&self, log: &Wal, through_seq: u64) -> Result<(), Error> {
        let Some(after_seq) = self.cursors.lock().oldest_seq() else {
            return log.truncate(through_seq).map_err(from_wal);
        };
        let max_bytes = self.options.held_log_bytes;
        let has_lost = log
            .truncate_keeping(through_seq, after_seq, max_bytes)
            .map_err(from_wal)?;
        if has_lost {
            tracing::error!(
                max_bytes,
                "what waits to be sent is more than may be kept, the oldest of it is dropped"
            );
        }
        Ok(())
    }

    /// Copies a checkpoint that was found damaged before the next one replaces it. Without a copy the
    /// next one is written all the same: what the heads hold matters more.
    fn keep_damaged_checkpoint(&self, log: &Wal) {
        if !self.checkpoint_damaged.load(Ordering::Relaxed) {
            return;
        }
        let path = checkpoint_path(&wal_directory(&self.options));
        match log.keep_checkpoint(&path) {
            Ok(()) => self.checkpoint_damaged.store(false, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "cannot keep the damaged checkpoint"),
        }
    }
}
