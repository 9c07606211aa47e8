//! Sorted lists of series ids.

/// Adds an id, which is usually the largest.
pub(crate) fn add(ids: &mut Vec<u32>, id: u32) {
    if ids.last().is_none_or(|last| *last < id) {
        ids.push(id);
    } else if let Err(at) = ids.binary_search(&id) {
        ids.insert(at, id);
    }
}

/// Returns what both lists hold. Gallops through the longer one.
pub(crate) fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut both = Vec::new();
    for id in short {
        long = skip_below(long, *id);
        if long.first() == Some(id) {
            both.push(*id);
        }
    }
    both
}

/// Returns what `a` holds and `b` does not.
pub(crate) fn subtract(a: &[u32], mut b: &[u32]) -> Vec<u32> {
    let mut left = Vec::with_capacity(a.len());
    for id in a {
        b = skip_below(b, *id);
        if b.first() != Some(id) {
            left.push(*id);
        }
    }
    left
}

/// Returns what any of the lists holds.
pub(crate) fn union<'a>(lists: impl Iterator<Item = &'a Vec<u32>>) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    let mut count = 0;
    for list in lists {
        all.extend_from_slice(list);
        count += 1;
    }
    if count > 1 {
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// Drops the ids below `id` from the front, in steps that double.
fn skip_below(ids: &[u32], id: u32) -> &[u32] {
    let mut step = 1;
    while ids.get(step).is_some_and(|known| *known < id) {
        step *= 2;
    }
    let window = &ids[..ids.len().min(step + 1)];
    &ids[window.partition_point(|known| *known < id)..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn lists_behave_as_sets(
            a in proptest::collection::btree_set(0_u32..200, 0..60),
            b in proptest::collection::btree_set(0_u32..200, 0..200),
        ) {
            let (left, right): (Vec<_>, Vec<_>) =
                (a.iter().copied().collect(), b.iter().copied().collect());
            let sorted = |set: BTreeSet<u32>| set.into_iter().collect::<Vec<_>>();
            prop_assert_eq!(intersect(&left, &right), sorted(&a & &b));
            prop_assert_eq!(subtract(&left, &right), sorted(&a - &b));
            prop_assert_eq!(union([&left, &right].into_iter()), sorted(&a | &b));
            let mut grown = left.clone();
            for id in &right {
                add(&mut grown, *id);
            }
            prop_assert_eq!(grown, sorted(&a | &b));
        }
    }
}
