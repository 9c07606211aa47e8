//! What all targets share.

use std::sync::{Arc, Mutex, PoisonError};

use obsq_model::{Clock, Labels, Tenant};
use obsq_source::{Appended, Error, MetricAppender, MetricBatch};
use rustc_hash::FxHashMap;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most answers that are parsed at the same time.
const MAX_PARSING: usize = 8;

/// Where samples go, what time it is, and who is being scraped.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) appender: Arc<dyn MetricAppender>,
    pub(super) tenant: Tenant,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) offset_seed: u64,
    pub(super) user_agent: String,
    pub(super) created_as_start: bool,
    parsing: Semaphore,
    active: Mutex<FxHashMap<Labels, usize>>,
}

impl Environment {
    pub(super) fn new(
        appender: Arc<dyn MetricAppender>,
        tenant: Tenant,
        clock: Arc<dyn Clock>,
        options: super::ScraperOptions,
    ) -> Self {
        Self {
            appender,
            tenant,
            clock,
            offset_seed: options.offset_seed,
            user_agent: options.user_agent,
            created_as_start: options.created_as_start_timestamps,
            parsing: Semaphore::new(MAX_PARSING),
            active: Mutex::default(),
        }
    }

    /// Waits for a place among those who parse, so that many targets at once do not take all
    /// threads and memory.
    pub(super) async fn compute_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.parsing.acquire().await.ok()
    }

    /// Appends a batch outside of the async workers.
    pub(super) async fn append(&self, batch: MetricBatch) -> Result<Appended, Error> {
        let (appender, tenant) = (Arc::clone(&self.appender), self.tenant.clone());
        let appended = tokio::task::spawn_blocking(move || appender.append(&tenant, batch)).await;
        appended.unwrap_or_else(|panicked| {
            Err(Error::Unavailable {
                what: "the store (it panicked)".to_owned(),
                source: Some(Box::new(panicked)),
            })
        })
    }

    /// Notes that a target with these labels is being scraped, as long as the guard lives.
    pub(super) fn activate(self: &Arc<Self>, labels: &Labels) -> Active {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        *active.entry(labels.clone()).or_default() += 1;
        Active {
            environment: Arc::clone(self),
            labels: labels.clone(),
        }
    }

    /// Says whether a target with these labels is being scraped.
    pub(super) fn is_active(&self, labels: &Labels) -> bool {
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        active.contains_key(labels)
    }
}

/// Says that a target is being scraped until it is dropped.
#[derive(Debug)]
pub(super) struct Active {
    environment: Arc<Environment>,
    labels: Labels,
}

impl Drop for Active {
    fn drop(&mut self) {
        let mut active = self
            .environment
            .active
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = active.get_mut(&self.labels) {
            *count -= 1;
            if *count == 0 {
                active.remove(&self.labels);
            }
        }
    }
}
