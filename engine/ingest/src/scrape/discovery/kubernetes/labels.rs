//! Labels of targets.

use std::collections::BTreeMap;

use super::super::listener::{label_part, single};
use super::objects::Meta;
use crate::config::KubernetesRole;
use crate::scrape::groups::TargetGroup;

const PREFIX: &str = "__meta_kubernetes_";

/// Labels of a target in the making; what is put later wins.
#[derive(Debug, Clone, Default)]
pub(super) struct MetaLabels(BTreeMap<String, String>);

impl MetaLabels {
    /// Sets a label below the prefix of Kubernetes.
    pub(super) fn put(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(format!("{PREFIX}{name}"), value.into());
    }

    /// Sets a label if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.put(name, value.to_string());
        }
    }

    /// Sets a label of any name.
    pub(super) fn raw(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Sets the name, labels and annotations of an object.
    pub(super) fn object(&mut self, role: KubernetesRole, meta: &Meta) {
        let role = role.as_str();
        self.put(&format!("{role}_name"), &meta.name);
        self.described(role, meta);
    }

    /// Sets labels and annotations of an object.
    pub(super) fn described(&mut self, what: &str, meta: &Meta) {
        for (kind, pairs) in [("label", &meta.labels), ("annotation", &meta.annotations)] {
            for (key, value) in pairs.iter().flatten() {
                let key = label_part(key);
                self.put(&format!("{what}_{kind}_{key}"), value);
                self.put(&format!("{what}_{kind}present_{key}"), "true");
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns a group with this target alone.
    pub(super) fn into_group(self, source: String) -> TargetGroup {
        single(source, self.0.into_iter().collect())
    }
}
