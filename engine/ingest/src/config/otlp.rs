//! The `otlp` section.

use std::collections::BTreeSet;

use super::node::Node;
use super::section::{Problems, Section};
use crate::otlp::{OtlpOptions, PromotedAttributes, TranslationStrategy};

pub(super) fn read(node: &Node, problems: &Problems) -> OtlpOptions {
    let mut options = OtlpOptions::default();
    let Some(mut section) = Section::of_optional(node, "`otlp`", problems) else {
        return options;
    };
    if let Some(strategy) = section.scalar("translation_strategy", |text| {
        TranslationStrategy::from_name(text)
            .ok_or_else(|| format!("unsupported OTLP translation strategy {text:?}"))
    }) {
        options.strategy = strategy;
    }
    options.promoted = read_promoted(node, &mut section);
    let mut set = |key: &str, flag: &mut bool| {
        if let Some(given) = section.flag(key) {
            *flag = given;
        }
    };
    set(
        "keep_identifying_resource_attributes",
        &mut options.keep_identifying_resource_attributes,
    );
    set(
        "convert_histograms_to_nhcb",
        &mut options.convert_histograms_to_nhcb,
    );
    set(
        "promote_scope_metadata",
        &mut options.promote_scope_metadata,
    );
    set(
        "label_name_underscore_sanitization",
        &mut options.label_name_underscore_sanitization,
    );
    set(
        "label_name_preserve_multiple_underscores",
        &mut options.label_name_preserve_multiple_underscores,
    );
    section.finish();
    options
}

fn read_promoted(node: &Node, section: &mut Section<'_>) -> PromotedAttributes {
    let problems = section.problems();
    let all = section
        .flag("promote_all_resource_attributes")
        .unwrap_or(false);
    let promoted = read_attributes(section, "promote_resource_attributes", "promoted");
    let ignored = read_attributes(section, "ignore_resource_attributes", "ignored");
    if all && !promoted.is_empty() {
        problems.add(
            node.at,
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be \
             configured simultaneously",
        );
    }
    if !all && !ignored.is_empty() {
        problems.add(
            node.at,
            "'ignore_resource_attributes' cannot be configured unless \
             'promote_all_resource_attributes' is true",
        );
    }
    if all {
        PromotedAttributes::AllBut(ignored)
    } else {
        PromotedAttributes::Listed(promoted)
    }
}

fn read_attributes(section: &mut Section<'_>, key: &str, what: &str) -> BTreeSet<String> {
    let problems = section.problems();
    let mut attributes = BTreeSet::new();
    let Some(node) = section.node(key) else {
        return attributes;
    };
    for element in problems.elements(node, key) {
        let attribute = problems.text(element, key).unwrap_or_default();
        let attribute = attribute.trim();
        if attribute.is_empty() {
            problems.add(element.at, format!("empty {what} OTel resource attribute"));
        } else if !attributes.insert(attribute.to_owned()) {
            let message = format!("duplicated {what} OTel resource attribute {attribute:?}");
            problems.add(element.at, message);
        }
    }
    attributes
}
