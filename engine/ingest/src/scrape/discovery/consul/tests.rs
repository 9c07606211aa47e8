use super::super::testing::{Found, first_config};
use crate::config::Discovery;
use crate::scrape::testing::{Answer, Request, serve};
use std::sync::Mutex;

use super::*;

const INSTANCES: &str = r#"[{
  "Node": {"Node": "n1", "Address": "10.0.0.1", "Meta": {"rack-id": "r1"},
           "TaggedAddresses": {"lan": "10.0.0.1"}},
  "Service": {"ID": "web-1", "Tags": ["a", "b"], "Address": "", "Port": 80, "Meta": {"v": "1"}},
  "Checks": [{"CheckID": "x", "Status": "passing"}, {"CheckID": "y", "Status": "warning"}]
}]"#;

fn follow_at(server: std::net::SocketAddr, more: &str) -> Found {
    let keys = format!("{{server: '{server}', refresh_interval: 1ms{more}}}");
    let Discovery::Consul(config) = first_config("consul_sd_configs", &keys) else {
        panic!("no consul");
    };
    let (found, listener) = Found::new();
    tokio::spawn(async move {
        let _gone = follow(*config, "obsq/test".to_owned(), listener).await;
    });
    found
}

#[tokio::test]
async fn services_that_come_and_go_are_followed() {
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let server = serve(move |request| {
        let mut noted = noted.lock().unwrap();
        noted.push(request.clone());
        let watches = |request: &Request| request.path.contains("index=7&");
        let is_watched = noted.iter().any(watches);
        let path = request.path.split('?').next().unwrap();
        let waits_for = |index: &str| request.path.contains(&format!("index={index}&"));
        let json = |body: &str, index: &str| {
            let answer = Answer::text(body).header("content-type", "application/json");
            answer.header("x-consul-index", index)
        };
        match path {
            "/v1/agent/self" => json(r#"{"Config": {"Datacenter": "dc1"}}"#, "1"),
            "/v1/catalog/services" if waits_for("5") && is_watched => json(r#"{"other": []}"#, "6"),
            "/v1/catalog/services" if waits_for("6") => Answer::hanging(),
            "/v1/catalog/services" => json(r#"{"web": ["a", "b"], "db": ["b"]}"#, "5"),
            "/v1/health/service/web" if waits_for("7") => Answer::hanging(),
            "/v1/health/service/web" => json(INSTANCES, "7"),
            "/v1/health/service/other" => json("[]", "8"),
            other => panic!("{other}"),
        }
    })
    .await;
    let mut found = follow_at(server, ", token: hunter2, tags: [a]");
    let lines = found.until(|lines| !lines.is_empty()).await;
    assert_eq!(
        lines,
        [
            "10.0.0.1:80 consul_address=10.0.0.1 consul_dc=dc1 consul_health=warning \
             consul_metadata_rack_id=r1 consul_node=n1 consul_service=web consul_service_id=web-1 \
             consul_service_metadata_v=1 consul_service_port=80 consul_tagged_address_lan=10.0.0.1 \
             consul_tags=,a,b,"
        ]
    );
    assert_eq!(found.until(<[String]>::is_empty).await, [""; 0]);
    let seen = seen.lock().unwrap();
    for request in &*seen {
        assert_eq!(request.headers["authorization"], "Bearer hunter2");
    }
    let asked = |path: &str| seen.iter().any(|request| request.path.starts_with(path));
    assert!(asked("/v1/health/service/web?tag=a&stale=") && !asked("/v1/health/service/db"));
}

#[test]
fn the_worst_check_counts() {
    let check = |id: &str, status: &str| Check {
        id: id.to_owned(),
        status: status.to_owned(),
    };
    for (checks, expected) in [
        (vec![], "passing"),
        (
            vec![
                check("a", "passing"),
                check("b", "critical"),
                check("c", "warning"),
            ],
            "critical",
        ),
        (
            vec![check("_service_maintenance:web", "critical")],
            "maintenance",
        ),
    ] {
        assert_eq!(health(&checks), expected);
    }
}
