//! How a target or a discovery endpoint is talked to.

use std::path::{Path, PathBuf};

use super::node::Node;
use super::secret::Secret;
use super::section::{Problems, Section};

/// Authentication, TLS, proxy and headers of HTTP requests.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpConfig {
    /// User name and password.
    pub basic_auth: Option<BasicAuth>,
    /// Other credentials in the `Authorization` header.
    pub authorization: Option<Authorization>,
    /// A server that gives out tokens.
    pub oauth2: Option<Box<OAuth2>>,
    /// TLS settings.
    pub tls: TlsConfig,
    /// Whether redirects are followed; never to another host with credentials.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be negotiated.
    pub enable_http2: bool,
    /// The proxy to go through, which may hold a password.
    pub proxy_url: Option<Secret>,
    /// Hosts that are reached without the proxy, separated by commas.
    pub no_proxy: String,
    /// Whether the proxy is taken from the environment.
    pub proxy_from_environment: bool,
    /// Further headers.
    pub headers: Vec<HttpHeader>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            no_proxy: String::new(),
            proxy_from_environment: false,
            headers: Vec::new(),
        }
    }
}

impl HttpConfig {
    /// Says whether requests carry anything that another host must not see.
    pub fn has_credentials(&self) -> bool {
        self.basic_auth.is_some()
            || self.authorization.is_some()
            || self.oauth2.is_some()
            || !self.headers.is_empty()
    }
}

/// A text that stands in the configuration or in a file, which is read anew for each use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The text itself.
    Inline(Secret),
    /// The file that holds the text.
    File(PathBuf),
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user's name.
    pub username: SecretSource,
    /// The password.
    pub password: SecretSource,
}

/// Credentials of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The type, `Bearer` unless configured.
    pub kind: String,
    /// The credentials.
    pub credentials: SecretSource,
}

/// How tokens are got: the client credentials grant of OAuth 2.0.
#[derive(Debug, Clone, PartialEq)]
pub struct OAuth2 {
    /// The client's name.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretSource,
    /// What the token is to be good for.
    pub scopes: Vec<String>,
    /// Where tokens are given out.
    pub token_url: String,
    /// Further parameters of the request.
    pub endpoint_params: Vec<(String, String)>,
    /// How the server is talked to.
    pub http: HttpConfig,
}

/// A header with all its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpHeader {
    /// The header's name.
    pub name: String,
    /// Values to be shown in the configuration page.
    pub values: Vec<String>,
    /// Values not to be shown.
    pub secrets: Vec<SecretSource>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// TLS settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsConfig {
    /// The certificate authority to trust instead of those of the system.
    pub ca: Option<SecretSource>,
    /// The client's certificate.
    pub cert: Option<SecretSource>,
    /// The key of the client's certificate.
    pub key: Option<SecretSource>,
    /// The name that the server's certificate must have, instead of that of the URL.
    pub server_name: Option<String>,
    /// Whether any certificate of the server is taken.
    pub insecure_skip_verify: bool,
    /// The lowest version to accept.
    pub min_version: Option<TlsVersion>,
    /// The highest version to accept.
    pub max_version: Option<TlsVersion>,
}

