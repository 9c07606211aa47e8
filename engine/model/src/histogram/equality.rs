//! When two histograms are the same.

use super::bounds::custom_bounds_match;
use super::{BucketSpan, FloatHistogram};

impl FloatHistogram {
    /// Says whether both hold the same counts in the same bucket layout, as `==` in PromQL and
    /// `changes` compare them.
    ///
    /// Counts and sums are compared by their bits; empty buckets count as part of the layout,
    /// spans without buckets and the counter reset hint do not.
    pub fn equals(&self, other: &Self) -> bool {
        let head = |h: &Self| [h.count, h.sum, h.zero_count].map(f64::to_bits);
        self.schema == other.schema
            && head(self) == head(other)
            && self.zero_threshold == other.zero_threshold
            && (!self.uses_custom_buckets()
                || custom_bounds_match(&self.custom_values, &other.custom_values))
            && same_layout(&self.negative_spans, &other.negative_spans)
            && same_bits(&self.negative_buckets, &other.negative_buckets)
            && same_layout(&self.positive_spans, &other.positive_spans)
            && same_bits(&self.positive_buckets, &other.positive_buckets)
    }
}

fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits())
}

fn same_layout(a: &[BucketSpan], b: &[BucketSpan]) -> bool {
    filled_spans(a).eq(filled_spans(b))
}

/// Returns the spans that have buckets; the offsets of empty ones before them are added to theirs.
fn filled_spans(spans: &[BucketSpan]) -> impl Iterator<Item = (i32, u32)> + '_ {
    let mut skipped = 0_i32;
    spans.iter().filter_map(move |span| {
        let offset = skipped.wrapping_add(span.offset);
        skipped = if span.length == 0 { offset } else { 0 };
        (span.length > 0).then_some((offset, span.length))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::span;
    use super::super::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint};
    use super::*;

    fn base() -> FloatHistogram {
        FloatHistogram {
            schema: 1,
            count: 3.0,
            sum: f64::NAN,
            positive_spans: vec![span(0, 2)],
            positive_buckets: vec![1.0, 2.0],
            ..FloatHistogram::default()
        }
    }

    fn equal_after(change: impl FnOnce(&mut FloatHistogram)) -> bool {
        let mut other = base();
        change(&mut other);
        base().equals(&other) && other.equals(&base())
    }

    #[test]
    fn bits_and_layout_count_but_not_the_hint() {
        assert!(equal_after(|_| {}));
        assert!(equal_after(
            |h| h.counter_reset_hint = CounterResetHint::Gauge
        ));
        assert!(!equal_after(|h| h.sum = crate::stale_nan()));
        assert!(!equal_after(|h| h.zero_count = -0.0));
        assert!(!equal_after(|h| h.zero_threshold = 1.0));
        assert!(!equal_after(|h| h.positive_buckets[0] = 2.0));
        assert!(!equal_after(|h| h.schema = 0));
    }

    #[test]
    fn spans_without_buckets_are_looked_through() {
        let empty_first = vec![span(-3, 0), span(3, 2), span(7, 0)];
        assert!(equal_after(|h| h.positive_spans = empty_first));
        assert!(!equal_after(
            |h| h.positive_spans = vec![span(0, 1), span(0, 1)]
        ));
        assert!(!equal_after(|h| h.positive_spans = vec![span(1, 2)]));
        assert!(equal_after(|h| h.negative_spans = vec![span(1, 0)]));
    }

    #[test]
    fn bounds_count_for_custom_buckets_only() {
        assert!(equal_after(|h| h.custom_values = [1.0].into()));
        let mut custom = base();
        custom.schema = CUSTOM_BUCKETS_SCHEMA;
        let mut other = custom.clone();
        other.custom_values = [1.0].into();
        assert!(!custom.equals(&other));
    }
}
