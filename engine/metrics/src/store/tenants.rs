//! The tenants of a store.

use std::sync::Arc;

use obsq_model::Tenant;
use obsq_source::Error;
use rustc_hash::FxHashMap;

use crate::block::BlockCache;
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

    /// Returns the tenant of that name; if it is not known it gets `number`, or the next one.
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
                self.by_number
                    .entry(number)
                    .or_insert_with(|| Arc::clone(&known));
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
        all.sort_by_key(|tenant| tenant.number);
        all
    }
}
