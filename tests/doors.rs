//! Who is let in: TLS, users and tokens, from the command line and over gRPC.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use reqwest::{Certificate, Client};
use tempfile::TempDir;

use crate::testkit::{Server, obsq};

const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Writes a certificate, a web configuration and configurations of clients.
fn prepare() -> Arc<TempDir> {
    let directory = Arc::new(TempDir::new().unwrap());
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let hash = bcrypt::hash("wonderland", 4).unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("server.crt", &certified.cert.pem());
    write("server.key", &certified.signing_key.serialize_pem());
    write("token", "the-token\n");
    write("password", "wonderland\n");
    write(
        "web.yml",
        &format!(
            "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\n\
             basic_auth_users: {{alice: {hash}}}\nbearer_tokens: {{ci: {{file: token}}}}\n"
        ),
    );
    let tls = "tls_config: {ca_file: server.crt}\n";
    let basic = |name: &str| format!("basic_auth: {{username: {name}, password_file: password}}\n");
    write("basic.yml", &(tls.to_owned() + &basic("alice")));
    write("stranger.yml", &(tls.to_owned() + &basic("bob")));
    write(
        "bearer.yml",
        &format!("{tls}authorization: {{credentials_file: token}}\n"),
    );
    write("nobody.yml", tls);
    write("untrusting.yml", &basic("alice"));
    directory
}

fn start(directory: &Arc<TempDir>) -> Server {
    let web = directory.path().join("web.yml");
    Server::spawn(
        Arc::clone(directory),
        &["--web.config.file", web.to_str().unwrap()],
    )
}

fn ask(server: &Server, folder: &Path, config: &str) -> Output {
    let url = format!("https://{}", server.address());
    let config = folder.join(config);
    obsq(folder)
        .args([
            "query",
            "1+1",
            "-o",
            "raw",
            "--server",
            &url,
            "--http-config",
        ])
        .arg(config)
        .output()
        .unwrap()
}

#[test]
fn the_command_line_gets_in_with_a_password_or_a_token() {
    let directory = prepare();
    let server = start(&directory);
    let folder = directory.path();
    server.wait_for("the first answer", || {
        ask(&server, folder, "basic.yml").status.success()
    });
    for (config, code) in [
        ("basic.yml", 0),
        ("bearer.yml", 0),
        ("stranger.yml", 4),
        ("nobody.yml", 4),
        ("untrusting.yml", 3),
    ] {
        let output = ask(&server, folder, config);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{config}: {stderr}");
        assert_eq!(output.stdout == b"2\n", code == 0, "{config}");
    }
}

#[tokio::test]
async fn grpc_over_tls_is_guarded_and_nothing_secret_is_shown() {
    // The binary does this too; whoever is second fails.
    drop(rustls::crypto::ring::default_provider().install_default());
    let directory = prepare();
    let config = directory.path().join("obsq.yml");
    let job = "scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password: scrape-pass}\n  \
               authorization:\n  static_configs: []\nremote_write: []\n";
    std::fs::write(&config, job).unwrap();
    let web = directory.path().join("web.yml");
    let server = Server::spawn(
        Arc::clone(&directory),
        &[
            "--web.config.file",
            web.to_str().unwrap(),
            "--config",
            config.to_str().unwrap(),
        ],
    );
    let pem = std::fs::read(directory.path().join("server.crt")).unwrap();
    let client = Client::builder()
        .tls_certs_only([Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    let url = |path: &str| format!("https://{}{path}", server.address());

    let export = || {
        let request = client.post(url(EXPORT)).body(vec![0_u8; 5]);
        request.header("content-type", "application/grpc")
    };
    let refused = export().send().await.unwrap();
    assert_eq!(refused.version(), reqwest::Version::HTTP_2);
    assert_eq!(refused.headers()["grpc-status"], "16");
    let accepted = export().bearer_auth("the-token").send().await.unwrap();
    assert_eq!(accepted.status(), 200);
    assert_ne!(
        accepted
            .headers()
            .get("grpc-status")
            .map(reqwest::header::HeaderValue::as_bytes),
        Some(&b"16"[..])
    );

    let mut seen = String::new();
    for path in ["/api/v1/status/config", "/api/v1/status/flags", "/metrics"] {
        let answer = client
            .get(url(path))
            .basic_auth("alice", Some("wonderland"));
        seen.push_str(&answer.send().await.unwrap().text().await.unwrap());
    }
    assert!(seen.contains("<secret>") && seen.contains("web.config.file"));
    seen.push_str(&server.stderr());
    for secret in [
        "wonderland",
        "the-token",
        "scrape-pass",
        "$2b$",
        "PRIVATE KEY",
    ] {
        assert!(!seen.contains(secret), "{secret}");
    }
}

#[test]
fn a_changed_certificate_and_a_bad_file_are_noticed() {
    let directory = prepare();
    let server = start(&directory);
    let folder = directory.path();
    server.wait_for("the first answer", || {
        ask(&server, folder, "bearer.yml").status.success()
    });
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(
        folder.join("server.key"),
        certified.signing_key.serialize_pem(),
    )
    .unwrap();
    std::fs::write(folder.join("server.crt"), certified.cert.pem()).unwrap();
    // Clients trust the new certificate only.
    server.wait_for("the new certificate", || {
        ask(&server, folder, "bearer.yml").status.success()
    });
    std::fs::write(folder.join("web.yml"), "basic_auth_users: {alice: plain}\n").unwrap();
    server.hang_up();
    server.wait_for("the complaint", || {
        server
            .stderr()
            .contains("web.yml:1:27: the password of user")
    });
    assert!(!server.stderr().contains("plain}"));
    assert!(ask(&server, folder, "bearer.yml").status.success());
    assert!(!ask(&server, folder, "nobody.yml").status.success());
}

#[test]
fn a_start_with_a_bad_file_is_refused_and_check_says_the_same() {
    let directory = prepare();
    let web = directory.path().join("web.yml");
    std::fs::write(
        &web,
        "tls_server_config: {cert_file: none, key_file: server.key}\n",
    )
    .unwrap();
    let place = format!("{}:1:32: cannot read", web.display());
    let started = obsq(directory.path())
        .args(["serve", "--http", "127.0.0.1:0", "--web.config.file"])
        .arg(&web)
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(stderr.contains(&place), "{stderr}");
    let checked = obsq(directory.path())
        .args(["check", "web-config"])
        .arg(&web)
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stdout).starts_with(&place));
}
