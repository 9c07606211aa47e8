//! The head's series by labels.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use obsq_model::{Labels, MatchOp, Matcher};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::postings;
use super::series::{Series, SeriesState};

/// Returns the hash that a series is found by; another one in every process.
pub(crate) fn hash_of(labels: &Labels) -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    let mut hasher = FxHasher::with_seed(*SEED as usize);
    labels.hash(&mut hasher);
    hasher.finish() ^ *SEED
}

/// All series of one tenant's head and where to find them.
#[derive(Debug, Default)]
pub(crate) struct SeriesIndex {
    by_hash: FxHashMap<u64, Arc<Series>>,
    /// Series whose hash another series has.
    collisions: Vec<Arc<Series>>,
    by_id: FxHashMap<u32, Arc<Series>>,
    /// Ids of all series, sorted.
    all: Vec<u32>,
    values: FxHashMap<Arc<str>, BTreeMap<Arc<str>, Vec<u32>>>,
    next_id: u32,
}

impl SeriesIndex {
    /// Returns the series with exactly these labels; `hash` is theirs.
    pub(crate) fn get(&self, hash: u64, labels: &Labels) -> Option<&Arc<Series>> {
        let first = self.by_hash.get(&hash)?;
        if first.labels == *labels {
            return Some(first);
        }
        self.collisions
            .iter()
            .find(|series| series.labels == *labels)
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&Arc<Series>> {
        self.by_id.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns every series in order of ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.all.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Returns the number that the next new series gets.
    pub(crate) fn next_id(&self) -> u32 {
        self.next_id
    }

    /// Makes sure that no number below `next_id` is given out again.
    pub(crate) fn reserve_ids(&mut self, next_id: u32) {
        self.next_id = self.next_id.max(next_id);
    }

    /// Adds a new series under the next number.
    pub(crate) fn create(&mut self, hash: u64, labels: Labels) -> Arc<Series> {
        self.insert(self.next_id, hash, labels, SeriesState::default())
    }

    /// Adds a series under a number of its own, which no other series has.
    pub(crate) fn insert(
        &mut self,
        id: u32,
        hash: u64,
        labels: Labels,
        state: SeriesState,
    ) -> Arc<Series> {
        let series = Arc::new(Series {
            id,
            labels,
            state: parking_lot::Mutex::new(state),
        });
        self.reserve_ids(id.saturating_add(1));
        match self.by_hash.entry(hash) {
            Entry::Occupied(_) => self.collisions.push(Arc::clone(&series)),
            Entry::Vacant(free) => drop(free.insert(Arc::clone(&series))),
        }
        self.by_id.insert(id, Arc::clone(&series));
        postings::add(&mut self.all, id);
        for label in &series.labels {
            let values = match self.values.get_mut(label.name) {
                Some(values) => values,
                None => self.values.entry(Arc::from(label.name)).or_default(),
            };
            match values.get_mut(label.value) {
                Some(ids) => postings::add(ids, id),
                None => drop(values.insert(Arc::from(label.value), vec![id])),
            }
        }
        series
    }

    /// Lets `id` stand for a series of another number, until [`SeriesIndex::forget_aliases`].
    pub(crate) fn alias(&mut self, id: u32, series: &Arc<Series>) {
        self.reserve_ids(id.saturating_add(1));
        self.by_id.insert(id, Arc::clone(series));
    }

    /// Forgets all numbers that stand for a series of another number.
    pub(crate) fn forget_aliases(&mut self) {
        self.by_id.retain(|id, series| *id == series.id);
    }

    /// Removes the series for which `is_gone` holds and returns how many there were.
    pub(crate) fn remove(&mut self, is_gone: impl Fn(&Series) -> bool) -> usize {
        let gone: Vec<u32> = self.iter().filter(|s| is_gone(s)).map(|s| s.id).collect();
        if gone.is_empty() {
            return 0;
        }
        let stays = |id: &u32| gone.binary_search(id).is_err();
        let removed: Vec<_> = gone.iter().filter_map(|id| self.by_id.remove(id)).collect();
        self.all.retain(stays);
        let pairs = removed.iter().flat_map(|series| series.labels.iter());
        let touched: FxHashSet<_> = pairs.map(|label| (label.name, label.value)).collect();
        #[expect(
            clippy::iter_over_hash_type,
            reason = "every list is pruned on its own"
        )]
        for (name, value) in touched {
            self.forget(name, value, &stays);
        }
        for series in &removed {
            let hash = hash_of(&series.labels);
            if self
                .by_hash
                .get(&hash)
                .is_some_and(|held| held.id == series.id)
            {
                self.by_hash.remove(&hash);
                let heir = self
                    .collisions
                    .iter()
                    .position(|s| hash_of(&s.labels) == hash);
                if let Some(heir) = heir {
                    self.by_hash.insert(hash, self.collisions.swap_remove(heir));
                }
            } else {
                self.collisions.retain(|held| held.id != series.id);
            }
        }
        removed.len()
    }

