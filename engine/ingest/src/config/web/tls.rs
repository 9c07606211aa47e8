//! The `tls_server_config` section.

use std::path::Path;

use rustls::{CipherSuite, NamedGroup};

use super::Located;
use crate::config::http::{read_max_version, read_min_version};
use crate::config::node::Node;
use crate::config::section::{Problems, Section};
use crate::config::{Secret, SecretSource, TlsVersion};

/// How TLS is spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct WebTls {
    /// The server's certificate, those of its authorities following.
    pub cert: Located<SecretSource>,
    /// The key of the certificate.
    pub key: Located<SecretSource>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// The authorities of the certificates of clients.
    pub client_ca: Option<Located<SecretSource>>,
    /// Names of which a client's certificate must have one; any will do when empty.
    pub client_allowed_sans: Vec<String>,
    /// The lowest version to speak.
    pub min_version: TlsVersion,
    /// The highest version to speak.
    pub max_version: TlsVersion,
    /// Cipher suites of TLS 1.2; all that are known when empty.
    pub cipher_suites: Vec<CipherSuite>,
    /// Whether the order of the cipher suites counts, or that of the client.
    pub prefer_server_cipher_suites: bool,
    /// Groups of the key exchange, best first; all that are known when empty.
    pub curves: Vec<NamedGroup>,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; any certificate will do, and none.
    Request,
    /// They need one; any will do.
    RequireAny,
    /// They are asked; if they show one, it must come from a known authority.
    VerifyIfGiven,
    /// They need one from a known authority.
    RequireAndVerify,
}

/// Cipher suites of TLS 1.2 by the names that Go has for them.
const CIPHER_SUITES: [(&str, CipherSuite); 8] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Those of TLS 1.3 may be listed, and are always spoken.
const CIPHER_SUITES_13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

pub(super) fn read(node: &Node, directory: &Path, problems: &Problems) -> Option<WebTls> {
    let mut section = Section::of_optional(node, "`tls_server_config`", problems)?;
    let mut source = |keys| read_source(&mut section, keys, node, directory, problems);
    let cert = source(["cert", "cert_file"]);
    let key = source(["key", "key_file"]);
    let client_ca = source(["client_ca", "client_ca_file"]);
    for (given, keys) in [(&cert, "cert or cert_file"), (&key, "key or key_file")] {
        if given.is_none() {
            problems.add(node.at, format!("missing one of {keys}"));
        }
    }
    let client_auth = read_client_auth(&mut section, node, client_ca.is_some());
    let client_allowed_sans = section.texts("client_allowed_sans").unwrap_or_default();
    if !client_allowed_sans.is_empty() && client_auth == ClientAuth::None {
        let message = "`client_allowed_sans` needs a `client_auth_type` that asks for certificates";
        problems.add(node.at, message);
    }
    let min_version = section.scalar("min_version", read_min_version);
    let max_version = section.scalar("max_version", read_max_version);
    let (min_version, max_version) = (
        min_version.unwrap_or(TlsVersion::Tls12),
        max_version.unwrap_or(TlsVersion::Tls13),
    );
    if min_version > max_version {
        problems.add(node.at, "min_version is higher than max_version");
    }
    let cipher_suites = read_cipher_suites(&mut section);
    let curves = read_curves(&mut section);
    let prefer = section.flag("prefer_server_cipher_suites");
    section.finish();
    Some(WebTls {
        cert: cert?,
        key: key?,
        client_auth,
        client_ca,
        client_allowed_sans,
        min_version,
        max_version,
        cipher_suites,
        prefer_server_cipher_suites: prefer.unwrap_or(true),
        curves,
    })
}

/// Takes a text or the file that holds it, of which at most one may be given.
fn read_source(
    section: &mut Section<'_>,
    [inline, file]: [&str; 2],
    at: &Node,
    directory: &Path,
    problems: &Problems,
) -> Option<Located<SecretSource>> {
    let mut take = |key: &str| {
        let node = section.node(key)?;
        let text = problems.text(node, key)?;
        (!text.is_empty()).then_some((node, text))
    };
    let (text, path) = (take(inline), take(file));
    if text.is_some() && path.is_some() {
        problems.add(
            at.at,
            format!("only one of {inline} and {file} may be given"),
        );
    }
    let text = text.map(|(node, text)| {
        let secret = SecretSource::Inline(Secret::new(text));
        Located::new(node, secret)
    });
    text.or_else(|| {
        path.map(|(node, path)| Located::new(node, SecretSource::File(directory.join(path))))
    })
}

fn read_client_auth(section: &mut Section<'_>, at: &Node, has_ca: bool) -> ClientAuth {
    let auth = section
        .scalar("client_auth_type", |text| match text {
            "" | "NoClientCert" => Ok(ClientAuth::None),
            "RequestClientCert" => Ok(ClientAuth::Request),
            "RequireAnyClientCert" | "RequireClientCert" => Ok(ClientAuth::RequireAny),
            "VerifyClientCertIfGiven" => Ok(ClientAuth::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(ClientAuth::RequireAndVerify),
            _ => Err(format!("invalid ClientAuth: {text}")),
        })
        .unwrap_or_default();
    let verifies = matches!(
        auth,
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify
    );
    if verifies && !has_ca {
        let message = "certificates of clients cannot be verified without `client_ca_file`";
        section.problems().add(at.at, message);
    }
    if has_ca && auth == ClientAuth::None {
        let message = "client CA's have been configured without a Client Auth Policy";
        section.problems().add(at.at, message);
    }
    auth
}

fn read_cipher_suites(section: &mut Section<'_>) -> Vec<CipherSuite> {
    let problems = section.problems();
    let Some(node) = section.node("cipher_suites") else {
        return Vec::new();
    };
    let mut suites = Vec::new();
    for element in problems.elements(node, "cipher_suites") {
        let name = problems.text(element, "cipher_suites").unwrap_or_default();
        match CIPHER_SUITES.iter().find(|(known, _)| *known == name) {
            Some((_, suite)) => suites.push(*suite),
            None if CIPHER_SUITES_13.contains(&name.as_str()) => {}
            None => {
                let known = CIPHER_SUITES.map(|(name, _)| name).join(", ");
                let message = format!("cipher suite {name:?} is not served, but {known} are");
                problems.add(element.at, message);
            }
        }
    }
    suites
}

fn read_curves(section: &mut Section<'_>) -> Vec<NamedGroup> {
    let problems = section.problems();
    let Some(node) = section.node("curve_preferences") else {
        return Vec::new();
    };
    let elements = problems.elements(node, "curve_preferences").iter();
    let curves = elements.filter_map(|element| {
        let name = problems.text(element, "curve_preferences")?;
        match name.as_str() {
            "CurveP256" => Some(NamedGroup::secp256r1),
            "CurveP384" => Some(NamedGroup::secp384r1),
            "X25519" => Some(NamedGroup::X25519),
            _ => {
                let message =
                    format!("curve {name:?} is not served, but CurveP256, CurveP384, X25519 are");
                problems.add(element.at, message);
                None
            }
        }
    });
    curves.collect()
}
