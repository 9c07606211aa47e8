//! Which buckets a histogram has.

use std::iter::Peekable;

use obsq_model::BucketSpan;

/// Returns the number of buckets.
pub(crate) fn bucket_count(spans: &[BucketSpan]) -> u64 {
    spans.iter().map(|span| u64::from(span.length)).sum()
}

/// Returns the indices of the buckets, rising as long as no offset behind the first is negative.
pub(crate) fn indices(spans: &[BucketSpan]) -> impl Iterator<Item = i64> {
    spans
        .iter()
        .scan(0_i64, |next, span| {
            let first = *next + i64::from(span.offset);
            *next = first + i64::from(span.length);
            Some(first..*next)
        })
        .flatten()
}

/// Returns spans with the same buckets, none of the spans empty, none adjacent.
pub(crate) fn without_empty_spans(spans: &[BucketSpan]) -> Vec<BucketSpan> {
    let mut kept: Vec<BucketSpan> = Vec::new();
    let mut gap = 0_i32;
    for span in spans {
        gap = gap.saturating_add(span.offset);
        if span.length == 0 {
            continue;
        }
        match kept.last_mut() {
            Some(last) if gap == 0 => last.length = last.length.saturating_add(span.length),
            _ => kept.push(BucketSpan {
                offset: gap,
                length: span.length,
            }),
        }
        gap = 0;
    }
    kept
}

/// The buckets of two histograms together.
#[derive(Debug)]
pub(crate) struct Union {
    /// The spans to use: those of one side where it has them all.
    pub(crate) spans: Vec<BucketSpan>,
    /// Says whether the first side lacks a bucket.
    pub(crate) first_grows: bool,
}

/// Unites the buckets of `first` and `second`.
pub(crate) fn unite(first: &[BucketSpan], second: &[BucketSpan]) -> Union {
    let mut left = indices(first).peekable();
    let mut right = indices(second).peekable();
    let mut builder = SpanBuilder::default();
    let (mut first_grows, mut second_grows) = (false, false);
    while let Some((index, in_first, in_second)) = next_of_both(&mut left, &mut right) {
        builder.push(index);
        first_grows |= !in_first;
        second_grows |= !in_second;
    }
    let spans = match (first_grows, second_grows) {
        (false, _) => first.to_vec(),
        (true, false) => second.to_vec(),
        (true, true) => builder.spans,
    };
    Union { spans, first_grows }
}

fn next_of_both(
    left: &mut Peekable<impl Iterator<Item = i64>>,
    right: &mut Peekable<impl Iterator<Item = i64>>,
) -> Option<(i64, bool, bool)> {
    let index = match (left.peek(), right.peek()) {
        (Some(a), Some(b)) => *a.min(b),
        (Some(index), None) | (None, Some(index)) => *index,
        (None, None) => return None,
    };
    let in_left = left.next_if_eq(&index).is_some();
    let in_right = right.next_if_eq(&index).is_some();
    Some((index, in_left, in_right))
}

#[derive(Debug, Default)]
struct SpanBuilder {
    spans: Vec<BucketSpan>,
    next: i64,
}

impl SpanBuilder {
    fn push(&mut self, index: i64) {
        let gap = index - self.next;
        match self.spans.last_mut() {
            Some(last) if gap == 0 => last.length += 1,
            _ => self.spans.push(BucketSpan {
                offset: i32::try_from(gap).unwrap_or(i32::MAX),
                length: 1,
            }),
        }
        self.next = index + 1;
    }
}

/// Returns the absolute counts of the buckets of `to`, which contain those of `from`; those that
/// `from` lacks are empty.
pub(crate) fn widen<T: Copy + Default>(
    counts: impl Iterator<Item = T>,
    from: &[BucketSpan],
    to: &[BucketSpan],
) -> Vec<T> {
    let mut known = indices(from).zip(counts).peekable();
    indices(to)
        .map(|index| {
            known
                .next_if(|(at, _)| *at == index)
                .map_or_else(T::default, |(_, count)| count)
        })
        .collect()
}

/// Says whether the buckets fall: one of `before` is greater than the same of `after`, or is not
/// empty and `after` lacks it.
pub(crate) fn falls<T: Copy + Default + PartialOrd>(
    before: impl Iterator<Item = T>,
    before_spans: &[BucketSpan],
    after: impl Iterator<Item = T>,
    after_spans: &[BucketSpan],
) -> bool {
    if before_spans == after_spans {
        return before.zip(after).any(|(before, after)| before > after);
    }
    let mut later = indices(after_spans).zip(after).peekable();
    indices(before_spans).zip(before).any(|(index, before)| {
        while later.next_if(|(at, _)| *at < index).is_some() {}
        match later.next_if(|(at, _)| *at == index) {
            Some((_, after)) => before > after,
            None => before != T::default(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn spans_of(map: &BTreeMap<i64, u32>) -> Vec<BucketSpan> {
        let mut builder = SpanBuilder::default();
        for index in map.keys() {
            builder.push(*index);
        }
        builder.spans
    }

    fn counts_of(map: &BTreeMap<i64, u32>) -> Vec<u32> {
        map.values().copied().collect()
    }

    proptest! {
        #[test]
        fn union_and_widening_agree_with_maps(
            a in btree_map(-20_i64..20, 0_u32..3, 0..12),
            b in btree_map(-20_i64..20, 0_u32..3, 0..12),
        ) {
            let (a_spans, b_spans) = (spans_of(&a), spans_of(&b));
            let union = unite(&a_spans, &b_spans);
            let mut all = b.clone();
            all.extend(&a);
            prop_assert!(indices(&union.spans).eq(all.keys().copied()));
            prop_assert_eq!(union.first_grows, b.keys().any(|index| !a.contains_key(index)));

            let widened = widen(counts_of(&a).into_iter(), &a_spans, &union.spans);
            let expected: Vec<_> = all.keys().map(|i| a.get(i).copied().unwrap_or(0)).collect();
            prop_assert_eq!(widened, expected);

            let expected = a.iter().any(|(index, count)| *count > b.get(index).copied().unwrap_or(0));
            let (before, after) = (counts_of(&a).into_iter(), counts_of(&b).into_iter());
            prop_assert_eq!(falls(before, &a_spans, after, &b_spans), expected);
        }

        #[test]
        fn empty_spans_can_be_left_out(raw in vec((0_i32..4, 0_u32..3), 0..20)) {
            let spans: Vec<_> = raw
                .iter()
                .map(|(offset, length)| BucketSpan { offset: *offset, length: *length })
                .collect();
            let kept = without_empty_spans(&spans);
            prop_assert!(indices(&kept).eq(indices(&spans)));
            prop_assert!(kept.iter().all(|span| span.length > 0));
        }
    }
}