    fn forget(&mut self, name: &str, value: &str, stays: &impl Fn(&u32) -> bool) {
        let Some(values) = self.values.get_mut(name) else {
            return;
        };
        if let Some(ids) = values.get_mut(value) {
            ids.retain(stays);
            if ids.is_empty() {
                values.remove(value);
            }
        }
        if values.is_empty() {
            self.values.remove(name);
        }
    }

    /// Returns label names in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.values.keys()
    }

    /// Returns the values of `name`, sorted, each with its number of series.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, usize)> {
        let values = self.values.get(name).into_iter().flatten();
        values.map(|(value, ids)| (value, ids.len()))
    }

    /// Returns the series that all `matchers` hold for, in order of ids.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<Arc<Series>> {
        let mut ids: Option<Vec<u32>> = None;
        let mut rest = Vec::new();
        for matcher in matchers {
            match self.exact_postings(matcher) {
                Some(found) => {
                    ids = Some(match ids {
                        Some(ids) => postings::intersect(&ids, &found),
                        None => found,
                    });
                }
                None => rest.push(matcher),
            }
        }
        for matcher in rest {
            let candidates = ids.as_ref().unwrap_or(&self.all);
            ids = Some(self.filter(candidates, matcher));
        }
        let ids = ids.as_ref().unwrap_or(&self.all);
        ids.iter()
            .filter_map(|id| self.by_id.get(id))
            .cloned()
            .collect()
    }

    /// Returns the ids for a matcher that names its values, none of them empty.
    fn exact_postings(&self, matcher: &Matcher) -> Option<Vec<u32>> {
        let of = |value: &str| self.values.get(matcher.name()).and_then(|v| v.get(value));
        match matcher.op() {
            MatchOp::Equal if !matcher.value().is_empty() => {
                Some(of(matcher.value()).cloned().unwrap_or_default())
            }
            MatchOp::Regex if !matcher.matches_absent() => {
                let literals = matcher.pattern()?.literals()?;
                Some(postings::union(literals.iter().filter_map(|l| of(l))))
            }
            _ => None,
        }
    }

    /// Returns those candidates that the matcher holds for: tries its values when they are fewer
    /// than the candidates, else the candidates.
    fn filter(&self, candidates: &[u32], matcher: &Matcher) -> Vec<u32> {
        let values = self.values.get(matcher.name());
        let count = values.map_or(0, BTreeMap::len);
        if count > candidates.len() {
            let holds = |id: &u32| {
                let series = self.by_id.get(id);
                series.is_some_and(|series| matcher.matches(series.labels.value(matcher.name())))
            };
            return candidates.iter().copied().filter(holds).collect();
        }
        let absent = matcher.matches_absent();
        // Where the absent label matches, what does not match is taken away.
        let found = values.into_iter().flatten();
        let found = found.filter(|(value, _ids)| matcher.matches(value) != absent);
        let found = postings::union(found.map(|(_value, ids)| ids));
        if absent {
            postings::subtract(candidates, &found)
        } else {
            postings::intersect(candidates, &found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_query_lang::promql::{LabelMatcher, MatcherOp};
    use proptest::prelude::*;

    fn matcher(name: &str, op: u8, value: &str) -> Matcher {
        let op = match op % 4 {
            0 => MatcherOp::Equal,
            1 => MatcherOp::NotEqual,
            2 => MatcherOp::Regex,
            _ => MatcherOp::NotRegex,
        };
        let written = LabelMatcher {
            name: name.into(),
            op,
            value: value.into(),
        };
        obsq_source::compile_matchers(&[written]).unwrap().remove(0)
    }

    proptest! {
        #[test]
        fn a_selection_is_what_trying_every_series_gives(
            sets in proptest::collection::btree_set(
                proptest::collection::btree_map("[a-c]", "[x-z]{1,2}", 0..4), 0..30),
            written in proptest::collection::vec(
                ("[a-d]", 0_u8..4, prop_oneof!["[x-z]{0,2}", "[x-z]\\|[x-z]", "[x-z]?\\.\\*"]), 0..4),
            gone in 0_u32..30,
        ) {
            let mut index = SeriesIndex::default();
            for set in &sets {
                let labels = Labels::from_pairs(&set.iter().collect::<Vec<_>>());
                // A hash with many collisions.
                index.create(hash_of(&labels), labels);
            }
            index.remove(|series| series.id == gone);
            let matchers: Vec<_> =
                written.iter().map(|(name, op, value)| matcher(name, *op, value)).collect();
            let selected: Vec<u32> = index.select(&matchers).iter().map(|s| s.id).collect();
            let holds = |series: &&Arc<Series>| {
                matchers.iter().all(|m| m.matches(series.labels.value(m.name())))
            };
            let expected: Vec<u32> = index.iter().filter(holds).map(|s| s.id).collect();
            prop_assert_eq!(selected, expected);
        }
    }

    #[test]
    fn series_with_one_hash_are_told_apart() {
        let mut index = SeriesIndex::default();
        let labels = |value| Labels::from_pairs(&[("a", value)]);
        index.create(1, labels("x"));
        index.create(1, labels("y"));
        assert_eq!(index.get(1, &labels("y")).unwrap().id, 1);
        assert_eq!(index.get(1, &labels("x")).unwrap().id, 0);
        assert!(index.get(1, &labels("z")).is_none());
    }
}
