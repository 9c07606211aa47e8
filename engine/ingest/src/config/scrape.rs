//! The `scrape_configs` section.

use std::collections::BTreeMap;
use std::path::Path;

use super::discovery::{self, Discovery};
use super::global::GlobalConfig;
use super::http::{self, HttpConfig};
use super::names::{EscapingScheme, NameScheme};
use super::node::Node;
use super::relabel;
use super::section::{Problems, Section};
use crate::exposition::ScrapeProtocol;
use crate::relabel::RelabelConfig;

/// One job: which targets are scraped, and how.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the configuration, independent of the others"
)]
pub struct ScrapeConfig {
    /// The job's name, unique in the file.
    pub job_name: String,
    /// Whether labels of the target win over those that are attached to it.
    pub honor_labels: bool,
    /// Whether times in the exposition are taken.
    pub honor_timestamps: bool,
    /// Whether series with times of their own become stale when they vanish.
    pub track_timestamps_staleness: bool,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Milliseconds between two scrapes.
    pub scrape_interval_ms: i64,
    /// Milliseconds after which a scrape is given up.
    pub scrape_timeout_ms: i64,
    /// Formats to ask for, best first.
    pub scrape_protocols: Vec<ScrapeProtocol>,
    /// The format of answers that do not tell it.
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// What becomes of histograms.
    pub histograms: HistogramOptions,
    /// The path of the URL.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Whether compressed answers are asked for.
    pub enable_compression: bool,
    /// Limits of each scrape.
    pub limits: ScrapeLimits,
    /// Which names are accepted.
    pub name_scheme: NameScheme,
    /// How other names are asked for.
    pub escaping_scheme: EscapingScheme,
    /// Whether timeout, sample limit and body size are reported as well.
    pub extra_scrape_metrics: bool,
    /// Where the targets come from.
    pub discoveries: Vec<Discovery>,
    /// How targets are talked to.
    pub http: HttpConfig,
    /// Rules that targets go through before they are scraped.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules that samples go through before they are stored.
    pub metric_relabel_configs: Vec<RelabelConfig>,
}

/// Limits of each scrape; 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrapeLimits {
    /// Bytes of an uncompressed body.
    pub body_size_bytes: u64,
    /// Samples after relabelling.
    pub samples: usize,
    /// Targets of a job.
    pub targets: usize,
    /// Labels of a series.
    pub labels: usize,
    /// Bytes of a label's name.
    pub label_name_bytes: usize,
    /// Bytes of a label's value.
    pub label_value_bytes: usize,
    /// Dropped targets that are remembered.
    pub keep_dropped_targets: usize,
}

/// What becomes of histograms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HistogramOptions {
    /// Whether native histograms are taken.
    pub native: bool,
    /// Whether classic ones are taken beside native ones.
    pub always_classic: bool,
    /// Whether classic ones become native ones with custom buckets.
    pub convert_classic: bool,
    /// Most buckets of a native one; 0 means any number.
    pub bucket_limit: usize,
    /// Least growth from one bucket to the next; 0 means any.
    pub min_bucket_factor: f64,
}

/// The histogram switches as given, globally or for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct HistogramFlags {
    pub(super) native: Option<bool>,
    pub(super) always_classic: Option<bool>,
    pub(super) convert_classic: Option<bool>,
}

impl HistogramFlags {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            native: section.flag("scrape_native_histograms"),
            always_classic: section.flag("always_scrape_classic_histograms"),
            convert_classic: section.flag("convert_classic_histograms_to_nhcb"),
        }
    }

    fn or(self, global: Self) -> Self {
        Self {
            native: self.native.or(global.native),
            always_classic: self.always_classic.or(global.always_classic),
            convert_classic: self.convert_classic.or(global.convert_classic),
        }
    }
}

