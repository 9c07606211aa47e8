use std::net::SocketAddr;

use super::super::testing::{Found, first_config};
use super::*;
use crate::config::Discovery;
use crate::scrape::testing::{Answer, serve};

const NODE: &str = r#"{"metadata": {"name": "n1", "labels": {"zone": "a"}},
  "spec": {"providerID": "x://n1"},
  "status": {"addresses": [{"type": "Hostname", "address": "host"}, {"type": "InternalIP", "address": "10.0.0.9"}],
             "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}"#;
const POD: &str = r#"{"metadata": {"name": "p1", "namespace": "shop", "uid": "u1", "labels": {"app.kubernetes.io/name": "web"},
    "annotations": {"note": "x y"},
    "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": true}]},
  "spec": {"nodeName": "n1", "containers": [
      {"name": "main", "image": "img:1", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"},
                                                   {"name": "admin", "containerPort": 81, "protocol": "TCP"}]},
      {"name": "side", "image": "img:2"}],
    "initContainers": [{"name": "first", "image": "img:3"}]},
  "status": {"phase": "Running", "podIP": "10.1.0.1", "hostIP": "10.0.0.9",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "main", "containerID": "docker://1"}]}}"#;
const SERVICE: &str = r#"{"metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}},
  "spec": {"type": "LoadBalancer", "clusterIP": "10.2.0.1",
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]},
  "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "x"}]}}}"#;
const ENDPOINTS: &str = r#"{"metadata": {"name": "web", "namespace": "shop"},
  "subsets": [{"ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
    "addresses": [{"ip": "10.1.0.1", "nodeName": "n1",
                   "targetRef": {"kind": "Pod", "namespace": "shop", "name": "p1"}}],
    "notReadyAddresses": [{"ip": "10.1.0.2", "hostname": "h"}]}]}"#;
const SLICE: &str = r#"{"metadata": {"name": "web-x", "namespace": "shop",
    "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
  "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "h2c"}],
  "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": true, "serving": true, "terminating": false},
    "zone": "a", "nodeName": "n1", "targetRef": {"kind": "Pod", "namespace": "shop", "name": "p1"}}]}"#;
const INGRESS: &str = r#"{"metadata": {"name": "front", "namespace": "shop"},
  "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["*.example"]}],
    "rules": [{"host": "a.example", "http": {"paths": [{"path": "/x"}, {}]}}, {"host": "b.other"}]}}"#;
const NAMESPACE: &str = r#"{"metadata": {"name": "shop", "labels": {"env": "prod"}}}"#;
const REPLICA_SET: &str = r#"{"metadata": {"name": "web-1", "namespace": "shop",
    "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true}]}}"#;

/// Answers lists of one object each and watches that bring nothing.
fn answer(path: &str) -> Answer {
    let object = match path.rsplit('/').next().unwrap() {
        "nodes" => NODE,
        "pods" => POD,
        "services" => SERVICE,
        "endpoints" => ENDPOINTS,
        "endpointslices" => SLICE,
        "ingresses" => INGRESS,
        "namespaces" => NAMESPACE,
        "replicasets" => REPLICA_SET,
        other => panic!("{other}"),
    };
    let list = format!(r#"{{"metadata": {{"resourceVersion": "7"}}, "items": [{object}]}}"#);
    Answer::text(&list).header("content-type", "application/json")
}

fn follow_at(server: SocketAddr, keys: &str) -> Found {
    let keys = format!("{{api_server: 'http://{server}/base', {keys}}}");
    let Discovery::Kubernetes(config) = first_config("kubernetes_sd_configs", &keys) else {
        panic!("no kubernetes");
    };
    let (found, listener) = Found::new();
    tokio::spawn(async move {
        let _gone = follow(*config, "obsq/test".to_owned(), listener).await;
    });
    found
}

#[tokio::test]
async fn every_role_has_its_targets_and_labels() {
    let _room = obsq_snapshots::bind("engine/ingest");
    let server = serve(|request| match request.path.split_once('?').unwrap() {
        (_, query) if query.contains("watch=true") => Answer::hanging(),
        (path, _) => answer(path),
    })
    .await;
    let attach = "attach_metadata: {node: true, namespace: true, deployment: true}";
    let mut out = String::new();
    for role in [
        "node",
        "pod",
        "service",
        "endpoints",
        "endpointslice",
        "ingress",
    ] {
        let mut found = follow_at(server, &format!("role: {role}, {attach}"));
        out = out + "# " + role + "\n";
        for line in found.until(|lines| !lines.is_empty()).await {
            out = out + &line.replace(" kubernetes_", "\n  ") + "\n";
        }
    }
    insta::assert_snapshot!("kubernetes_targets", out);
}

#[tokio::test]
async fn what_changes_is_watched_and_an_old_version_is_listed_anew() {
    let lists = std::sync::atomic::AtomicUsize::new(0);
    let seen: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let server = serve(move |request| {
        noted.lock().unwrap().push(request.path.clone());
        let event = |kind: &str, name: &str, version: &str| {
            format!(
                r#"{{"type": "{kind}", "object": {{"metadata": {{"name": "{name}", "namespace": "a",
                "resourceVersion": "{version}"}}, "spec": {{"ports": [{{"port": 1}}]}}}}}}"#
            )
            .replace('\n', " ")
                + "\n"
        };
        let is = |part: &str| request.path.contains(part);
        let body = if is("resourceVersion=7") {
            event("ADDED", "two", "8")
                + &event("DELETED", "one", "9")
                + &event("BOOKMARK", "", "10")
        } else if is("resourceVersion=10") {
            r#"{"type": "ERROR", "object": {"code": 410}}"#.to_owned() + "\n"
        } else if is("resourceVersion=20") {
            return Answer::hanging();
        } else {
            let second = lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
            let (name, version) = if second { ("three", 20) } else { ("one", 7) };
            format!(
                r#"{{"metadata": {{"resourceVersion": "{version}"}}, "items": [{{"metadata":
                {{"name": "{name}", "namespace": "a"}}, "spec": {{"ports": [{{"port": 1}}]}}}}]}}"#
            )
        };
        Answer::text(&body)
    })
    .await;
    let keys =
        "role: service, namespaces: {names: [a]}, selectors: [{role: service, label: 'x=y'}]";
    let mut found = follow_at(server, keys);
    let lines = found
        .until(|lines| lines.len() == 1 && lines[0].starts_with("three.a.svc:1"))
        .await;
    assert!(lines[0].contains("kubernetes_namespace=a"));
    let seen = seen.lock().unwrap();
    let base = "/base/api/v1/namespaces/a/services?labelSelector=x%3Dy&";
    assert!(seen.iter().all(|path| path.starts_with(base)), "{seen:?}");
    let watch = "watch=true&allowWatchBookmarks=true&resourceVersion=7";
    assert!(seen.iter().any(|path| path.contains(watch)));
}
