//! Following the log.

use std::sync::Arc;

use obsq_model::{Labels, Tenant};
use obsq_source::{Error, LogBatch, LogFollower, MetricBatch, MetricLog, SeriesBatch};
use obsq_wal::WalFollower;
use rustc_hash::FxHashMap;

use super::{MetricStore, Shared};
use crate::boundary::from_wal;
use crate::deletion;
use crate::record::DecodedRecord;

impl MetricLog for MetricStore {
    fn follow(&self, name: &str) -> Result<Box<dyn LogFollower>, Error> {
        let wal = self.shared.wal()?;
        let mut cursors = self.shared.cursors.lock();
        let done_seq = cursors.get(name).unwrap_or_else(|| wal.durable_seq());
        cursors.set(name, done_seq)?;
        Ok(Box::new(Follower {
            shared: Arc::clone(&self.shared),
            name: name.to_owned(),
            wal: wal.follow(done_seq),
            labels: FxHashMap::default(),
            tenants: FxHashMap::default(),
            unreadable: 0,
        }))
    }

    fn forget_followers_but(&self, names: &[String]) -> Result<(), Error> {
        self.shared.cursors.lock().retain(names)
    }
}

/// A reader of the log with what its records have defined.
struct Follower {
    shared: Arc<Shared>,
    name: String,
    wal: WalFollower,
    /// Labels by numbers of tenant and series, in the present epoch.
    labels: FxHashMap<(u32, u32), Labels>,
    tenants: FxHashMap<u32, Tenant>,
    unreadable: u64,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl LogFollower for Follower {
    fn has_more(&self) -> bool {
        self.wal.has_more()
    }

    fn next(&mut self) -> Result<Option<LogBatch>, Error> {
        loop {
            let Some(followed) = self.wal.next_record().map_err(from_wal)? else {
                return Ok(None);
            };
            if followed.is_new_epoch {
                self.labels.clear();
                self.tenants.clear();
            }
            let (seq, is_known) = (followed.seq, followed.is_known);
            let mut definitions = Definitions {
                shared: &self.shared,
                labels: &mut self.labels,
                tenants: &mut self.tenants,
            };
            if followed.payload.first() == Some(&deletion::VERSION) {
                // What is deleted here is still there for others.
                continue;
            }
            let Some(record) = DecodedRecord::decode(followed.payload) else {
                self.unreadable += u64::from(!is_known);
                continue;
            };
            definitions.learn(&record);
            if is_known {
                continue;
            }
            match definitions.resolve(record) {
                None => self.unreadable += 1,
                Some((tenant, batch, is_complete)) => {
                    self.unreadable += u64::from(!is_complete);
                    return Ok(Some(LogBatch { seq, tenant, batch }));
                }
            }
        }
    }

    fn commit(&mut self, through_seq: u64) -> Result<(), Error> {
        self.shared.cursors.lock().set(&self.name, through_seq)
    }

    fn lost_batches(&self) -> u64 {
        self.wal.missing_records() + self.unreadable
    }
}

/// What numbers stand for.
struct Definitions<'a> {
    shared: &'a Shared,
    labels: &'a mut FxHashMap<(u32, u32), Labels>,
    tenants: &'a mut FxHashMap<u32, Tenant>,
}

impl Definitions<'_> {
    fn learn(&mut self, record: &DecodedRecord<'_>) {
        if let Ok(tenant) = Tenant::parse(record.tenant_name) {
            self.tenants.insert(record.tenant, tenant);
        }
        for (id, labels) in &record.definitions {
            self.labels.insert((record.tenant, *id), labels.clone());
        }
    }

    /// Returns the tenant, what was written and whether all series of it are known.
    fn resolve(&self, record: DecodedRecord<'_>) -> Option<(Tenant, MetricBatch, bool)> {
        let number = record.tenant;
        let tenant = self.tenant(number)?;
        let mut is_complete = true;
        let mut batch = MetricBatch {
            series: Vec::with_capacity(record.samples.len()),
            metadata: record.metadata,
        };
        let mut places = FxHashMap::default();
        let mut place = |id: u32, batch: &mut MetricBatch| {
            if let Some(place) = places.get(&id) {
                return Some(*place);
            }
            let labels = self.series(&tenant, number, id)?;
            places.insert(id, batch.series.len());
            batch.series.push(SeriesBatch {
                labels,
                ..SeriesBatch::default()
            });
            Some(batch.series.len() - 1)
        };
        for (id, samples) in record.samples {
            match place(id, &mut batch) {
                Some(place) => batch.series[place].samples.extend(samples),
                None => is_complete = false,
            }
        }
        for (id, exemplar) in record.exemplars {
            match place(id, &mut batch) {
                Some(place) => batch.series[place].exemplars.push(exemplar),
                None => is_complete = false,
            }
        }
        Some((tenant, batch, is_complete))
    }

    /// Returns the tenant of a number; should its definition be lost, the store knows it still.
    fn tenant(&self, number: u32) -> Option<Tenant> {
        let known = self.tenants.get(&number).cloned();
        known.or_else(|| {
            let tenants = self.shared.tenants.read();
            Some(tenants.by_number(number)?.name.clone())
        })
    }

    /// Returns the labels of a series; should its definition be lost, the head may know it still.
    fn series(&self, tenant: &Tenant, number: u32, id: u32) -> Option<Labels> {
        let known = self.labels.get(&(number, id)).cloned();
        known.or_else(|| {
            let tenant = self.shared.tenant(tenant)?;
            let index = tenant.head.index.read();
            Some(index.by_id(id)?.labels.clone())
        })
    }
}
