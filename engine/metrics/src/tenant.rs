//! One tenant's part of the store.

use std::path::PathBuf;
use std::sync::Arc;

use obsq_model::Tenant;
use obsq_source::SeriesBatch;
use parking_lot::Mutex;

use crate::exemplars::ExemplarStore;
use crate::head::{CheckedBatch, ChunkFiles, Head};
use crate::metadata::MetadataStore;
use crate::options::StoreOptions;

/// What the store holds of one tenant.
#[derive(Debug)]
pub(crate) struct TenantStore {
    pub(crate) name: Tenant,
    /// The tenant's number in the log.
    pub(crate) number: u32,
    pub(crate) head: Head,
    pub(crate) exemplars: Mutex<ExemplarStore>,
    pub(crate) metadata: Mutex<MetadataStore>,
}

impl TenantStore {
    /// Returns an empty tenant. Nothing is created on disk before there is something to write.
    pub(crate) fn new(options: &StoreOptions, name: Tenant, number: u32) -> Self {
        let directory = tenant_directory(options, &name);
        let files = ChunkFiles::new(Arc::clone(&options.vfs), directory.join("head"));
        Self {
            name,
            number,
            head: Head::new(files),
            exemplars: Mutex::default(),
            metadata: Mutex::default(),
        }
    }

    /// Takes exemplars and metadata of a batch that is in the log.
    pub(crate) fn take_companions(&self, batch: CheckedBatch) {
        let with_exemplars = |batch: &SeriesBatch| !batch.exemplars.is_empty();
        if batch
            .series
            .iter()
            .any(|(_hash, batch)| with_exemplars(batch))
        {
            let mut exemplars = self.exemplars.lock();
            for (_hash, series) in batch.series {
                for exemplar in series.exemplars {
                    exemplars.add(&series.labels, exemplar);
                }
            }
        }
        if !batch.metadata.is_empty() {
            let mut known = self.metadata.lock();
            for (family, metadata) in batch.metadata {
                known.add(&family, metadata);
            }
        }
    }
}

/// Returns the directory of a tenant's metrics.
pub(crate) fn tenant_directory(options: &StoreOptions, name: &Tenant) -> PathBuf {
    let tenants = options.data_dir.join("tenants");
    tenants.join(name.directory_name()).join("metrics")
}
