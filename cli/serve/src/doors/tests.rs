use std::fs;

use axum::body::Body;
use axum::http::Request;
use obsq_model::ManualClock;
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

use super::*;
use crate::testing::TestServer;

fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// A web configuration that lets in `alice` with `wonderland`, and who bears `the-token`.
fn guarded() -> String {
    let hash = hash("wonderland");
    format!("basic_auth_users: {{alice: {hash}}}\nbearer_tokens: {{ci: {{file: token}}}}\n")
}

fn folder(config: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("token"), "the-token\n").unwrap();
    let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.path().join("crt"), certified.cert.pem()).unwrap();
    fs::write(
        folder.path().join("key"),
        certified.signing_key.serialize_pem(),
    )
    .unwrap();
    let path = folder.path().join("web.yml");
    fs::write(&path, config).unwrap();
    (folder, path)
}

fn open(path: &Path) -> Result<Doors, String> {
    let clock = Arc::new(ManualClock::at(0));
    Doors::open(Some(path.to_owned()), clock).map_err(|error| error.to_string())
}

async fn server(config: &str) -> (TestServer, TempDir) {
    let (folder, path) = folder(config);
    let server = TestServer::start_with(|options| options.web_config_file = Some(path)).await;
    (server, folder)
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_path_asks_who_is_there() {
    let (server, _folder) = server(&guarded()).await;
    for path in [
        "/",
        "/-/healthy",
        "/-/ready",
        "/metrics",
        "/api/v1/query?query=1",
        "/api/v1/write",
        "/v1/metrics",
        "/federate",
        "/nosuch",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        let challenges = answer.head.headers().get_all("www-authenticate").iter();
        let challenges: Vec<_> = challenges.map(|value| value.to_str().unwrap()).collect();
        assert_eq!(
            challenges,
            ["Basic realm=\"obsq\"", "Bearer realm=\"obsq\""]
        );
        assert!(answer.text().contains("\"errorType\":\"unauthorized\""));
    }
}

#[tokio::test]
async fn the_right_password_and_the_right_token_open() {
    let (server, _folder) = server(&guarded()).await;
    for (shown, status) in [
        ("Basic YWxpY2U6d29uZGVybGFuZA==", 200),
        ("basic YWxpY2U6d29uZGVybGFuZA==", 200),
        ("Basic YWxpY2U6d29uZGVybGFuaA==", 401), // alice:wonderlanh
        ("Basic Ym9iOndvbmRlcmxhbmQ=", 401),     // bob:wonderland
        ("Bearer the-token", 200),
        ("bearer the-token", 200),
        ("Bearer the-token2", 401),
        ("Bearer ", 401),
        ("the-token", 401),
    ] {
        let shown = [("authorization", shown)];
        let answer = server.call(request("/-/healthy", &shown)).await;
        assert_eq!(answer.status, status, "{shown:?}");
    }
    let shown = [("authorization", "Bearer the-token")];
    let page = server.call(request("/metrics", &shown)).await.text();
    assert!(
        page.contains("obsq_door_refused_total{reason=\"credentials\"} 5"),
        "{page}"
    );
}

#[tokio::test]
async fn grpc_calls_are_told_in_their_own_way() {
    let (server, _folder) = server(&guarded()).await;
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let answer = server
        .call(request(path, &[("content-type", "application/grpc")]))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.head.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn configured_headers_and_the_pace_hold_for_every_answer() {
    let config = "http_server_config: {headers: {X-Frame-Options: deny}}\n\
                  rate_limit: {interval: 1h, burst: 2}\n";
    let (server, _folder) = server(config).await;
    for status in [200, 404, 429] {
        let path = if status == 200 { "/" } else { "/nosuch" };
        let answer = server.get(path).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.head.headers()["x-frame-options"], "deny");
    }
}

#[test]
fn a_changed_file_is_read_and_one_with_a_problem_is_not() {
    let (folder, path) = folder(&guarded());
    let doors = open(&path).unwrap();
    assert!(!doors.look().unwrap());
    let token = |token: &str| doors.current().keys.has_token(token.as_bytes());
    assert!(token("the-token"));

    fs::write(folder.path().join("token"), "another").unwrap();
    assert!(doors.look().unwrap());
    assert!(token("another") && !token("the-token"));

    fs::write(folder.path().join("token"), "\n").unwrap();
    let error = doors.look().unwrap_err().to_string();
    assert!(
        error.contains("web.yml:2:28: there is no token in"),
        "{error}"
    );
    assert!(token("another") && !doors.is_current());
    // Told once, not every two seconds.
    assert!(!doors.look().unwrap());

    fs::remove_file(&path).unwrap();
    assert!(
        doors
            .look()
            .unwrap_err()
            .to_string()
            .contains("web.yml:1:1: cannot read")
    );
    fs::write(&path, guarded()).unwrap();
    fs::write(folder.path().join("token"), "third").unwrap();
    doors.reload().unwrap();
    assert!(token("third") && doors.is_current());
}

#[test]
fn a_reload_never_opens_what_was_closed() {
    let tls = "tls_server_config: {cert_file: crt, key_file: key}\n";
    let (_folder, path) = folder(&(tls.to_owned() + &guarded()));
    let doors = open(&path).unwrap();
    for (config, what) in [(guarded(), "TLS"), (tls.to_owned(), "authentication")] {
        fs::write(&path, config).unwrap();
        let error = doors.reload().unwrap_err().to_string();
        assert!(error.ends_with(&format!("no longer asks for {what}, which takes a restart")));
        assert!(doors.are_guarded() && doors.scheme() == "https");
    }
}

#[test]
fn files_that_are_named_must_be_usable() {
    let tls = |rest: &str| format!("tls_server_config: {{{rest}}}\n");
    for (config, problem) in [
        (
            tls("cert_file: none, key_file: key"),
            "web.yml:1:32: cannot read `",
        ),
        (
            tls("cert_file: token, key_file: key"),
            "web.yml:1:32: there is no certificate in it",
        ),
        (
            tls("cert_file: crt, key_file: crt"),
            "web.yml:1:47: there is no private key in it",
        ),
        (
            "bearer_tokens: {a: {file: none}}\n".into(),
            "web.yml:1:27: cannot read `",
        ),
        (
            "basic_auth_users: {a: b}\n".into(),
            "web.yml:1:23: the password of user",
        ),
        (
            tls("cert_file: crt, key_file: key, client_ca_file: key, \
                 client_auth_type: RequireAndVerifyClientCert"),
            "web.yml:1:68: there is no certificate in it",
        ),
    ] {
        let (_folder, path) = folder(&config);
        let error = open(&path).unwrap_err();
        assert!(error.contains(problem), "{config}: {error}");
    }
    let (folder, path) = folder(&tls("cert_file: crt, key_file: other"));
    let other = generate_simple_self_signed(["other".to_owned()]).unwrap();
    fs::write(
        folder.path().join("other"),
        other.signing_key.serialize_pem(),
    )
    .unwrap();
    assert!(
        open(&path)
            .unwrap_err()
            .contains("web.yml:1:32: cannot use it")
    );
}

#[test]
fn nothing_secret_is_shown_by_debug_or_errors() {
    let secret = hash("wonderland");
    let config = format!(
        "basic_auth_users: {{alice: \"{secret}\"}}\nbearer_tokens: {{ci: {{sha256: hunter2}}}}\n"
    );
    let (_folder, path) = folder(&config);
    let error = open(&path).unwrap_err();
    assert!(
        !error.contains("hunter2") && !error.contains(&secret),
        "{error}"
    );
    let (_folder, path) = folder_with_doors(&guarded());
    let shown = format!("{path:?}");
    assert!(
        !shown.contains("$2") && !shown.contains("the-token"),
        "{shown}"
    );
}

fn folder_with_doors(config: &str) -> (TempDir, Doors) {
    let (folder, path) = folder(config);
    let doors = open(&path).unwrap();
    (folder, doors)
}
