//! From objects to targets, role by role.

use std::collections::BTreeMap;

use super::super::listener::{host_port, label_part};
use super::labels::MetaLabels;
use super::objects::{
    Bare, Endpoint, EndpointAddress, EndpointSlice, Endpoints, Ingress, Meta, Node, Pod, Reference,
    Service, ServicePort, SlicePort,
};
use super::store::Store;
use crate::config::{KubernetesAttach, KubernetesRole};
use crate::scrape::groups::TargetGroup;

/// The label of a slice that names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Everything that is known of a cluster; what a role does not need stays empty.
#[derive(Debug, Default, Clone)]
pub(super) struct Cluster {
    pub(super) nodes: Store<Node>,
    pub(super) pods: Store<Pod>,
    pub(super) services: Store<Service>,
    pub(super) endpoints: Store<Endpoints>,
    pub(super) slices: Store<EndpointSlice>,
    pub(super) ingresses: Store<Ingress>,
    pub(super) namespaces: Store<Bare>,
    pub(super) replica_sets: Store<Bare>,
    pub(super) jobs: Store<Bare>,
    pub(super) attach: KubernetesAttach,
}

impl Cluster {
    /// Says whether everything that is needed was listed.
    pub(super) fn is_complete(&self) -> bool {
        self.nodes.is_complete()
            && self.pods.is_complete()
            && self.services.is_complete()
            && self.endpoints.is_complete()
            && self.slices.is_complete()
            && self.ingresses.is_complete()
            && self.namespaces.is_complete()
            && self.replica_sets.is_complete()
            && self.jobs.is_complete()
    }

    /// Returns all targets of a role.
    pub(super) fn groups(&self, role: KubernetesRole) -> Vec<TargetGroup> {
        let mut found = Targets::default();
        match role {
            KubernetesRole::Node => self.nodes.each(|node| node_targets(node, &mut found)),
            KubernetesRole::Pod => self.pods.each(|pod| self.pod_targets(pod, &mut found)),
            KubernetesRole::Service => {
                self.services
                    .each(|service| self.service_targets(service, &mut found));
            }
            KubernetesRole::Endpoints => {
                self.endpoints
                    .each(|endpoints| self.endpoints_targets(endpoints, &mut found));
            }
            KubernetesRole::EndpointSlice => {
                self.slices
                    .each(|slice| self.slice_targets(slice, &mut found));
            }
            KubernetesRole::Ingress => {
                self.ingresses
                    .each(|ingress| self.ingress_targets(ingress, &mut found));
            }
        }
        found.groups
    }

    fn add_namespace(&self, labels: &mut MetaLabels, namespace: &str) {
        if self.attach.namespace {
            self.namespaces.with("", namespace, |found| {
                labels.described("namespace", &found.metadata);
            });
        }
    }

    fn add_node(&self, labels: &mut MetaLabels, name: Option<&str>) -> bool {
        let Some(name) = name.filter(|_| self.attach.node) else {
            return false;
        };
        let add = |node: &Node| labels.object(KubernetesRole::Node, &node.metadata);
        self.nodes.with("", name, add).is_some()
    }

    fn pod_labels(&self, pod: &Pod) -> MetaLabels {
        let mut labels = MetaLabels::default();
        let (meta, status) = (&pod.metadata, &pod.status);
        labels.put("pod_ip", &status.pod_ip);
        labels.put("pod_ready", status.ready());
        labels.put("pod_phase", &status.phase);
        labels.put("pod_node_name", &pod.spec.node_name);
        labels.put("pod_host_ip", &status.host_ip);
        labels.put("pod_uid", &meta.uid);
        labels.object(KubernetesRole::Pod, meta);
        let Some(controller) = meta.controller() else {
            return labels;
        };
        let (kind, name) = (controller.kind.as_str(), controller.name.as_str());
        labels.put("pod_controller_kind", kind);
        labels.put("pod_controller_name", name);
        if kind == "ReplicaSet" && self.attach.deployment {
            let deployment = owner_of(&self.replica_sets, meta, name, "Deployment");
            labels.maybe("pod_deployment_name", deployment);
        }
        if kind == "Job" && self.attach.job {
            labels.put("pod_job_name", name);
        }
        if kind == "Job" && self.attach.cronjob {
            let cron_job = owner_of(&self.jobs, meta, name, "CronJob");
            labels.maybe("pod_cronjob_name", cron_job);
        }
        labels
    }

