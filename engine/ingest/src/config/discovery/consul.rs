//! `consul_sd_configs`

use std::path::Path;

use super::super::http::{self, Authorization, BasicAuth, HttpConfig, SecretSource};
use super::super::node::Node;
use super::super::secret::Secret;
use super::super::section::{Problems, Section};

/// Services that a Consul knows.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsulDiscovery {
    /// `host:port` of the agent.
    pub server: String,
    /// What stands before the paths of the API.
    pub path_prefix: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The token of access, if there is one.
    pub token: Secret,
    /// The datacenter; that of the agent when empty.
    pub datacenter: String,
    /// The namespace, of Consul Enterprise.
    pub namespace: String,
    /// The partition, of Consul Enterprise.
    pub partition: String,
    /// What tags are joined with.
    pub tag_separator: String,
    /// Whether any server may answer.
    pub allow_stale: bool,
    /// Names of services; all when empty.
    pub services: Vec<String>,
    /// Tags that a service must have.
    pub tags: Vec<String>,
    /// Metadata that nodes must have.
    pub node_meta: Vec<(String, String)>,
    /// Filter of the list of services.
    pub filter: String,
    /// Filter of the instances.
    pub health_filter: String,
    /// Milliseconds from one request to the next, at least.
    pub refresh_interval_ms: i64,
    /// How the agent is talked to.
    pub http: HttpConfig,
}

pub(super) fn read(node: &Node, directory: &Path, problems: &Problems) -> Option<ConsulDiscovery> {
    let mut section = Section::of(node, "`consul_sd_configs`", problems)?;
    let username = section.text("username").unwrap_or_default();
    let password = section.text("password").unwrap_or_default();
    let token = Secret::new(section.text("token").unwrap_or_default());
    let mut http = http::read(&mut section, node, directory);
    if !username.is_empty() || !password.is_empty() {
        if http.basic_auth.is_some() {
            let message = "at most one of consul SD configuration username and password and basic \
                           auth can be configured";
            problems.add(node.at, message);
        }
        http.basic_auth = Some(BasicAuth {
            username: SecretSource::Inline(Secret::new(username)),
            password: SecretSource::Inline(Secret::new(password)),
        });
    }
    if !token.is_empty() && (http.authorization.is_some() || http.oauth2.is_some()) {
        let message = "at most one of consul SD token, authorization, or oauth2 can be configured";
        problems.add(node.at, message);
    }
    let text = |section: &mut Section<'_>, key: &str, default: &str| {
        section.text(key).unwrap_or_else(|| default.to_owned())
    };
    let discovery = ConsulDiscovery {
        server: text(&mut section, "server", "localhost:8500"),
        path_prefix: text(&mut section, "path_prefix", ""),
        scheme: text(&mut section, "scheme", "http"),
        token,
        datacenter: text(&mut section, "datacenter", ""),
        namespace: text(&mut section, "namespace", ""),
        partition: text(&mut section, "partition", ""),
        tag_separator: text(&mut section, "tag_separator", ","),
        allow_stale: section.flag("allow_stale").unwrap_or(true),
        services: section.texts("services").unwrap_or_default(),
        tags: section.texts("tags").unwrap_or_default(),
        node_meta: super::read_pairs(&mut section, "node_meta"),
        filter: text(&mut section, "filter", ""),
        health_filter: text(&mut section, "health_filter", ""),
        refresh_interval_ms: super::refresh_interval_ms(&mut section, 30_000),
        http,
    };
    section.finish();
    if discovery.server.trim().is_empty() {
        problems.add(node.at, "consul SD configuration requires a server address");
    }
    Some(discovery)
}

/// Returns how requests show the token.
pub(crate) fn token_header(token: &Secret) -> Option<Authorization> {
    (!token.is_empty()).then(|| Authorization {
        kind: "Bearer".to_owned(),
        credentials: SecretSource::Inline(token.clone()),
    })
}
