//! Targets: from what discovery found to what is scraped.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use obsq_model::{Labels, LabelsBuilder};
use reqwest::Url;
use rustc_hash::FxHasher;

use super::groups::TargetGroup;
use crate::config::{HistogramOptions, ScrapeConfig, format_duration, parse_duration};
use crate::relabel;

pub(super) const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM_PREFIX: &str = "__param_";
const META_PREFIX: &str = "__meta_";
const RESERVED_PREFIX: &str = "__";
const CONVERT_CLASSIC: &str = "__convert_classic_histograms_to_nhcb__";
const ALWAYS_CLASSIC: &str = "__always_scrape_classic_histograms__";
const NATIVE: &str = "__scrape_native_histograms__";

/// Something to scrape.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Labels as discovered, before any rule.
    pub(super) discovered: Labels,
    /// Labels that are attached to every sample.
    pub(super) labels: Labels,
    /// Where the exposition is.
    pub(super) url: Url,
    pub(super) interval_ms: i64,
    pub(super) timeout_ms: i64,
    pub(super) histograms: HistogramOptions,
    /// Tells targets apart: two with the same labels and URL are one.
    pub(super) id: u64,
}

/// What becomes of one discovered target.
#[derive(Debug)]
pub(super) enum Found {
    Active(Box<Target>),
    /// A rule said to drop it; its labels as discovered.
    Dropped(Labels),
    /// It cannot be scraped; says why.
    Invalid(String),
}

/// Returns what becomes of each target of a group.
pub(super) fn targets_of<'a>(
    group: &'a TargetGroup,
    config: &'a ScrapeConfig,
) -> impl Iterator<Item = Found> + 'a {
    group.targets.iter().map(|address| {
        let discovered = discovered_labels(address, &group.labels, config);
        find(discovered, config)
    })
}

fn discovered_labels(
    address: &str,
    group_labels: &[(String, String)],
    config: &ScrapeConfig,
) -> Labels {
    let mut labels = LabelsBuilder::default();
    for (name, value) in group_labels {
        labels.set(name, value);
    }
    labels.set(ADDRESS, address);
    let histograms = &config.histograms;
    let defaults = [
        ("job", config.job_name.clone()),
        (INTERVAL, format_duration(config.scrape_interval_ms)),
        (TIMEOUT, format_duration(config.scrape_timeout_ms)),
        (METRICS_PATH, config.metrics_path.clone()),
        (SCHEME, config.scheme.clone()),
        (CONVERT_CLASSIC, histograms.convert_classic.to_string()),
        (ALWAYS_CLASSIC, histograms.always_classic.to_string()),
        (NATIVE, histograms.native.to_string()),
    ];
    for (name, value) in &defaults {
        set_default(&mut labels, name, value);
    }
    for (name, values) in &config.params {
        if let Some(first) = values.first() {
            set_default(&mut labels, &format!("{PARAM_PREFIX}{name}"), first);
        }
    }
    labels.build()
}

fn set_default(labels: &mut LabelsBuilder, name: &str, value: &str) {
    if labels.get(name).is_empty() {
        labels.set(name, value);
    }
}

fn find(discovered: Labels, config: &ScrapeConfig) -> Found {
    let Some(relabelled) = relabel::apply(&discovered, &config.relabel_configs) else {
        return Found::Dropped(discovered);
    };
    match build(&discovered, &relabelled, config) {
        Ok(target) if target.labels.is_empty() => Found::Dropped(discovered),
        Ok(target) => Found::Active(Box::new(target)),
        Err(reason) => Found::Invalid(format!("target {discovered}: {reason}")),
    }
}

fn build(discovered: &Labels, labels: &Labels, config: &ScrapeConfig) -> Result<Target, String> {
    let address = labels.value(ADDRESS);
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    let interval_ms = duration(labels, INTERVAL, "scrape interval")?;
    let timeout_ms = duration(labels, TIMEOUT, "scrape timeout")?;
    if timeout_ms > interval_ms {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({:?} > {:?})",
            labels.value(TIMEOUT),
            labels.value(INTERVAL)
        ));
    }
    let histograms = HistogramOptions {
        native: flag(labels, NATIVE)?,
        always_classic: flag(labels, ALWAYS_CLASSIC)?,
        convert_classic: flag(labels, CONVERT_CLASSIC)?,
        ..config.histograms
    };
    let url = url(labels, config)?;
    let mut attached = labels.without(|name| name.starts_with(RESERVED_PREFIX));
    if attached.value("instance").is_empty() {
        attached = attached.to_builder().set("instance", address).build();
    }
    Ok(Target {
        discovered: discovered.clone(),
        id: identity(&labels.without(|name| name.starts_with(META_PREFIX)), &url),
        labels: attached,
        url,
        interval_ms,
        timeout_ms,
        histograms,
    })
}

fn duration(labels: &Labels, name: &str, what: &str) -> Result<i64, String> {
    match parse_duration(labels.value(name)) {
        Ok(0) => Err(format!("{what} cannot be 0")),
        Ok(ms) => Ok(ms),
        Err(error) => Err(format!("error parsing {what}: {error}")),
    }
}

