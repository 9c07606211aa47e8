use super::*;
use crate::config::{SecretSource, TlsVersion};

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

fn load_text(text: &str) -> Result<WebConfig, Vec<ConfigError>> {
    let text = text.replace("HASH", HASH);
    load_web(Path::new("/etc/obsq/web.yml"), &text)
}

#[test]
fn a_whole_file_is_read() {
    let config = load_text(
        r#"
tls_server_config:
  cert_file: server.crt
  key_file: /keys/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [grafana.example, 10.0.0.1]
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519, CurveP256]
http_server_config:
  http2: false
  headers: {X-Frame-Options: deny, X-XSS-Protection: ""}
basic_auth_users: {alice: HASH}
bearer_tokens:
  ci: {sha256: 0000000000000000000000000000000000000000000000000000000000000001}
  agents: {file: token}
rate_limit: {interval: 1.5s, burst: 20}
"#,
    )
    .unwrap();
    let tls = config.tls.clone().unwrap();
    assert_eq!(
        tls.cert.value,
        SecretSource::File("/etc/obsq/server.crt".into())
    );
    assert_eq!((tls.cert.line, tls.cert.column), (3, 14));
    assert_eq!(tls.key.value, SecretSource::File("/keys/server.key".into()));
    assert_eq!(tls.client_auth, ClientAuth::RequireAndVerify);
    assert_eq!(tls.min_version, TlsVersion::Tls13);
    assert_eq!((tls.cipher_suites.len(), tls.curves.len()), (1, 2));
    assert!(!tls.prefer_server_cipher_suites && !config.http2);
    assert_eq!(config.headers, [("X-Frame-Options".into(), "deny".into())]);
    assert_eq!(config.users[0].name, "alice");
    assert_eq!(config.tokens.len(), 2);
    let limit = config.rate_limit.unwrap();
    assert_eq!(
        (limit.interval, limit.burst),
        (Duration::from_millis(1500), 20)
    );
}

#[test]
fn an_empty_file_opens_every_door() {
    for text in ["", "{}", "tls_server_config:\nbasic_auth_users:\n"] {
        assert_eq!(load_text(text).unwrap(), WebConfig::default());
    }
}

#[test]
fn every_problem_has_its_place() {
    let cases = [
        (
            "basic_auth_users:\n  a: plain\n",
            "2:6: the password of user \"a\"",
        ),
        ("basic_auth_users: {'a:b': HASH}\n", "1:20: a user's name"),
        ("basic_auth: {a: b}\n", "1:1: unknown key `basic_auth`"),
        (
            "tls_server_config: {key_file: a}\n",
            "1:20: missing one of cert or cert_file",
        ),
        (
            "tls_server_config: {cert_file: a, cert: b, key_file: a}\n",
            "1:20: only one of cert and cert_file",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, client_ca_file: b}\n",
            "1:20: client CA's have been configured without",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, client_auth_type: Maybe}\n",
            "1:66: `client_auth_type`: invalid ClientAuth: Maybe",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, \
             client_auth_type: RequireAndVerifyClientCert}\n",
            "1:20: certificates of clients cannot be verified",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, client_allowed_sans: [x]}\n",
            "1:20: `client_allowed_sans` needs",
        ),
        (
            "tls_server_config:\n  cert_file: a\n  key_file: a\n  cipher_suites:\n  - TLS_NO\n",
            "5:5: cipher suite \"TLS_NO\" is not served",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, curve_preferences: [CurveP521]}\n",
            "1:68: curve \"CurveP521\" is not served",
        ),
        (
            "tls_server_config: {cert_file: a, key_file: a, min_version: TLS13, \
             max_version: TLS12}\n",
            "1:20: min_version is higher",
        ),
        (
            "http_server_config: {headers: {X-Own: a}}\n",
            "1:32: HTTP header \"X-Own\"",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: maybe}}\n",
            "1:32: invalid value for X-Frame-Options",
        ),
        ("bearer_tokens: {a: {}}\n", "1:20: a token must have either"),
        (
            "bearer_tokens: {a: {sha256: hunter2}}\n",
            "1:29: `sha256`: must be 64",
        ),
        (
            "bearer_tokens: [a]\n",
            "1:16: `bearer_tokens` must be a map",
        ),
        (
            "rate_limit: {interval: 1s}\n",
            "1:13: `burst` must be at least 1",
        ),
        (
            "rate_limit: {interval: soon, burst: 1}\n",
            "1:24: `interval`: \"soon\"",
        ),
        ("a: [\n", "1:4: "),
    ];
    for (text, expected) in cases {
        let problems = load_text(text).unwrap_err();
        let problem = problems[0].to_string();
        assert!(problem.starts_with(expected), "{text}: {problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}

#[test]
fn secrets_do_not_show() {
    let config = load_text(
        "tls_server_config: {cert: PEM, key: THE-KEY}\nbasic_auth_users: {alice: HASH}\n\
         bearer_tokens: {ci: {sha256: \
         00000000000000000000000000000000000000000000000000000000000000ff}}\n",
    )
    .unwrap();
    let debug = format!("{config:?}");
    assert!(debug.contains("alice"), "{debug}");
    for secret in ["THE-KEY", "$2y", "X0h1", "255"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[test]
fn intervals_are_those_of_go() {
    for (text, nanos) in [
        ("0", 0),
        ("100ms", 100_000_000),
        ("250us", 250_000),
        ("1.5s", 1_500_000_000),
        ("1m", 60_000_000_000),
    ] {
        assert_eq!(
            read_interval(text),
            Ok(Duration::from_nanos(nanos)),
            "{text}"
        );
    }
    for text in ["", "5", "s", "-1s", "1d", "1e400h"] {
        assert!(read_interval(text).is_err(), "{text}");
    }
}
