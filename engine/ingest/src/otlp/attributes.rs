//! Labels out of resource, scope and data point attributes.

use obsq_model::{Labels, LabelsBuilder, METRIC_NAME};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};

use super::any_value::as_text;
use super::names::label_name;
use super::options::OtlpOptions;
use crate::label_set::LabelScratch;
use crate::limits::IngestLimits;

pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_NAMESPACE: &str = "service.namespace";
pub(super) const SERVICE_INSTANCE: &str = "service.instance.id";

/// Labels that every data point of a resource gets.
#[derive(Debug, Default)]
pub(super) struct ResourceLabels {
    job: String,
    instance: String,
    promoted: Vec<(String, String)>,
}

impl ResourceLabels {
    pub(super) fn new(attributes: &[KeyValue], options: &OtlpOptions) -> Result<Self, String> {
        check_count(attributes, &options.limits)?;
        let find = |key: &str| attributes.iter().find(|pair| pair.key == key);
        let text = |pair: &KeyValue| as_text(pair.value.as_ref());
        let mut job = find(SERVICE_NAME).map(text).unwrap_or_default();
        if let (Some(_), Some(namespace)) = (find(SERVICE_NAME), find(SERVICE_NAMESPACE)) {
            job = format!("{}/{job}", text(namespace));
        }
        let mut promoted = Vec::new();
        for pair in attributes {
            if options.promoted.contains(&pair.key) {
                promoted.push((label_name(&pair.key, options)?, text(pair)));
            }
        }
        Ok(Self {
            job,
            instance: find(SERVICE_INSTANCE).map(text).unwrap_or_default(),
            promoted,
        })
    }

    fn set_promoted(&self, labels: &mut LabelsBuilder) {
        for (name, value) in &self.promoted {
            if labels.get(name).is_empty() {
                labels.set(name, value);
            }
        }
    }

    pub(super) fn set_identity(&self, labels: &mut LabelsBuilder) {
        if !self.job.is_empty() {
            labels.set("job", &self.job);
        }
        if !self.instance.is_empty() {
            labels.set("instance", &self.instance);
        }
    }

    pub(super) fn has_identity(&self) -> bool {
        !self.job.is_empty() || !self.instance.is_empty()
    }
}

/// Labels that every data point of a scope gets, if scopes are promoted.
#[derive(Debug, Default)]
pub(super) struct ScopeLabels(Vec<(String, String)>);

impl ScopeLabels {
    pub(super) fn new(
        scope: Option<&InstrumentationScope>,
        schema_url: &str,
        options: &OtlpOptions,
    ) -> Result<Self, String> {
        let Some(scope) = scope.filter(|scope| !scope.name.is_empty()) else {
            return Ok(Self::default());
        };
        if !options.promote_scope_metadata {
            return Ok(Self::default());
        }
        check_count(&scope.attributes, &options.limits)?;
        let mut labels = Vec::new();
        for pair in &scope.attributes {
            let name = label_name(&format!("otel_scope_{}", pair.key), options)?;
            labels.push((name, as_text(pair.value.as_ref())));
        }
        for (name, value) in [
            ("otel_scope_name", scope.name.as_str()),
            ("otel_scope_version", &scope.version),
            ("otel_scope_schema_url", schema_url),
        ] {
            labels.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(labels))
    }
}

/// Returns the labels of a data point, still without the metric's name.
pub(super) fn point_labels(
    attributes: &[KeyValue],
    resource: &ResourceLabels,
    scope: &ScopeLabels,
    options: &OtlpOptions,
) -> Result<LabelsBuilder, String> {
    let mut labels = attribute_labels(attributes, &[METRIC_NAME], options)?;
    resource.set_promoted(&mut labels);
    resource.set_identity(&mut labels);
    for (name, value) in &scope.0 {
        labels.set(name, value);
    }
    Ok(labels)
}

/// Returns attributes as labels. Names that become the same when escaped have their values joined
/// by `;` in the order of the attributes' names.
pub(super) fn attribute_labels(
    attributes: &[KeyValue],
    ignored: &[&str],
    options: &OtlpOptions,
) -> Result<LabelsBuilder, String> {
    check_count(attributes, &options.limits)?;
    let mut sorted: Vec<&KeyValue> = attributes
        .iter()
        .filter(|pair| !ignored.contains(&pair.key.as_str()))
        .collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let mut labels = LabelsBuilder::default();
    for pair in sorted {
        let name = label_name(&pair.key, options)?;
        let mut value = as_text(pair.value.as_ref());
        let known = labels.get(&name);
        if options.strategy.escapes() && !known.is_empty() {
            value = format!("{known};{value}");
        }
        labels.set(&name, &value);
    }
    Ok(labels)
}

fn check_count(attributes: &[KeyValue], limits: &IngestLimits) -> Result<(), String> {
    let (actual, limit) = (attributes.len(), limits.max_label_names);
    if actual > limit {
        return Err(format!("{actual} attributes: the limit is {limit}"));
    }
    Ok(())
}

/// Returns the label set of one series of a data point, checked against the limits.
pub(super) fn series_labels(
    base: &LabelsBuilder,
    name: &str,
    extra: Option<(&str, &str)>,
    limits: &IngestLimits,
) -> Result<Labels, String> {
    let mut scratch = LabelScratch::default();
    let replaced = |known: &str| known == METRIC_NAME || extra.is_some_and(|(n, _)| n == known);
    for (known, value) in base.pairs() {
        if !replaced(known) {
            scratch.push(known, value);
        }
    }
    scratch.push(METRIC_NAME, name);
    if let Some((name, value)) = extra {
        scratch.push(name, value);
    }
    scratch.finish(limits)
}
