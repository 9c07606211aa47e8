//! From checkpoint and log back into the heads.

use std::sync::Arc;

use obsq_model::{Labels, Sample, Tenant, TimeRange};
use obsq_source::Error;
use obsq_wal::{Replayed, WalOptions, remove_unfinished};
use rustc_hash::FxHashMap;

use super::Tenants;
use crate::block::BlockCache;
use crate::boundary::{from_wal, io};
use crate::checkpoint::read_checkpoint;
use crate::head::{Horizon, Outcome, Series, SeriesState};
use crate::options::StoreOptions;
use crate::record::DecodedRecord;
use crate::tenant::TenantStore;

/// What a start found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) tenants: Tenants,
    pub(super) replayed: Replayed,
    pub(super) records: u64,
    pub(super) missing: u64,
}

/// Opens every tenant with its blocks, reads the checkpoint and replays the log.
pub(super) fn recover(
    wal_options: &WalOptions,
    options: &StoreOptions,
    cache: &Arc<BlockCache>,
) -> Result<Recovered, Error> {
    let (vfs, wal_directory) = (options.vfs.as_ref(), &wal_options.directory);
    remove_unfinished(vfs, wal_directory).map_err(from_wal)?;
    let mut recovery = Recovery {
        options,
        cache,
        tenants: Tenants::default(),
        covered: FxHashMap::default(),
        orphans: FxHashMap::default(),
        through_seq: 0,
        unreadable: 0,
        failed: None,
    };
    let checkpoint = recovery.read_checkpoint(wal_options)?;
    let mut replayed = obsq_wal::replay(wal_options, recovery.through_seq, |seq, payload| {
        match DecodedRecord::decode(payload) {
            Some(record) => recovery.insert(seq, record),
            None => recovery.unreadable += 1,
        }
    })
    .map_err(from_wal)?;
    let tenants = recovery.finish(!checkpoint.damaged)?;
    // Should the log be lost, numbers must all the same go on behind those in blocks.
    for tenant in tenants.all() {
        for block in tenant.blocks.snapshot().iter() {
            replayed.last_seq = replayed.last_seq.max(block.meta().first_seq());
        }
    }
    Ok(Recovered {
        tenants,
        records: replayed.records,
        missing: replayed.damage.missing_records(),
        replayed,
    })
}

/// Samples and the number of the log record that they were in.
type OrphanedRun = (u64, Vec<Sample>);

/// The state of a start.
struct Recovery<'a> {
    options: &'a StoreOptions,
    cache: &'a Arc<BlockCache>,
    tenants: Tenants,
    /// By tenant: times whose samples are in a block, up to a log record.
    covered: FxHashMap<u32, Vec<(TimeRange, u64)>>,
    /// Samples of series whose definition has not been met yet, by tenant and series.
    orphans: FxHashMap<(u32, u32), Vec<OrphanedRun>>,
    through_seq: u64,
    unreadable: u64,
    failed: Option<Error>,
}

impl Recovery<'_> {
    fn read_checkpoint(
        &mut self,
        wal_options: &WalOptions,
    ) -> Result<crate::checkpoint::CheckpointInfo, Error> {
        let vfs = self.options.vfs.as_ref();
        let (options, cache, tenants) = (self.options, self.cache, &mut self.tenants);
        let mut failed = None;
        let info = read_checkpoint(vfs, &wal_options.directory, |name, number| {
            let opened = tenants.get_or_open(options, cache, name, Some(number));
            opened.map_err(|error| failed = Some(error)).ok()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.through_seq = info.through_seq;
        for tenant in self.tenants.all() {
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
            if sealed && meta.first_seq() >= self.through_seq {
                covered.push((block.range(), meta.first_seq()));
                tenant.head.restore_horizon(Horizon {
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
        self.covered.insert(tenant.number, covered);
    }

    fn tenant(&mut self, record: &DecodedRecord<'_>) -> Option<Arc<TenantStore>> {
        let known = self.tenants.by_number(record.tenant);
        let Ok(name) = Tenant::parse(record.tenant_name) else {
            return known.cloned();
        };
        if let Some(known) = known
            && known.name == name
        {
            return Some(Arc::clone(known));
        }
        let number = Some(record.tenant);
        let opened = self
            .tenants
            .get_or_open(self.options, self.cache, &name, number);
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
        let Some(tenant) = self.tenant(&record) else {
            self.unreadable += 1;
            return;
        };
        for (id, labels) in &record.definitions {
            let series = define(&tenant, *id, labels);
            for (seq, samples) in self
                .orphans
                .remove(&(tenant.number, *id))
                .unwrap_or_default()
            {
                self.insert_samples(&tenant, &series, samples, seq);
            }
        }
        for (id, samples) in record.samples {
            let series = tenant.head.index.read().by_id(id).cloned();
            if let Some(series) = series {
                self.insert_samples(&tenant, &series, samples, seq);
            } else {
                tenant.head.index.write().reserve_ids(id.saturating_add(1));
                let orphans = self.orphans.entry((tenant.number, id)).or_default();
                orphans.push((seq, samples));
            }
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

    fn insert_samples(
        &self,
        tenant: &TenantStore,
        series: &Series,
        mut samples: Vec<Sample>,
        seq: u64,
    ) {
        // What is older is in the checkpoint; the last record may be there in part.
        if seq < series.state.lock().last_seq {
            return;
        }
        let covered = self.covered.get(&tenant.number);
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
        tenant
            .head
            .insert_run(series, &samples, seq, &mut Outcome::default());
    }

    /// Opens the tenants that neither checkpoint nor log named, and cleans up.
    fn finish(mut self, clean: bool) -> Result<Tenants, Error> {
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
        let directory = self.options.data_dir.join("tenants");
        let names = self
            .options
            .vfs
            .list(&directory)
            .map_err(io("list", &directory))?;
        for name in names {
            let metrics = directory.join(&name).join("metrics");
            let has_metrics = metrics.try_exists().map_err(io("look at", &metrics))?;
            if let Some(name) = Tenant::from_directory_name(&name).filter(|_name| has_metrics) {
                self.tenants
                    .get_or_open(self.options, self.cache, &name, None)?;
            }
        }
        for tenant in self.tenants.all() {
            tenant.head.index.write().forget_aliases();
            tenant.head.recount(i64::MIN);
            tenant.head.files.adopt(clean)?;
        }
        Ok(self.tenants)
    }
}

/// Returns the series of that number; a label set that has another number already keeps it.
fn define(tenant: &TenantStore, id: u32, labels: &Labels) -> Arc<Series> {
    let mut index = tenant.head.index.write();
    if let Some(known) = index.by_id(id) {
        return Arc::clone(known);
    }
    let hash = labels.hash64();
    match index.get(hash, labels).cloned() {
        Some(known) => {
            index.alias(id, &known);
            known
        }
        None => index.insert(id, hash, labels.clone(), SeriesState::default()),
    }
}
