//! Orders that decide which series are shown, and how.
//!
//! With NaN among the values "less" is no order at all, and which of two equal values is kept
//! depends on how a heap is built. Both can be seen in answers, so the steps are those of Go's
//! `container/heap` and, for few values, of its `sort`.

/// Elements up to which Go sorts by insertion.
const INSERTION_MAX: usize = 12;

/// Sorts with a `less` that need not be an order. Up to 12 elements end up as Go's `sort` leaves
/// them; more are sorted stably.
pub(crate) fn sort_like_go<T: Clone>(items: &mut [T], less: &impl Fn(&T, &T) -> bool) {
    if items.len() <= INSERTION_MAX {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && less(&items[at], &items[at - 1]) {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    sort_like_go(left, less);
    sort_like_go(right, less);
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if less(b, a) { &mut right } else { &mut left };
        merged.extend(next.next().cloned());
    }
    merged.extend(left.cloned());
    merged.extend(right.cloned());
    items.clone_from_slice(&merged);
}

/// A value and the number of its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    /// The value.
    pub(crate) value: f64,
    /// The series.
    pub(crate) series: usize,
}

/// Which values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// `topk`
    Largest,
    /// `bottomk`
    Smallest,
}

impl Rank {
    /// Says whether `a` is given up before `b`; NaN always is.
    fn below(self, a: f64, b: f64) -> bool {
        a.is_nan()
            || match self {
                Self::Largest => a < b,
                Self::Smallest => a > b,
            }
    }
}

/// The k best values so far, the worst of them first.
#[derive(Debug)]
pub(super) struct Best {
    rank: Rank,
    limit: usize,
    heap: Vec<Ranked>,
}

impl Best {
    pub(super) fn new(rank: Rank, limit: usize) -> Self {
        Self {
            rank,
            limit,
            heap: Vec::new(),
        }
    }

    /// Takes a value in, if it is good enough.
    pub(super) fn offer(&mut self, new: Ranked) {
        if self.heap.len() < self.limit {
            self.heap.push(new);
            self.rise();
            return;
        }
        let worst = self.heap[0].value;
        let better = match self.rank {
            Rank::Largest => worst < new.value,
            Rank::Smallest => worst > new.value,
        };
        if better || (worst.is_nan() && !new.value.is_nan()) {
            self.heap[0] = new;
            self.sink();
        }
    }

    fn rise(&mut self) {
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.below(at, parent) {
                break;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.below(child + 1, child) {
                child += 1;
            }
            if !self.below(child, at) {
                break;
            }
            self.heap.swap(at, child);
            at = child;
        }
    }

    fn below(&self, a: usize, b: usize) -> bool {
        self.rank.below(self.heap[a].value, self.heap[b].value)
    }

    /// Returns what was kept, the best first.
    pub(super) fn into_sorted(mut self) -> Vec<Ranked> {
        let rank = self.rank;
        sort_like_go(&mut self.heap, &|a, b| rank.below(b.value, a.value));
        self.heap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn best(rank: Rank, limit: usize, values: &[f64]) -> Vec<f64> {
        let mut best = Best::new(rank, limit);
        for (series, value) in values.iter().enumerate() {
            let value = *value;
            best.offer(Ranked { value, series });
        }
        best.into_sorted().iter().map(|kept| kept.value).collect()
    }

    #[test]
    fn nan_is_kept_only_when_there_is_room() {
        let values = [f64::NAN, 3.0, 1.0, 2.0];
        assert_eq!(best(Rank::Largest, 3, &values), [3.0, 2.0, 1.0]);
        assert_eq!(best(Rank::Smallest, 2, &values), [1.0, 2.0]);
        let all = best(Rank::Largest, 4, &values);
        assert_eq!(all[..3], [3.0, 2.0, 1.0]);
        assert!(all[3].is_nan());
    }

    proptest! {
        #[test]
        fn the_best_are_those_that_sorting_finds(values in vec(-50..50_i32, 0..60), limit in 1..20_usize) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.truncate(limit);
            prop_assert_eq!(best(Rank::Largest, limit, &values), sorted);
        }

        #[test]
        fn sorting_sorts_and_keeps_equal_elements_in_order(keys in vec(0..9_u8, 0..60)) {
            let mut items: Vec<(u8, usize)> = keys.iter().copied().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            sort_like_go(&mut items, &|a, b| a.0 < b.0);
            prop_assert_eq!(items, expected);
        }
    }
}