fn flag(labels: &Labels, name: &str) -> Result<bool, String> {
    match labels.value(name) {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!(
            "error parsing {name}: {other:?} is neither true nor false"
        )),
    }
}

fn url(labels: &Labels, config: &ScrapeConfig) -> Result<Url, String> {
    let (scheme, address) = (labels.value(SCHEME), labels.value(ADDRESS));
    if !matches!(scheme, "http" | "https") {
        return Err(format!("unsupported scheme {scheme:?}"));
    }
    let mut url = Url::parse(&format!("{scheme}://{address}/"))
        .map_err(|error| format!("{address:?} is not a valid hostname: {error}"))?;
    url.set_path(labels.value(METRICS_PATH));
    let mut params: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &config.params {
        params.insert(name, values.iter().map(String::as_str).collect());
    }
    for label in labels {
        let Some(name) = label.name.strip_prefix(PARAM_PREFIX) else {
            continue;
        };
        let values = params.entry(name).or_default();
        match values.first_mut() {
            Some(first) => *first = label.value,
            None => values.push(label.value),
        }
    }
    let pairs = params
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    if params.values().any(|values| !values.is_empty()) {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

fn identity(labels: &Labels, url: &Url) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(labels.hash64());
    hasher.write(url.as_str().as_bytes());
    hasher.finish()
}

impl Target {
    /// Returns the milliseconds from `now_ms` to the target's next turn. Turns are spread over the
    /// interval by the target's identity and are the same at every start.
    pub(super) fn offset_ms(&self, now_ms: i64, seed: u64) -> i64 {
        let interval_ms = self.interval_ms.max(1);
        // The low bits of the identity are the least mixed.
        let spread = (self.id ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let turn_ms = (spread % interval_ms.unsigned_abs()) as i64;
        (turn_ms - now_ms).rem_euclid(interval_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn found(job: &str, group_labels: &[(&str, &str)], address: &str) -> Found {
        let text = format!("scrape_configs:\n- job_name: j\n{job}");
        let config = load(std::path::Path::new("x.yml"), &text).unwrap();
        let pairs = group_labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let group = TargetGroup {
            source: String::new(),
            targets: vec![address.to_owned()],
            labels: pairs.collect(),
        };
        targets_of(&group, &config.scrape_configs[0])
            .next()
            .unwrap()
    }

    fn active(job: &str, group_labels: &[(&str, &str)], address: &str) -> Target {
        match found(job, group_labels, address) {
            Found::Active(target) => *target,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn labels_and_url_come_from_configuration_group_and_rules() {
        let target = active(
            "  metrics_path: /p\n  params: {b: [x y, z], a: ['1']}\n  relabel_configs:\n  \
             - {source_labels: [__meta_zone], target_label: zone}\n  \
             - {target_label: __param_a, replacement: '2'}\n",
            &[
                ("__meta_zone", "eu"),
                ("env", "prod"),
                ("__scheme__", "https"),
            ],
            "host:1",
        );
        assert_eq!(target.url.as_str(), "https://host:1/p?a=2&b=x+y&b=z");
        assert_eq!(
            target.labels.to_string(),
            r#"{env="prod", instance="host:1", job="j", zone="eu"}"#
        );
        assert_eq!(target.discovered.value("__meta_zone"), "eu");
        assert_eq!((target.interval_ms, target.timeout_ms), (60_000, 10_000));
    }

    #[test]
    fn targets_that_cannot_be_scraped_say_why() {
        let cases = [
            (
                "__scrape_interval__",
                "0s",
                "h:1",
                "scrape interval cannot be 0",
            ),
            ("__scrape_timeout__", "2m", "h:1", "cannot be greater than"),
            ("__scheme__", "ftp", "h:1", "unsupported scheme"),
            ("x", "y", "", "no address"),
            (
                "__scrape_native_histograms__",
                "x",
                "h:1",
                "neither true nor false",
            ),
        ];
        for (name, value, address, expected) in cases {
            match found("", &[(name, value)], address) {
                Found::Invalid(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        let drop = "  relabel_configs: [{action: drop, source_labels: [env], regex: x}]\n";
        assert!(matches!(
            found(drop, &[("env", "x")], "h:1"),
            Found::Dropped(_)
        ));
    }

    #[test]
    fn turns_are_spread_over_the_interval_and_stay() {
        let targets: Vec<_> = (0..200)
            .map(|n| active("", &[], &format!("h:{n}")))
            .collect();
        let turns: Vec<_> = targets
            .iter()
            .map(|target| target.offset_ms(0, 7))
            .collect();
        assert!(turns.iter().all(|turn_ms| (0..60_000).contains(turn_ms)));
        let early = turns.iter().filter(|turn_ms| **turn_ms < 30_000).count();
        assert!((60..140).contains(&early), "{early}");
        for (target, turn_ms) in targets.iter().zip(turns) {
            assert_eq!((target.offset_ms(12_345, 7) + 12_345) % 60_000, turn_ms);
        }
    }
}