/// Takes the keys of an HTTP configuration out of a section that has others as well.
pub(super) fn read(section: &mut Section<'_>, at: &Node, directory: &Path) -> HttpConfig {
    let problems = section.problems();
    let reader = Reader {
        directory,
        problems,
    };
    let basic_auth = section
        .node("basic_auth")
        .and_then(|node| reader.basic_auth(node));
    let bearer = reader.either(section, at, ["bearer_token", "bearer_token_file"]);
    let authorization = section
        .node("authorization")
        .and_then(|node| reader.authorization(node));
    if authorization.is_some() && bearer.is_some() {
        problems.add(
            at.at,
            "authorization is not compatible with bearer_token & bearer_token_file",
        );
    }
    let authorization = authorization.or_else(|| {
        bearer.map(|credentials| Authorization {
            kind: "Bearer".to_owned(),
            credentials,
        })
    });
    if basic_auth.is_some() && authorization.is_some() {
        problems.add(
            at.at,
            "at most one of basic_auth & authorization must be configured",
        );
    }
    section.refuse("proxy_connect_header");
    let oauth2 = section
        .node("oauth2")
        .and_then(|node| reader.oauth2(node))
        .map(Box::new);
    if oauth2.is_some() && (basic_auth.is_some() || authorization.is_some()) {
        let message = "at most one of basic_auth, oauth2 & authorization must be configured";
        problems.add(at.at, message);
    }
    let config = HttpConfig {
        basic_auth,
        authorization,
        oauth2,
        tls: section
            .node("tls_config")
            .map(|node| reader.tls(node))
            .unwrap_or_default(),
        follow_redirects: section.flag("follow_redirects").unwrap_or(true),
        enable_http2: section.flag("enable_http2").unwrap_or(true),
        proxy_url: section.scalar("proxy_url", read_url).map(Secret::new),
        no_proxy: section.text("no_proxy").unwrap_or_default(),
        proxy_from_environment: section.flag("proxy_from_environment").unwrap_or(false),
        headers: section
            .node("http_headers")
            .map(|node| reader.headers(node))
            .unwrap_or_default(),
    };
    if config.proxy_from_environment && (config.proxy_url.is_some() || !config.no_proxy.is_empty())
    {
        problems.add(
            at.at,
            "if proxy_from_environment is configured, proxy_url and no_proxy must not be",
        );
    }
    config
}

/// Checks that `text` is a URL of HTTP with a host.
pub(super) fn read_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("{text:?}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "URL scheme must be 'http' or 'https', not {:?}",
            url.scheme()
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("host is missing in URL".to_owned());
    }
    Ok(text.to_owned())
}

struct Reader<'a> {
    directory: &'a Path,
    problems: &'a Problems,
}

