//! Whole configuration files.

use super::*;

const EVERYTHING: &str = r#"
global:
  scrape_interval: 15s
  evaluation_interval: 30s
  external_labels: {region: eu, monitor: "m$$1"}
  sample_limit: 1000
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090', "other:1"]
        labels:
          env: prod
  - job_name: "everything else"
    honor_labels: yes
    honor_timestamps: false
    params: {module: [http_2xx], "match[]": ["up", '{job="x"}']}
    scrape_interval: 1m30s
    scrape_timeout: 5s
    scrape_protocols: [PrometheusProto, PrometheusText0.0.4]
    fallback_scrape_protocol: PrometheusText0.0.4
    metrics_path: /probe
    scheme: https
    body_size_limit: 10MB
    native_histogram_bucket_limit: 160
    native_histogram_min_bucket_factor: 1.1
    metric_name_validation_scheme: legacy
    authorization: {credentials_file: /etc/token}
    tls_config: {ca_file: /etc/ca.pem, insecure_skip_verify: true}
    http_headers: {X-Team: {values: [a], secrets: [b]}}
    file_sd_configs:
      - files: [/etc/targets/*.json]
    dns_sd_configs:
      - {names: [a.example], type: mx, port: 25}
    consul_sd_configs:
      - {server: 'consul:8500', token: hunter2, tags: [a], node_meta: {rack: r1}, filter: 'x == y'}
    ec2_sd_configs:
      - {region: eu-west-2, access_key: k, secret_key: hunter2, filters: [{name: t, values: [v]}]}
    kubernetes_sd_configs:
      - role: endpoints
        namespaces: {names: [shop]}
        selectors: [{role: pod, label: app=web}]
        attach_metadata: {node: true}
    http_sd_configs:
      - url: http://127.0.0.1:1/targets
        tls_config: {server_name: other.example}
        basic_auth: {username: u, password: hunter2}
        refresh_interval: 2m
    relabel_configs:
      - source_labels: [__address__, __meta_filepath]
        regex: (.+);.*
        target_label: instance
      - {action: labeldrop, regex: "tmp_.*"}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: go_.*, action: drop}
remote_write:
  - url: https://user:hunter2@mimir.example/api/v1/push
    name: mimir
    tenant: team-a
    protobuf_message: io.prometheus.write.v2.Request
    headers: {X-Scope-OrgID: hunter2}
    write_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}]
    send_exemplars: true
    queue_config: {capacity: 500, max_shards: 10, min_backoff: 100ms, sample_age_limit: 1h}
    metadata_config: {send: false}
    tls_config: {ca_file: /etc/ca.pem}
  - url: http://127.0.0.1:1/api/v1/write
storage:
  tsdb: {retention: {time: 30d, size: 10GB, percentage: 80.5}, out_of_order_time_window: 1h}
otlp:
  promote_resource_attributes: [k8s.pod.name]
  translation_strategy: NoUTF8EscapingWithSuffixes
limits: {max_series: 1000000, ingestion_rate: 50000, max_memory_per_query: 512MB}
overrides: {team-a: {max_label_value_length: 100, query_timeout: 30s}}
rule_files: []
"#;

fn problems(text: &str) -> Vec<String> {
    let path = Path::new("/etc/prometheus.yml");
    match load(path, text) {
        Ok(_) => Vec::new(),
        Err(list) => list.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_whole_file_is_read_and_printed_with_its_defaults() {
    let _room = obsq_snapshots::bind("engine/ingest");
    let config = load(Path::new("/etc/prometheus.yml"), EVERYTHING).unwrap();
    let yaml = config.to_yaml();
    assert!(!yaml.contains("hunter2"));
    insta::assert_snapshot!("config_everything", yaml);
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    // What stands for a dollar sign and for secrets does not come back.
    let text = EVERYTHING.replace("m$$1", "m1");
    let path = Path::new("/etc/prometheus.yml");
    let printed = load(path, &text).unwrap().to_yaml();
    assert_eq!(load(path, &printed).unwrap().to_yaml(), printed);
}

#[test]
fn the_smallest_files_are_valid() {
    for text in [
        "",
        "{}",
        "global:",
        "scrape_configs:\n",
        "# nothing\n",
        "---\n",
    ] {
        assert_eq!(problems(text), [""; 0], "{text:?}");
    }
}

#[test]
fn alerting_passes_only_when_it_names_no_alertmanager() {
    let alerting = |targets: &str| {
        format!("alerting:\n  alertmanagers:\n  - static_configs:\n    - targets:{targets}\n")
    };
    let stock = alerting("\n      # - alertmanager:9093") + "rule_files:\n  # - \"first.yml\"\n";
    assert_eq!(problems(&stock), [""; 0]);
    let refused = problems(&alerting(" ['localhost:9093']"));
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].contains("`alerting` is not served"),
        "{refused:?}"
    );
}

#[test]
fn a_wrong_value_of_a_rule_is_the_only_thing_wrong_with_it() {
    let rule = |rule: &str| {
        problems(&format!(
            "scrape_configs:\n- job_name: a\n  metric_relabel_configs:\n  - {rule}\n"
        ))
    };
    let unknown = ["4:14: `action`: unknown relabel action \"bogus\""];
    assert_eq!(rule("{action: bogus}"), unknown);
    assert_eq!(rule("{action: bogus, regex: a}"), unknown);
    assert_eq!(rule("{action: replace}").len(), 1);
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let _room = obsq_snapshots::bind("engine/ingest");
    let text = r#"
global:
  scrape_interval: 10x
  unknown: 1
  query_log_file: /tmp/log
rule_files: [rules.yml]
remote_read:
  - url: http://x
remote_write:
  - url: ftp://x
  - name: a
    url: http://x
    sigv4: {region: x}
    headers: {User-Agent: a}
  - {name: a, url: http://y, queue_config: {capacity: 0, min_shards: 9, max_shards: 8}}
  - {protobuf_message: other, tenant: a/b, send_exemplar: true, round_robin_dns: true}
alerting: {}
scrape_configs:
  - job_name: a
    job_name: b
    static_configs: [{targets: ["http://x/metrics"]}]
    gce_sd_configs: [{project: x}]
    kubernetes_sd_configs:
      - {role: pods}
      - {role: service, selectors: [{role: pod}], kubeconfig_file: a, api_server: http://x}
    dns_sd_configs: [{names: []}, {names: [a], type: TXT}, {names: [a], type: A}]
    ec2_sd_configs: [{port: 99999, filters: [{name: a}]}]
    consul_sd_configs: [{server: "", token: a, authorization: {credentials: b}}]
    scrape_interval: 5s
    scrape_timeout: 10s
  - job_name: a
    relabel_configs:
      - {regex: "(", action: explode}
      - {action: hashmod, target_label: x}
      - {target_labels: y}
    file_sd_configs: [{files: ["*/x.json", y.txt]}]
    oauth2: {client_id: x}
    honor_labels: maybe
    sample_limit: -1
    basic_auth: {password: x, password_file: y}
    bearer_token: z
  - static_configs: {targets: []}
  -
  - text
otlp: {translation_strategy: None, promote_resource_attributes: [a, a, ""]}
"#;
    let list = problems(text).join("\n");
    assert!(!list.is_empty());
    insta::assert_snapshot!("config_problems", list);
}

