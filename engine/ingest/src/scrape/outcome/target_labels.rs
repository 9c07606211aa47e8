//! Joining the labels of a sample with those of its target.

use obsq_model::{Labels, LabelsBuilder};

/// What a sample's own label is renamed with when the target has one of the same name.
const EXPORTED: &str = "exported_";

/// Returns the labels of a stored sample. With `honor` the sample's labels win; otherwise the target's do
/// and the sample's are kept as `exported_<name>`, with as many `exported_` as it takes to be free.
pub(super) fn join(sample: &Labels, target: &Labels, honor: bool) -> Labels {
    let mut joined = sample.to_builder();
    let mut renamed = Vec::new();
    for label in target {
        match sample.get(label.name) {
            Some(_) if honor => continue,
            Some(own) => renamed.push((label.name, own)),
            None => {}
        }
        joined.set(label.name, label.value);
    }
    renamed.sort_by_key(|(name, _)| name.len());
    for (name, value) in renamed {
        let free = free_name(&joined, name);
        joined.set(&free, value);
    }
    joined.build()
}

fn free_name(labels: &LabelsBuilder, name: &str) -> String {
    let mut candidate = format!("{EXPORTED}{name}");
    while !labels.get(&candidate).is_empty() {
        candidate.insert_str(0, EXPORTED);
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_wins_unless_the_sample_is_honoured() {
        let sample =
            Labels::from_pairs(&[("__name__", "up"), ("job", "own"), ("exported_job", "x")]);
        let target = Labels::from_pairs(&[("job", "api"), ("instance", "a:1")]);
        assert_eq!(
            join(&sample, &target, false).to_string(),
            r#"{__name__="up", exported_exported_job="own", exported_job="x", instance="a:1", job="api"}"#
        );
        assert_eq!(
            join(&sample, &target, true).to_string(),
            r#"{__name__="up", exported_job="x", instance="a:1", job="own"}"#
        );
    }
}
