//! What runs in a Kubernetes cluster.
//!
//! The objects that a role needs are listed and then watched, each kind in each namespace by a task
//! of its own. Whenever something changes all targets are made anew.

mod access;
mod labels;
mod objects;
mod store;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::access::Access;
use self::objects::Object;
use self::store::{Source, Store};
use self::targets::Cluster;
use super::listener::{Gone, Listener};
use crate::client::HttpClient;
use crate::config::{KubernetesDiscovery, KubernetesRole};

/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(15);
/// How long changes are gathered before targets are made anew.
const GATHER: Duration = Duration::from_millis(500);

/// Follows a cluster until nobody listens any more.
pub(super) async fn follow(
    config: KubernetesDiscovery,
    user_agent: String,
    mut listener: Listener,
) -> Result<(), Gone> {
    let reach = loop {
        match Reach::find(&config, &user_agent).await {
            Ok(reach) => break reach,
            Err(reason) => {
                tracing::error!(reason, "cannot talk to Kubernetes");
                listener.wait(RETRY).await?;
            }
        }
    };
    let changed = Arc::clone(&reach.changed);
    let mut tasks = JoinSet::new();
    let cluster = reach.follow_all(&config, &mut tasks);
    loop {
        tokio::select! {
            () = changed.notified() => {}
            gone = listener.wait(Duration::MAX) => return gone,
        }
        listener.wait(GATHER).await?;
        if cluster.is_complete() {
            let (cluster, role) = (cluster.clone(), config.role);
            let making = tokio::task::spawn_blocking(move || cluster.groups(role));
            match making.await {
                Ok(groups) => listener.tell(groups).await?,
                Err(error) => tracing::error!(%error, "making targets ended in a panic"),
            }
        }
    }
}

/// A cluster within reach.
struct Reach {
    access: Access,
    client: HttpClient,
    changed: Arc<Notify>,
}

impl Reach {
    async fn find(config: &KubernetesDiscovery, user_agent: &str) -> Result<Self, String> {
        let access = Access::find(config).await?;
        let client = HttpClient::new(&access.http, user_agent).await;
        Ok(Self {
            client: client.map_err(|error| error.to_string())?,
            access,
            changed: Arc::default(),
        })
    }

    /// Starts to follow everything that the role needs.
    fn follow_all(&self, config: &KubernetesDiscovery, tasks: &mut JoinSet<()>) -> Cluster {
        use KubernetesRole as Role;
        let cluster = Cluster {
            attach: config.attach,
            ..Cluster::default()
        };
        let role = config.role;
        let follow = Follow {
            reach: self,
            config,
        };
        let has_pods = matches!(role, Role::Pod | Role::Endpoints | Role::EndpointSlice);
        if has_pods {
            follow.namespaced(&cluster.pods, "/api/v1", "pods", Some(Role::Pod), tasks);
            if config.attach.deployment {
                follow.namespaced(
                    &cluster.replica_sets,
                    "/apis/apps/v1",
                    "replicasets",
                    None,
                    tasks,
                );
            }
            if config.attach.cronjob {
                follow.namespaced(&cluster.jobs, "/apis/batch/v1", "jobs", None, tasks);
            }
        }
        if matches!(role, Role::Service | Role::Endpoints | Role::EndpointSlice) {
            let selector = Some(Role::Service);
            follow.namespaced(&cluster.services, "/api/v1", "services", selector, tasks);
        }
        match role {
            Role::Endpoints => {
                let selector = Some(role);
                follow.namespaced(&cluster.endpoints, "/api/v1", "endpoints", selector, tasks);
            }
            Role::EndpointSlice => {
                let group = "/apis/discovery.k8s.io/v1";
                follow.namespaced(&cluster.slices, group, "endpointslices", Some(role), tasks);
            }
            Role::Ingress => {
                let group = "/apis/networking.k8s.io/v1";
                follow.namespaced(&cluster.ingresses, group, "ingresses", Some(role), tasks);
            }
            Role::Node | Role::Pod | Role::Service => {}
        }
        if role == Role::Node || (has_pods && config.attach.node) {
            follow.whole(&cluster.nodes, "nodes", Some(Role::Node), tasks);
        }
        if config.attach.namespace && role != Role::Node {
            follow.whole(&cluster.namespaces, "namespaces", None, tasks);
        }
        cluster
    }
}

/// Starts to follow kinds of objects.
struct Follow<'a> {
    reach: &'a Reach,
    config: &'a KubernetesDiscovery,
}

impl Follow<'_> {
    /// Follows objects of the whole cluster.
    fn whole<T: Object>(
        &self,
        store: &Store<T>,
        kind: &str,
        selector: Option<KubernetesRole>,
        tasks: &mut JoinSet<()>,
    ) {
        let source = self.source(&format!("/api/v1/{kind}"), selector);
        store.follow(0, source, tasks);
    }

    /// Follows objects of all namespaces that are looked at.
    fn namespaced<T: Object>(
        &self,
        store: &Store<T>,
        group: &str,
        kind: &str,
        selector: Option<KubernetesRole>,
        tasks: &mut JoinSet<()>,
    ) {
        let own = self.reach.access.own_namespace.iter();
        let namespaces: Vec<&String> = self.config.namespaces.iter().chain(own).collect();
        if namespaces.is_empty() {
            let source = self.source(&format!("{group}/{kind}"), selector);
            store.follow(0, source, tasks);
        }
        for (number, namespace) in namespaces.into_iter().enumerate() {
            let path = format!("{group}/namespaces/{namespace}/{kind}");
            store.follow(number, self.source(&path, selector), tasks);
        }
    }

    fn source(&self, path: &str, role: Option<KubernetesRole>) -> Source {
        let mut url: Url = self.reach.access.url.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        let mut selectors = self.config.selectors.iter();
        if let Some(selector) = selectors.find(|selector| Some(selector.role) == role) {
            let mut pairs = url.query_pairs_mut();
            if !selector.label.is_empty() {
                pairs.append_pair("labelSelector", &selector.label);
            }
            if !selector.field.is_empty() {
                pairs.append_pair("fieldSelector", &selector.field);
            }
        }
        Source {
            client: self.reach.client.clone(),
            url,
            changed: Arc::clone(&self.reach.changed),
        }
    }
}

#[cfg(test)]
mod tests;
