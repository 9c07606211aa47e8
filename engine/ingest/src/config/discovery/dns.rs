//! `dns_sd_configs`

use super::super::node::Node;
use super::super::section::{Problems, Section};

/// Targets in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsDiscovery {
    /// Names to look up.
    pub names: Vec<String>,
    /// What to look up.
    pub record: DnsRecord,
    /// The port of records that hold none.
    pub port: u16,
    /// Milliseconds between two requests.
    pub refresh_interval_ms: i64,
}

/// A type of DNS records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsRecord {
    /// Services, with ports.
    #[default]
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Name servers.
    Ns,
}

impl DnsRecord {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Srv, "SRV"),
        (Self::A, "A"),
        (Self::Aaaa, "AAAA"),
        (Self::Mx, "MX"),
        (Self::Ns, "NS"),
    ];

    fn from_name(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.iter();
        let found = all.find(|(_, known)| known.eq_ignore_ascii_case(name));
        found
            .map(|(record, _)| *record)
            .ok_or_else(|| format!("invalid DNS-SD records type {name}"))
    }

    /// Returns the name in a configuration file.
    pub fn as_str(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(record, _)| *record == self)
            .map_or("", |(_, name)| name)
    }
}

pub(super) fn read(node: &Node, problems: &Problems) -> Option<DnsDiscovery> {
    let mut section = Section::of(node, "`dns_sd_configs`", problems)?;
    let discovery = DnsDiscovery {
        names: section.texts("names").unwrap_or_default(),
        record: section
            .scalar("type", DnsRecord::from_name)
            .unwrap_or_default(),
        port: section.scalar("port", super::read_port).unwrap_or(0),
        refresh_interval_ms: super::refresh_interval_ms(&mut section, 30_000),
    };
    section.finish();
    if discovery.names.is_empty() {
        let message = "DNS-SD config must contain at least one SRV record name";
        problems.add(node.at, message);
    }
    if discovery.record != DnsRecord::Srv && discovery.port == 0 {
        let message = "a port is required in DNS-SD configs for all record types except SRV";
        problems.add(node.at, message);
    }
    Some(discovery)
}
