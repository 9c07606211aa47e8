//! What discovery finds.

/// Targets with labels in common, from one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TargetGroup {
    /// Where the group comes from; a later group from there takes its place.
    pub(super) source: String,
    /// Addresses.
    pub(super) targets: Vec<String>,
    /// Labels of all of them, `__meta_` labels included.
    pub(super) labels: Vec<(String, String)>,
}
