//! The configuration as YAML, in the order and style of Prometheus.

mod discovery;
mod yaml;

use std::fmt::Display;

use self::yaml::Yaml;
use super::discovery::{Discovery, StaticGroup};
use super::duration::format_duration;
use super::global::GlobalConfig;
use super::http::{HttpConfig, OAuth2, SecretSource};
use super::remote_write::{QueueOptions, RemoteWriteConfig, WrittenTenants};
use super::scrape::{ScrapeConfig, ScrapeLimits};
use super::size::format_size;
use super::{Config, StorageConfig, TenantLimits};
use crate::exposition::ScrapeProtocol;
use crate::otlp::{OtlpOptions, PromotedAttributes};
use crate::relabel::RelabelConfig;

pub(super) fn config(config: &Config) -> String {
    let mut map = Map::default();
    map.put("global", global(&config.global));
    let jobs = config.scrape_configs.iter().map(scrape_config);
    map.list("scrape_configs", jobs.collect());
    let remotes = config.remote_write.iter().map(remote_write);
    map.list("remote_write", remotes.collect());
    map.put("storage", storage(&config.storage));
    map.put("otlp", otlp(&config.otlp));
    if config.limits.defaults != TenantLimits::default() {
        map.put("limits", tenant_limits(&config.limits.defaults));
    }
    let overrides = config.limits.overrides.iter();
    let overrides: Vec<_> = overrides
        .map(|(tenant, limits)| (tenant.to_string(), tenant_limits(limits)))
        .collect();
    if !overrides.is_empty() {
        map.put("overrides", Yaml::Map(overrides));
    }
    map.into_yaml().to_text()
}

impl ScrapeConfig {
    /// Returns the job as an entry of `scrape_configs`, defaults filled in and secrets hidden.
    pub fn to_yaml(&self) -> String {
        scrape_config(self).to_text()
    }
}

