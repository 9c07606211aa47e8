//! Finding counter resets.

use std::cmp::Ordering;
use std::iter::Peekable;

use super::bounds::{custom_bounds_match, exponential_upper_bound, upper_bound};
use super::layout::{Cell, coarsen};
use super::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, IndexedCounts};

impl FloatHistogram {
    /// Says whether a counter reset lies between `previous` and this histogram.
    ///
    /// The verdict is one for the whole histogram: the hint where it says so, else whether the
    /// count, the zero bucket or any bucket went down, the resolution went up or the zero
    /// threshold went down. Bucket layouts may differ; a gauge is looked at like a counter.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if !custom_bounds_match(&self.custom_values, &previous.custom_values) {
                return self.shared_bounds_went_down(previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        self.zero_bucket_went_down(previous)
            || self.buckets_went_down(self.positive_counts(), previous.positive_counts(), previous)
            || self.buckets_went_down(self.negative_counts(), previous.negative_counts(), previous)
    }

    fn zero_bucket_went_down(&self, previous: &Self) -> bool {
        let before = previous.widened_zero_bucket(self.zero_threshold, None);
        // A filled bucket of `previous` is cut by our threshold: only a reset explains that.
        before.threshold != self.zero_threshold || self.zero_count < before.count.sum
    }

    /// Compares buckets outside of the zero bucket at this histogram's schema.
    fn buckets_went_down(
        &self,
        current: IndexedCounts<'_>,
        before: IndexedCounts<'_>,
        previous: &Self,
    ) -> bool {
        let steps = self.schema.abs_diff(previous.schema);
        let hidden = |cell: &Cell| {
            self.zero_threshold != 0.0
                && self.schema != CUSTOM_BUCKETS_SCHEMA
                && exponential_upper_bound(cell.index, self.schema) <= self.zero_threshold
        };
        let plain = |(index, count)| Cell::new(index, count, 0.0);
        let current = current.map(plain).skip_while(hidden);
        if steps == 0 {
            return any_went_down(current, before.map(plain).skip_while(hidden));
        }
        any_went_down(
            current,
            coarsen(before.map(plain), steps, false).skip_while(hidden),
        )
    }

    /// Compares the counts between bounds that both histograms have.
    fn shared_bounds_went_down(&self, previous: &Self) -> bool {
        let mut current = self.positive_counts().peekable();
        let mut before = previous.positive_counts().peekable();
        let (ours, theirs) = (&self.custom_values, &previous.custom_values);
        let (mut at, mut their_at) = (0, 0);
        while at <= ours.len() && their_at <= theirs.len() {
            let bound = upper_bound(at as i32, CUSTOM_BUCKETS_SCHEMA, ours);
            let their_bound = upper_bound(their_at as i32, CUSTOM_BUCKETS_SCHEMA, theirs);
            match bound.partial_cmp(&their_bound) {
                Some(Ordering::Less) => at += 1,
                Some(Ordering::Equal) => {
                    let now = take_up_to(&mut current, at);
                    if now < take_up_to(&mut before, their_at) {
                        return true;
                    }
                    at += 1;
                    their_at += 1;
                }
                Some(Ordering::Greater) | None => their_at += 1,
            }
        }
        false
    }
}

/// Sums up the buckets up to number `last` that were not taken before.
fn take_up_to(counts: &mut Peekable<IndexedCounts<'_>>, last: usize) -> f64 {
    let mut sum = 0.0;
    while let Some((_, count)) = counts.next_if(|(index, _)| i64::from(*index) <= last as i64) {
        sum += count;
    }
    sum
}

