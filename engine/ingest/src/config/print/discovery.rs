//! Discoveries of services that are asked.

use super::yaml::Yaml;
use super::{Map, http, pairs};
use crate::config::discovery::{
    ConsulDiscovery, Discovery, DnsDiscovery, Ec2Discovery, KubernetesDiscovery,
};

/// Returns the lists of discoveries that ask a service.
pub(super) fn others(discoveries: &[Discovery]) -> Map {
    let mut map = Map::default();
    let list = |pick: &dyn Fn(&Discovery) -> Option<Yaml>| -> Vec<Yaml> {
        discoveries.iter().filter_map(pick).collect()
    };
    let found = list(&|one| match one {
        Discovery::Dns(config) => Some(dns(config)),
        _ => None,
    });
    map.list("dns_sd_configs", found);
    let found = list(&|one| match one {
        Discovery::Consul(config) => Some(consul(config)),
        _ => None,
    });
    map.list("consul_sd_configs", found);
    let found = list(&|one| match one {
        Discovery::Ec2(config) => Some(ec2(config)),
        _ => None,
    });
    map.list("ec2_sd_configs", found);
    let found = list(&|one| match one {
        Discovery::Kubernetes(config) => Some(kubernetes(config)),
        _ => None,
    });
    map.list("kubernetes_sd_configs", found);
    map
}

fn dns(config: &DnsDiscovery) -> Yaml {
    let mut map = Map::default();
    map.texts("names", &config.names);
    map.duration("refresh_interval", config.refresh_interval_ms);
    map.text("type", config.record.as_str());
    map.word("port", config.port);
    map.into_yaml()
}

fn consul(config: &ConsulDiscovery) -> Yaml {
    let mut map = Map::default();
    map.text("server", &config.server);
    map.some_text("path_prefix", &config.path_prefix);
    if !config.token.is_empty() {
        map.word("token", &config.token);
    }
    map.some_text("datacenter", &config.datacenter);
    map.some_text("namespace", &config.namespace);
    map.some_text("partition", &config.partition);
    map.text("tag_separator", &config.tag_separator);
    map.text("scheme", &config.scheme);
    map.word("allow_stale", config.allow_stale);
    map.duration("refresh_interval", config.refresh_interval_ms);
    map.texts("services", &config.services);
    map.texts("tags", &config.tags);
    if !config.node_meta.is_empty() {
        map.put("node_meta", pairs(&config.node_meta));
    }
    map.some_text("filter", &config.filter);
    map.some_text("health_filter", &config.health_filter);
    map.append(http(&config.http));
    map.into_yaml()
}

fn ec2(config: &Ec2Discovery) -> Yaml {
    let mut map = Map::default();
    map.some_text("endpoint", &config.endpoint);
    map.some_text("region", &config.region);
    map.some_text("access_key", &config.access_key);
    if !config.secret_key.is_empty() {
        map.word("secret_key", &config.secret_key);
    }
    map.some_text("profile", &config.profile);
    map.some_text("role_arn", &config.role_arn);
    map.some_text("external_id", &config.external_id);
    map.duration("refresh_interval", config.refresh_interval_ms);
    map.word("port", config.port);
    let filters = config.filters.iter().map(|(name, values)| {
        let mut filter = Map::default();
        filter.text("name", name);
        filter.texts("values", values);
        filter.into_yaml()
    });
    map.list("filters", filters.collect());
    map.append(http(&config.http));
    map.into_yaml()
}

fn kubernetes(config: &KubernetesDiscovery) -> Yaml {
    let mut map = Map::default();
    if let Some(url) = &config.api_server {
        map.text("api_server", url);
    }
    map.text("role", config.role.as_str());
    let kubeconfig = config.kubeconfig.as_ref();
    let kubeconfig = kubeconfig.map(|path| path.to_string_lossy());
    map.text("kubeconfig_file", &kubeconfig.unwrap_or_default());
    map.append(http(&config.http));
    let mut namespaces = Map::default();
    namespaces.word("own_namespace", config.own_namespace);
    namespaces.texts("names", &config.namespaces);
    map.put("namespaces", namespaces.into_yaml());
    let selectors = config.selectors.iter().map(|selector| {
        let mut map = Map::default();
        map.text("role", selector.role.as_str());
        map.some_text("label", &selector.label);
        map.some_text("field", &selector.field);
        map.into_yaml()
    });
    map.list("selectors", selectors.collect());
    let attach = &config.attach;
    let switches = [
        ("node", attach.node),
        ("namespace", attach.namespace),
        ("deployment", attach.deployment),
        ("job", attach.job),
        ("cronjob", attach.cronjob),
    ];
    let mut nested = Map::default();
    for (name, is_on) in switches {
        nested.flag(name, is_on);
    }
    if !nested.0.is_empty() {
        map.put("attach_metadata", nested.into_yaml());
    }
    map.into_yaml()
}
