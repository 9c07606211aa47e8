//! Label sets that earlier requests brought, by the bytes that they came as.
//!
//! A sender repeats the labels of a series, byte by byte, in every request. Finding the label set by
//! these bytes saves reading, checking and packing it again, and all requests share one copy of it.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use obsq_model::Labels;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

/// Bytes that known label sets may take; the least used ones go.
const LIMIT_BYTES: u64 = 64 << 20;
/// What a label set takes beside its text.
const ENTRY_BYTES: u64 = 96;

/// The labels of one series of a request, as they lie in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct WireLabels<'a>(&'a [u8]);

/// The label sets of earlier requests, for [`super::decode`]. Bounded; shared by all requests.
pub struct LabelCache {
    known: Cache<Known, Labels, Weight>,
    /// Mixes its seeds into every step, so that nobody outside can know which labels share a hash.
    hasher: SeedableRandomState,
}

impl Default for LabelCache {
    fn default() -> Self {
        let entries = LIMIT_BYTES / (2 * ENTRY_BYTES);
        Self {
            known: Cache::with_weighter(entries as usize, LIMIT_BYTES, Weight),
            hasher: SeedableRandomState::with_seed(
                RandomState::new().hash_one(0),
                SharedSeed::global_random(),
            ),
        }
    }
}

impl fmt::Debug for LabelCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelCache({} label sets)", self.known.len())
    }
}

impl LabelCache {
    /// Returns the label set that came as these bytes before.
    pub(super) fn get(&self, wire: WireLabels<'_>) -> Option<Labels> {
        self.known.get(&self.probe(wire))
    }

    /// Remembers that `wire` stand for `labels`, unless they are written in an uncommon way.
    pub(super) fn insert(&self, wire: WireLabels<'_>, labels: Labels) {
        if wire.is_written_form_of(&labels) {
            let hash = self.probe(wire).hash;
            let known = Known {
                hash,
                labels: labels.clone(),
            };
            self.known.insert(known, labels);
        }
    }

    fn probe<'a>(&self, wire: WireLabels<'a>) -> Probe<'a> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(wire.0);
        Probe {
            hash: hasher.finish(),
            wire,
        }
    }
}

impl<'a> WireLabels<'a> {
    /// Splits a `prometheus.TimeSeries` behind the labels that it begins with.
    pub(super) fn split(series: &'a [u8]) -> (Self, &'a [u8]) {
        let mut rest = series;
        while let [LABEL, length @ 0..0x80, tail @ ..] = rest
            && let Some((_label, tail)) = tail.split_at_checked(usize::from(*length))
        {
            rest = tail;
        }
        let (labels, rest) = series.split_at(series.len() - rest.len());
        (Self(labels), rest)
    }

