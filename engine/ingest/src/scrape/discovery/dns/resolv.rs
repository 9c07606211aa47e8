//! `/etc/resolv.conf`

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Which servers to ask, and in which domains names may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvConf {
    pub(super) servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl ResolvConf {
    pub(super) async fn read(path: &Path) -> Result<Self, String> {
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        Ok(Self::parse(&text))
    }

    /// Reads a configuration. Beside what resolvers read, a server may have a port:
    /// `[address]:port`.
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => config.servers.extend(words.next().and_then(server)),
                Some("search") => config.search = words.map(str::to_owned).collect(),
                Some("domain") => config.search = words.take(1).map(str::to_owned).collect(),
                Some("options") => {
                    let ndots = words.find_map(|word| word.strip_prefix("ndots:"));
                    if let Some(ndots) = ndots.and_then(|text| text.parse().ok()) {
                        config.ndots = ndots;
                    }
                }
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        config
    }

    /// Returns the names that `name` may stand for, likeliest first.
    pub(super) fn names(&self, name: &str) -> Vec<String> {
        if let Some(name) = name.strip_suffix('.') {
            return vec![name.to_owned()];
        }
        let searched = self
            .search
            .iter()
            .map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        let own = std::iter::once(name.to_owned());
        if dots >= self.ndots {
            own.chain(searched).collect()
        } else {
            searched.chain(own).collect()
        }
    }
}

fn server(text: &str) -> Option<SocketAddr> {
    let address: Option<IpAddr> = text.split('%').next()?.parse().ok();
    match address {
        Some(address) => Some(SocketAddr::new(address, 53)),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_domains_and_dots_are_read() {
        let text = "# comment\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver nonsense\n\
                    search a.example b.example.\noptions timeout:1 ndots:2\n";
        let config = ResolvConf::parse(text);
        let servers: Vec<String> = config.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1]:53"]);
        assert_eq!(config.names("x."), ["x"]);
        assert_eq!(
            config.names("x.y"),
            ["x.y.a.example", "x.y.b.example", "x.y"]
        );
        assert_eq!(
            config.names("x.y.z"),
            ["x.y.z", "x.y.z.a.example", "x.y.z.b.example"]
        );
        let nothing = ResolvConf::parse("");
        assert_eq!(nothing.servers[0].to_string(), "127.0.0.1:53");
    }
}