impl ScrapeLimits {
    /// Takes the limits of a section; what is absent or 0 is as in `defaults`.
    pub(super) fn read(section: &mut Section<'_>, defaults: &Self) -> Self {
        let mut count = |key: &str, default: usize| match section.count(key) {
            None | Some(0) => default,
            Some(limit) => limit,
        };
        let limits = Self {
            body_size_bytes: 0,
            samples: count("sample_limit", defaults.samples),
            targets: count("target_limit", defaults.targets),
            labels: count("label_limit", defaults.labels),
            label_name_bytes: count("label_name_length_limit", defaults.label_name_bytes),
            label_value_bytes: count("label_value_length_limit", defaults.label_value_bytes),
            keep_dropped_targets: count("keep_dropped_targets", defaults.keep_dropped_targets),
        };
        let body_size = section.size_bytes("body_size_limit");
        Self {
            body_size_bytes: body_size
                .filter(|bytes| *bytes > 0)
                .unwrap_or(defaults.body_size_bytes),
            ..limits
        }
    }
}

pub(super) fn read_protocols(section: &mut Section<'_>) -> Option<Vec<ScrapeProtocol>> {
    let problems = section.problems();
    let node = section.node("scrape_protocols")?;
    let mut protocols = Vec::new();
    let elements = problems.elements(node, "scrape_protocols");
    for element in elements {
        let name = problems
            .text(element, "scrape_protocols")
            .unwrap_or_default();
        match read_protocol(&name) {
            Ok(protocol) if protocols.contains(&protocol) => {
                problems.add(
                    element.at,
                    format!("duplicated protocol {name:?} in scrape_protocols"),
                );
            }
            Ok(protocol) => protocols.push(protocol),
            Err(message) => problems.add(element.at, message),
        }
    }
    if elements.is_empty() {
        problems.add(node.at, "scrape_protocols cannot be empty");
    }
    Some(protocols)
}

fn read_protocol(name: &str) -> Result<ScrapeProtocol, String> {
    ScrapeProtocol::from_name(name).ok_or_else(|| {
        let names = ScrapeProtocol::ALL.map(ScrapeProtocol::as_str).join(", ");
        format!("unknown scrape protocol {name:?}, supported: {names}")
    })
}

pub(super) fn read_all(
    node: &Node,
    global: &GlobalConfig,
    directory: &Path,
    problems: &Problems,
) -> Vec<ScrapeConfig> {
    let mut configs: Vec<ScrapeConfig> = Vec::new();
    for element in problems.elements(node, "scrape_configs") {
        let Some(config) = read(element, global, directory, problems) else {
            continue;
        };
        let name = &config.job_name;
        if configs.iter().any(|known| known.job_name == *name) {
            let message = format!("found multiple scrape configs with job name {name:?}");
            problems.add(element.at, message);
        }
        configs.push(config);
    }
    configs
}

