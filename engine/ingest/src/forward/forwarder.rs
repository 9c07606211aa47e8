//! All remotes of a configuration.

use std::sync::{Arc, Mutex, PoisonError};

use obsq_model::{Clock, Labels};
use obsq_source::{MetricLog, MetricSource};

use super::counters::RemoteStats;
use super::remote::{Remote, Surroundings};
use crate::config::RemoteWriteConfig;

/// Passes on what is written to a store. Needs a tokio runtime.
#[derive(Debug)]
pub struct Forwarder {
    surroundings: Surroundings,
    changing: tokio::sync::Mutex<()>,
    remotes: Mutex<Vec<Remote>>,
}

impl Forwarder {
    /// Returns a forwarder that passes on nothing yet.
    pub fn new(
        log: Arc<dyn MetricLog>,
        source: Arc<dyn MetricSource>,
        clock: Arc<dyn Clock>,
        user_agent: String,
    ) -> Self {
        Self {
            surroundings: Surroundings {
                log,
                source,
                clock,
                user_agent,
            },
            changing: tokio::sync::Mutex::default(),
            remotes: Mutex::default(),
        }
    }

    /// Passes on to the receivers of `configs` from now on. Remotes that are configured as before
    /// are not touched; changed ones go on where they were, by their name; those that are gone are
    /// forgotten, so that nothing is kept for them. The store must take writes.
    pub async fn apply(&self, configs: &[RemoteWriteConfig], external_labels: &Labels) {
        let _turn = self.changing.lock().await;
        let is_as_before = |remote: &Remote| {
            remote.external_labels == *external_labels && configs.contains(&*remote.config)
        };
        let (kept, gone): (Vec<_>, Vec<_>) = self.take().into_iter().partition(is_as_before);
        self.put(kept);
        for remote in gone {
            remote.stop().await;
        }
        self.forget_all_but(configs).await;
        for config in configs {
            let name = &config.name;
            let mut remotes = self.lock();
            if !remotes.iter().any(|remote| remote.config.name == *name) {
                let (config, labels) = (config.clone(), external_labels.clone());
                remotes.push(Remote::start(config, labels, self.surroundings.clone()));
            }
        }
    }

    async fn forget_all_but(&self, configs: &[RemoteWriteConfig]) {
        let names: Vec<String> = configs.iter().map(|config| config.name.clone()).collect();
        let log = Arc::clone(&self.surroundings.log);
        let forgetting = tokio::task::spawn_blocking(move || log.forget_followers_but(&names));
        if let Ok(Err(error)) = forgetting.await {
            tracing::error!(%error, "cannot forget remotes that are gone");
        }
    }

    /// Stops all remotes; their positions are saved.
    pub async fn shutdown(&self) {
        let _turn = self.changing.lock().await;
        let stopping = self
            .take()
            .into_iter()
            .map(|remote| tokio::spawn(remote.stop()));
        for stopped in stopping.collect::<Vec<_>>() {
            if let Err(error) = stopped.await {
                tracing::error!(%error, "a remote ended in a panic");
            }
        }
    }

    /// Returns the numbers of all remotes.
    pub fn stats(&self) -> Vec<RemoteStats> {
        self.lock().iter().map(Remote::stats).collect()
    }

    fn take(&self) -> Vec<Remote> {
        std::mem::take(&mut *self.lock())
    }

    fn put(&self, remotes: Vec<Remote>) {
        *self.lock() = remotes;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Remote>> {
        self.remotes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