    /// Says whether these bytes are how senders write `labels`: name and value of each, in order,
    /// none of them long.
    fn is_written_form_of(self, labels: &Labels) -> bool {
        let mut rest = self.0;
        for label in labels {
            let [LABEL, length, NAME, tail @ ..] = rest else {
                return false;
            };
            let Some([VALUE, tail @ ..]) = after_text(tail, label.name) else {
                return false;
            };
            let expected = label.name.len() + label.value.len() + 4;
            match after_text(tail, label.value) {
                Some(tail) if usize::from(*length) == expected => rest = tail,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// Keys of fields: number and wire type.
const LABEL: u8 = 0x0a;
const NAME: u8 = 0x0a;
const VALUE: u8 = 0x12;

/// Returns what follows `text` and its length in one byte, when `bytes` begin with them.
#[inline]
fn after_text<'a>(bytes: &'a [u8], text: &str) -> Option<&'a [u8]> {
    let (length, tail) = bytes.split_first()?;
    let (found, tail) = tail.split_at_checked(text.len())?;
    (usize::from(*length) == text.len() && found == text.as_bytes()).then_some(tail)
}

/// A label set and the hash of the bytes it comes as.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    hash: u64,
    labels: Labels,
}

/// Bytes that are looked for.
struct Probe<'a> {
    hash: u64,
    wire: WireLabels<'a>,
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Known> for Probe<'_> {
    fn equivalent(&self, known: &Known) -> bool {
        self.hash == known.hash && self.wire.is_written_form_of(&known.labels)
    }
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Known, Labels> for Weight {
    fn weight(&self, _key: &Known, labels: &Labels) -> u64 {
        ENTRY_BYTES + labels.size_bytes() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;
    use proptest::prelude::*;

    fn written(pairs: &[(String, String)]) -> Vec<u8> {
        let mut writer = Writer::default();
        for (name, value) in pairs {
            writer.message(1, |w| {
                w.bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
            });
        }
        writer.into_bytes()
    }

    proptest! {
        #[test]
        fn bytes_stand_for_a_label_set_only_when_they_write_it(
            one in proptest::collection::btree_map("[a-c]{1,3}", "[x-z]{1,3}", 0..4),
            other in proptest::collection::btree_map("[a-c]{1,3}", "[x-z]{1,3}", 0..4),
            tail in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let pairs = |map: &std::collections::BTreeMap<String, String>| -> Vec<_> {
                map.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
            };
            let (one, other) = (pairs(&one), pairs(&other));
            let (bytes, labels) = (written(&one), Labels::from_pairs(&one));
            let wire = WireLabels(&bytes);
            prop_assert!(wire.is_written_form_of(&labels));
            prop_assert_eq!(wire.is_written_form_of(&Labels::from_pairs(&other)), one == other);
            let mut series = bytes.clone();
            series.extend_from_slice(&tail);
            let (found, rest) = WireLabels::split(&series);
            prop_assert!(found.0.starts_with(&bytes));
            prop_assert_eq!(&[found.0, rest].concat(), &series);
        }

        #[test]
        fn any_bytes_are_compared_without_a_panic(bytes: Vec<u8>) {
            let labels = Labels::from_pairs(&[("a", "b"), ("c", "d")]);
            let (wire, _rest) = WireLabels::split(&bytes);
            prop_assert!(!wire.is_written_form_of(&labels) || wire.0 == written(&[
                ("a".into(), "b".into()), ("c".into(), "d".into()),
            ]));
        }
    }

    #[test]
    fn what_was_inserted_is_found_by_its_bytes_and_no_others() {
        let cache = LabelCache::default();
        let pairs = |value: &str| [("a".to_owned(), value.to_owned())];
        let (bytes, labels) = (written(&pairs("x")), Labels::from_pairs(&pairs("x")));
        assert_eq!(cache.get(WireLabels(&bytes)), None);
        cache.insert(WireLabels(&bytes), labels.clone());
        assert_eq!(cache.get(WireLabels(&bytes)), Some(labels.clone()));
        assert_eq!(cache.get(WireLabels(&written(&pairs("y")))), None);
        assert_eq!(cache.get(WireLabels(&bytes[..bytes.len() - 1])), None);
        // Value before name: legal, and read anew each time.
        let turned = [0x0a, 6, 0x12, 1, b'x', 0x0a, 1, b'a'];
        cache.insert(WireLabels(&turned), labels);
        assert_eq!(cache.get(WireLabels(&turned)), None);
    }

    #[test]
    fn bytes_that_share_a_hash_without_a_seed_share_none_here() {
        // These multiply with 0 in a hash whose first factor is known.
        let bytes = |tail: u64| [0x243f_6a88_85a3_08d3, tail].map(u64::to_le_bytes).concat();
        let cache = LabelCache::default();
        let hashes: std::collections::BTreeSet<u64> = (0..1_000)
            .map(|tail| cache.probe(WireLabels(&bytes(tail))).hash)
            .collect();
        assert_eq!(hashes.len(), 1_000);
    }

    #[test]
    fn a_long_text_is_no_known_form() {
        let pairs = [("a".to_owned(), "x".repeat(200))];
        let bytes = written(&pairs);
        let (wire, rest) = WireLabels::split(&bytes);
        assert_eq!((wire.0.len(), rest.len()), (0, bytes.len()));
        assert!(!WireLabels(&bytes).is_written_form_of(&Labels::from_pairs(&pairs)));
    }
}