impl Reader<'_> {
    /// Takes a text or the file that holds it, of which at most one may be given.
    fn either(
        &self,
        section: &mut Section<'_>,
        at: &Node,
        [inline, file]: [&str; 2],
    ) -> Option<SecretSource> {
        let text = section.text(inline).filter(|text| !text.is_empty());
        let path = section.text(file).filter(|path| !path.is_empty());
        if text.is_some() && path.is_some() {
            let message = format!("at most one of {inline} & {file} must be configured");
            self.problems.add(at.at, message);
        }
        let inline = text.map(|text| SecretSource::Inline(Secret::new(text)));
        inline.or_else(|| path.map(|path| SecretSource::File(self.directory.join(path))))
    }

    fn basic_auth(&self, node: &Node) -> Option<BasicAuth> {
        let mut section = Section::of(node, "`basic_auth`", self.problems)?;
        let empty = || SecretSource::Inline(Secret::default());
        let username = self.either(&mut section, node, ["username", "username_file"]);
        let password = self.either(&mut section, node, ["password", "password_file"]);
        section.finish();
        Some(BasicAuth {
            username: username.unwrap_or_else(empty),
            password: password.unwrap_or_else(empty),
        })
    }

    fn authorization(&self, node: &Node) -> Option<Authorization> {
        let mut section = Section::of(node, "`authorization`", self.problems)?;
        let kind = section.text("type").unwrap_or_default();
        let kind = kind.trim();
        if kind.eq_ignore_ascii_case("basic") {
            let message =
                "authorization type cannot be set to \"basic\", use \"basic_auth\" instead";
            self.problems.add(node.at, message);
        }
        let credentials = self.either(&mut section, node, ["credentials", "credentials_file"]);
        section.finish();
        Some(Authorization {
            kind: if kind.is_empty() { "Bearer" } else { kind }.to_owned(),
            credentials: credentials.unwrap_or(SecretSource::Inline(Secret::default())),
        })
    }

    fn oauth2(&self, node: &Node) -> Option<OAuth2> {
        let mut section = Section::of(node, "`oauth2`", self.problems)?;
        for key in [
            "grant_type",
            "client_certificate_key",
            "client_certificate_key_file",
        ] {
            section.refuse(key);
        }
        let client_id = section.text("client_id").unwrap_or_default();
        if client_id.is_empty() {
            self.problems
                .add(node.at, "oauth2 client_id must be configured");
        }
        if section.node("token_url").is_none() {
            self.problems
                .add(node.at, "oauth2 token_url must be configured");
        }
        let secret = self.either(&mut section, node, ["client_secret", "client_secret_file"]);
        let tls = section.node("tls_config").map(|node| self.tls(node));
        let params = section.node("endpoint_params");
        let params = params.map_or(&[][..], |node| {
            self.problems.entries(node, "endpoint_params")
        });
        let params = params.iter().map(|(name, value)| {
            let value = self.problems.text(value, "endpoint_params");
            (name.text.clone(), value.unwrap_or_default())
        });
        let oauth2 = OAuth2 {
            client_id,
            client_secret: secret.unwrap_or(SecretSource::Inline(Secret::default())),
            scopes: section.texts("scopes").unwrap_or_default(),
            token_url: section.scalar("token_url", read_url).unwrap_or_default(),
            endpoint_params: params.collect(),
            http: HttpConfig {
                tls: tls.unwrap_or_default(),
                proxy_url: section.scalar("proxy_url", read_url).map(Secret::new),
                no_proxy: section.text("no_proxy").unwrap_or_default(),
                proxy_from_environment: section.flag("proxy_from_environment").unwrap_or(false),
                ..HttpConfig::default()
            },
        };
        section.finish();
        Some(oauth2)
    }

    fn tls(&self, node: &Node) -> TlsConfig {
        let Some(mut section) = Section::of_optional(node, "`tls_config`", self.problems) else {
            return TlsConfig::default();
        };
        let config = TlsConfig {
            ca: self.either(&mut section, node, ["ca", "ca_file"]),
            cert: self.either(&mut section, node, ["cert", "cert_file"]),
            key: self.either(&mut section, node, ["key", "key_file"]),
            server_name: section.text("server_name").filter(|name| !name.is_empty()),
            insecure_skip_verify: section.flag("insecure_skip_verify").unwrap_or(false),
            min_version: section.scalar("min_version", read_min_version),
            max_version: section.scalar("max_version", read_max_version),
        };
        section.finish();
        if config.cert.is_some() && config.key.is_none() {
            let message = "exactly one of key or key_file must be configured when a client \
                           certificate is configured";
            self.problems.add(node.at, message);
        }
        if config.key.is_some() && config.cert.is_none() {
            let message = "exactly one of cert or cert_file must be configured when a client key \
                           is configured";
            self.problems.add(node.at, message);
        }
        if config.min_version > config.max_version && config.max_version.is_some() {
            let message = "tls_config.max_version must be greater than or equal to \
                           tls_config.min_version if both are specified";
            self.problems.add(node.at, message);
        }
        config
    }

    fn headers(&self, node: &Node) -> Vec<HttpHeader> {
        let entries = self.problems.entries(node, "http_headers");
        let headers = entries.iter().filter_map(|(name, value)| {
            if is_reserved(&name.text) {
                let message = format!("setting header {:?} is not allowed", name.text);
                self.problems.add(name.at, message);
            } else if reqwest::header::HeaderName::from_bytes(name.text.as_bytes()).is_err() {
                let message = format!("{:?} is not a valid header name", name.text);
                self.problems.add(name.at, message);
            }
            let mut section = Section::of(value, "a header of `http_headers`", self.problems)?;
            let secrets = section.texts("secrets").unwrap_or_default();
            let files = section.texts("files").unwrap_or_default();
            let secrets = secrets
                .into_iter()
                .map(|text| SecretSource::Inline(Secret::new(text)));
            let files = files
                .into_iter()
                .map(|path| SecretSource::File(self.directory.join(path)));
            let header = HttpHeader {
                name: name.text.clone(),
                values: section.texts("values").unwrap_or_default(),
                secrets: secrets.chain(files).collect(),
            };
            section.finish();
            Some(header)
        });
        headers.collect()
    }
}

/// Says whether a header is set by the client itself.
pub(super) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 18] = [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "www-authenticate",
        "x-prometheus-scrape-timeout-seconds",
    ];
    RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

pub(super) fn read_min_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        // Lower versions are not spoken, so the lowest is 1.2 all the same.
        "TLS10" | "TLS11" | "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        _ => Err(format!("unknown TLS version: {text}")),
    }
}

pub(super) fn read_max_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "TLS12" => Ok(TlsVersion::Tls12),
        "TLS13" => Ok(TlsVersion::Tls13),
        "TLS10" | "TLS11" => Err(format!("{text} is not served: use TLS12 or TLS13")),
        _ => Err(format!("unknown TLS version: {text}")),
    }
}
