//! `ec2_sd_configs`

use std::path::Path;

use super::super::http::{self, HttpConfig};
use super::super::node::Node;
use super::super::secret::Secret;
use super::super::section::{Problems, Section};

/// Machines of Amazon EC2.
#[derive(Debug, Clone, PartialEq)]
pub struct Ec2Discovery {
    /// The URL of the API; that of the region when empty.
    pub endpoint: String,
    /// The region; that of the environment or of this machine when empty.
    pub region: String,
    /// The access key; those of the environment or of this machine when empty.
    pub access_key: String,
    /// The secret that goes with the access key.
    pub secret_key: Secret,
    /// The section of the shared credentials file.
    pub profile: String,
    /// The role to assume.
    pub role_arn: String,
    /// What the role wants to hear besides.
    pub external_id: String,
    /// The port of the targets.
    pub port: u16,
    /// Names and values that instances must match.
    pub filters: Vec<(String, Vec<String>)>,
    /// Milliseconds between two requests.
    pub refresh_interval_ms: i64,
    /// How the API is talked to.
    pub http: HttpConfig,
}

pub(super) fn read(node: &Node, directory: &Path, problems: &Problems) -> Option<Ec2Discovery> {
    let mut section = Section::of(node, "`ec2_sd_configs`", problems)?;
    let text = |section: &mut Section<'_>, key| section.text(key).unwrap_or_default();
    let discovery = Ec2Discovery {
        endpoint: section
            .scalar("endpoint", |text| match text {
                "" => Ok(String::new()),
                text if text.contains("://") => http::read_url(text),
                host => http::read_url(&format!("https://{host}")),
            })
            .unwrap_or_default(),
        region: text(&mut section, "region"),
        access_key: text(&mut section, "access_key"),
        secret_key: Secret::new(text(&mut section, "secret_key")),
        profile: text(&mut section, "profile"),
        role_arn: text(&mut section, "role_arn"),
        external_id: text(&mut section, "external_id"),
        port: section.scalar("port", super::read_port).unwrap_or(80),
        filters: read_filters(&mut section),
        refresh_interval_ms: super::refresh_interval_ms(&mut section, 60_000),
        http: http::read(&mut section, node, directory),
    };
    section.finish();
    Some(discovery)
}

fn read_filters(section: &mut Section<'_>) -> Vec<(String, Vec<String>)> {
    let problems = section.problems();
    let Some(node) = section.node("filters") else {
        return Vec::new();
    };
    let elements = problems.elements(node, "filters").iter();
    let filters = elements.filter_map(|element| {
        let mut section = Section::of(element, "a filter of `ec2_sd_configs`", problems)?;
        let name = section.text("name").unwrap_or_default();
        let values = section.texts("values").unwrap_or_default();
        section.finish();
        if values.is_empty() {
            let message = "EC2 SD configuration filter values cannot be empty";
            problems.add(element.at, message);
        }
        Some((name, values))
    });
    filters.collect()
}
