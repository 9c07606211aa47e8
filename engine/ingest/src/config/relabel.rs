//! `relabel_configs` and `metric_relabel_configs`.

use super::names::NameScheme;
use super::node::Node;
use super::section::{Problems, Section};
use crate::relabel::{Action, Pattern, RelabelConfig};

pub(super) fn read_all(
    section: &mut Section<'_>,
    key: &str,
    scheme: NameScheme,
) -> Vec<RelabelConfig> {
    let problems = section.problems();
    let Some(node) = section.node(key) else {
        return Vec::new();
    };
    problems
        .elements(node, key)
        .iter()
        .filter_map(|element| read(element, key, scheme, problems))
        .collect()
}

fn read(node: &Node, key: &str, scheme: NameScheme, problems: &Problems) -> Option<RelabelConfig> {
    let what = format!("a rule of `{key}`");
    let mut section = Section::of(node, &what, problems)?;
    let mut config = RelabelConfig::default();
    if let Some(labels) = section.texts("source_labels") {
        config.source_labels = labels;
    }
    if let Some(separator) = section.text("separator") {
        config.separator = separator;
    }
    if let Some(regex) = section.scalar("regex", |text| {
        Pattern::new(text).map_err(|error| error.to_string())
    }) {
        config.regex = regex;
    }
    if let Some(modulus) = section.scalar("modulus", |text| {
        text.parse()
            .map_err(|_bad| format!("{text:?} is not a whole number from 0 on"))
    }) {
        config.modulus = modulus;
    }
    if let Some(label) = section.text("target_label") {
        config.target_label = label;
    }
    if let Some(replacement) = section.text("replacement") {
        config.replacement = replacement;
    }
    if let Some(action) = section.scalar("action", |text| {
        Action::from_name(text).ok_or_else(|| format!("unknown relabel action {text:?}"))
    }) {
        config.action = action;
    }
    // What a part of the rule should have said is unknown, so the whole cannot be judged.
    let is_whole = !section.has_problems();
    section.finish();
    if is_whole
        && let Err(message) = config
            .validate()
            .and_then(|()| check_names(&config, scheme))
    {
        problems.add(node.at, message);
    }
    Some(config)
}

/// Checks what is set against the name scheme; a name with references to groups is known only when
/// the rule runs.
fn check_names(config: &RelabelConfig, scheme: NameScheme) -> Result<(), String> {
    let action = config.action;
    let target = &config.target_label;
    if !target.is_empty() && !target.contains('$') && !scheme.allows_label(target) {
        return Err(format!(
            "{target:?} is invalid 'target_label' for {action} action"
        ));
    }
    let replacement = &config.replacement;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_${}".contains(c);
    if action == Action::LabelMap && scheme == NameScheme::Legacy && !replacement.chars().all(plain)
    {
        return Err(format!(
            "{replacement:?} is invalid 'replacement' for {action} action"
        ));
    }
    Ok(())
}
