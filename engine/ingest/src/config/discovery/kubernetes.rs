//! `kubernetes_sd_configs`

use std::path::{Path, PathBuf};

use super::super::http::{self, HttpConfig};
use super::super::node::Node;
use super::super::section::{Problems, Section};

/// What runs in a Kubernetes cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct KubernetesDiscovery {
    /// What kind of objects become targets.
    pub role: KubernetesRole,
    /// Where the API is; `None` inside of the cluster.
    pub api_server: Option<String>,
    /// A file that says where the API is and how it is talked to.
    pub kubeconfig: Option<PathBuf>,
    /// Namespaces to look at; all when empty and `own_namespace` is off.
    pub namespaces: Vec<String>,
    /// Whether the namespace that this server runs in is looked at.
    pub own_namespace: bool,
    /// Selectors of objects.
    pub selectors: Vec<KubernetesSelector>,
    /// What else is attached to targets.
    pub attach: KubernetesAttach,
    /// How the API is talked to, when `api_server` is given.
    pub http: HttpConfig,
}

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the kind of its name")]
pub enum KubernetesRole {
    Node,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Ingress,
}

/// Which objects of a kind are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesSelector {
    /// The kind.
    pub role: KubernetesRole,
    /// A selector of labels.
    pub label: String,
    /// A selector of fields.
    pub field: String,
}

/// What else is attached to targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the configuration, independent of the others"
)]
pub struct KubernetesAttach {
    /// Labels and annotations of the node.
    pub node: bool,
    /// Labels and annotations of the namespace.
    pub namespace: bool,
    /// The name of the deployment.
    pub deployment: bool,
    /// The name of the job.
    pub job: bool,
    /// The name of the cron job.
    pub cronjob: bool,
}

impl KubernetesRole {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Node, "node"),
        (Self::Pod, "pod"),
        (Self::Service, "service"),
        (Self::Endpoints, "endpoints"),
        (Self::EndpointSlice, "endpointslice"),
        (Self::Ingress, "ingress"),
    ];

    fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found
            .map(|(role, _)| *role)
            .ok_or_else(|| format!("unknown Kubernetes SD role {name:?}"))
    }

    /// Returns the name in a configuration file and in labels.
    pub fn as_str(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(role, _)| *role == self)
            .map_or("", |(_, name)| name)
    }

    fn selectable(self) -> &'static [Self] {
        match self {
            Self::Pod => &[Self::Pod, Self::Node],
            Self::Service => &[Self::Service],
            Self::EndpointSlice => &[Self::Pod, Self::Service, Self::EndpointSlice],
            Self::Endpoints => &[Self::Pod, Self::Service, Self::Endpoints],
            Self::Node => &[Self::Node],
            Self::Ingress => &[Self::Ingress],
        }
    }
}

pub(super) fn read(
    node: &Node,
    directory: &Path,
    problems: &Problems,
) -> Option<KubernetesDiscovery> {
    let mut section = Section::of(node, "`kubernetes_sd_configs`", problems)?;
    if section.node("role").is_none() {
        let message =
            "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)";
        problems.add(node.at, message);
    }
    let role = section.scalar("role", KubernetesRole::from_name);
    let role = role.unwrap_or(KubernetesRole::Pod);
    let (namespaces, own_namespace) = section
        .node("namespaces")
        .map(|node| read_namespaces(node, problems))
        .unwrap_or_default();
    let kubeconfig = section.text("kubeconfig_file");
    let kubeconfig = kubeconfig.filter(|path| !path.is_empty());
    let discovery = KubernetesDiscovery {
        role,
        api_server: section.scalar("api_server", http::read_url),
        kubeconfig: kubeconfig.map(|path| directory.join(path)),
        namespaces,
        own_namespace,
        selectors: read_selectors(&mut section, role),
        attach: section
            .node("attach_metadata")
            .map(|node| read_attach(node, problems))
            .unwrap_or_default(),
        http: http::read(&mut section, node, directory),
    };
    section.finish();
    if let Some(message) = contradiction(&discovery) {
        problems.add(node.at, message);
    }
    Some(discovery)
}

fn contradiction(discovery: &KubernetesDiscovery) -> Option<&'static str> {
    let has_api = discovery.api_server.is_some();
    let has_file = discovery.kubeconfig.is_some();
    let is_custom = discovery.http != HttpConfig::default();
    if has_api && has_file {
        Some("cannot use 'kubeconfig_file' and 'api_server' simultaneously")
    } else if has_file && is_custom {
        Some("cannot use a custom HTTP client configuration together with 'kubeconfig_file'")
    } else if !has_api && is_custom {
        Some(
            "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
        )
    } else if has_api && discovery.own_namespace {
        Some("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously")
    } else if has_file && discovery.own_namespace {
        Some("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously")
    } else {
        None
    }
}

fn read_namespaces(node: &Node, problems: &Problems) -> (Vec<String>, bool) {
    let Some(mut section) = Section::of_optional(node, "`namespaces`", problems) else {
        return Default::default();
    };
    let names = section.texts("names").unwrap_or_default();
    let own = section.flag("own_namespace").unwrap_or(false);
    section.finish();
    (names, own)
}

fn read_selectors(section: &mut Section<'_>, role: KubernetesRole) -> Vec<KubernetesSelector> {
    let problems = section.problems();
    let Some(node) = section.node("selectors") else {
        return Vec::new();
    };
    let mut selectors: Vec<KubernetesSelector> = Vec::new();
    for element in problems.elements(node, "selectors") {
        let Some(mut section) = Section::of(element, "a selector", problems) else {
            continue;
        };
        let selector = KubernetesSelector {
            role: section
                .scalar("role", KubernetesRole::from_name)
                .unwrap_or(role),
            label: section.text("label").unwrap_or_default(),
            field: section.text("field").unwrap_or_default(),
        };
        section.finish();
        let selected = selector.role;
        if selectors.iter().any(|known| known.role == selected) {
            let message = format!("duplicated selector role: {}", selected.as_str());
            problems.add(element.at, message);
        }
        if !role.selectable().contains(&selected) {
            let names: Vec<_> = role.selectable().iter().map(|r| r.as_str()).collect();
            let names = names.join(", ");
            let message = format!("{} role supports only {names} selectors", role.as_str());
            problems.add(element.at, message);
        }
        selectors.push(selector);
    }
    selectors
}

fn read_attach(node: &Node, problems: &Problems) -> KubernetesAttach {
    let Some(mut section) = Section::of_optional(node, "`attach_metadata`", problems) else {
        return KubernetesAttach::default();
    };
    let mut flag = |key| section.flag(key).unwrap_or(false);
    let attach = KubernetesAttach {
        node: flag("node"),
        namespace: flag("namespace"),
        deployment: flag("deployment"),
        job: flag("job"),
        cronjob: flag("cronjob"),
    };
    section.finish();
    attach
}
