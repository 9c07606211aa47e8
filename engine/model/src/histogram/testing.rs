//! Histograms for tests.

use proptest::prelude::*;

use super::{BucketSpan, CUSTOM_BUCKETS_SCHEMA, FloatHistogram};

pub(super) fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

/// Buckets of one sign whose counts are whole numbers, so that sums of them are exact.
fn any_side(lowest: i32) -> impl Strategy<Value = (Vec<BucketSpan>, Vec<f64>)> {
    prop::collection::vec((0_i32..4, 1_u32..4), 0..4).prop_flat_map(move |shape| {
        let mut spans: Vec<_> = shape
            .into_iter()
            .map(|(gap, length)| span(gap, length))
            .collect();
        if let Some(first) = spans.first_mut() {
            first.offset += lowest;
        }
        let buckets = spans.iter().map(|span| span.length as usize).sum::<usize>();
        prop::collection::vec((0_u32..5).prop_map(f64::from), buckets)
            .prop_map(move |counts| (spans.clone(), counts))
    })
}

/// Any histogram with exponential buckets, all outside of the zero bucket.
pub(super) fn any_exponential() -> impl Strategy<Value = FloatHistogram> {
    (0_i32..3, -3_i32..2).prop_flat_map(|(schema, exponent)| {
        let lowest = (exponent << schema) + 1;
        (0_u32..9, any_side(lowest), any_side(lowest)).prop_map(
            move |(zero_count, positive, negative)| {
                let mut histogram = FloatHistogram {
                    schema,
                    zero_threshold: 2_f64.powi(exponent),
                    zero_count: f64::from(zero_count),
                    sum: f64::from(zero_count) * 2.0,
                    positive_spans: positive.0,
                    positive_buckets: positive.1,
                    negative_spans: negative.0,
                    negative_buckets: negative.1,
                    ..FloatHistogram::default()
                };
                histogram.count = histogram.positive_buckets.iter().sum::<f64>()
                    + histogram.negative_buckets.iter().sum::<f64>()
                    + histogram.zero_count;
                histogram
            },
        )
    })
}

/// Any histogram with custom buckets out of the bounds 0, 1, .. 5.
pub(super) fn any_custom() -> impl Strategy<Value = FloatHistogram> {
    (prop::collection::btree_set(0_u8..6, 0..6)).prop_flat_map(|bounds| {
        let custom_values: Vec<f64> = bounds.into_iter().map(f64::from).collect();
        let buckets = custom_values.len() + 1;
        prop::collection::vec((0_u32..5).prop_map(f64::from), buckets).prop_map(move |counts| {
            FloatHistogram {
                schema: CUSTOM_BUCKETS_SCHEMA,
                count: counts.iter().sum(),
                sum: 3.0,
                positive_spans: vec![span(0, counts.len() as u32)],
                positive_buckets: counts,
                custom_values: custom_values.clone().into(),
                ..FloatHistogram::default()
            }
        })
    })
}
