use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::testing::TestServer;

fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn what_is_not_there_is_told_in_json() {
    let server = TestServer::start().await;
    for (method, path, status) in [
        ("GET", "/nosuch", 404),
        ("GET", "/config/v1/rules", 404),
        ("GET", "/prometheus/api/v1/rules", 404),
        ("GET", "/alertmanager/api/v2/status", 404),
        ("PUT", "/api/v1/query", 405),
        ("GET", "/api/v1/write", 405),
        ("POST", "/api/v1/label/a/values", 405),
        ("GET", "/-/reload", 405),
    ] {
        let answer = server.call(request(method, path, &[], "")).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let message = body["error"].as_str().unwrap();
        assert!(
            status == 405 || message.contains("page not found"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn an_unknown_grpc_service_is_unimplemented() {
    let server = TestServer::start().await;
    let headers = [("content-type", "application/grpc+proto")];
    let answer = server
        .call(request(
            "POST",
            "/tempopb.StreamingQuerier/Search",
            &headers,
            "",
        ))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.head.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let server = TestServer::start().await;
    server.get("/api/v1/label/job/values").await;
    server.get("/made/up/path").await;
    let page = server.get("/metrics").await.text();
    let counted = "obsq_http_requests_total{route=\"/api/v1/label/{name}/values\",code=\"200\"} 1";
    assert!(page.contains(counted), "{page}");
    assert!(page.contains("{route=\"other\",code=\"404\"} 1") && !page.contains("made"));
}

#[tokio::test]
async fn form_bodies_count_and_others_do_not() {
    let server = TestServer::start().await;
    let form = [(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )];
    let ask = |headers, body| server.call(request("POST", "/api/v1/query?time=1", headers, body));
    let answer = ask(&form[..], "query=2&time=3").await;
    assert!(
        answer.text().ends_with(r#""result":[3,"2"]}}"#),
        "{}",
        answer.text()
    );
    let answer = ask(&[("content-type", "text/plain")], "query=2").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("no expression found in input"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn the_tenant_of_a_bad_name_is_refused_everywhere() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1/query?query=1",
        "/api/v1/labels",
        "/federate?match[]=up",
    ] {
        let headers = [("x-scope-orgid", "../etc")];
        let answer = server.call(request("GET", path, &headers, "")).await;
        assert_eq!(answer.status, 400, "{path}");
    }
}

#[tokio::test]
async fn admin_calls_are_forbidden_unless_enabled() {
    let server = TestServer::start().await;
    for path in ["delete_series?match[]=up", "clean_tombstones", "snapshot"] {
        let path = format!("/api/v1/admin/tsdb/{path}");
        let answer = server.call(request("PUT", &path, &[], "")).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("admin APIs disabled"));
    }
}

#[tokio::test]
async fn series_are_deleted_for_the_tenant_that_asks() {
    let server = TestServer::start_with(|options| options.enable_admin_api = true).await;
    for tenant in ["a", "b"] {
        let labels = [("__name__", "up"), ("job", "x")];
        server
            .store(tenant, &labels, &[(1_000, 1.0), (9_000, 1.0)])
            .await;
    }
    let headers = [
        ("x-scope-orgid", "a"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let ask = async |method: &str, path: &str, body: &'static str| {
        let path = format!("/api/v1/admin/tsdb/{path}");
        let answer = server.call(request(method, &path, &headers, body)).await;
        (answer.status, answer.text())
    };
    let (status, text) = ask("POST", "delete_series", "").await;
    assert_eq!(status, 400);
    assert!(text.contains("no match[] parameter provided"), "{text}");
    let (status, text) = ask("POST", "delete_series", "match[]=up{").await;
    assert_eq!(status, 400);
    assert!(text.contains("match[]"), "{text}");
    let (status, text) = ask("POST", "snapshot?skip_head=maybe", "").await;
    assert_eq!(status, 400);
    assert!(text.contains("strconv.ParseBool"), "{text}");
    let (status, text) = ask("PUT", "snapshot", "skip_head=false").await;
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &body["status"]), (200, &"success".into()));
    let name = body["data"]["name"].as_str().unwrap();
    let snapshot = server.app.options.data_dir.join("snapshots").join(name);
    // One block and the companions.
    assert_eq!(std::fs::read_dir(snapshot).unwrap().count(), 3);
    let deleted = (204, String::new());
    assert_eq!(
        ask("PUT", "delete_series", "match[]=up&end=5").await,
        deleted
    );
    assert_eq!(ask("POST", "clean_tombstones", "").await, deleted);
    let count = async |tenant| {
        let path = "/api/v1/query?query=count_over_time(up[1h])&time=10";
        let call = request("GET", path, &[("x-scope-orgid", tenant)], "");
        let body: Value = serde_json::from_slice(&server.call(call).await.body).unwrap();
        body["data"]["result"][0]["value"][1].clone()
    };
    assert_eq!(
        (count("a").await, count("b").await),
        ("1".into(), "2".into())
    );
    assert_eq!(ask("POST", "delete_series?match[]=up", "").await, deleted);
    assert_eq!(count("a").await, Value::Null);
}

#[tokio::test]
async fn status_pages_tell_options_and_contents() {
    let server = TestServer::start_with(|options| {
        options.retention_bytes = Some(1024);
        options.external_labels = vec![("zone".into(), "eu".into())];
    })
    .await;
    server
        .store(
            "anonymous",
            &[("__name__", "up"), ("job", "a")],
            &[(5, 1.0)],
        )
        .await;
    let data = async |path: &str| -> Value {
        let body: Value = serde_json::from_slice(&server.get(path).await.body).unwrap();
        body["data"].clone()
    };
    assert_eq!(
        data("/api/v1/status/runtimeinfo").await["storageRetention"],
        "1024B"
    );
    assert_eq!(
        data("/api/v1/status/flags").await["external-label"],
        "zone=eu"
    );
    assert_eq!(
        data("/api/v1/status/tsdb").await["headStats"]["numSeries"],
        1
    );
    assert_eq!(data("/api/v1/status/walreplay").await["current"], 1);
    assert!(
        data("/api/v1/status/config").await["yaml"]
            .as_str()
            .unwrap()
            .contains("global:")
    );
    assert_eq!(data("/api/v1/features").await["promql"]["subqueries"], true);
    assert_eq!(data("/api/v1/notifications").await, serde_json::json!([]));
    assert_eq!(
        data("/api/v1/targets").await["activeTargets"],
        serde_json::json!([])
    );
    assert_eq!(
        data("/api/v1/format_query?query=sum(up)by(a)").await,
        "sum by (a) (up)"
    );
    assert_eq!(
        data("/api/v1/parse_query?query=up").await["type"],
        "vectorSelector"
    );
}

#[tokio::test]
async fn own_metrics_are_chosen_by_a_pattern_for_the_whole_name() {
    let server = TestServer::start().await;
    let ask = async |query: &str| -> Value {
        let answer = server
            .get(&format!("/api/v1/status/self_metrics{query}"))
            .await;
        serde_json::from_slice(&answer.body).unwrap()
    };
    let names = |answer: Value| -> Vec<String> {
        let families = answer["data"].as_array().unwrap().clone();
        let name = |family: &Value| family["name"].as_str().unwrap().to_owned();
        families.iter().map(name).collect()
    };
    assert!(names(ask("").await).len() > 20);
    let chosen = names(ask("?metric_name_pattern=obsq_wal_sync.*").await);
    assert_eq!(
        chosen,
        ["obsq_wal_sync_seconds_total", "obsq_wal_syncs_total"]
    );
    assert!(names(ask("?metric_name_pattern=obsq_wal").await).is_empty());
    let refused = ask("?metric_name_pattern=[invalid").await;
    let problem = refused["error"].as_str().unwrap();
    assert!(
        problem.starts_with("invalid metric_name_pattern: "),
        "{problem}"
    );
}
