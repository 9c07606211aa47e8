//! Where the targets of a job come from.

mod consul;
mod dns;
mod ec2;
mod kubernetes;

use std::path::{Path, PathBuf};

use super::ConfigError;
use super::http::{self, HttpConfig};
use super::node::{self, Node};
use super::section::{Problems, Section};

pub use consul::ConsulDiscovery;
pub(crate) use consul::token_header;
pub use dns::{DnsDiscovery, DnsRecord};
pub use ec2::Ec2Discovery;
pub use kubernetes::{KubernetesAttach, KubernetesDiscovery, KubernetesRole, KubernetesSelector};

/// Service discoveries of Prometheus that are not served yet.
const NOT_SERVED: [&str; 26] = [
    "aws_sd_configs",
    "azure_sd_configs",
    "digitalocean_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ecs_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "ionos_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "msk_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "openstack_sd_configs",
    "outscale_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
];

/// One source of targets.
#[derive(Debug, Clone, PartialEq)]
pub enum Discovery {
    /// Targets that stand in the configuration.
    Static(Vec<StaticGroup>),
    /// Targets in files.
    File(FileDiscovery),
    /// Targets from an HTTP endpoint.
    Http(Box<HttpDiscovery>),
    /// Targets in the DNS.
    Dns(DnsDiscovery),
    /// Services that a Consul knows.
    Consul(Box<ConsulDiscovery>),
    /// Machines of Amazon EC2.
    Ec2(Box<Ec2Discovery>),
    /// What runs in a Kubernetes cluster.
    Kubernetes(Box<KubernetesDiscovery>),
}

/// Targets with labels in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StaticGroup {
    /// Addresses, `host:port`.
    pub targets: Vec<String>,
    /// Labels of all of them, in the order given.
    pub labels: Vec<(String, String)>,
}

/// Targets in files that are read anew when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiscovery {
    /// Patterns of files; the last segment may contain a `*`.
    pub files: Vec<PathBuf>,
    /// Milliseconds after which the files are read anyway.
    pub refresh_interval_ms: i64,
}

/// Targets that an endpoint lists.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpDiscovery {
    /// The endpoint.
    pub url: String,
    /// Milliseconds between two requests.
    pub refresh_interval_ms: i64,
    /// How it is talked to.
    pub http: HttpConfig,
}

/// Takes the discovery keys out of a scrape configuration. `check_addresses` refuses addresses that
/// look like URLs, which only relabelling could make sense of.
pub(super) fn read(
    section: &mut Section<'_>,
    directory: &Path,
    check_addresses: bool,
) -> Vec<Discovery> {
    let problems = section.problems();
    let mut discoveries = Vec::new();
    if let Some(node) = section.node("static_configs") {
        let groups = read_groups(node, "static_configs", check_addresses, problems);
        discoveries.push(Discovery::Static(groups));
    }
    if let Some(node) = section.node("file_sd_configs") {
        let elements = problems.elements(node, "file_sd_configs").iter();
        let files = elements.filter_map(|element| read_files(element, directory, problems));
        discoveries.extend(files.map(Discovery::File));
    }
    if let Some(node) = section.node("http_sd_configs") {
        let elements = problems.elements(node, "http_sd_configs").iter();
        let endpoints = elements.filter_map(|element| read_endpoint(element, directory, problems));
        discoveries.extend(endpoints.map(|one| Discovery::Http(Box::new(one))));
    }
    let mut read = |key: &str, read: &dyn Fn(&Node) -> Option<Discovery>| {
        let node = section.node(key);
        let elements = node.map_or(&[][..], |node| problems.elements(node, key));
        discoveries.extend(elements.iter().filter_map(read));
    };
    read("dns_sd_configs", &|node| {
        dns::read(node, problems).map(Discovery::Dns)
    });
    read("consul_sd_configs", &|node| {
        let read = consul::read(node, directory, problems)?;
        Some(Discovery::Consul(Box::new(read)))
    });
    read("ec2_sd_configs", &|node| {
        let read = ec2::read(node, directory, problems)?;
        Some(Discovery::Ec2(Box::new(read)))
    });
    read("kubernetes_sd_configs", &|node| {
        let read = kubernetes::read(node, directory, problems)?;
        Some(Discovery::Kubernetes(Box::new(read)))
    });
    for key in NOT_SERVED {
        section.refuse(key);
    }
    for key in ["vultr_sd_configs", "zookeeper_sd_configs"] {
        section.refuse(key);
    }
    discoveries
}