fn read(
    node: &Node,
    global: &GlobalConfig,
    directory: &Path,
    problems: &Problems,
) -> Option<ScrapeConfig> {
    let mut section = Section::of(node, "a scrape config", problems)?;
    let job_name = section.text("job_name").unwrap_or_default();
    if job_name.is_empty() {
        problems.add(node.at, "job_name is empty");
    }
    let (scrape_interval_ms, scrape_timeout_ms) = read_times(&mut section, node, global, &job_name);
    let (name_scheme, escaping_scheme) = read_schemes(&mut section, node, global);
    let flags = HistogramFlags::read(&mut section).or(global.histograms);
    let native = flags.native.unwrap_or(false);
    let relabel_configs = relabel::read_all(&mut section, "relabel_configs", name_scheme);
    let config = ScrapeConfig {
        job_name,
        honor_labels: section.flag("honor_labels").unwrap_or(false),
        honor_timestamps: section.flag("honor_timestamps").unwrap_or(true),
        track_timestamps_staleness: section.flag("track_timestamps_staleness").unwrap_or(false),
        params: read_params(&mut section),
        scrape_interval_ms,
        scrape_timeout_ms,
        scrape_protocols: read_protocols(&mut section)
            .or_else(|| global.scrape_protocols.clone())
            .unwrap_or_else(|| default_protocols(native)),
        fallback_scrape_protocol: section.scalar("fallback_scrape_protocol", read_protocol),
        histograms: HistogramOptions {
            native,
            always_classic: flags.always_classic.unwrap_or(false),
            convert_classic: flags.convert_classic.unwrap_or(false),
            bucket_limit: section.count("native_histogram_bucket_limit").unwrap_or(0),
            min_bucket_factor: section
                .float("native_histogram_min_bucket_factor")
                .unwrap_or(0.0),
        },
        metrics_path: section
            .text("metrics_path")
            .unwrap_or("/metrics".to_owned()),
        scheme: section
            .scalar("scheme", read_scheme)
            .unwrap_or("http".to_owned()),
        enable_compression: section.flag("enable_compression").unwrap_or(true),
        limits: ScrapeLimits::read(&mut section, &global.limits),
        name_scheme,
        escaping_scheme,
        extra_scrape_metrics: section
            .flag("extra_scrape_metrics")
            .unwrap_or(global.extra_scrape_metrics),
        discoveries: discovery::read(&mut section, directory, relabel_configs.is_empty()),
        http: http::read(&mut section, node, directory),
        relabel_configs,
        metric_relabel_configs: relabel::read_all(
            &mut section,
            "metric_relabel_configs",
            name_scheme,
        ),
    };
    section.refuse("scrape_failure_log_file");
    section.finish();
    Some(config)
}

fn read_times(
    section: &mut Section<'_>,
    node: &Node,
    global: &GlobalConfig,
    job_name: &str,
) -> (i64, i64) {
    let given = |ms: Option<i64>| ms.filter(|ms| *ms > 0);
    let interval_ms =
        given(section.duration_ms("scrape_interval")).unwrap_or(global.scrape_interval_ms);
    let timeout_ms = given(section.duration_ms("scrape_timeout"));
    if timeout_ms.is_some_and(|timeout_ms| timeout_ms > interval_ms) {
        let message = format!(
            "scrape timeout greater than scrape interval for scrape config with job name \
             {job_name:?}"
        );
        section.problems().add(node.at, message);
    }
    let default_ms = global.scrape_timeout_ms.min(interval_ms);
    (interval_ms, timeout_ms.unwrap_or(default_ms))
}

fn read_schemes(
    section: &mut Section<'_>,
    node: &Node,
    global: &GlobalConfig,
) -> (NameScheme, EscapingScheme) {
    let own = section.scalar("metric_name_validation_scheme", NameScheme::from_name);
    let name_scheme = own.unwrap_or(global.name_scheme);
    let inherited = match own {
        None => global.escaping_scheme,
        Some(_) => None,
    };
    let escaping_scheme = section
        .scalar("metric_name_escaping_scheme", EscapingScheme::from_name)
        .or(inherited)
        .unwrap_or(EscapingScheme::default_of(name_scheme));
    if name_scheme == NameScheme::Legacy && escaping_scheme == EscapingScheme::AllowUtf8 {
        let message = "utf8 metric names requested but validation scheme is not set to UTF8";
        section.problems().add(node.at, message);
    }
    (name_scheme, escaping_scheme)
}

fn read_params(section: &mut Section<'_>) -> BTreeMap<String, Vec<String>> {
    let problems = section.problems();
    let Some(node) = section.node("params") else {
        return BTreeMap::new();
    };
    let entries = problems.entries(node, "params").iter();
    entries
        .map(|(name, values)| (name.text.clone(), problems.texts(values, "params")))
        .collect()
}

fn read_scheme(text: &str) -> Result<String, String> {
    match text {
        "http" | "https" => Ok(text.to_owned()),
        _ => Err(format!("must be `http` or `https`, not {text:?}")),
    }
}

fn default_protocols(native_histograms: bool) -> Vec<ScrapeProtocol> {
    if native_histograms {
        ScrapeProtocol::NATIVE_HISTOGRAMS.to_vec()
    } else {
        ScrapeProtocol::DEFAULT.to_vec()
    }
}