    fn pod_targets(&self, pod: &Pod, found: &mut Targets) {
        let ip = pod.status.pod_ip.as_str();
        // A pod that is starting or was evicted has none.
        if ip.is_empty() {
            return;
        }
        let mut common = self.pod_labels(pod);
        common.put("namespace", &pod.metadata.namespace);
        // Pods on nodes that no selector picks are not wanted.
        if self.attach.node && !self.add_node(&mut common, Some(&pod.spec.node_name)) {
            return;
        }
        self.add_namespace(&mut common, &pod.metadata.namespace);
        for (container, is_init) in pod.spec.containers() {
            let mut labels = common.clone();
            labels.raw("__address__", ip);
            labels.put("pod_container_name", &container.name);
            labels.put("pod_container_image", &container.image);
            labels.put("pod_container_init", is_init.to_string());
            let id = pod.status.container_id(&container.name, is_init);
            labels.put("pod_container_id", id);
            if container.ports().is_empty() {
                found.push("pod", &pod.metadata, labels);
                continue;
            }
            for port in container.ports() {
                let mut labels = labels.clone();
                let number = port.number;
                labels.raw("__address__", host_port(ip, number));
                labels.put("pod_container_port_number", number.to_string());
                labels.put("pod_container_port_name", &port.name);
                labels.put("pod_container_port_protocol", &port.protocol);
                found.push("pod", &pod.metadata, labels);
            }
        }
    }

    fn service_targets(&self, service: &Service, found: &mut Targets) {
        let (meta, spec) = (&service.metadata, &service.spec);
        let mut common = service_labels(service);
        self.add_namespace(&mut common, &meta.namespace);
        for port in &spec.ports {
            let mut labels = common.clone();
            let host = format!("{}.{}.svc", meta.name, meta.namespace);
            labels.raw("__address__", host_port(&host, port.port));
            labels.put("service_port_name", &port.name);
            labels.put("service_port_number", port.port.to_string());
            labels.put("service_port_protocol", &port.protocol);
            labels.put("service_type", &spec.kind);
            if spec.kind == "ExternalName" {
                labels.put("service_external_name", &spec.external_name);
            } else {
                labels.put("service_cluster_ip", &spec.cluster_ip);
            }
            if spec.kind == "LoadBalancer" {
                labels.put("service_loadbalancer_ip", service.load_balancer_ips());
            }
            found.push("svc", meta, labels);
        }
    }

    fn endpoints_targets(&self, endpoints: &Endpoints, found: &mut Targets) {
        let meta = &endpoints.metadata;
        let mut common = MetaLabels::default();
        common.put("namespace", &meta.namespace);
        self.services.with(&meta.namespace, &meta.name, |service| {
            common.merge(service_labels(service));
        });
        common.object(KubernetesRole::Endpoints, meta);
        self.add_namespace(&mut common, &meta.namespace);
        let mut pods = SeenPods::default();
        for subset in endpoints.subsets.iter().flatten() {
            for port in subset.ports.iter().flatten() {
                for (addresses, is_ready) in [
                    (&subset.addresses, true),
                    (&subset.not_ready_addresses, false),
                ] {
                    for address in addresses.iter().flatten() {
                        let mut labels = common.clone();
                        labels.put("endpoint_ready", is_ready.to_string());
                        self.endpoint(address, port, &mut labels, &mut pods);
                        found.push("endpoints", meta, labels);
                    }
                }
            }
        }
        self.other_ports("endpoints", meta, &common, pods, found);
    }

    fn endpoint(
        &self,
        address: &EndpointAddress,
        port: &ServicePort,
        labels: &mut MetaLabels,
        pods: &mut SeenPods,
    ) {
        labels.raw("__address__", host_port(&address.ip, port.port));
        labels.put("endpoint_port_name", &port.name);
        labels.put("endpoint_port_protocol", &port.protocol);
        let target = address.target_ref.as_ref();
        labels.maybe("endpoint_address_target_kind", target.map(|t| &t.kind));
        labels.maybe("endpoint_address_target_name", target.map(|t| &t.name));
        labels.maybe("endpoint_node_name", address.node_name.as_ref());
        if !address.hostname.is_empty() {
            labels.put("endpoint_hostname", &address.hostname);
        }
        let of_target = target.filter(|t| t.kind == "Node").map(|t| t.name.as_str());
        let node = address.node_name.as_deref().or(of_target);
        self.add_node(labels, node);
        let (number, protocol) = (Some(port.port), port.protocol.as_str());
        self.add_pod(target, number, protocol, labels, pods);
    }

