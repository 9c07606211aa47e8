//! From the log back into the heads.

use obsq_model::{Labels, Sample, Tenant};
use obsq_source::Error;
use obsq_wal::{Replayed, WalOptions};
use rustc_hash::FxHashMap;

use super::Tenants;
use crate::boundary::from_wal;
use crate::head::Outcome;
use crate::options::StoreOptions;
use crate::record::DecodedRecord;
use crate::tenant::TenantStore;

/// Samples of series, and series of tenants, whose definition has not been met yet.
#[derive(Debug, Default)]
struct Orphans {
    samples: FxHashMap<(u32, u32), Vec<(u64, Vec<Sample>)>>,
}

/// Inserts every record after `after_seq` into the heads.
pub(super) fn replay(
    wal_options: &WalOptions,
    options: &StoreOptions,
    tenants: &mut Tenants,
    after_seq: u64,
) -> Result<Replayed, Error> {
    let mut orphans = Orphans::default();
    let mut unreadable = 0_u64;
    let replayed =
        obsq_wal::replay(
            wal_options,
            after_seq,
            |seq, payload| match DecodedRecord::decode(payload) {
                Some(record) => insert(options, tenants, &mut orphans, seq, record),
                None => unreadable += 1,
            },
        )
        .map_err(from_wal)?;
    let orphaned: usize = orphans.samples.values().map(Vec::len).sum();
    if unreadable > 0 || orphaned > 0 {
        tracing::error!(
            unreadable,
            orphaned,
            "some records of the log could not be used"
        );
    }
    Ok(replayed)
}

fn insert(
    options: &StoreOptions,
    tenants: &mut Tenants,
    orphans: &mut Orphans,
    seq: u64,
    record: DecodedRecord<'_>,
) {
    if let Ok(name) = Tenant::parse(record.tenant_name) {
        tenants.get_or_create(options, &name, Some(record.tenant));
    }
    let Some(tenant) = tenants.by_number.get(&record.tenant) else {
        // Two records of the epoch told the name, and both are lost.
        tracing::error!(
            tenant = record.tenant,
            seq,
            "a record of an unknown tenant is lost"
        );
        return;
    };
    for (id, labels) in &record.definitions {
        define(tenant, *id, labels);
        for (seq, samples) in orphans
            .samples
            .remove(&(tenant.number, *id))
            .unwrap_or_default()
        {
            insert_samples(tenant, *id, &samples, seq);
        }
    }
    for (id, samples) in record.samples {
        if !insert_samples(tenant, id, &samples, seq) {
            let waiting = orphans.samples.entry((tenant.number, id)).or_default();
            waiting.push((seq, samples));
        }
    }
    for (id, exemplar) in record.exemplars {
        let index = tenant.head.index.read();
        if let Some(series) = index.by_id(id) {
            tenant.exemplars.lock().add(&series.labels, exemplar);
        }
    }
    let mut metadata = tenant.metadata.lock();
    for (family, entry) in record.metadata {
        metadata.add(&family, entry);
    }
}

fn define(tenant: &TenantStore, id: u32, labels: &Labels) {
    let mut index = tenant.head.index.write();
    if index.by_id(id).is_none() {
        index.insert(id, labels.hash64(), labels.clone(), Default::default());
    }
}

/// Inserts the samples unless the series is not known.
fn insert_samples(tenant: &TenantStore, id: u32, samples: &[Sample], seq: u64) -> bool {
    let index = tenant.head.index.read();
    let Some(series) = index.by_id(id) else {
        drop(index);
        tenant.head.index.write().reserve_ids(id.saturating_add(1));
        return false;
    };
    // Older records are in the checkpoint that the series came from; the last one may be there in
    // part.
    if seq >= series.state.lock().last_seq {
        tenant
            .head
            .insert_run(series, samples, seq, &mut Outcome::default());
    }
    true
}
