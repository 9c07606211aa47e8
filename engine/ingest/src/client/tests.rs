use std::net::SocketAddr;
use std::path::Path;

use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::load;

fn http_config(keys: &str) -> HttpConfig {
    let text = format!("scrape_configs: [{{job_name: j, {keys}}}]");
    let config = load(Path::new("/x/obsq.yml"), &text).unwrap();
    config.scrape_configs[0].http.clone()
}

/// Serves TLS with a certificate for `name`; returns it in PEM.
async fn serve_tls(name: &str) -> (SocketAddr, String) {
    install_crypto();
    let certified = generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certified.cert.der().clone()],
            PrivateKeyDer::Pkcs8(key),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 4096];
                let _count = stream.read(&mut request).await;
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                let _written = stream.write_all(answer).await;
                let _closed = stream.shutdown().await;
            });
        }
    });
    (address, certified.cert.pem())
}

#[tokio::test]
async fn a_certificate_may_have_another_name_than_the_url() {
    let (address, pem) = serve_tls("internal.example").await;
    let pem = pem.replace('\n', "\\n");
    let url = Url::parse(&format!("https://{address}/")).unwrap();
    for (tls, works) in [
        (
            format!("ca: \"{pem}\", server_name: internal.example"),
            true,
        ),
        (format!("ca: \"{pem}\", server_name: other.example"), false),
        (format!("ca: \"{pem}\""), false),
        (
            "insecure_skip_verify: true, server_name: other.example".to_owned(),
            true,
        ),
    ] {
        let config = http_config(&format!("tls_config: {{{tls}}}"));
        let client = HttpClient::new(&config, "obsq/test").await.unwrap();
        let sent = client.get(url.clone()).await.unwrap().send().await;
        assert_eq!(sent.is_ok(), works, "{tls}: {sent:?}");
    }
}

/// Answers requests for tokens: the first with a failure unless the credentials are in the form.
async fn serve_tokens() -> (SocketAddr, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut request, mut chunk) = (String::new(), [0; 4096]);
            while !request.contains("\r\n\r\n") || request.ends_with("\r\n\r\n") {
                let count = stream.read(&mut chunk).await.unwrap();
                if count == 0 {
                    break;
                }
                request += &String::from_utf8_lossy(&chunk[..count]);
                if request.starts_with("GET") {
                    break;
                }
            }
            let (status, body) = if request.starts_with("GET") {
                ("200 OK", String::new())
            } else if request.contains("client_secret=") {
                let number = noted.lock().unwrap().len();
                let body = format!(r#"{{"access_token": "token{number}", "expires_in": 3600}}"#);
                ("200 OK", body)
            } else {
                ("401 Unauthorized", String::new())
            };
            noted.lock().unwrap().push(request);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

#[tokio::test]
async fn tokens_are_got_once_and_shown() {
    let (address, seen) = serve_tokens().await;
    let config = http_config(&format!(
        "oauth2: {{client_id: me, client_secret: hunter2, token_url: 'http://{address}/token', \
         scopes: [a, b], endpoint_params: {{audience: x}}}}"
    ));
    assert!(!format!("{config:?}").contains("hunter2") && config.has_credentials());
    let client = HttpClient::new(&config, "obsq/test").await.unwrap();
    for _request in 0..2 {
        let url = Url::parse(&format!("http://{address}/metrics")).unwrap();
        let sent = client.get(url).await.unwrap().send().await.unwrap();
        assert_eq!(sent.status(), 200);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4, "{seen:#?}");
    assert!(seen[0].contains("authorization: Basic "));
    for part in [
        "grant_type=client_credentials",
        "scope=a+b",
        "audience=x",
        "client_id=me",
    ] {
        assert!(seen[1].contains(part), "{part}");
    }
    for request in &seen[2..] {
        assert!(
            request.contains("authorization: Bearer token1"),
            "{request}"
        );
    }
}
