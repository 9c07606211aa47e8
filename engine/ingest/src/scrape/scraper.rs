//! All jobs of a configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use obsq_model::{Clock, Tenant};
use obsq_source::MetricAppender;

use super::environment::Environment;
use super::pool::Pool;
use super::snapshot::{PoolSnapshot, TargetMetadata};
use super::target_loop::Turn;
use crate::config::ScrapeConfig;

/// What the server says of itself when it scrapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScraperOptions {
    /// Shifts the turns of all targets, so that several servers do not scrape at the same moment.
    pub offset_seed: u64,
    /// The `User-Agent` of requests.
    pub user_agent: String,
    /// Whether OpenMetrics' `_created` series become start timestamps instead of series.
    pub created_as_start_timestamps: bool,
}

impl Default for ScraperOptions {
    fn default() -> Self {
        Self {
            offset_seed: 0,
            user_agent: concat!("obsq/", env!("CARGO_PKG_VERSION")).to_owned(),
            created_as_start_timestamps: false,
        }
    }
}

/// Scrapes the targets of a configuration into a tenant. Needs a tokio runtime.
#[derive(Debug)]
pub struct Scraper {
    environment: Arc<Environment>,
    pools: tokio::sync::Mutex<Pools>,
    /// The same pools, for whoever only looks.
    shown: Mutex<BTreeMap<String, Arc<Pool>>>,
}

#[derive(Debug, Default)]
struct Pools {
    running: BTreeMap<String, Arc<Pool>>,
    /// Pools of jobs that are gone, whose targets are still to be marked stale.
    retiring: Vec<Arc<Pool>>,
}

impl Scraper {
    /// Returns a scraper that scrapes nothing yet.
    pub fn new(
        appender: Arc<dyn MetricAppender>,
        tenant: Tenant,
        clock: Arc<dyn Clock>,
        options: ScraperOptions,
    ) -> Self {
        Self {
            environment: Arc::new(Environment::new(appender, tenant, clock, options)),
            pools: tokio::sync::Mutex::default(),
            shown: Mutex::default(),
        }
    }

    /// Scrapes what `configs` say from now on. Jobs that are configured as before are not touched;
    /// targets that go on with another configuration keep what is known of their series; the
    /// series of targets that are gone are marked stale two intervals later.
    pub async fn apply(&self, configs: &[ScrapeConfig]) {
        let mut pools = self.pools.lock().await;
        let wanted: BTreeMap<&str, &ScrapeConfig> = configs
            .iter()
            .map(|config| (config.job_name.as_str(), config))
            .collect();
        let running = std::mem::take(&mut pools.running);
        for (name, pool) in running {
            match wanted.get(name.as_str()) {
                None => {
                    pool.end(Turn::Retire).await;
                    pools.retiring.push(pool);
                }
                Some(config) => {
                    if *pool.config() != **config {
                        pool.reload(Arc::new((*config).clone())).await;
                    }
                    pools.running.insert(name, pool);
                }
            }
        }
        for (name, config) in wanted {
            pools.running.entry(name.to_owned()).or_insert_with(|| {
                let environment = Arc::clone(&self.environment);
                Arc::new(Pool::start(Arc::new(config.clone()), environment))
            });
        }
        pools.retiring.retain(|pool| !pool.has_ended());
        self.show(&pools.running);
    }

    /// Stops scraping: scrapes in progress are finished, nothing is marked stale, because the
    /// server may come back before the next turn.
    pub async fn shutdown(&self) {
        let mut pools = self.pools.lock().await;
        let mut ending = std::mem::take(&mut pools.retiring);
        ending.extend(std::mem::take(&mut pools.running).into_values());
        self.show(&pools.running);
        for pool in &ending {
            pool.end(Turn::Shutdown).await;
        }
        for pool in &ending {
            pool.ended().await;
        }
    }

    /// Returns all targets, by the names of their jobs.
    pub fn targets(&self) -> Vec<PoolSnapshot> {
        self.pools().iter().map(|pool| pool.snapshot()).collect()
    }

    /// Returns the names of the jobs, sorted.
    pub fn scrape_pools(&self) -> Vec<String> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.keys().cloned().collect()
    }

    /// Returns the configuration of a job, or `None` when there is no job of that name.
    pub fn pool_config(&self, name: &str) -> Option<Arc<ScrapeConfig>> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(name).map(|pool| pool.config())
    }

    /// Returns the metadata that each target gave.
    pub fn target_metadata(&self) -> Vec<TargetMetadata> {
        self.pools()
            .iter()
            .flat_map(|pool| pool.metadata())
            .collect()
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.values().cloned().collect()
    }

    fn show(&self, running: &BTreeMap<String, Arc<Pool>>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone_from(running);
    }
}

#[cfg(test)]
mod tests;
