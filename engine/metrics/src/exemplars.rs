//! Exemplars of one tenant, in memory.

use std::collections::VecDeque;

use obsq_model::{Exemplar, Labels, Matcher, TimeRange};
use obsq_source::ExemplarSeries;
use rustc_hash::FxHashMap;

use crate::deletion::Deletion;

/// The most exemplars of one tenant; the oldest arrivals go first.
pub(crate) const MAX_EXEMPLARS: usize = 100_000;
/// The most characters of an exemplar's labels, names and values together, as OpenMetrics sets it.
pub(crate) const MAX_LABEL_CHARS: usize = 128;

/// The exemplars of one tenant.
#[derive(Debug, Default)]
pub(crate) struct ExemplarStore {
    by_series: FxHashMap<Labels, Vec<Exemplar>>,
    /// Series and time of every exemplar in the order of arrival.
    arrivals: VecDeque<(Labels, i64)>,
    /// Counts changes, so that a writer knows whether it has the latest.
    pub(crate) version: u64,
}

impl ExemplarStore {
    /// Adds an exemplar; one that is there already is not added again.
    pub(crate) fn add(&mut self, labels: &Labels, exemplar: Exemplar) {
        let ts_ms = exemplar.ts_ms;
        let list = match self.by_series.get_mut(labels) {
            Some(list) => list,
            None => self.by_series.entry(labels.clone()).or_default(),
        };
        let start = list.partition_point(|known| known.ts_ms < ts_ms);
        let end = list.partition_point(|known| known.ts_ms <= ts_ms);
        let same = |known: &Exemplar| {
            known.value.to_bits() == exemplar.value.to_bits() && known.labels == exemplar.labels
        };
        if list[start..end].iter().any(same) {
            return;
        }
        list.insert(end, exemplar);
        self.arrivals.push_back((labels.clone(), ts_ms));
        self.version += 1;
        while self.arrivals.len() > MAX_EXEMPLARS {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((labels, ts_ms)) = self.arrivals.pop_front() else {
            return;
        };
        let Some(list) = self.by_series.get_mut(&labels) else {
            return;
        };
        if let Ok(at) = list.binary_search_by_key(&ts_ms, |known| known.ts_ms) {
            list.remove(at);
        }
        if list.is_empty() {
            self.by_series.remove(&labels);
        }
    }

    /// Removes what a deletion covers.
    pub(crate) fn delete(&mut self, deletion: &Deletion) {
        let range = deletion.range;
        let mut emptied = false;
        let before = self.arrivals.len();
        #[expect(
            clippy::iter_over_hash_type,
            reason = "every series is pruned on its own"
        )]
        for (labels, list) in &mut self.by_series {
            if list.iter().any(|known| range.contains(known.ts_ms)) && deletion.matches(labels) {
                list.retain(|known| !range.contains(known.ts_ms));
                emptied = true;
            }
        }
        if !emptied {
            return;
        }
        self.by_series.retain(|_labels, list| !list.is_empty());
        self.arrivals
            .retain(|(labels, ts_ms)| !(range.contains(*ts_ms) && deletion.matches(labels)));
        self.version += (before - self.arrivals.len()) as u64;
    }

    /// Returns the exemplars of one series, in order of time.
    pub(crate) fn of_series(&self, labels: &Labels) -> &[Exemplar] {
        self.by_series.get(labels).map_or(&[], Vec::as_slice)
    }

    /// Returns the number of exemplars.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Returns the exemplars in `range` of the series that any selector matches, sorted by labels.
    pub(crate) fn select(
        &self,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Vec<ExemplarSeries> {
        let matches = |labels: &Labels| {
            let all = |matchers: &Vec<Matcher>| {
                matchers.iter().all(|m| m.matches(labels.value(m.name())))
            };
            selectors.is_empty() || selectors.iter().any(all)
        };
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        let mut found: Vec<ExemplarSeries> = {
            let mut found = Vec::new();
            for (labels, list) in &self.by_series {
                let start = list.partition_point(|known| known.ts_ms < range.start_ms);
                let end = list.partition_point(|known| known.ts_ms <= range.end_ms);
                if start < end && matches(labels) {
                    found.push(ExemplarSeries {
                        labels: labels.clone(),
                        exemplars: list[start..end].to_vec(),
                    });
                }
            }
            found
        };
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    /// Calls `on_exemplar` with every exemplar in the order of arrival.
    pub(crate) fn for_each(&self, mut on_exemplar: impl FnMut(&Labels, &Exemplar)) {
        let mut seen: FxHashMap<(&Labels, i64), usize> = FxHashMap::default();
        for (labels, ts_ms) in &self.arrivals {
            let Some(list) = self.by_series.get(labels) else {
                continue;
            };
            let nth = seen.entry((labels, *ts_ms)).or_default();
            let start = list.partition_point(|known| known.ts_ms < *ts_ms);
            if let Some(exemplar) = list.get(start + *nth) {
                on_exemplar(labels, exemplar);
            }
            *nth += 1;
        }
    }
}

/// Says what is wrong with an exemplar, if anything.
pub(crate) fn check_exemplar(exemplar: &Exemplar) -> Result<(), String> {
    let labels = exemplar.labels.iter();
    let chars: usize = labels
        .map(|label| label.name.chars().count() + label.value.chars().count())
        .sum();
    if chars > MAX_LABEL_CHARS {
        return Err(format!(
            "exemplar labels have {chars} characters, the limit is {MAX_LABEL_CHARS}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(ts_ms: i64, value: f64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "t")]),
            value,
            ts_ms,
        }
    }

    #[test]
    fn repeats_are_one_and_the_rest_comes_back_in_order() {
        let mut store = ExemplarStore::default();
        let labels = Labels::from_pairs(&[("__name__", "m")]);
        for (ts_ms, value) in [(5, 1.0), (3, 2.0), (5, 1.0), (5, 4.0)] {
            store.add(&labels, exemplar(ts_ms, value));
        }
        assert_eq!((store.len(), store.version), (3, 3));
        let found = store.select(
            &[vec![Matcher::equal("__name__", "m")]],
            TimeRange::new(4, 9),
        );
        let values: Vec<_> = found[0].exemplars.iter().map(|e| e.value).collect();
        assert_eq!(values, [1.0, 4.0]);
        let mut arrived = Vec::new();
        store.for_each(|_labels, exemplar| arrived.push(exemplar.value));
        assert_eq!(arrived, [1.0, 2.0, 4.0]);
        assert!(
            store
                .select(&[vec![Matcher::equal("a", "b")]], TimeRange::ALL)
                .is_empty()
        );
    }

    #[test]
    fn the_oldest_arrivals_go_first() {
        let mut store = ExemplarStore::default();
        let labels = |n: usize| Labels::from_pairs(&[("n", (n % 7).to_string())]);
        for n in 0..MAX_EXEMPLARS + 10 {
            store.add(&labels(n), exemplar(n as i64, 0.0));
        }
        assert_eq!(store.len(), MAX_EXEMPLARS);
        let all = store.select(&[], TimeRange::ALL);
        assert_eq!(
            all.iter().map(|s| s.exemplars.len()).sum::<usize>(),
            MAX_EXEMPLARS
        );
        assert!(all.iter().all(|s| s.exemplars[0].ts_ms >= 10));
    }

    #[test]
    fn an_exemplar_with_long_labels_is_refused() {
        let mut long = exemplar(1, 1.0);
        long.labels = Labels::from_pairs(&[("a", "é".repeat(127))]);
        assert!(check_exemplar(&long).is_ok());
        long.labels = Labels::from_pairs(&[("a", "é".repeat(128))]);
        assert!(check_exemplar(&long).is_err());
    }
}