/// A map in the making.
#[derive(Default)]
struct Map(Vec<(&'static str, Yaml)>);

impl Map {
    fn put(&mut self, key: &'static str, value: Yaml) {
        self.0.push((key, value));
    }

    fn text(&mut self, key: &'static str, value: &str) {
        self.put(key, Yaml::text(value));
    }

    fn some_text(&mut self, key: &'static str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn word(&mut self, key: &'static str, value: impl Display) {
        self.put(key, Yaml::Plain(format!("{value}")));
    }

    fn count(&mut self, key: &'static str, value: usize) {
        if value > 0 {
            self.word(key, value);
        }
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        if value {
            self.word(key, true);
        }
    }

    fn duration(&mut self, key: &'static str, value_ms: i64) {
        if value_ms > 0 {
            self.word(key, format_duration(value_ms));
        }
    }

    fn list(&mut self, key: &'static str, list: Vec<Yaml>) {
        if !list.is_empty() {
            self.put(key, Yaml::List(list));
        }
    }

    fn texts<T: AsRef<str>>(&mut self, key: &'static str, texts: &[T]) {
        let texts = texts.iter().map(|text| Yaml::text(text.as_ref()));
        self.list(key, texts.collect());
    }

    fn secret(&mut self, [inline, file]: [&'static str; 2], source: Option<&SecretSource>) {
        match source {
            None => {}
            Some(SecretSource::Inline(secret)) if secret.is_empty() => {}
            Some(SecretSource::Inline(secret)) => self.word(inline, secret),
            Some(SecretSource::File(path)) => self.text(file, &path.to_string_lossy()),
        }
    }

    fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    fn into_yaml(self) -> Yaml {
        let entries = self
            .0
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        Yaml::Map(entries.collect())
    }
}

fn pairs(pairs: &[(String, String)]) -> Yaml {
    let entries = pairs
        .iter()
        .map(|(name, value)| (name.clone(), Yaml::text(value)));
    Yaml::Map(entries.collect())
}

fn protocols(map: &mut Map, protocols: &[ScrapeProtocol]) {
    let names: Vec<_> = protocols.iter().map(|protocol| protocol.as_str()).collect();
    map.texts("scrape_protocols", &names);
}

fn limits(limits: &ScrapeLimits) -> Map {
    let mut map = Map::default();
    if limits.body_size_bytes > 0 {
        map.word("body_size_limit", format_size(limits.body_size_bytes));
    }
    map.count("sample_limit", limits.samples);
    map.count("target_limit", limits.targets);
    map.count("label_limit", limits.labels);
    map.count("label_name_length_limit", limits.label_name_bytes);
    map.count("label_value_length_limit", limits.label_value_bytes);
    map.count("keep_dropped_targets", limits.keep_dropped_targets);
    map
}

fn global(global: &GlobalConfig) -> Yaml {
    let mut map = Map::default();
    map.duration("scrape_interval", global.scrape_interval_ms);
    map.duration("scrape_timeout", global.scrape_timeout_ms);
    if let Some(given) = &global.scrape_protocols {
        protocols(&mut map, given);
    }
    map.duration("evaluation_interval", global.evaluation_interval_ms);
    map.duration("rule_query_offset", global.rule_query_offset_ms);
    if !global.external_labels.is_empty() {
        map.put("external_labels", pairs(&global.external_labels));
    }
    map.append(limits(&global.limits));
    map.text("metric_name_validation_scheme", global.name_scheme.as_str());
    if let Some(scheme) = global.escaping_scheme {
        map.text("metric_name_escaping_scheme", scheme.as_str());
    }
    let flags = global.histograms;
    map.word("scrape_native_histograms", flags.native.unwrap_or(false));
    map.flag(
        "convert_classic_histograms_to_nhcb",
        flags.convert_classic.unwrap_or(false),
    );
    map.flag(
        "always_scrape_classic_histograms",
        flags.always_classic.unwrap_or(false),
    );
    map.word("extra_scrape_metrics", global.extra_scrape_metrics);
    map.into_yaml()
}

fn scrape_config(config: &ScrapeConfig) -> Yaml {
    let mut map = Map::default();
    map.text("job_name", &config.job_name);
    map.flag("honor_labels", config.honor_labels);
    map.word("honor_timestamps", config.honor_timestamps);
    map.word(
        "track_timestamps_staleness",
        config.track_timestamps_staleness,
    );
    if !config.params.is_empty() {
        let params = config.params.iter().map(|(name, values)| {
            let values = values.iter().map(|value| Yaml::text(value)).collect();
            (name.clone(), Yaml::List(values))
        });
        map.put("params", Yaml::Map(params.collect()));
    }
    map.duration("scrape_interval", config.scrape_interval_ms);
    map.duration("scrape_timeout", config.scrape_timeout_ms);
    protocols(&mut map, &config.scrape_protocols);
    if let Some(protocol) = config.fallback_scrape_protocol {
        map.text("fallback_scrape_protocol", protocol.as_str());
    }
    let histograms = &config.histograms;
    map.word("scrape_native_histograms", histograms.native);
    map.word(
        "always_scrape_classic_histograms",
        histograms.always_classic,
    );
    map.word(
        "convert_classic_histograms_to_nhcb",
        histograms.convert_classic,
    );
    map.text("metrics_path", &config.metrics_path);
    map.text("scheme", &config.scheme);
    map.word("enable_compression", config.enable_compression);
    map.append(limits(&config.limits));
    map.count("native_histogram_bucket_limit", histograms.bucket_limit);
    if histograms.min_bucket_factor > 0.0 {
        map.word(
            "native_histogram_min_bucket_factor",
            histograms.min_bucket_factor,
        );
    }
    map.text("metric_name_validation_scheme", config.name_scheme.as_str());
    map.text(
        "metric_name_escaping_scheme",
        config.escaping_scheme.as_str(),
    );
    map.word("extra_scrape_metrics", config.extra_scrape_metrics);
    map.append(http(&config.http));
    let rules = config.relabel_configs.iter().map(relabel);
    map.list("relabel_configs", rules.collect());
    let rules = config.metric_relabel_configs.iter().map(relabel);
    map.list("metric_relabel_configs", rules.collect());
    map.append(discoveries(&config.discoveries));
    map.into_yaml()
}

fn remote_write(config: &RemoteWriteConfig) -> Yaml {
    let mut map = Map::default();
    map.text("url", &config.shown_url());
    map.duration("remote_timeout", config.timeout_ms);
    map.text("protobuf_message", config.version.as_str());
    if !config.headers.is_empty() {
        let headers = config.headers.iter();
        let hidden = headers.map(|(name, value)| (name.clone(), Yaml::Plain(value.to_string())));
        map.put("headers", Yaml::Map(hidden.collect()));
    }
    let rules = config.relabel_configs.iter().map(relabel);
    map.list("write_relabel_configs", rules.collect());
    map.some_text("name", &config.given_name);
    if let WrittenTenants::One(tenant) = &config.tenants {
        map.text("tenant", tenant.as_str());
    }
    map.word("send_exemplars", config.send_exemplars);
    map.word("send_native_histograms", config.send_native_histograms);
    map.append(http(&config.http));
    map.put("queue_config", queue(&config.queue));
    let mut metadata = Map::default();
    metadata.word("send", config.metadata.send);
    metadata.duration("send_interval", config.metadata.send_interval_ms);
    metadata.count("max_samples_per_send", config.metadata.max_per_send);
    map.put("metadata_config", metadata.into_yaml());
    map.into_yaml()
}

fn queue(queue: &QueueOptions) -> Yaml {
    let mut map = Map::default();
    map.count("capacity", queue.capacity);
    map.count("max_shards", queue.max_shards);
    map.count("min_shards", queue.min_shards);
    map.count("max_samples_per_send", queue.max_samples_per_send);
    map.duration("batch_send_deadline", queue.batch_send_deadline_ms);
    map.duration("min_backoff", queue.min_backoff_ms);
    map.duration("max_backoff", queue.max_backoff_ms);
    map.word("retry_on_http_429", queue.retry_on_429);
    map.duration("sample_age_limit", queue.sample_age_limit_ms);
    map.into_yaml()
}

fn discoveries(discoveries: &[Discovery]) -> Map {
    let (mut groups, mut files, mut endpoints) = (Vec::new(), Vec::new(), Vec::new());
    for discovery in discoveries {
        match discovery {
            Discovery::Static(list) => groups.extend(list.iter().map(group)),
            Discovery::File(discovery) => {
                let mut map = Map::default();
                let paths: Vec<_> = discovery
                    .files
                    .iter()
                    .map(|p| p.to_string_lossy())
                    .collect();
                map.texts("files", &paths);
                map.duration("refresh_interval", discovery.refresh_interval_ms);
                files.push(map.into_yaml());
            }
            Discovery::Dns(_)
            | Discovery::Consul(_)
            | Discovery::Ec2(_)
            | Discovery::Kubernetes(_) => {}
            Discovery::Http(discovery) => {
                let mut map = http(&discovery.http);
                map.duration("refresh_interval", discovery.refresh_interval_ms);
                map.text("url", &discovery.url);
                endpoints.push(map.into_yaml());
            }
        }
    }
    let mut map = Map::default();
    map.list("static_configs", groups);
    map.list("file_sd_configs", files);
    map.list("http_sd_configs", endpoints);
    map.append(discovery::others(discoveries));
    map
}

fn group(group: &StaticGroup) -> Yaml {
    let mut map = Map::default();
    map.texts("targets", &group.targets);
    if !group.labels.is_empty() {
        map.put("labels", pairs(&group.labels));
    }
    map.into_yaml()
}

fn oauth2(config: &OAuth2) -> Yaml {
    let mut map = Map::default();
    map.text("client_id", &config.client_id);
    let secret = Some(&config.client_secret);
    map.secret(["client_secret", "client_secret_file"], secret);
    map.texts("scopes", &config.scopes);
    map.text("token_url", &config.token_url);
    if !config.endpoint_params.is_empty() {
        map.put("endpoint_params", pairs(&config.endpoint_params));
    }
    map.append(http(&config.http));
    map.0
        .retain(|(key, _)| !matches!(*key, "follow_redirects" | "enable_http2"));
    map.into_yaml()
}

fn http(config: &HttpConfig) -> Map {
    let mut map = Map::default();
    if let Some(auth) = &config.basic_auth {
        let mut nested = Map::default();
        match &auth.username {
            SecretSource::Inline(name) => nested.text("username", name.expose()),
            SecretSource::File(path) => nested.text("username_file", &path.to_string_lossy()),
        }
        nested.secret(["password", "password_file"], Some(&auth.password));
        map.put("basic_auth", nested.into_yaml());
    }
    if let Some(authorization) = &config.authorization {
        let mut nested = Map::default();
        nested.text("type", &authorization.kind);
        let credentials = Some(&authorization.credentials);
        nested.secret(["credentials", "credentials_file"], credentials);
        map.put("authorization", nested.into_yaml());
    }
    if let Some(config) = &config.oauth2 {
        map.put("oauth2", oauth2(config));
    }
    let tls = &config.tls;
    if *tls != super::TlsConfig::default() {
        let mut nested = Map::default();
        nested.secret(["ca", "ca_file"], tls.ca.as_ref());
        nested.secret(["cert", "cert_file"], tls.cert.as_ref());
        nested.secret(["key", "key_file"], tls.key.as_ref());
        if let Some(name) = &tls.server_name {
            nested.text("server_name", name);
        }
        nested.word("insecure_skip_verify", tls.insecure_skip_verify);
        map.put("tls_config", nested.into_yaml());
    }
    map.word("follow_redirects", config.follow_redirects);
    map.word("enable_http2", config.enable_http2);
    if let Some(url) = &config.proxy_url {
        map.word("proxy_url", url);
    }
    map.some_text("no_proxy", &config.no_proxy);
    map.flag("proxy_from_environment", config.proxy_from_environment);
    let headers = config.headers.iter().map(|header| {
        let mut nested = Map::default();
        nested.texts("values", &header.values);
        let secrets = header
            .secrets
            .iter()
            .map(|_| Yaml::Plain("<secret>".to_owned()));
        nested.list("secrets", secrets.collect());
        (header.name.clone(), nested.into_yaml())
    });
    let headers: Vec<_> = headers.collect();
    if !headers.is_empty() {
        map.put("http_headers", Yaml::Map(headers));
    }
    map
}

fn relabel(rule: &RelabelConfig) -> Yaml {
    let mut map = Map::default();
    if !rule.source_labels.is_empty() {
        let labels = rule.source_labels.iter().map(|label| Yaml::text(label));
        map.put("source_labels", Yaml::Flow(labels.collect()));
    }
    map.text("separator", &rule.separator);
    if rule.regex.as_str() != "(.*)" {
        map.text("regex", rule.regex.as_str());
    }
    if rule.modulus > 0 {
        map.word("modulus", rule.modulus);
    }
    map.some_text("target_label", &rule.target_label);
    map.text("replacement", &rule.replacement);
    map.text("action", rule.action.as_str());
    map.into_yaml()
}

fn tenant_limits(limits: &TenantLimits) -> Yaml {
    let mut map = Map::default();
    if let Some(rate) = limits.ingestion_rate {
        map.word("ingestion_rate", rate);
    }
    for (key, limit) in [
        ("max_series", limits.max_series),
        ("ingestion_burst_size", limits.ingestion_burst_size),
        (
            "max_label_names_per_series",
            limits.max_label_names_per_series,
        ),
        ("max_label_name_length", limits.max_label_name_length),
        ("max_label_value_length", limits.max_label_value_length),
        (
            "max_fetched_series_per_query",
            limits.max_fetched_series_per_query,
        ),
        ("max_samples_per_query", limits.max_samples_per_query),
        ("max_concurrent_queries", limits.max_concurrent_queries),
    ] {
        if let Some(limit) = limit {
            map.word(key, limit);
        }
    }
    if let Some(bytes) = limits.max_memory_per_query {
        map.word("max_memory_per_query", format_size(bytes));
    }
    if let Some(ms) = limits.query_timeout_ms {
        map.word("query_timeout", format_duration(ms));
    }
    map.into_yaml()
}

fn storage(storage: &StorageConfig) -> Yaml {
    let mut retention = Map::default();
    retention.duration("time", storage.retention_time_ms.unwrap_or(0));
    if let Some(bytes) = storage.retention_size_bytes {
        retention.word("size", format_size(bytes));
    }
    if let Some(percentage) = storage.retention_percentage {
        retention.word("percentage", percentage.to_string());
    }
    let mut tsdb = Map::default();
    tsdb.duration(
        "out_of_order_time_window",
        storage.out_of_order_time_window_ms,
    );
    if !retention.0.is_empty() {
        tsdb.put("retention", retention.into_yaml());
    }
    let mut map = Map::default();
    map.put("tsdb", tsdb.into_yaml());
    if let Some(limit) = storage.max_exemplars {
        let mut exemplars = Map::default();
        exemplars.word("max_exemplars", limit);
        map.put("exemplars", exemplars.into_yaml());
    }
    map.into_yaml()
}

fn otlp(options: &OtlpOptions) -> Yaml {
    let mut map = Map::default();
    match &options.promoted {
        PromotedAttributes::Listed(names) => {
            let names: Vec<_> = names.iter().collect();
            map.texts("promote_resource_attributes", &names);
        }
        PromotedAttributes::AllBut(names) => {
            map.word("promote_all_resource_attributes", true);
            let names: Vec<_> = names.iter().collect();
            map.texts("ignore_resource_attributes", &names);
        }
    }
    map.text("translation_strategy", options.strategy.as_str());
    map.flag(
        "keep_identifying_resource_attributes",
        options.keep_identifying_resource_attributes,
    );
    map.flag(
        "convert_histograms_to_nhcb",
        options.convert_histograms_to_nhcb,
    );
    map.flag("promote_scope_metadata", options.promote_scope_metadata);
    map.word(
        "label_name_underscore_sanitization",
        options.label_name_underscore_sanitization,
    );
    map.word(
        "label_name_preserve_multiple_underscores",
        options.label_name_preserve_multiple_underscores,
    );
    map.into_yaml()
}