/// Says whether a bucket of `before` is filled and missing now, or has a smaller count now.
fn any_went_down(current: impl Iterator<Item = Cell>, before: impl Iterator<Item = Cell>) -> bool {
    let mut current = current.peekable();
    for was in before {
        while current.next_if(|now| now.index < was.index).is_some() {}
        let went_down = match current.peek() {
            Some(now) if now.index == was.index => now.count.sum < was.count.sum,
            _ => was.count.sum != 0.0,
        };
        if went_down {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_custom, any_exponential, span};
    use super::*;

    fn base() -> FloatHistogram {
        FloatHistogram {
            schema: 1,
            zero_threshold: 0.01,
            zero_count: 5.0,
            count: 20.0,
            positive_spans: vec![span(0, 2), span(2, 1)],
            positive_buckets: vec![1.0, 3.0, 5.0],
            negative_spans: vec![span(3, 1)],
            negative_buckets: vec![6.0],
            ..FloatHistogram::default()
        }
    }

    /// Changes the base histogram and says whether that is a reset.
    fn is_reset(change: impl FnOnce(&mut FloatHistogram)) -> bool {
        let mut next = base();
        change(&mut next);
        next.detect_reset(&base())
    }

    #[test]
    fn any_count_that_goes_down_is_a_reset() {
        assert!(!is_reset(|_| {}));
        assert!(!is_reset(|h| h.sum = -1000.0));
        assert!(!is_reset(|h| h.mul(2.0)));
        assert!(is_reset(|h| h.count = 19.0));
        assert!(is_reset(|h| h.zero_count = 4.0));
        assert!(is_reset(|h| h.positive_buckets[1] = 2.0));
        assert!(is_reset(|h| h.negative_buckets[0] = 5.0));
    }

    #[test]
    fn a_filled_bucket_that_is_gone_is_a_reset() {
        assert!(is_reset(|h| {
            h.positive_spans = vec![span(0, 2)];
            h.positive_buckets.truncate(2);
        }));
        assert!(is_reset(|h| {
            h.positive_spans = vec![span(0, 1), span(3, 1)];
            h.positive_buckets = vec![9.0, 9.0];
        }));
        assert!(is_reset(|h| h.negative_spans = vec![span(4, 1)]));
        // Only in the layout, not in what it says.
        assert!(!is_reset(|h| {
            h.positive_spans = vec![span(-2, 8)];
            h.positive_buckets = vec![0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 5.0, 2.0];
        }));
    }

    #[test]
    fn a_missing_bucket_that_was_empty_is_none() {
        let mut before = base();
        before.positive_buckets = vec![0.0, 3.0, 0.0];
        let mut next = base();
        next.positive_spans = vec![span(1, 1)];
        next.positive_buckets = vec![3.0];
        assert!(!next.detect_reset(&before));
    }

    #[test]
    fn the_hint_decides_where_it_says_something() {
        assert!(is_reset(|h| h.counter_reset_hint = CounterResetHint::Reset));
        assert!(!is_reset(|h| {
            h.counter_reset_hint = CounterResetHint::NotReset;
            h.count = 1.0;
        }));
        assert!(is_reset(|h| {
            h.counter_reset_hint = CounterResetHint::Gauge;
            h.count = 1.0;
        }));
    }

    #[test]
    fn a_finer_schema_is_a_reset_and_a_coarser_one_is_compared() {
        assert!(is_reset(|h| h.schema = 2));
        let coarse = base().to_schema(0);
        assert!(!coarse.detect_reset(&base()));
        let mut less = coarse;
        less.positive_buckets[0] -= 1.0;
        assert!(less.detect_reset(&base()));
    }

    #[test]
    fn a_zero_bucket_may_widen_to_a_bound_but_not_shrink() {
        assert!(is_reset(|h| h.zero_threshold = 0.005));
        assert!(!is_reset(|h| h.zero_threshold = 0.02));
        // (2^-0.5, 1] with one observation goes into the zero bucket.
        let widened = |zero_count| {
            is_reset(|h| {
                h.zero_threshold = 1.0;
                h.zero_count = zero_count;
                h.positive_spans = vec![span(1, 1), span(2, 1)];
                h.positive_buckets = vec![3.0, 5.0];
            })
        };
        assert!(!widened(6.0));
        assert!(widened(5.0));
        assert!(is_reset(|h| {
            h.zero_threshold = 0.8;
            h.zero_count = 100.0;
        }));
    }

    #[test]
    fn custom_bounds_are_compared_where_both_have_them() {
        let custom = |bounds: &[f64], counts: &[f64]| FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 100.0,
            positive_spans: vec![span(0, counts.len() as u32)],
            positive_buckets: counts.to_vec(),
            custom_values: bounds.into(),
            ..FloatHistogram::default()
        };
        let before = custom(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!(!custom(&[2.0, 4.0], &[3.0, 3.0, 4.0]).detect_reset(&before));
        assert!(custom(&[2.0, 4.0], &[2.0, 9.0, 9.0]).detect_reset(&before));
        assert!(!custom(&[2.0, 3.0], &[3.0, 0.0, 7.0]).detect_reset(&before));
        assert!(custom(&[2.0, 3.0], &[3.0, 0.0, 6.0]).detect_reset(&before));
        assert!(!custom(&[9.0], &[0.0, 10.0]).detect_reset(&before));
        assert!(before.detect_reset(&base()));
    }

    proptest! {
        #[test]
        fn adding_observations_is_never_a_reset(a in any_exponential(), more in any_exponential()) {
            let mut next = a.clone();
            next.add(&more).unwrap();
            // A finer or narrower layout of `a` cannot come from adding.
            prop_assert!(!next.detect_reset(&a));
        }

        #[test]
        fn adding_custom_observations_is_never_a_reset(a in any_custom(), more in any_custom()) {
            let mut next = a.clone();
            next.add(&more).unwrap();
            prop_assert!(!next.detect_reset(&a));
        }
    }
}
