//! Lists of series ids, rising, and what is done with them.

use std::sync::Arc;

use obsq_encoding::{ByteReader, DecodeError};

/// Reads the body of a postings section.
pub(super) fn parse_postings(body: &[u8]) -> Result<Arc<[u32]>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let number = reader.u32()? as usize;
    let bytes = reader.rest();
    if bytes.len() != number * 4 {
        return Err(DecodeError::Inconsistent("postings of another length"));
    }
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| u32::from_be_bytes(*word)).collect())
}

/// Returns the ids that are in every list.
///
/// The shortest list is walked; in the others the search gallops on from the last hit, so the cost
/// is O(shortest × log gap).
pub(in crate::block) fn intersect(mut lists: Vec<Arc<[u32]>>) -> Vec<u32> {
    lists.sort_by_key(|list| list.len());
    let Some((shortest, others)) = lists.split_first() else {
        return Vec::new();
    };
    let mut cursors: Vec<&[u32]> = others.iter().map(AsRef::as_ref).collect();
    shortest
        .iter()
        .copied()
        .filter(|id| cursors.iter_mut().all(|list| advance(list, *id)))
        .collect()
}

/// Removes the ids of `list` from `ids`.
pub(in crate::block) fn subtract(ids: &mut Vec<u32>, list: &[u32]) {
    let mut cursor = list;
    ids.retain(|id| !advance(&mut cursor, *id));
}

/// Returns the ids that are in any list.
pub(in crate::block) fn unite(lists: &[Arc<[u32]>]) -> Arc<[u32]> {
    match lists {
        [] => Arc::default(),
        [only] => Arc::clone(only),
        _ => {
            let mut all = lists.concat();
            all.sort_unstable();
            all.dedup();
            Arc::from(all)
        }
    }
}

/// Moves the list on to the first id that is not below `id`, and says whether that is `id`.
fn advance(list: &mut &[u32], id: u32) -> bool {
    let mut step = 1;
    while let Some(passed) = list.get(step - 1)
        && *passed < id
    {
        *list = &list[step..];
        step *= 2;
    }
    let near = &list[..step.min(list.len())];
    let below = near.partition_point(|other| *other < id);
    *list = &list[below..];
    list.first() == Some(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_list_of_another_length_than_announced_is_refused() {
        assert!(parse_postings(&[0, 0, 0, 2, 0, 0, 0, 1]).is_err());
        assert_eq!(&*parse_postings(&[0, 0, 0, 1, 0, 0, 0, 7]).unwrap(), [7]);
    }

    proptest! {
        #[test]
        fn set_operations_agree_with_sets(sets in vec(btree_set(0_u32..200, 0..150), 1..5)) {
            let lists: Vec<Arc<[u32]>> = sets.iter().map(|set| set.iter().copied().collect()).collect();
            let all: BTreeSet<u32> = sets.iter().flatten().copied().collect();
            prop_assert!(unite(&lists).iter().eq(&all));
            let common = |id: &u32| sets.iter().all(|set| set.contains(id));
            let expected: Vec<u32> = all.iter().copied().filter(common).collect();
            prop_assert_eq!(intersect(lists.clone()), expected);
            let mut rest: Vec<u32> = all.iter().copied().collect();
            subtract(&mut rest, &lists[0]);
            let expected: Vec<u32> = all.difference(&sets[0]).copied().collect();
            prop_assert_eq!(rest, expected);
        }
    }
}