    fn slice_targets(&self, slice: &EndpointSlice, found: &mut Targets) {
        let meta = &slice.metadata;
        let mut common = MetaLabels::default();
        common.put("namespace", &meta.namespace);
        common.put("endpointslice_address_type", &slice.address_type);
        common.object(KubernetesRole::EndpointSlice, meta);
        let service = meta
            .labels
            .as_ref()
            .and_then(|labels| labels.get(SERVICE_NAME));
        let is_repeated = service.and_then(|name| {
            self.services.with(&meta.namespace, name, |service| {
                common.merge(service_labels(service));
                service.is_repeated_by(&slice.address_type)
            })
        });
        self.add_namespace(&mut common, &meta.namespace);
        if is_repeated == Some(true) {
            return;
        }
        let mut pods = SeenPods::default();
        for endpoint in slice.endpoints.iter().flatten() {
            for port in slice.ports.iter().flatten() {
                for address in &endpoint.addresses {
                    let mut labels = common.clone();
                    self.slice_endpoint(address, endpoint, port, &mut labels, &mut pods);
                    found.push("endpointslice", meta, labels);
                }
            }
        }
        self.other_ports("endpointslice", meta, &common, pods, found);
    }

    fn slice_endpoint(
        &self,
        address: &str,
        endpoint: &Endpoint,
        port: &SlicePort,
        labels: &mut MetaLabels,
        pods: &mut SeenPods,
    ) {
        let address = match port.port {
            Some(port) => host_port(address, port),
            None => address.to_owned(),
        };
        labels.raw("__address__", address);
        let conditions = &endpoint.conditions;
        labels.maybe("endpointslice_port", port.port);
        for (name, value) in [
            ("port_name", &port.name),
            ("port_protocol", &port.protocol),
            ("port_app_protocol", &port.app_protocol),
            ("endpoint_hostname", &endpoint.hostname),
            ("endpoint_node_name", &endpoint.node_name),
            ("endpoint_zone", &endpoint.zone),
        ] {
            labels.maybe(&format!("endpointslice_{name}"), value.as_ref());
        }
        for (name, value) in [
            ("ready", conditions.ready),
            ("serving", conditions.serving),
            ("terminating", conditions.terminating),
        ] {
            let name = format!("endpointslice_endpoint_conditions_{name}");
            labels.maybe(&name, value);
        }
        let target = endpoint.target_ref.as_ref();
        labels.maybe("endpointslice_address_target_kind", target.map(|t| &t.kind));
        labels.maybe("endpointslice_address_target_name", target.map(|t| &t.name));
        for (key, value) in endpoint.deprecated_topology.iter().flatten() {
            let (key, prefix) = (label_part(key), "endpointslice_endpoint_topology");
            labels.put(&format!("{prefix}_{key}"), value);
            labels.put(&format!("{prefix}_present_{key}"), "true");
        }
        let of_target = target.filter(|t| t.kind == "Node").map(|t| t.name.as_str());
        let node = of_target.or(endpoint.node_name.as_deref());
        self.add_node(labels, node);
        let protocol = port.protocol.as_deref().unwrap_or_default();
        self.add_pod(target, port.port, protocol, labels, pods);
    }

    /// Adds the labels of the pod behind an endpoint, and of its container with that port.
    fn add_pod(
        &self,
        target: Option<&Reference>,
        port: Option<i32>,
        protocol: &str,
        labels: &mut MetaLabels,
        pods: &mut SeenPods,
    ) {
        let Some(target) = target.filter(|target| target.kind == "Pod") else {
            return;
        };
        self.pods.with(&target.namespace, &target.name, |pod| {
            let key = (target.namespace.clone(), target.name.clone());
            pods.0.entry(key).or_default().extend(port);
            labels.merge(self.pod_labels(pod));
            for (container, is_init) in pod.spec.containers() {
                let ports = container.ports().iter();
                let mut ports = ports.filter(|known| Some(known.number) == port);
                if let Some(known) = ports.next() {
                    labels.put("pod_container_name", &container.name);
                    labels.put("pod_container_image", &container.image);
                    labels.put("pod_container_port_name", &known.name);
                    labels.put("pod_container_port_number", known.number.to_string());
                    labels.put("pod_container_port_protocol", protocol);
                    labels.put("pod_container_init", is_init.to_string());
                }
            }
        });
    }

    /// Adds targets for ports of the pods seen that are no endpoints.
    fn other_ports(
        &self,
        what: &str,
        meta: &Meta,
        common: &MetaLabels,
        pods: SeenPods,
        found: &mut Targets,
    ) {
        for ((namespace, name), seen) in pods.0 {
            self.pods.with(&namespace, &name, |pod| {
                if pod.status.pod_ip.is_empty() {
                    return;
                }
                for (container, is_init) in pod.spec.containers() {
                    for port in container.ports() {
                        let number = port.number;
                        if seen.contains(&number) {
                            continue;
                        }
                        let mut labels = common.clone();
                        labels.raw("__address__", host_port(&pod.status.pod_ip, number));
                        labels.put("pod_container_name", &container.name);
                        labels.put("pod_container_image", &container.image);
                        labels.put("pod_container_port_name", &port.name);
                        labels.put("pod_container_port_number", number.to_string());
                        labels.put("pod_container_port_protocol", &port.protocol);
                        labels.put("pod_container_init", is_init.to_string());
                        labels.merge(self.pod_labels(pod));
                        found.push(what, meta, labels);
                    }
                }
            });
        }
    }

