//! Servers with sockets.

use std::fs;

use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Certified {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn certify(&self, name: &str) -> Certified {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'static, KeyPair> = &self.0;
        let certificate = params.signed_by(&key, issuer).unwrap();
        Certified {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key,
        }
    }
}

struct Secured {
    server: Server,
    authority: Authority,
    _folder: TempDir,
}

async fn start(config: &str) -> Secured {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let certified = authority.certify("localhost");
    fs::write(folder.path().join("crt"), &certified.pem).unwrap();
    fs::write(folder.path().join("key"), certified.key.serialize_pem()).unwrap();
    fs::write(folder.path().join("ca"), authority.0.pem()).unwrap();
    fs::write(folder.path().join("web.yml"), config).unwrap();
    let any = || "127.0.0.1:0".to_owned();
    let options = ServeOptions {
        http: any(),
        otlp_grpc: Listener::At(any()),
        otlp_http: Listener::At(any()),
        data_dir: folder.path().join("data"),
        web_config_file: Some(folder.path().join("web.yml")),
        ..ServeOptions::default()
    };
    Secured {
        server: Server::start(options).await.unwrap(),
        authority,
        _folder: folder,
    }
}

impl Secured {
    /// Asks for the start page over TLS, showing a certificate perhaps, and returns the first line
    /// of the answer.
    async fn ask(&self, address: SocketAddr, shown: Option<Certified>) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
                builder
                    .with_client_auth_cert(vec![shown.certificate], key)
                    .unwrap()
            }
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await?;
        first_line(stream).await
    }
}

async fn first_line(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> std::io::Result<String> {
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_port_speaks_tls_and_asks_who_is_there() {
    let hash = bcrypt::hash("p", 4).unwrap();
    let config = format!(
        "tls_server_config: {{cert_file: crt, key_file: key}}\nbasic_auth_users: {{a: {hash}}}\n"
    );
    let secured = start(&config).await;
    let server = &secured.server;
    assert!(server.url().starts_with("https://127.0.0.1:"));
    let addresses = [
        Some(server.http_address()),
        server.otlp_grpc_address(),
        server.otlp_http_address(),
    ];
    for address in addresses.into_iter().flatten() {
        let line = secured.ask(address, None).await.unwrap();
        assert_eq!(line, "HTTP/1.1 401 Unauthorized");
        let plain = TcpStream::connect(address).await.unwrap();
        assert_eq!(first_line(plain).await.unwrap(), "HTTP/1.1 400 Bad Request");
    }
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_clients_with_an_allowed_certificate_get_in() {
    let secured = start(
        "tls_server_config:\n  cert_file: crt\n  key_file: key\n  client_ca_file: ca\n  \
         client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [friend.example]\n",
    )
    .await;
    let address = secured.server.http_address();
    let stranger = Authority::new().certify("friend.example");
    for shown in [
        None,
        Some(secured.authority.certify("other.example")),
        Some(stranger),
    ] {
        assert!(secured.ask(address, shown).await.is_err());
    }
    let friend = secured.authority.certify("friend.example");
    let line = secured.ask(address, Some(friend)).await.unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert_eq!(
        secured
            .server
            .app
            .doors
            .counts
            .handshakes
            .load(std::sync::atomic::Ordering::Relaxed),
        3
    );
    secured.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_may_be_asked_for_without_being_checked() {
    let secured = start(
        "tls_server_config: {cert_file: crt, key_file: key, client_auth_type: RequireAnyClientCert}\n",
    )
    .await;
    let address = secured.server.http_address();
    assert!(secured.ask(address, None).await.is_err());
    let stranger = Authority::new().certify("stranger.example");
    let line = secured.ask(address, Some(stranger)).await.unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK");
    secured.server.stop().await;
}

#[tokio::test]
async fn a_bad_web_configuration_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("web.yml");
    fs::write(&file, "basic_auth_user: {}\n").unwrap();
    let options = ServeOptions {
        http: "127.0.0.1:0".to_owned(),
        otlp_grpc: Listener::Off,
        otlp_http: Listener::Off,
        data_dir: folder.path().join("data"),
        web_config_file: Some(file),
        ..ServeOptions::default()
    };
    let error = Server::start(options).await.unwrap_err();
    assert!(error.is_usage());
    assert!(
        error
            .to_string()
            .contains("web.yml:1:1: unknown key `basic_auth_user`")
    );
}
