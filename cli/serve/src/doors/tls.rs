//! TLS settings of the server.

use std::sync::Arc;

use obsq_ingest::config::{ClientAuth, ConfigError, Located, SecretSource, TlsVersion, WebTls};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::material::Files;
use super::verifier::NamedClients;

/// Builds what the TLS library needs.
pub(super) fn server_config(
    tls: &WebTls,
    http2: bool,
    files: &Files,
) -> Result<Arc<ServerConfig>, ConfigError> {
    let provider = Arc::new(provider(tls));
    let unusable = |error: rustls::Error| tls.cert.problem(format!("cannot use it: {error}"));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(tls))
        .map_err(unusable)?;
    let builder = match client_verifier(tls, files, &provider)? {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let certificates = certificates(&tls.cert, files)?;
    let key = PrivateKeyDer::from_pem_slice(files.text(&tls.key)?).map_err(|error| {
        tls.key
            .problem(format!("there is no private key in it: {error}"))
    })?;
    let mut config = builder
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.ignore_client_order = tls.prefer_server_cipher_suites;
    let protocols: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Returns the cryptography with the cipher suites and groups that are wanted.
fn provider(tls: &WebTls) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let rank = |suite: &SupportedCipherSuite| {
            let mut wanted = tls.cipher_suites.iter();
            wanted.position(|wanted| *wanted == suite.suite())
        };
        let is_13 = |suite: &SupportedCipherSuite| suite.tls13().is_some();
        let suites = &mut provider.cipher_suites;
        suites.retain(|suite| is_13(suite) || rank(suite).is_some());
        suites.sort_by_key(|suite| (!is_13(suite), rank(suite)));
    }
    if !tls.curves.is_empty() {
        let known = provider.kx_groups;
        let wanted = tls.curves.iter();
        let find = |wanted| known.iter().find(|group| group.name() == wanted).copied();
        provider.kx_groups = wanted.filter_map(|wanted| find(*wanted)).collect();
    }
    provider
}

fn versions(tls: &WebTls) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match (tls.min_version, tls.max_version) {
        (TlsVersion::Tls12, TlsVersion::Tls12) => &ONLY_12,
        (TlsVersion::Tls12, TlsVersion::Tls13) => &BOTH,
        (TlsVersion::Tls13, _) => &ONLY_13,
    }
}

fn certificates(
    source: &Located<SecretSource>,
    files: &Files,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(files.text(source)?).collect();
    let problem = match list {
        Ok(list) if !list.is_empty() => return Ok(list),
        Ok(_) => "there is no certificate in it".to_owned(),
        Err(error) => format!("cannot read the certificate: {error}"),
    };
    Err(source.problem(problem))
}

fn client_verifier(
    tls: &WebTls,
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, ConfigError> {
    let (is_mandatory, verifies) = match tls.client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Request => (false, false),
        ClientAuth::RequireAny => (true, false),
        ClientAuth::VerifyIfGiven => (false, true),
        ClientAuth::RequireAndVerify => (true, true),
    };
    let authorities = match &tls.client_ca {
        Some(source) if verifies => Some(authorities(source, files, provider)?),
        _ => None,
    };
    Ok(Some(Arc::new(NamedClients {
        authorities,
        is_mandatory,
        names: tls.client_allowed_sans.clone(),
        provider: Arc::clone(provider),
    })))
}

fn authorities(
    source: &Located<SecretSource>,
    files: &Files,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ConfigError> {
    let problem = |error: &dyn std::error::Error| source.problem(format!("cannot use it: {error}"));
    let mut roots = RootCertStore::empty();
    for certificate in certificates(source, files)? {
        roots.add(certificate).map_err(|error| problem(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| problem(&error))
}
