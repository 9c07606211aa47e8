//! Deleting from the store.

use std::sync::Arc;

use obsq_model::{Matcher, Tenant, TimeRange};
use obsq_source::{Durable, Error};
use obsq_wal::{Done, Record, Wal};

use super::{MetricStore, Shared};
use crate::boundary::from_wal;
use crate::deletion::Deletion;
use crate::stats::add;
use crate::tenant::TenantStore;

impl MetricStore {
    /// Deletes the samples and exemplars in `range` of all series that any of `selectors` selects: those
    /// that were acknowledged before the call, and no others. When this returns, the deletion is on
    /// disk. What is written to the same series afterwards is visible again.
    ///
    /// After an error a part may be deleted. Blocks keep the bytes until they are compacted or
    /// [`MetricStore::clean_tombstones`] is called.
    pub fn delete_series(
        &self,
        tenant: &Tenant,
        selectors: Vec<Vec<Matcher>>,
        range: TimeRange,
    ) -> Result<(), Error> {
        let shared = &self.shared;
        shared.check_ready()?;
        let Some(tenant) = shared.tenant(tenant) else {
            return Ok(());
        };
        let deletion = Deletion { selectors, range };
        shared.wal()?.wait_for_room().map_err(from_wal)?;
        shared.delete(&tenant, &deletion)?;
        add(&shared.counters.deletions, 1);
        Ok(())
    }

    /// Writes the blocks of `tenant` that have tombstones anew without what is deleted, and returns
    /// how many there were. Waits for a compaction that runs.
    pub fn clean_tombstones(&self, tenant: &Tenant) -> Result<usize, Error> {
        let shared = &self.shared;
        shared.check_ready()?;
        let Some(tenant) = shared.tenant(tenant) else {
            return Ok(0);
        };
        let _one_at_a_time = shared.compacting.lock();
        let now_ms = shared.options.clock.now_ms();
        let stop = || shared.is_stopping();
        Ok(tenant.blocks.clean(now_ms, &stop)?)
    }
}

impl Shared {
    /// Logs a deletion and applies it to head, blocks and exemplars. Nothing may move from the head
    /// into a block meanwhile, or it would be missed in both.
    fn delete(&self, tenant: &Arc<TenantStore>, deletion: &Deletion) -> Result<(), Error> {
        let _no_seal = tenant.head.hold_seals();
        let (sender, durable) = Durable::pending();
        let done = Box::new(move |written: Result<(), obsq_wal::Error>| {
            // Nobody may be waiting any more.
            drop(sender.send(written.map_err(from_wal)));
        });
        let wal = self.wal()?;
        let from_head = tenant
            .head
            .delete(deletion, || log(wal, tenant, deletion, done));
        from_head?;
        // The head holds values that lose against those in blocks: it must not come back without them.
        durable.wait_blocking()?;
        tenant.blocks.delete(deletion)?;
        tenant.exemplars.lock().delete(deletion);
        tenant.save_companions()
    }
}

/// Writes the record of a deletion and returns its number; `done` is told when it is on disk.
fn log(wal: &Wal, tenant: &TenantStore, deletion: &Deletion, mut done: Done) -> Result<u64, Error> {
    let mut record = Record::default();
    loop {
        let epoch = wal.epoch();
        record.clear();
        deletion.encode(record.buffer(), tenant.number(), tenant.name.as_str());
        match wal.submit(record, epoch, done) {
            Ok(seq) => return Ok(seq),
            Err(refused) => {
                if let Some(error) = refused.error {
                    return Err(from_wal(error));
                }
                (record, done) = (refused.record, refused.done);
            }
        }
    }
}