#[test]
fn files_are_relative_to_the_directory_of_the_configuration() {
    let text = "scrape_configs: [{job_name: a, authorization: {credentials_file: token}}]";
    let config = load(Path::new("/etc/obsq/obsq.yml"), text).unwrap();
    let authorization = config.scrape_configs[0].http.authorization.clone().unwrap();
    let expected = SecretSource::File("/etc/obsq/token".into());
    assert_eq!(
        (authorization.kind.as_str(), authorization.credentials),
        ("Bearer", expected)
    );
}

#[test]
fn globals_are_defaults_of_jobs() {
    let text = "
global: {scrape_interval: 5s, label_limit: 3, scrape_native_histograms: true,
  metric_name_validation_scheme: legacy}
scrape_configs:
  - job_name: a
  - {job_name: b, scrape_interval: 1h, label_limit: 4, scrape_native_histograms: false,
     metric_name_validation_scheme: utf8}
";
    let config = load(Path::new("x.yml"), text).unwrap();
    let [a, b] = &config.scrape_configs[..] else {
        panic!("{config:?}");
    };
    assert_eq!(
        (a.scrape_interval_ms, a.scrape_timeout_ms, a.limits.labels),
        (5_000, 5_000, 3)
    );
    assert_eq!(
        (b.scrape_interval_ms, b.scrape_timeout_ms, b.limits.labels),
        (3_600_000, 5_000, 4)
    );
    assert_eq!(a.scrape_protocols.len(), b.scrape_protocols.len() + 1);
    assert_eq!(a.escaping_scheme, EscapingScheme::Underscores);
    assert_eq!(b.escaping_scheme, EscapingScheme::AllowUtf8);
}

proptest::proptest! {
    #[test]
    fn any_text_ends_without_a_panic(
        text in "(global|scrape_configs|job_name|[a-z_]{1,3}|[:{}\\[\\], \n-]){0,30}",
    ) {
        let _unused = load(Path::new("x.yml"), &text);
    }
}

#[test]
fn target_files_are_yaml_or_json() {
    let json = r#"[{"targets": ["a:1", "b:2"], "labels": {"x": "y"}}, {"targets": []}]"#;
    let groups = groups_from_text(json).unwrap();
    assert_eq!(groups[0].targets, ["a:1", "b:2"]);
    assert_eq!(groups[0].labels, [("x".to_owned(), "y".to_owned())]);
    assert_eq!(
        groups_from_text("- targets: [a:1]\n").unwrap()[0].targets,
        ["a:1"]
    );
    let error = groups_from_text("- target: [a:1]\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "1:3: unknown key `target` in a target group"
    );
}
