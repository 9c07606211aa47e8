//! HTTP clients made of a configuration.

mod named_tls;
mod oauth2;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{
    Certificate, Client, Identity, Method, NoProxy, Proxy, RequestBuilder, Url, redirect, tls,
};

use self::named_tls::Pem;
use self::oauth2::Tokens;
use crate::config::{Authorization, HttpConfig, SecretSource, TlsConfig, TlsVersion};

/// Most redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// Why a client or a request could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("cannot read {path:?}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("cannot set up the HTTP client: {}", root_cause(.0))]
    Build(#[from] reqwest::Error),
    #[error("cannot use `tls_config`: {0}")]
    Tls(String),
    #[error("cannot get a token: {0}")]
    Token(String),
    #[error("header {0:?} has a value that cannot be sent")]
    Header(String),
}

/// A client that sends what its configuration says with each request.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: Client,
    config: HttpConfig,
    tokens: Option<Arc<Tokens>>,
}

impl HttpClient {
    /// Sets up a client; reads the files of certificates.
    pub(crate) async fn new(config: &HttpConfig, user_agent: &str) -> Result<Self, ClientError> {
        install_crypto();
        let mut builder = Client::builder()
            .user_agent(user_agent)
            .no_gzip()
            .redirect(redirect_policy(config));
        if !config.enable_http2 {
            builder = builder.http1_only();
        }
        if let Some(url) = &config.proxy_url {
            let proxy = Proxy::all(url.expose())?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&config.no_proxy)));
        } else if !config.proxy_from_environment {
            builder = builder.no_proxy();
        }
        builder = with_tls(builder, &config.tls, config.enable_http2).await?;
        let tokens = match &config.oauth2 {
            None => None,
            Some(oauth2) => {
                let client = Box::pin(Self::new(&oauth2.http, user_agent)).await?;
                Some(Arc::new(Tokens::new((**oauth2).clone(), client)))
            }
        };
        Ok(Self {
            client: builder.build()?,
            config: config.clone(),
            tokens,
        })
    }

    /// Returns a GET request with credentials and configured headers. Files that hold them are
    /// read anew.
    pub(crate) async fn get(&self, url: Url) -> Result<RequestBuilder, ClientError> {
        self.request(Method::GET, url).await
    }

    /// Like [`Self::get`], for any method.
    pub(crate) async fn request(
        &self,
        method: Method,
        url: Url,
    ) -> Result<RequestBuilder, ClientError> {
        let request = self.client.request(method, url);
        let mut request = request.headers(self.headers().await?);
        if let Some(auth) = &self.config.basic_auth {
            let (username, password) = (read(&auth.username).await?, read(&auth.password).await?);
            request = request.basic_auth(username, Some(password));
        }
        if let Some(Authorization { kind, credentials }) = &self.config.authorization {
            let value = format!("{kind} {}", read(credentials).await?);
            let value = sensitive("Authorization", &value)?;
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        if let Some(tokens) = &self.tokens {
            request = request.bearer_auth(tokens.get().await?);
        }
        Ok(request)
    }

    /// Returns a request without credentials and configured headers.
    pub(crate) fn request_plain(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    async fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        for header in &self.config.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes())
                .map_err(|_invalid| ClientError::Header(header.name.clone()))?;
            for value in &header.values {
                headers.append(name.clone(), sensitive(&header.name, value)?);
            }
            for secret in &header.secrets {
                headers.append(name.clone(), sensitive(&header.name, &read(secret).await?)?);
            }
        }
        Ok(headers)
    }
}

fn sensitive(name: &str, value: &str) -> Result<HeaderValue, ClientError> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_invalid| ClientError::Header(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(source: &SecretSource) -> Result<String, ClientError> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.expose().to_owned()),
        SecretSource::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(source) => Err(ClientError::File {
                path: path.clone(),
                source,
            }),
        },
    }
}

/// Follows redirects, but with credentials only on the same host and port: other headers than
/// `Authorization` would go along otherwise.
fn redirect_policy(config: &HttpConfig) -> redirect::Policy {
    if !config.follow_redirects {
        return redirect::Policy::none();
    }
    let has_credentials = config.has_credentials();
    redirect::Policy::custom(move |attempt| {
        let place = |url: &Url| {
            (
                url.host_str().map(str::to_owned),
                url.port_or_known_default(),
            )
        };
        let leaves = attempt
            .previous()
            .first()
            .is_some_and(|first| place(first) != place(attempt.url()));
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("stopped after 10 redirects")
        } else if has_credentials && leaves {
            attempt.error("redirected to another host, which must not get the credentials")
        } else {
            attempt.follow()
        }
    })
}

async fn with_tls(
    mut builder: reqwest::ClientBuilder,
    tls: &TlsConfig,
    http2: bool,
) -> Result<reqwest::ClientBuilder, ClientError> {
    if let Some(name) = &tls.server_name
        && !tls.insecure_skip_verify
    {
        let config = named_tls::client_config(tls, name, &read_pem(tls).await?, http2);
        let config = config.map_err(ClientError::Tls)?;
        return Ok(builder.tls_backend_preconfigured(config));
    }
    if let Some(ca) = &tls.ca {
        let bundle = Certificate::from_pem_bundle(read(ca).await?.as_bytes())?;
        builder = builder.tls_certs_only(bundle);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let pem = format!("{}\n{}\n", read(cert).await?, read(key).await?);
        builder = builder.identity(Identity::from_pem(pem.as_bytes())?);
    }
    let version = |version: TlsVersion| match version {
        TlsVersion::Tls12 => tls::Version::TLS_1_2,
        TlsVersion::Tls13 => tls::Version::TLS_1_3,
    };
    if let Some(min) = tls.min_version {
        builder = builder.tls_version_min(version(min));
    }
    if let Some(max) = tls.max_version {
        builder = builder.tls_version_max(version(max));
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

async fn read_pem(tls: &TlsConfig) -> Result<Pem, ClientError> {
    let mut pem = Pem::default();
    if let Some(ca) = &tls.ca {
        pem.ca = Some(read(ca).await?);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        pem.identity = Some(format!("{}\n{}\n", read(cert).await?, read(key).await?));
    }
    Ok(pem)
}

/// Makes sure that TLS has its cryptography, which the client does not bring along.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Someone else may have been faster, which is as good.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
    });
}

/// Returns the innermost cause of a failed request, which says what happened.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    match text.split_once(" (os error") {
        Some((reason, _code)) => reason.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
