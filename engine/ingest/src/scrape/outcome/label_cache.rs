//! What becomes of the labels of a target's series, remembered from scrape to scrape.
//!
//! A target answers with the same series again and again. Joining their labels with those of the
//! target, relabelling and checking them costs more than everything else that a sample needs, and
//! always comes to the same.

use obsq_model::{Labels, METRIC_NAME};
use rustc_hash::FxHashMap;

use super::{KNOWN_BY_FAILURE, SampleRules, limits, target_labels};
use crate::relabel;

/// Labels as answered, and what they become. Holds the series of the last good scrape and of those
/// that failed since, the latter within a limit.
#[derive(Debug, Default)]
pub(super) struct LabelCache {
    /// What the entries follow from besides the labels as answered.
    target: Labels,
    rules: SampleRules,
    entries: FxHashMap<Labels, Entry>,
    scrape: u64,
    last_good: usize,
}

#[derive(Debug)]
struct Entry {
    /// The labels as stored; `None` for a series that a rule drops.
    stored: Option<Labels>,
    /// The scrape that last had the series.
    scrape: u64,
}

impl LabelCache {
    /// Begins a scrape. With other target labels or rules than before nothing is known.
    pub(super) fn begin(&mut self, target: &Labels, rules: &SampleRules) {
        if self.target != *target || self.rules != *rules {
            self.target = target.clone();
            self.rules = rules.clone();
            self.entries.clear();
        }
        self.scrape += 1;
    }

    /// Ends a scrape: forgets series that it did not have. One that failed may have had only some of
    /// them, so then nothing is forgotten until it would become too much.
    pub(super) fn end(&mut self, good: bool) {
        if good || self.entries.len() > 2 * self.last_good + KNOWN_BY_FAILURE {
            let scrape = self.scrape;
            self.entries.retain(|_, entry| entry.scrape == scrape);
        }
        if good {
            self.last_good = self.entries.len();
        }
    }

    /// Returns the labels that a sample is stored with, or `None` when it is dropped.
    ///
    /// # Errors
    /// The labels are none that can be stored; this is not remembered.
    pub(super) fn stored_labels(
        &mut self,
        answered: &Labels,
        rules: &SampleRules,
    ) -> Result<Option<Labels>, String> {
        if let Some(entry) = self.entries.get_mut(answered) {
            entry.scrape = self.scrape;
            return Ok(entry.stored.clone());
        }
        let stored = stored_labels(answered, &self.target, rules)?;
        let entry = Entry {
            stored: stored.clone(),
            scrape: self.scrape,
        };
        self.entries.insert(answered.clone(), entry);
        Ok(stored)
    }
}

fn stored_labels(
    answered: &Labels,
    target: &Labels,
    rules: &SampleRules,
) -> Result<Option<Labels>, String> {
    let labels = target_labels::join(answered, target, rules.honor_labels);
    let Some(labels) = relabel::apply(&labels, &rules.metric_relabel) else {
        return Ok(None);
    };
    if labels.is_empty() {
        return Ok(None);
    }
    if labels.get(METRIC_NAME).is_none() {
        return Err("missing metric name (__name__ label)".to_owned());
    }
    if !rules.name_scheme.allows(&labels) {
        return Err(format!("invalid metric name or label names: {labels}"));
    }
    limits::check_labels(&labels, rules)?;
    Ok(Some(labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relabel::{Action, Pattern, RelabelConfig};

    fn series(name: &str) -> Labels {
        Labels::from_pairs(&[("__name__", name)])
    }

    fn target(job: &str) -> Labels {
        Labels::from_pairs(&[("job", job)])
    }

    fn dropping(pattern: &str) -> SampleRules {
        SampleRules {
            metric_relabel: vec![RelabelConfig {
                source_labels: vec!["__name__".into()],
                regex: Pattern::new(pattern).unwrap(),
                action: Action::Drop,
                ..RelabelConfig::default()
            }],
            ..SampleRules::default()
        }
    }

    /// Scrapes `names` and returns what is stored of them.
    fn scrape(cache: &mut LabelCache, rules: &SampleRules, names: &[&str], good: bool) -> String {
        let stored: Vec<_> = names
            .iter()
            .filter_map(|name| cache.stored_labels(&series(name), rules).unwrap())
            .map(|labels| labels.to_string())
            .collect();
        cache.end(good);
        stored.join(" ")
    }

    #[test]
    fn what_is_remembered_is_what_would_be_made_anew() {
        let (mut cache, rules) = (LabelCache::default(), dropping("go_.*"));
        for _ in 0..3 {
            cache.begin(&target("a"), &rules);
            let stored = scrape(&mut cache, &rules, &["up", "go_info"], true);
            assert_eq!(stored, r#"{__name__="up", job="a"}"#);
            assert_eq!(cache.entries.len(), 2);
        }
    }

    #[test]
    fn other_rules_or_target_labels_make_everything_anew() {
        let (mut cache, rules) = (LabelCache::default(), dropping("go_.*"));
        cache.begin(&target("a"), &rules);
        scrape(&mut cache, &rules, &["up", "go_info"], true);
        cache.begin(&target("b"), &rules);
        let stored = scrape(&mut cache, &rules, &["up"], true);
        assert_eq!(stored, r#"{__name__="up", job="b"}"#);
        let rules = dropping("up");
        cache.begin(&target("b"), &rules);
        assert_eq!(scrape(&mut cache, &rules, &["up"], true), "");
    }

    #[test]
    fn vanished_series_are_forgotten_and_failures_forget_none_up_to_a_limit() {
        let (mut cache, rules) = (LabelCache::default(), SampleRules::default());
        let mut turn = |names: &[&str], good| {
            cache.begin(&target("a"), &rules);
            scrape(&mut cache, &rules, names, good);
            cache.entries.len()
        };
        assert_eq!(turn(&["a", "b"], true), 2);
        assert_eq!(turn(&["c"], false), 3);
        assert_eq!(turn(&["c"], true), 1);
        let names: Vec<String> = (0..2 * KNOWN_BY_FAILURE).map(|n| format!("x{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (first, rest) = names.split_at(KNOWN_BY_FAILURE);
        assert_eq!(turn(first, false), KNOWN_BY_FAILURE + 1);
        assert_eq!(turn(rest, false), KNOWN_BY_FAILURE);
    }
}
