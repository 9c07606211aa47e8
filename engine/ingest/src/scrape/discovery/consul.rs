//! Services that a Consul knows.
//!
//! The list of services and the instances of each are asked for with blocking queries: an answer
//! comes when something changed, or after two minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::body::get_json;
use super::listener::{Gone, Listener, host_port, label_part, single};
use crate::client::HttpClient;
use crate::config::{ConsulDiscovery, token_header};
use crate::scrape::groups::TargetGroup;

/// How long the agent may wait for a change.
const WATCH: Duration = Duration::from_mins(2);
/// How much longer an answer may take.
const GRACE: Duration = Duration::from_secs(15);
/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(15);
/// Where the agent tells how far its state is.
const INDEX: &str = "x-consul-index";

/// Follows services until nobody listens any more.
pub(super) async fn follow(
    config: ConsulDiscovery,
    user_agent: String,
    mut listener: Listener,
) -> Result<(), Gone> {
    let agent = loop {
        match Agent::new(config.clone(), &user_agent).await {
            Ok(agent) => break Arc::new(agent),
            Err(reason) => {
                tracing::error!(server = config.server, reason, "cannot ask Consul");
                listener.wait(RETRY).await?;
            }
        }
    };
    let mut state = State::new(agent);
    loop {
        let changed = state.changes.recv();
        tokio::select! {
            change = changed => {
                if let Some(change) = change {
                    state.apply(change);
                }
            }
            gone = listener.wait(Duration::MAX) => return gone,
        }
        while let Ok(change) = state.changes.try_recv() {
            state.apply(change);
        }
        listener.tell(state.groups()).await?;
    }
}

/// What the tasks that ask have learnt.
enum Change {
    Services(BTreeSet<String>),
    Instances(String, Vec<TargetGroup>),
}

/// The services that are watched.
struct State {
    agent: Arc<Agent>,
    changes: mpsc::Receiver<Change>,
    sender: mpsc::Sender<Change>,
    /// End with the state.
    tasks: JoinSet<()>,
    watched: BTreeMap<String, tokio::task::AbortHandle>,
    known: BTreeMap<String, Vec<TargetGroup>>,
}

impl State {
    fn new(agent: Arc<Agent>) -> Self {
        let (sender, changes) = mpsc::channel(16);
        let mut state = Self {
            agent,
            changes,
            sender,
            tasks: JoinSet::new(),
            watched: BTreeMap::new(),
            known: BTreeMap::new(),
        };
        let config = &state.agent.config;
        if config.services.is_empty() || !config.tags.is_empty() || !config.filter.is_empty() {
            let (agent, sender) = (Arc::clone(&state.agent), state.sender.clone());
            state.tasks.spawn(watch_services(agent, sender));
        } else {
            let services = config.services.iter().cloned().collect();
            state.apply(Change::Services(services));
        }
        state
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Instances(service, groups) => {
                if self.watched.contains_key(&service) {
                    self.known.insert(service, groups);
                }
            }
            Change::Services(services) => {
                self.watched.retain(|service, task| {
                    let stays = services.contains(service);
                    if !stays {
                        task.abort();
                    }
                    stays
                });
                self.known.retain(|service, _| services.contains(service));
                for service in services {
                    if !self.watched.contains_key(&service) {
                        let (agent, sender) = (Arc::clone(&self.agent), self.sender.clone());
                        let watching = watch_service(agent, service.clone(), sender);
                        self.watched.insert(service, self.tasks.spawn(watching));
                    }
                }
            }
        }
    }

    fn groups(&self) -> Vec<TargetGroup> {
        self.known.values().flatten().cloned().collect()
    }
}

async fn watch_services(agent: Arc<Agent>, changes: mpsc::Sender<Change>) {
    let mut index = 0;
    loop {
        match agent.services(index).await {
            Ok((_, next)) if next == index && index > 0 => {}
            Ok((services, next)) => {
                index = next;
                if changes.send(Change::Services(services)).await.is_err() {
                    return;
                }
            }
            Err(reason) => {
                tracing::error!(reason, "cannot refresh the services of Consul");
                tokio::time::sleep(RETRY).await;
            }
        }
        agent.pause().await;
    }
}

async fn watch_service(agent: Arc<Agent>, service: String, changes: mpsc::Sender<Change>) {
    let mut index = 0;
    loop {
        match agent.instances(&service, index).await {
            Ok((_, next)) if next == index && index > 0 => {}
            Ok((groups, next)) => {
                index = next;
                let change = Change::Instances(service.clone(), groups);
                if changes.send(change).await.is_err() {
                    return;
                }
            }
            Err(reason) => {
                tracing::error!(service, reason, "cannot refresh a service of Consul");
                tokio::time::sleep(RETRY).await;
            }
        }
        agent.pause().await;
    }
}

