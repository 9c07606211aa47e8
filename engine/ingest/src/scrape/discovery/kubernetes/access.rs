//! Where the API of a cluster is and how it is talked to.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Deserialize;

use crate::base64::decode_base64;
use crate::config::{
    Authorization, BasicAuth, HttpConfig, KubernetesDiscovery, Secret, SecretSource, TlsConfig,
};

/// Where pods find what they need to talk to the API.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How a cluster is reached.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Access {
    pub(super) url: Url,
    pub(super) http: HttpConfig,
    /// The namespace that this server runs in, where it is asked for.
    pub(super) own_namespace: Option<String>,
}

impl Access {
    /// Returns what the configuration, a file, or the pod says.
    pub(super) async fn find(config: &KubernetesDiscovery) -> Result<Self, String> {
        if let Some(path) = &config.kubeconfig {
            return from_file(path, &read(path).await?);
        }
        if let Some(url) = &config.api_server {
            return Ok(Self {
                url: Url::parse(url).map_err(|error| error.to_string())?,
                http: config.http.clone(),
                own_namespace: None,
            });
        }
        let variable = |name: &str| std::env::var(name).ok();
        let address = variable("KUBERNETES_SERVICE_HOST").zip(variable("KUBERNETES_SERVICE_PORT"));
        in_cluster(address, Path::new(ACCOUNT), config.own_namespace).await
    }
}

async fn in_cluster(
    address: Option<(String, String)>,
    account: &Path,
    own_namespace: bool,
) -> Result<Access, String> {
    let (host, port) =
        address.ok_or("this is no pod of a cluster: name `api_server` or `kubeconfig_file`")?;
    let host = super::super::listener::host_port(&host, port);
    let own_namespace = if own_namespace {
        Some(read(&account.join("namespace")).await?.trim().to_owned())
    } else {
        None
    };
    let file = |name: &str| SecretSource::File(account.join(name));
    Ok(Access {
        url: Url::parse(&format!("https://{host}")).map_err(|error| error.to_string())?,
        http: HttpConfig {
            authorization: Some(bearer(file("token"))),
            tls: TlsConfig {
                ca: Some(file("ca.crt")),
                ..TlsConfig::default()
            },
            ..HttpConfig::default()
        },
        own_namespace,
    })
}