    fn ingress_targets(&self, ingress: &Ingress, found: &mut Targets) {
        let (meta, spec) = (&ingress.metadata, &ingress.spec);
        let mut common = MetaLabels::default();
        common.put("namespace", &meta.namespace);
        common.maybe("ingress_class_name", spec.ingress_class_name.as_ref());
        common.object(KubernetesRole::Ingress, meta);
        self.add_namespace(&mut common, &meta.namespace);
        let patterns = spec.tls.iter().flatten();
        let patterns: Vec<&String> = patterns
            .flat_map(|tls| tls.hosts.iter().flatten())
            .collect();
        for rule in spec.rules.iter().flatten() {
            let is_secure = patterns.iter().any(|pattern| covers(pattern, &rule.host));
            let paths = match &rule.http {
                None => vec!["/"],
                Some(http) => http.paths.iter().map(|path| path.path.as_str()).collect(),
            };
            for path in paths {
                let mut labels = common.clone();
                labels.raw("__address__", &rule.host);
                labels.put("ingress_scheme", if is_secure { "https" } else { "http" });
                labels.put("ingress_host", &rule.host);
                labels.put("ingress_path", if path.is_empty() { "/" } else { path });
                found.push("ingress", meta, labels);
            }
        }
    }
}

/// The ports of pods that are endpoints already, by namespace and name.
#[derive(Debug, Default)]
struct SeenPods(BTreeMap<(String, String), Vec<i32>>);

/// Targets found so far.
#[derive(Debug, Default)]
struct Targets {
    groups: Vec<TargetGroup>,
}

impl Targets {
    fn push(&mut self, what: &str, meta: &Meta, labels: MetaLabels) {
        let number = self.groups.len();
        let source = format!("{what}/{}/{}:{number}", meta.namespace, meta.name);
        self.groups.push(labels.into_group(source));
    }
}

fn node_targets(node: &Node, found: &mut Targets) {
    let mut by_kind: BTreeMap<&str, &str> = BTreeMap::new();
    for address in &node.status.addresses {
        by_kind.entry(&address.kind).or_insert(&address.address);
    }
    let preferred = [
        "InternalIP",
        "InternalDNS",
        "ExternalIP",
        "ExternalDNS",
        "LegacyHostIP",
        "Hostname",
    ];
    let Some(address) = preferred.into_iter().find_map(|kind| by_kind.get(kind)) else {
        tracing::warn!(node = node.metadata.name, "a node has no address");
        return;
    };
    let mut labels = MetaLabels::default();
    labels.put("node_provider_id", &node.spec.provider_id);
    labels.object(KubernetesRole::Node, &node.metadata);
    let port = node.status.daemon_endpoints.kubelet_endpoint.port;
    labels.raw("__address__", host_port(address, port));
    labels.raw("instance", &node.metadata.name);
    for (kind, address) in by_kind {
        labels.put(&format!("node_address_{}", label_part(kind)), address);
    }
    found.push("node", &node.metadata, labels);
}

fn service_labels(service: &Service) -> MetaLabels {
    let mut labels = MetaLabels::default();
    labels.put("namespace", &service.metadata.namespace);
    labels.object(KubernetesRole::Service, &service.metadata);
    labels
}

/// Returns the name of the owner of that kind of an object that owns a pod.
fn owner_of(store: &Store<Bare>, pod: &Meta, name: &str, kind: &str) -> Option<String> {
    let owner = store.with(&pod.namespace, name, |object| {
        let owner = object.metadata.controller()?;
        (owner.kind == kind).then(|| owner.name.clone())
    });
    owner.flatten()
}

/// Says whether a pattern, which may begin with a wildcard for one label, covers a host.
fn covers(pattern: &str, host: &str) -> bool {
    let wildcard = pattern.strip_prefix("*.");
    let rest = host.split_once('.').map(|(_, rest)| rest);
    pattern == host || (wildcard.is_some() && wildcard == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_label() {
        for (pattern, host, expected) in [
            ("a.example", "a.example", true),
            ("*.example", "a.example", true),
            ("*.example", "a.b.example", false),
            ("*.example", "example", false),
            ("a.*", "a.example", false),
        ] {
            assert_eq!(covers(pattern, host), expected, "{pattern} {host}");
        }
    }
}
