//! The `global` section.

use std::env;

use super::names::{EscapingScheme, NameScheme};
use super::node::Node;
use super::scrape::{HistogramFlags, ScrapeLimits, read_protocols};
use super::section::{Problems, Section};
use crate::exposition::ScrapeProtocol;

/// Defaults for scraping and labels for the outside.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalConfig {
    /// Milliseconds between two scrapes of a target.
    pub scrape_interval_ms: i64,
    /// Milliseconds after which a scrape is given up.
    pub scrape_timeout_ms: i64,
    /// Milliseconds between two evaluations of a rule.
    pub evaluation_interval_ms: i64,
    /// Milliseconds by which rules look back.
    pub rule_query_offset_ms: i64,
    /// Labels of this server for federation and the like, sorted by name.
    pub external_labels: Vec<(String, String)>,
    /// Limits of every scrape.
    pub limits: ScrapeLimits,
    /// Formats to ask for, if configured.
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// Which names are accepted.
    pub name_scheme: NameScheme,
    /// How other names are asked for, if configured.
    pub escaping_scheme: Option<EscapingScheme>,
    /// What becomes of histograms.
    pub(super) histograms: HistogramFlags,
    /// Whether scrapes report timeout, sample limit and body size as well.
    pub extra_scrape_metrics: bool,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval_ms: 60_000,
            scrape_timeout_ms: 10_000,
            evaluation_interval_ms: 60_000,
            rule_query_offset_ms: 0,
            external_labels: Vec::new(),
            limits: ScrapeLimits::default(),
            scrape_protocols: None,
            name_scheme: NameScheme::default(),
            escaping_scheme: None,
            histograms: HistogramFlags::default(),
            extra_scrape_metrics: false,
        }
    }
}

pub(super) fn read(node: &Node, problems: &Problems) -> GlobalConfig {
    let defaults = GlobalConfig::default();
    let Some(mut section) = Section::of_optional(node, "`global`", problems) else {
        return defaults;
    };
    let given = |ms: Option<i64>| ms.filter(|ms| *ms > 0);
    let scrape_interval_ms =
        given(section.duration_ms("scrape_interval")).unwrap_or(defaults.scrape_interval_ms);
    let scrape_timeout_ms = given(section.duration_ms("scrape_timeout"));
    if scrape_timeout_ms.is_some_and(|timeout_ms| timeout_ms > scrape_interval_ms) {
        problems.add(
            node.at,
            "global scrape timeout greater than scrape interval",
        );
    }
    let name_scheme = section
        .scalar("metric_name_validation_scheme", NameScheme::from_name)
        .unwrap_or_default();
    let config = GlobalConfig {
        scrape_interval_ms,
        scrape_timeout_ms: scrape_timeout_ms
            .unwrap_or(defaults.scrape_timeout_ms.min(scrape_interval_ms)),
        evaluation_interval_ms: given(section.duration_ms("evaluation_interval"))
            .unwrap_or(defaults.evaluation_interval_ms),
        rule_query_offset_ms: section.duration_ms("rule_query_offset").unwrap_or(0),
        external_labels: read_external_labels(&mut section, name_scheme),
        limits: ScrapeLimits::read(&mut section, &ScrapeLimits::default()),
        scrape_protocols: read_protocols(&mut section),
        name_scheme,
        escaping_scheme: section.scalar("metric_name_escaping_scheme", EscapingScheme::from_name),
        histograms: HistogramFlags::read(&mut section),
        extra_scrape_metrics: section.flag("extra_scrape_metrics").unwrap_or(false),
    };
    section.refuse("query_log_file");
    section.refuse("scrape_failure_log_file");
    section.finish();
    config
}

fn read_external_labels(section: &mut Section<'_>, scheme: NameScheme) -> Vec<(String, String)> {
    let problems = section.problems();
    let Some(node) = section.node("external_labels") else {
        return Vec::new();
    };
    let mut labels = Vec::new();
    for (name, value) in problems.entries(node, "external_labels") {
        if !scheme.allows_label(&name.text) {
            problems.add(
                name.at,
                format!("{:?} is not a valid label name", name.text),
            );
        }
        let value = problems.text(value, "external_labels").unwrap_or_default();
        let value = expand(&value, |variable| env::var(variable).unwrap_or_default());
        labels.push((name.text.clone(), value));
    }
    labels.sort();
    labels
}

/// Replaces `$name` and `${name}` by what `lookup` says, and `$$` by `$`.
fn expand(text: &str, lookup: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|a| a.split_once('}'))
        {
            out.push_str(&lookup(name));
            rest = after;
        } else {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let (name, after) = after.split_at(after.bytes().take_while(is_part).count());
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&lookup(name));
            }
            rest = after;
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded() {
        let lookup = |name: &str| format!("<{name}>");
        let cases = [
            ("plain", "plain"),
            ("$A-${B}c", "<A>-<B>c"),
            ("$$A $", "$A $"),
            ("${open", "${open"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, lookup), expected);
        }
    }
}