fn bearer(credentials: SecretSource) -> Authorization {
    Authorization {
        kind: "Bearer".to_owned(),
        credentials,
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KubeConfig {
    #[serde(rename = "current-context")]
    current_context: String,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: ClusterEntry,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: ContextEntry,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: UserEntry,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct ClusterEntry {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContextEntry {
    cluster: String,
    user: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct UserEntry {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    username: Option<String>,
    password: Option<String>,
    exec: Option<serde_json::Value>,
    auth_provider: Option<serde_json::Value>,
}

async fn read(path: &Path) -> Result<String, String> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

fn from_file(path: &Path, text: &str) -> Result<Access, String> {
    let shown = path.display();
    // Without a picture of the lines around: there are tokens in them.
    let plain = serde_saphyr::options! { with_snippet: false };
    let config: KubeConfig = serde_saphyr::from_str_with_options(text, plain)
        .map_err(|error| format!("cannot understand `{shown}`: {error}"))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let missing = |what: &str, name: &str| format!("there is no {what} {name:?} in `{shown}`");
    let name = &config.current_context;
    let mut contexts = config.contexts.into_iter();
    let context = contexts.find(|known| known.name == *name);
    let context = context.ok_or_else(|| missing("context", name))?.context;
    let mut clusters = config.clusters.into_iter();
    let cluster = clusters.find(|known| known.name == context.cluster);
    let cluster = cluster
        .ok_or_else(|| missing("cluster", &context.cluster))?
        .cluster;
    let user = match context.user.as_str() {
        "" => UserEntry::default(),
        name => {
            let mut users = config.users.into_iter();
            let user = users.find(|known| known.name == name);
            user.ok_or_else(|| missing("user", name))?.user
        }
    };
    if user.exec.is_some() || user.auth_provider.is_some() {
        let message = "credentials of another program (`exec`, `auth-provider`) are not served";
        return Err(format!("`{shown}`: {message}"));
    }
    let url = Url::parse(&cluster.server).map_err(|error| format!("`{shown}`: {error}"))?;
    let source = |data: Option<String>, file: Option<PathBuf>| match (data, file) {
        (Some(data), _) => decoded(&data).map(Some),
        (None, file) => Ok(file.map(|file| SecretSource::File(directory.join(file)))),
    };
    let inline = |text: String| SecretSource::Inline(Secret::new(text));
    let token_file = user
        .token_file
        .map(|file| SecretSource::File(directory.join(file)));
    let token = token_file.or(user.token.map(inline));
    let http = HttpConfig {
        authorization: token.map(bearer),
        basic_auth: user.username.map(|username| BasicAuth {
            username: inline(username),
            password: inline(user.password.unwrap_or_default()),
        }),
        tls: TlsConfig {
            ca: source(
                cluster.certificate_authority_data,
                cluster.certificate_authority,
            )?,
            cert: source(user.client_certificate_data, user.client_certificate)?,
            key: source(user.client_key_data, user.client_key)?,
            server_name: cluster.tls_server_name,
            insecure_skip_verify: cluster.insecure_skip_tls_verify,
            ..TlsConfig::default()
        },
        ..HttpConfig::default()
    };
    Ok(Access {
        url,
        http,
        own_namespace: None,
    })
}

fn decoded(data: &str) -> Result<SecretSource, String> {
    let bytes = decode_base64(data).and_then(|bytes| String::from_utf8(bytes).ok());
    let text = bytes.ok_or("data of a kubeconfig that is no base64 of text")?;
    Ok(SecretSource::Inline(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_says_where_and_how() {
        let text = "
apiVersion: v1
kind: Config
current-context: b
clusters:
- {name: c, cluster: {server: 'https://10.0.0.1:6443', certificate-authority-data: UEVN, tls-server-name: k}}
contexts:
- {name: a, context: {cluster: none, user: none}}
- {name: b, context: {cluster: c, user: u, namespace: x}}
users:
- {name: u, user: {client-certificate: crt.pem, client-key-data: S0VZ, token: hunter2}}
";
        let access = from_file(Path::new("/etc/kube/config"), text).unwrap();
        assert_eq!(access.url.as_str(), "https://10.0.0.1:6443/");
        let inline = |text: &str| Some(SecretSource::Inline(Secret::new(text)));
        assert_eq!(access.http.tls.ca, inline("PEM"));
        assert_eq!(access.http.tls.key, inline("KEY"));
        assert_eq!(access.http.tls.server_name.as_deref(), Some("k"));
        let cert = SecretSource::File("/etc/kube/crt.pem".into());
        assert_eq!(access.http.tls.cert, Some(cert));
        assert!(!format!("{access:?}").contains("hunter2"));
        for (broken, problem) in [
            (text.replace("context: b", "context: z"), "no context \"z\""),
            (text.replace("user: u", "user: z"), "no user \"z\""),
            (text.replace("UEVN", "??"), "no base64"),
            (
                text.replace("token: hunter2", "exec: {command: x}"),
                "not served",
            ),
            ("a: [".to_owned(), "cannot understand"),
        ] {
            let error = from_file(Path::new("x"), &broken).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[tokio::test]
    async fn a_pod_talks_with_its_account() {
        let account = tempfile::tempdir().unwrap();
        std::fs::write(account.path().join("namespace"), "shop\n").unwrap();
        let address = Some(("fd00::1".to_owned(), "443".to_owned()));
        let access = in_cluster(address, account.path(), true).await.unwrap();
        assert_eq!(access.url.as_str(), "https://[fd00::1]/");
        assert_eq!(access.own_namespace.as_deref(), Some("shop"));
        assert!(access.http.authorization.is_some() && access.http.tls.ca.is_some());
        assert!(in_cluster(None, account.path(), false).await.is_err());
    }
}