/// An agent to ask.
struct Agent {
    config: ConsulDiscovery,
    client: HttpClient,
    base: Url,
    datacenter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Own {
    config: OwnConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnConfig {
    datacenter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    node: Node,
    service: Service,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    #[serde(rename = "Node")]
    name: String,
    address: String,
    meta: Option<BTreeMap<String, String>>,
    tagged_addresses: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    tags: Option<Vec<String>>,
    address: String,
    port: i64,
    meta: Option<BTreeMap<String, String>>,
    namespace: String,
    partition: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
}

impl Agent {
    async fn new(config: ConsulDiscovery, user_agent: &str) -> Result<Self, String> {
        let mut http = config.http.clone();
        if let Some(header) = token_header(&config.token) {
            http.authorization = Some(header);
        }
        let client = HttpClient::new(&http, user_agent).await;
        let server = config.server.as_str();
        let base = if server.contains("://") {
            server.to_owned()
        } else {
            format!("{}://{server}", config.scheme)
        };
        let mut agent = Self {
            base: Url::parse(&base).map_err(|error| error.to_string())?,
            client: client.map_err(|error| error.to_string())?,
            datacenter: config.datacenter.clone(),
            config,
        };
        if agent.datacenter.is_empty() {
            let (own, _) = agent.ask::<Own>("/v1/agent/self", &[], 0).await?;
            agent.datacenter = own.config.datacenter;
        }
        Ok(agent)
    }

    /// Waits before the next question.
    async fn pause(&self) {
        let pause = self.config.refresh_interval_ms.unsigned_abs();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Asks, waiting for a state behind `index`; returns the answer and the index of its state.
    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        index: u64,
    ) -> Result<(T, u64), String> {
        let mut url = self.base.clone();
        let prefix = self.config.path_prefix.trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        let config = &self.config;
        {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(parameters);
            for (name, value) in [
                ("dc", &config.datacenter),
                ("ns", &config.namespace),
                ("partition", &config.partition),
            ] {
                if !value.is_empty() {
                    pairs.append_pair(name, value);
                }
            }
            if config.allow_stale {
                pairs.append_pair("stale", "");
            }
            for (name, value) in &config.node_meta {
                pairs.append_pair("node-meta", &format!("{name}:{value}"));
            }
            if index > 0 {
                pairs.append_pair("index", &index.to_string());
                pairs.append_pair("wait", &format!("{}ms", WATCH.as_millis()));
            }
        }
        let (answer, headers) = get_json(&self.client, url, WATCH + GRACE).await?;
        let next = headers.get(INDEX).and_then(|value| value.to_str().ok());
        let next = next.and_then(|value| value.parse().ok()).unwrap_or(0);
        // An index that goes back means that the agent has begun anew.
        Ok((answer, if next < index { 0 } else { next }))
    }

    async fn services(&self, index: u64) -> Result<(BTreeSet<String>, u64), String> {
        let filter = self.config.filter.as_str();
        let parameters = [("filter", filter)];
        let parameters = if filter.is_empty() {
            &[][..]
        } else {
            &parameters
        };
        let path = "/v1/catalog/services";
        let asked = self.ask::<BTreeMap<String, Vec<String>>>(path, parameters, index);
        let (all, next) = asked.await?;
        let wanted = &self.config.services;
        let watched = all.into_iter().filter(|(name, tags)| {
            let is_named = wanted.is_empty() || wanted.contains(name);
            is_named && self.config.tags.iter().all(|tag| tags.contains(tag))
        });
        Ok((watched.map(|(name, _)| name).collect(), next))
    }

    async fn instances(
        &self,
        service: &str,
        index: u64,
    ) -> Result<(Vec<TargetGroup>, u64), String> {
        let tags = self.config.tags.iter();
        let mut parameters: Vec<_> = tags.map(|tag| ("tag", tag.as_str())).collect();
        let filter = self.config.health_filter.as_str();
        if !filter.is_empty() {
            parameters.push(("filter", filter));
        }
        let path = format!("/v1/health/service/{service}");
        let (instances, next) = self.ask::<Vec<Instance>>(&path, &parameters, index).await?;
        let numbered = instances.iter().enumerate();
        let groups = numbered.map(|(number, instance)| {
            let source = format!("{service}:{number}");
            single(source, self.labels(service, instance))
        });
        Ok((groups.collect(), next))
    }

    fn labels(&self, name: &str, instance: &Instance) -> Vec<(String, String)> {
        let Instance {
            node,
            service,
            checks,
        } = instance;
        let separator = &self.config.tag_separator;
        let tags = service.tags.as_deref().unwrap_or_default().join(separator);
        let host = match service.address.as_str() {
            "" => &node.address,
            own => own,
        };
        let mut labels = vec![("__address__".to_owned(), host_port(host, service.port))];
        for (label, value) in [
            ("service", name.to_owned()),
            ("dc", self.datacenter.clone()),
            ("address", node.address.clone()),
            ("node", node.name.clone()),
            ("namespace", service.namespace.clone()),
            ("partition", service.partition.clone()),
            ("tags", format!("{separator}{tags}{separator}")),
            ("service_address", service.address.clone()),
            ("service_port", service.port.to_string()),
            ("service_id", service.id.clone()),
            ("health", health(checks).to_owned()),
        ] {
            labels.push((format!("__meta_consul_{label}"), value));
        }
        for (prefix, pairs) in [
            ("metadata", &node.meta),
            ("service_metadata", &service.meta),
            ("tagged_address", &node.tagged_addresses),
        ] {
            for (key, value) in pairs.iter().flatten() {
                let label = format!("__meta_consul_{prefix}_{}", label_part(key));
                labels.push((label, value.clone()));
            }
        }
        labels
    }
}

/// Returns the worst of all checks; maintenance is worse than any.
fn health(checks: &[Check]) -> &'static str {
    let is_maintenance =
        |id: &str| id == "_node_maintenance" || id.starts_with("_service_maintenance:");
    if checks.iter().any(|check| is_maintenance(&check.id)) {
        return "maintenance";
    }
    let has = |status: &str| checks.iter().any(|check| check.status == status);
    ["critical", "warning"]
        .into_iter()
        .find(|status| has(status))
        .unwrap_or("passing")
}

#[cfg(test)]
mod tests;
