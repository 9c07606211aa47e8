//! URLs of targets as others reach them.

/// Turns the URLs of local targets into those that work from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GlobalUrl {
    scheme: String,
    /// Host and, where it is written, port.
    authority: String,
    own_port: u16,
}

impl GlobalUrl {
    /// Returns the rule for a server that listens on `own_port` and is reached as `external_url`.
    pub(crate) fn new(external_url: &str, own_port: u16) -> Self {
        let (scheme, rest) = external_url
            .split_once("://")
            .unwrap_or(("http", external_url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Self {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            own_port,
        }
    }

    /// Returns `url`; on a loopback address its host becomes the external one, and when it is this
    /// server's own port, scheme and port as well.
    pub(crate) fn of(&self, url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else {
            return url.to_owned();
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_port(authority);
        if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            return url.to_owned();
        }
        if port == Some(self.own_port.to_string().as_str()) {
            return format!("{}://{}{path}", self.scheme, self.authority);
        }
        let (external_host, _) = split_port(&self.authority);
        match port {
            Some(port) => format!("{scheme}://{external_host}:{port}{path}"),
            None => format!("{scheme}://{external_host}{path}"),
        }
    }
}

/// Splits `host:port`; the brackets of an IPv6 address stay.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_targets_are_rewritten() {
        let global = GlobalUrl::new("https://obsq.example/prom", 4600);
        let table = [
            (
                "http://10.0.0.1:9100/metrics",
                "http://10.0.0.1:9100/metrics",
            ),
            (
                "http://localhost:9100/metrics",
                "http://obsq.example:9100/metrics",
            ),
            ("http://[::1]:9100/m?a=b", "http://obsq.example:9100/m?a=b"),
            (
                "http://127.0.0.1:4600/metrics",
                "https://obsq.example/metrics",
            ),
            ("http://127.0.0.1/metrics", "http://obsq.example/metrics"),
        ];
        for (url, expected) in table {
            assert_eq!(global.of(url), expected);
        }
        let with_port = GlobalUrl::new("http://host:9000", 4600);
        assert_eq!(
            with_port.of("http://localhost:4600/m"),
            "http://host:9000/m"
        );
        assert_eq!(with_port.of("http://localhost:1/m"), "http://host:1/m");
    }
}