fn refresh_interval_ms(section: &mut Section<'_>, default_ms: i64) -> i64 {
    let given = section.duration_ms("refresh_interval");
    given.unwrap_or(default_ms).max(1)
}

fn read_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_bad| format!("{text:?} is not a port"))
}

fn read_pairs(section: &mut Section<'_>, key: &str) -> Vec<(String, String)> {
    let problems = section.problems();
    let Some(node) = section.node(key) else {
        return Vec::new();
    };
    let entries = problems.entries(node, key).iter();
    entries
        .map(|(name, value)| {
            let value = problems.text(value, key).unwrap_or_default();
            (name.text.clone(), value)
        })
        .collect()
}

fn read_groups(
    node: &Node,
    what: &str,
    check_addresses: bool,
    problems: &Problems,
) -> Vec<StaticGroup> {
    problems
        .elements(node, what)
        .iter()
        .filter_map(|element| read_group(element, check_addresses, problems))
        .collect()
}

fn read_group(node: &Node, check_addresses: bool, problems: &Problems) -> Option<StaticGroup> {
    let mut section = Section::of(node, "a target group", problems)?;
    let mut group = StaticGroup::default();
    if let Some(targets) = section.node("targets") {
        for element in problems.elements(targets, "targets") {
            let target = problems.text(element, "targets").unwrap_or_default();
            if check_addresses && target.contains('/') {
                problems.add(element.at, format!("{target:?} is not a valid hostname"));
            }
            group.targets.push(target);
        }
    }
    if let Some(labels) = section.node("labels") {
        for (name, value) in problems.entries(labels, "labels") {
            let value = problems.text(value, "labels").unwrap_or_default();
            group.labels.push((name.text.clone(), value));
        }
    }
    section.finish();
    Some(group)
}

/// Reads target groups out of a file of `file_sd_configs` or an answer of `http_sd_configs`; JSON
/// is read as the YAML that it is.
///
/// # Errors
/// The first problem of the text.
pub fn groups_from_text(text: &str) -> Result<Vec<StaticGroup>, ConfigError> {
    let problems = Problems::default();
    let root = node::parse(text, &problems)?;
    let groups = read_groups(&root, "the file", false, &problems);
    problems
        .into_result(groups)
        .map_err(|mut list| list.swap_remove(0))
}

fn read_files(node: &Node, directory: &Path, problems: &Problems) -> Option<FileDiscovery> {
    let mut section = Section::of(node, "`file_sd_configs`", problems)?;
    let mut files = Vec::new();
    if let Some(list) = section.node("files") {
        for element in problems.elements(list, "files") {
            let pattern = problems.text(element, "files").unwrap_or_default();
            if !is_file_pattern(&pattern) {
                let message = format!("path name {pattern:?} is not valid for file discovery");
                problems.add(element.at, message);
            }
            files.push(directory.join(pattern));
        }
    }
    if files.is_empty() {
        let message = "file service discovery config must contain at least one path name";
        problems.add(node.at, message);
    }
    let refresh_interval_ms = section.duration_ms("refresh_interval").unwrap_or(300_000);
    section.finish();
    Some(FileDiscovery {
        files,
        refresh_interval_ms: refresh_interval_ms.max(1),
    })
}

/// Says whether a pattern ends in a known suffix and has a `*` at most in its last segment.
fn is_file_pattern(pattern: &str) -> bool {
    let known_suffix = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"]
        .iter()
        .any(|suffix| pattern.ends_with(suffix));
    let directories = pattern.rsplit_once('/').map_or("", |(before, _)| before);
    let stars = pattern.bytes().filter(|byte| *byte == b'*').count();
    known_suffix && stars <= 1 && !directories.contains('*')
}

fn read_endpoint(node: &Node, directory: &Path, problems: &Problems) -> Option<HttpDiscovery> {
    let mut section = Section::of(node, "`http_sd_configs`", problems)?;
    let has_url = section.node("url").is_some();
    let url = section.scalar("url", http::read_url);
    if !has_url {
        problems.add(node.at, "URL is missing");
    }
    let discovery = HttpDiscovery {
        url: url.unwrap_or_default(),
        refresh_interval_ms: section
            .duration_ms("refresh_interval")
            .unwrap_or(60_000)
            .max(1),
        http: http::read(&mut section, node, directory),
    };
    section.finish();
    Some(discovery)
}
