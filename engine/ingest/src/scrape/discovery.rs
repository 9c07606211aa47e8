//! Finding targets: fixed ones, those in files, those that an endpoint lists, and those that DNS,
//! Consul, EC2 and Kubernetes know.

mod body;
mod consul;
mod dns;
mod ec2;
mod files;
mod kubernetes;
mod listener;
#[cfg(test)]
mod testing;

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::files::FileWatch;
use self::listener::Listener;
use super::groups::TargetGroup;
use crate::client::{HttpClient, root_cause};
use crate::config::{Discovery, HttpDiscovery, StaticGroup, groups_from_text};

/// How often files are looked at for changes.
const FILE_POLL: Duration = Duration::from_secs(5);
/// Most bytes of a list of targets.
const MAX_LIST_BYTES: usize = 32 << 20;
/// How long an endpoint may take.
const ENDPOINT_TIMEOUT: Duration = Duration::from_secs(30);

/// What one discovery of a pool has found.
#[derive(Debug)]
pub(super) struct Update {
    /// Which discovery, by its place in the configuration.
    pub(super) discovery: usize,
    /// Everything it finds now.
    pub(super) groups: Vec<TargetGroup>,
}

/// Follows a discovery and sends what it finds, first at once and then whenever it changes. Ends
/// when nobody listens any more; static groups, which cannot change, are not sent but known by
/// [`known_groups`].
pub(super) async fn follow(
    index: usize,
    discovery: Discovery,
    user_agent: String,
    updates: mpsc::Sender<Update>,
) {
    match discovery {
        Discovery::Static(_) => {}
        Discovery::File(config) => {
            let poll = FILE_POLL.min(Duration::from_millis(config.refresh_interval_ms as u64));
            let mut watch = FileWatch::new(config);
            let mut is_first = true;
            loop {
                let changed = watch.read().await;
                if (changed || is_first) && !send(&updates, index, watch.groups()).await {
                    return;
                }
                is_first = false;
                if wait(poll, &updates).await.is_err() {
                    return;
                }
            }
        }
        Discovery::Http(config) => follow_endpoint(index, &config, &user_agent, &updates).await,
        // They end when nobody listens any more, which is no news.
        Discovery::Dns(config) => drop(dns::follow(config, Listener::new(index, updates)).await),
        Discovery::Consul(config) => {
            let listener = Listener::new(index, updates);
            drop(consul::follow(*config, user_agent, listener).await);
        }
        Discovery::Ec2(config) => {
            let listener = Listener::new(index, updates);
            drop(ec2::follow(*config, user_agent, listener).await);
        }
        Discovery::Kubernetes(config) => {
            let listener = Listener::new(index, updates);
            drop(kubernetes::follow(*config, user_agent, listener).await);
        }
    }
}

/// Waits, unless nobody listens any more.
async fn wait(duration: Duration, updates: &mpsc::Sender<Update>) -> Result<(), ()> {
    tokio::select! {
        () = sleep(duration) => Ok(()),
        () = updates.closed() => Err(()),
    }
}

async fn send(updates: &mpsc::Sender<Update>, discovery: usize, groups: Vec<TargetGroup>) -> bool {
    updates.send(Update { discovery, groups }).await.is_ok()
}

/// Returns what a discovery finds without being followed.
pub(super) fn known_groups(discovery: &Discovery) -> Option<Vec<TargetGroup>> {
    let Discovery::Static(groups) = discovery else {
        return None;
    };
    let numbered = groups.iter().enumerate();
    let groups = numbered.map(|(index, group)| TargetGroup {
        source: index.to_string(),
        targets: group.targets.clone(),
        labels: group.labels.clone(),
    });
    Some(groups.collect())
}

/// Returns groups with the label that says where they come from.
fn sourced(groups: Vec<StaticGroup>, source: &str, meta_label: &str) -> Vec<TargetGroup> {
    let numbered = groups.into_iter().enumerate();
    numbered
        .map(|(index, mut group)| {
            group.labels.retain(|(name, _)| name != meta_label);
            group
                .labels
                .push((meta_label.to_owned(), source.to_owned()));
            TargetGroup {
                source: format!("{source}:{index}"),
                targets: group.targets,
                labels: group.labels,
            }
        })
        .collect()
}

async fn follow_endpoint(
    index: usize,
    config: &HttpDiscovery,
    user_agent: &str,
    updates: &mpsc::Sender<Update>,
) {
    let mut last = None;
    loop {
        match ask(config, user_agent).await {
            Ok(groups) => {
                if last.as_ref() != Some(&groups) {
                    if !send(updates, index, groups.clone()).await {
                        return;
                    }
                    last = Some(groups);
                }
            }
            Err(reason) => {
                tracing::error!(url = %config.url, reason, "cannot refresh http_sd targets");
            }
        }
        let refresh = Duration::from_millis(config.refresh_interval_ms as u64);
        if wait(refresh, updates).await.is_err() {
            return;
        }
    }
}

/// Asks an endpoint once; an answer that is not understood leaves everything as it was.
async fn ask(config: &HttpDiscovery, user_agent: &str) -> Result<Vec<TargetGroup>, String> {
    let client = HttpClient::new(&config.http, user_agent)
        .await
        .map_err(|error| error.to_string())?;
    let url = Url::parse(&config.url).map_err(|error| error.to_string())?;
    let seconds = config.refresh_interval_ms as f64 / 1000.0;
    let request = client.get(url).await.map_err(|error| error.to_string())?;
    let request = request
        .header(ACCEPT, "application/json")
        .header("X-Prometheus-Refresh-Interval-Seconds", seconds.to_string())
        .timeout(ENDPOINT_TIMEOUT);
    let mut response = request.send().await.map_err(|error| root_cause(&error))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("server returned HTTP status {}", response.status()));
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !is_json(content_type) {
        return Err(format!("unsupported content type {content_type:?}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| root_cause(&error))? {
        if body.len() + chunk.len() > MAX_LIST_BYTES {
            return Err(format!("the list is larger than {MAX_LIST_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(body).map_err(|error| error.to_string())?;
    let groups = groups_from_text(&text).map_err(|error| error.to_string())?;
    Ok(sourced(groups, &config.url, "__meta_url"))
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    is_json && parts.all(|part| part.to_ascii_lowercase().replace('"', "") == "charset=utf-8")
}
