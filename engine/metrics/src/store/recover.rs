//! From checkpoint and log back into the heads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use obsq_model::{Labels, Sample, Tenant, TimeRange};
use obsq_source::{Error, Samples};
use obsq_wal::{Wal, WalOptions, remove_unfinished};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

use super::{Shared, wal_directory};
use crate::boundary::{from_wal, unavailable};
use crate::checkpoint::read_checkpoint;
use crate::deletion::{Deletion, DeletionRecord};
use crate::head::{Horizon, Outcome, Series, SeriesState, hash_of};
use crate::record::DecodedRecord;
use crate::tenant::TenantStore;

/// Replays the log beside reads that are served already.
#[derive(Debug)]
pub(super) struct RecoveryThread {
    state: Arc<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` while the replay runs.
    outcome: Mutex<Option<Result<(), Error>>>,
    ended: Condvar,
}

impl RecoveryThread {
    /// Starts the replay. When it has gone well the store is ready.
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, Error> {
        let (state, shared) = (Arc::new(State::default()), Arc::clone(shared));
        let ended = Arc::clone(&state);
        let builder = std::thread::Builder::new().name("metrics-replay".to_owned());
        let started = builder.spawn(move || {
            // Reads go on without what the log has; who waits for it is told.
            let outcome = catch_unwind(AssertUnwindSafe(|| recover(&shared)));
            let outcome = outcome.unwrap_or_else(|_panic| {
                Err(unavailable(
                    "the metrics store (the replay of its log has panicked)",
                ))
            });
            if let Err(error) = &outcome {
                tracing::error!(%error, "cannot recover the metrics store");
            }
            // Whoever waits may want the directory's lock next.
            drop(shared);
            *ended.outcome.lock() = Some(outcome);
            ended.ended.notify_all();
        });
        let thread = started.map_err(|_error| unavailable("a thread for the metrics store"))?;
        Ok(Self {
            state,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits for the end of the replay and returns, once, why it failed.
    pub(super) fn wait(&self) -> Result<(), Error> {
        let mut outcome = self.state.outcome.lock();
        let running = |outcome: &mut Option<_>| outcome.is_none();
        self.state.ended.wait_while(&mut outcome, running);
        outcome.replace(Ok(())).unwrap_or(Ok(()))
    }

    /// Waits for the end of the thread.
    pub(super) fn end(&self) {
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the replay of the metrics log has panicked");
        }
    }
}

/// Reads the checkpoint, replays the log and opens it for writing.
fn recover(shared: &Shared) -> Result<(), Error> {
    let options = &shared.options;
    let mut wal_options = WalOptions::new(
        Arc::clone(&options.vfs),
        Arc::clone(&options.clock),
        wal_directory(options),
    );
    (options.tune_log)(&mut wal_options);
    let (vfs, wal_directory) = (options.vfs.as_ref(), &wal_options.directory);
    remove_unfinished(vfs, wal_directory).map_err(from_wal)?;
    let mut recovery = Recovery {
        shared,
        covered: FxHashMap::default(),
        orphans: FxHashMap::default(),
        deletions: Vec::new(),
        through_seq: 0,
        unreadable: 0,
        failed: None,
    };
    let checkpoint = recovery.read_checkpoint(&wal_options)?;
    let replayed = obsq_wal::replay(&wal_options, recovery.through_seq, |seq, payload| {
        if shared.is_stopping() {
            return;
        }
        if let Some(record) = DecodedRecord::decode(payload) {
            recovery.insert(seq, record);
        } else if let Some(record) = DeletionRecord::decode(payload) {
            recovery.delete(seq, record);
        } else {
            recovery.unreadable += 1;
        }
    });
    let mut replayed = replayed.map_err(from_wal)?;
    if shared.is_stopping() {
        return Err(unavailable(super::NOT_READY));
    }
    let corruptions = replayed.corruptions + recovery.unreadable + u64::from(checkpoint.damaged);
    shared.corruptions.store(corruptions, Ordering::Relaxed);
    shared
        .checkpoint_damaged
        .store(checkpoint.damaged, Ordering::Relaxed);
    recovery.finish(!checkpoint.damaged)?;
    // Should the log be lost, numbers must all the same go on behind those in blocks and heads.
    for tenant in shared.tenants.read().all() {
        for series in tenant.head.index.read().iter() {
            replayed.last_seq = replayed.last_seq.max(series.state.lock().last_seq);
        }
        for block in tenant.blocks.snapshot().iter() {
            replayed.last_seq = replayed.last_seq.max(block.meta().first_seq());
        }
    }
    let missing = replayed.damage.missing_records();
    shared.missing_records.store(missing, Ordering::Relaxed);
    shared
        .replayed_records
        .store(replayed.records, Ordering::Relaxed);
    if shared.lock.is_none() {
        shared.pin_files();
        shared.ready.store(true, Ordering::Release);
        return Ok(());
    }
    let wal = Wal::open(wal_options, replayed).map_err(from_wal)?;
    if shared.wal.set(wal).is_err() {
        return Err(unavailable(super::NOT_READY));
    }
    shared.ready.store(true, Ordering::Release);
    Ok(())
}

/// Samples and the number of the log record that they were in.
type OrphanedRun = (u64, Samples);

/// The state of a start.
struct Recovery<'a> {
    shared: &'a Shared,
    /// By tenant: times whose samples are in a block, up to a log record.
    covered: FxHashMap<u32, Vec<(TimeRange, u64)>>,
    /// Samples of series whose definition has not been met yet, by tenant and series.
    orphans: FxHashMap<(u32, u32), Vec<OrphanedRun>>,
    /// Deletions that orphans may have missed, with tenant and number.
    deletions: Vec<(u32, u64, Deletion)>,
    through_seq: u64,
    unreadable: u64,
    failed: Option<Error>,
}

impl Recovery<'_> {
    fn read_checkpoint(
        &mut self,
        wal_options: &WalOptions,
    ) -> Result<crate::checkpoint::CheckpointInfo, Error> {
        let shared = self.shared;
        let vfs = shared.options.vfs.as_ref();
        let mut failed = None;
        let info = read_checkpoint(vfs, &wal_options.directory, |name, number| {
            let opened = shared.open_tenant(name, Some(number));
            opened.map_err(|error| failed = Some(error)).ok()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.through_seq = info.through_seq;
        for tenant in shared.tenants.read().all() {
            self.note_covered(&tenant);
        }
        Ok(info)
    }

    /// Notes what seals have put into blocks since the checkpoint, and drops it from the head.
    fn note_covered(&mut self, tenant: &TenantStore) {
        let mut covered = Vec::new();
        for block in tenant.blocks.snapshot().iter() {
            let meta = block.meta();
            let sealed = meta.obsq.is_some() && meta.compaction.level == 1;
            // Not when equal: the checkpoint may have followed, and then holds later samples too.
            if sealed && meta.first_seq() > self.through_seq {
                covered.push((block.range(), meta.first_seq()));
                tenant.head.advance_horizon(Horizon {
                    late_before_ms: meta.max_time,
                    published_until_ms: meta.max_time,
                });
            }
        }
        for (range, _seq) in &covered {
            for series in tenant.head.index.read().iter() {
                series.state.lock().forget(*range);
            }
        }
        self.covered.insert(tenant.number(), covered);
    }

    /// Returns the tenant of a record that has this number and, unless it is empty, this name.
    fn tenant(&mut self, number: u32, name: &str) -> Option<Arc<TenantStore>> {
        let tenants = self.shared.tenants.read();
        let known = tenants.by_number(number).cloned();
        drop(tenants);
        let Ok(name) = Tenant::parse(name) else {
            return known;
        };
        if let Some(known) = known
            && known.name == name
        {
            return Some(known);
        }
        let opened = self.shared.open_tenant(&name, Some(number));
        match opened {
            Ok(tenant) => {
                self.note_covered(&tenant);
                Some(tenant)
            }
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    fn insert(&mut self, seq: u64, record: DecodedRecord<'_>) {
        let Some(tenant) = self.tenant(record.tenant, record.tenant_name) else {
            self.unreadable += 1;
            return;
        };
        for (id, labels) in &record.definitions {
            let series = define(&tenant, *id, labels);
            for (seq, mut samples) in self
                .orphans
                .remove(&(tenant.number(), *id))
                .unwrap_or_default()
            {
                self.drop_deleted(tenant.number(), labels, seq, &mut samples);
                self.insert_samples(&tenant, &series, samples, seq);
            }
        }
        let mut unknown = Vec::new();
        let index = tenant.head.index.read();
        for (id, samples) in record.samples {
            match index.by_id(id) {
                Some(series) => self.insert_samples(&tenant, series, samples, seq),
                None => unknown.push((id, samples)),
            }
        }
        drop(index);
        for (id, samples) in unknown {
            tenant.head.index.write().reserve_ids(id.saturating_add(1));
            let orphans = self.orphans.entry((tenant.number(), id)).or_default();
            orphans.push((seq, samples));
        }
        for (id, exemplar) in record.exemplars {
            if let Some(series) = tenant.head.index.read().by_id(id) {
                tenant.exemplars.lock().add(&series.labels, exemplar);
            }
        }
        for (family, metadata) in record.metadata {
            tenant.metadata.lock().add(&family, metadata);
        }
    }

    /// Repeats a deletion. The blocks had it before it was answered.
    fn delete(&mut self, seq: u64, record: DeletionRecord<'_>) {
        let Some(tenant) = self.tenant(record.tenant, record.tenant_name) else {
            self.unreadable += 1;
            return;
        };
        if let Err(error) = tenant.head.apply(&record.deletion, seq) {
            self.failed = Some(error);
        }
        tenant.exemplars.lock().delete(&record.deletion);
        if !self.orphans.is_empty() {
            self.deletions.push((tenant.number(), seq, record.deletion));
        }
    }

    /// Drops those samples of record `seq` that were deleted before their series was known.
    fn drop_deleted(&self, tenant: u32, labels: &Labels, seq: u64, samples: &mut Samples) {
        for (of, deleted_seq, deletion) in &self.deletions {
            if *of == tenant && *deleted_seq > seq && deletion.matches(labels) {
                samples.retain(|sample| !deletion.range.contains(sample.ts_ms));
            }
        }
    }

    fn insert_samples(
        &self,
        tenant: &TenantStore,
        series: &Series,
        mut samples: Samples,
        seq: u64,
    ) {
        // What is older is in the checkpoint; the last record may be there in part.
        if seq < series.state.lock().last_seq {
            return;
        }
        let covered = self.covered.get(&tenant.number());
        if let Some(covered) = covered.filter(|covered| !covered.is_empty()) {
            let in_block = |sample: &Sample| {
                let holds = |(range, through): &(TimeRange, u64)| {
                    range.contains(sample.ts_ms) && seq <= *through
                };
                covered.iter().any(holds)
            };
            samples.retain(|sample| {
                let in_block = in_block(sample);
                if in_block {
                    series.state.lock().pass(sample);
                }
                !in_block
            });
        }
        tenant.head.insert_run(
            series,
            &samples,
            seq,
            tenant.head.horizon(),
            &mut Outcome::default(),
        );
    }

    /// Opens the tenants that neither checkpoint nor log named, and cleans up.
    fn finish(self, clean: bool) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let orphaned: usize = self.orphans.values().map(Vec::len).sum();
        if self.unreadable > 0 || orphaned > 0 {
            let unreadable = self.unreadable;
            tracing::error!(
                unreadable,
                orphaned,
                "some records of the log could not be used"
            );
        }
        self.shared.tenants.write().number_all();
        for tenant in self.shared.tenants.read().all() {
            tenant.head.index.write().forget_aliases();
            tenant.head.recount(i64::MIN);
            tenant.head.files.adopt(clean)?;
        }
        Ok(())
    }
}

/// Returns the series of that number; a label set that has another number already keeps it.
fn define(tenant: &TenantStore, id: u32, labels: &Labels) -> Arc<Series> {
    let mut index = tenant.head.index.write();
    if let Some(known) = index.by_id(id) {
        return Arc::clone(known);
    }
    let hash = hash_of(labels);
    match index.get(hash, labels).cloned() {
        Some(known) => {
            index.alias(id, &known);
            known
        }
        None => index.insert(id, hash, labels.clone(), SeriesState::default()),
    }
}
