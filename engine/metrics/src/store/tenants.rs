//! The tenants of a store.

use std::sync::Arc;

use obsq_model::Tenant;
use obsq_source::Error;
use rustc_hash::FxHashMap;

use crate::block::BlockCache;
use crate::boundary::io;
use crate::options::StoreOptions;
use crate::tenant::TenantStore;

/// Tenants by name and by number.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    by_name: FxHashMap<Tenant, Arc<TenantStore>>,
    by_number: FxHashMap<u32, Arc<TenantStore>>,
    last_number: u32,
}

impl Tenants {
    pub(crate) fn get(&self, name: &Tenant) -> Option<Arc<TenantStore>> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn by_number(&self, number: u32) -> Option<&Arc<TenantStore>> {
        self.by_number.get(&number)
    }

    /// Opens every tenant that has a directory of metrics. They have no numbers yet.
    pub(crate) fn open_all(options: &StoreOptions, cache: &Arc<BlockCache>) -> Result<Self, Error> {
        let mut tenants = Self::default();
        let directory = options.data_dir.join("tenants");
        let names = options.vfs.list(&directory);
        for name in names.map_err(io("list", &directory))? {
            let metrics = directory.join(&name).join("metrics");
            let has_metrics = options
                .vfs
                .exists(&metrics)
                .map_err(io("look at", &metrics))?;
            if let Some(name) = Tenant::from_directory_name(&name).filter(|_name| has_metrics) {
                let tenant = Arc::new(TenantStore::open(options, cache, name.clone(), 0)?);
                tenants.by_name.insert(name, tenant);
            }
        }
        Ok(tenants)
    }

    /// Gives numbers to the tenants that have none of their own.
    pub(crate) fn number_all(&mut self) {
        for tenant in self.all() {
            let holder = self.by_number.get(&tenant.number());
            if holder.is_none_or(|holder| holder.name != tenant.name) {
                self.last_number += 1;
                tenant.set_number(self.last_number);
                self.by_number.insert(self.last_number, tenant);
            }
        }
    }

    /// Returns the tenant of that name; if it has no number it gets `number`, or the next one.
    pub(crate) fn get_or_open(
        &mut self,
        options: &StoreOptions,
        cache: &Arc<BlockCache>,
        name: &Tenant,
        number: Option<u32>,
    ) -> Result<Arc<TenantStore>, Error> {
        if let Some(known) = self.by_name.get(name) {
            let known = Arc::clone(known);
            if let Some(number) = number {
                if known.number() == 0 {
                    known.set_number(number);
                }
                // Should the number have stood for another tenant, it does not any more.
                self.by_number.insert(number, Arc::clone(&known));
                self.last_number = self.last_number.max(number);
            }
            return Ok(known);
        }
        let number = number.unwrap_or(self.last_number + 1);
        let tenant = Arc::new(TenantStore::open(options, cache, name.clone(), number)?);
        self.last_number = self.last_number.max(number);
        self.by_name.insert(name.clone(), Arc::clone(&tenant));
        self.by_number.insert(number, Arc::clone(&tenant));
        Ok(tenant)
    }

    /// Returns all tenants in order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<TenantStore>> {
        let mut all: Vec<_> = self.by_name.values().cloned().collect();
        all.sort_by(|a, b| (a.number(), &a.name).cmp(&(b.number(), &b.name)));
        all
    }
}
