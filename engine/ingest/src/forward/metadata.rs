//! Metadata to send.

use std::sync::Arc;

use obsq_model::{MetricMetadata, Tenant};
use obsq_source::MetricSource;
use rustc_hash::FxHashMap;

/// Suffixes of series that belong to the family of the rest of the name.
const SUFFIXES: [&str; 5] = ["_bucket", "_sum", "_count", "_gsum", "_gcount"];

/// What is known of metric families: what the store knew when a tenant was first seen, and what the
/// log has said since.
#[derive(Debug)]
pub(super) struct KnownMetadata {
    source: Arc<dyn MetricSource>,
    by_tenant: FxHashMap<Tenant, FxHashMap<String, MetricMetadata>>,
}

impl KnownMetadata {
    pub(super) fn new(source: Arc<dyn MetricSource>) -> Self {
        Self {
            source,
            by_tenant: FxHashMap::default(),
        }
    }

    /// Notes what the log says, and the tenant.
    pub(super) fn learn(&mut self, tenant: &Tenant, entries: &[(String, MetricMetadata)]) {
        let families = self.families(tenant);
        families.extend(entries.iter().cloned());
    }

    fn families(&mut self, tenant: &Tenant) -> &mut FxHashMap<String, MetricMetadata> {
        let source = &self.source;
        let families = self.by_tenant.entry(tenant.clone());
        families.or_insert_with(|| match source.metadata(tenant, None) {
            Ok(entries) => {
                let entries = entries.into_iter();
                entries.map(|e| (e.metric, e.metadata)).collect()
            }
            Err(error) => {
                tracing::warn!(%tenant, %error, "cannot read metadata");
                FxHashMap::default()
            }
        })
    }

    /// Returns what is known of the family that a series of that name belongs to.
    pub(super) fn of_series(&mut self, tenant: &Tenant, name: &str) -> Option<MetricMetadata> {
        let families = self.families(tenant);
        if let Some(known) = families.get(name) {
            return Some(known.clone());
        }
        let families = &*families;
        let mut parts = SUFFIXES
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix));
        parts.find_map(|family| families.get(family)).cloned()
    }

    /// Returns everything that is known, sorted.
    pub(super) fn all(&self) -> Vec<(Tenant, Vec<(String, MetricMetadata)>)> {
        let tenants = self.by_tenant.iter();
        let mut all: Vec<_> = tenants
            .map(|(tenant, families)| {
                let mut families: Vec<_> = families.clone().into_iter().collect();
                families.sort_by(|a, b| a.0.cmp(&b.0));
                (tenant.clone(), families)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
