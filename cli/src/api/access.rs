//! The way into a server: authentication, headers, TLS.

use std::path::{Path, PathBuf};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, RequestBuilder};
use serde::Deserialize;

use crate::exit::Failure;
use crate::settings::Access;

/// What every request carries.
#[derive(Clone, Default)]
pub(crate) struct WayIn {
    headers: HeaderMap,
    basic: Option<(String, String)>,
}

/// Secrets stay out of logs.
impl std::fmt::Debug for WayIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WayIn").finish_non_exhaustive()
    }
}

impl WayIn {
    /// Adds headers and authentication to a request.
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.headers(self.headers.clone());
        match &self.basic {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let wrong = || Failure::usage(format!("the header `{name}` cannot be sent"));
        let name = HeaderName::try_from(name).map_err(|error| wrong().because(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| wrong().because(&error))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

/// Prometheus' `http_config`, as far as a client needs it; an unknown key is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpConfig {
    basic_auth: Option<BasicAuth>,
    authorization: Option<Authorization>,
    bearer_token_file: Option<PathBuf>,
    tls_config: Option<TlsConfig>,
    proxy_url: Option<String>,
    follow_redirects: Option<bool>,
    enable_http2: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicAuth {
    username: String,
    password: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    #[serde(rename = "type")]
    scheme: Option<String>,
    credentials: Option<String>,
    credentials_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsConfig {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    insecure_skip_verify: Option<bool>,
}

/// Builds the client and reads every file that holds a secret.
pub(crate) fn build_client(access: &Access) -> Result<(Client, WayIn), Failure> {
    let mut way_in = WayIn::default();
    let version = env!("CARGO_PKG_VERSION");
    let mut builder = Client::builder().user_agent(format!("obsq/{version}"));
    if let Some(file) = &access.http_config {
        builder = apply(builder, &mut way_in, file)?;
    }
    if let Some(tenant) = &access.org_id {
        way_in.set("x-scope-orgid", tenant)?;
    }
    for (name, value) in &access.headers {
        way_in.set(name, value)?;
    }
    if let Some(file) = &access.bearer_token_file {
        way_in.set("authorization", &format!("Bearer {}", secret(file)?))?;
    }
    if let Some((name, file)) = &access.basic {
        let password = file.as_deref().map(secret).transpose()?;
        way_in.basic = Some((name.clone(), password.unwrap_or_default()));
    }
    let client = builder
        .build()
        .map_err(|error| Failure::usage("cannot set up HTTP").because(&error))?;
    Ok((client, way_in))
}

fn apply(
    mut builder: ClientBuilder,
    way_in: &mut WayIn,
    file: &Path,
) -> Result<ClientBuilder, Failure> {
    // Without a picture of the lines around: there are passwords in them.
    let plain = serde_saphyr::options! { with_snippet: false };
    let config: HttpConfig =
        serde_saphyr::from_str_with_options(&read(file)?, plain).map_err(|error| {
            Failure::usage(format!("`{}` is wrong", file.display())).because(&error)
        })?;
    // Relative paths are relative to the file, as Prometheus has it.
    let folder = file.parent().unwrap_or(Path::new("."));
    let near = |path: &PathBuf| folder.join(path);
    if let Some(basic) = &config.basic_auth {
        let from_file = basic.password_file.as_ref().map(|path| secret(&near(path)));
        let password = basic.password.clone().map(Ok).or(from_file).transpose()?;
        way_in.basic = Some((basic.username.clone(), password.unwrap_or_default()));
    }
    if let Some(authorization) = &config.authorization {
        let from_file = authorization.credentials_file.as_ref();
        let from_file = from_file.map(|path| secret(&near(path)));
        let given = authorization.credentials.clone().map(Ok);
        let credentials = given.or(from_file).transpose()?.unwrap_or_default();
        let scheme = authorization.scheme.as_deref().unwrap_or("Bearer");
        way_in.set("authorization", &format!("{scheme} {credentials}"))?;
    }
    if let Some(path) = &config.bearer_token_file {
        way_in.set("authorization", &format!("Bearer {}", secret(&near(path))?))?;
    }
    if let Some(tls) = &config.tls_config {
        builder = apply_tls(builder, tls, &near)?;
    }
    if let Some(url) = &config.proxy_url {
        let proxy = Proxy::all(url)
            .map_err(|error| Failure::usage("`proxy_url` is wrong").because(&error))?;
        builder = builder.proxy(proxy);
    }
    if config.follow_redirects == Some(false) {
        builder = builder.redirect(reqwest::redirect::Policy::none());
    }
    if config.enable_http2 == Some(false) {
        builder = builder.http1_only();
    }
    Ok(builder)
}

fn apply_tls(
    mut builder: ClientBuilder,
    tls: &TlsConfig,
    near: &dyn Fn(&PathBuf) -> PathBuf,
) -> Result<ClientBuilder, Failure> {
    let wrong = |path: &Path, error: reqwest::Error| {
        Failure::usage(format!("cannot use `{}`", path.display())).because(&error)
    };
    if let Some(path) = tls.ca_file.as_ref().map(near) {
        let bundle = Certificate::from_pem_bundle(read(&path)?.as_bytes());
        builder = builder.tls_certs_only(bundle.map_err(|error| wrong(&path, error))?);
    }
    if let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) {
        let (cert, key) = (near(cert), near(key));
        let both = format!("{}\n{}", read(&cert)?, read(&key)?);
        let identity = Identity::from_pem(both.as_bytes());
        builder = builder.identity(identity.map_err(|error| wrong(&cert, error))?);
    }
    let skip = tls.insecure_skip_verify == Some(true);
    Ok(builder.tls_danger_accept_invalid_certs(skip))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read `{}`", file.display())).because(&error)
    })
}

/// Reads a file that holds a secret, without the line break that editors add.
fn secret(file: &Path) -> Result<String, Failure> {
    Ok(read(file)?.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn built(config: &str, secret: &str) -> Result<WayIn, Failure> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("http.yml");
        std::fs::write(&file, config).unwrap();
        std::fs::write(folder.path().join("secret"), secret).unwrap();
        let access = Access {
            http_config: Some(file),
            ..Access::default()
        };
        build_client(&access).map(|(_, way_in)| way_in)
    }

    #[test]
    fn secrets_come_from_files_beside_the_configuration() {
        let way_in = built(
            "basic_auth:\n  username: me\n  password_file: secret\n",
            "p\n",
        )
        .unwrap();
        assert_eq!(way_in.basic, Some(("me".into(), "p".into())));
        let way_in = built("authorization:\n  credentials_file: secret\n", "tok\r\n").unwrap();
        assert_eq!(way_in.headers["authorization"], "Bearer tok");
        assert!(!format!("{way_in:?}").contains("tok"));
    }

    #[test]
    fn an_unknown_key_or_a_missing_file_is_refused() {
        for config in [
            "oauth2: {}\n",
            "bearer_token_file: nowhere\n",
            "tls_config: [1]\n",
        ] {
            assert_eq!(built(config, "").unwrap_err().exit, Exit::Usage, "{config}");
        }
    }
}
