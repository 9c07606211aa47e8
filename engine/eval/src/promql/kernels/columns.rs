//! Preparing columns for kernels.

use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram, SampleColumns, is_stale_nan};

/// Removes staleness markers.
pub(crate) fn drop_stale(columns: &mut SampleColumns) {
    let float = |value: &f64| is_stale_nan(*value);
    if columns.floats.iter().any(float) {
        let keep: Vec<bool> = columns.floats.iter().map(|value| !float(value)).collect();
        retain(&mut columns.float_ts, &keep);
        retain(&mut columns.floats, &keep);
        retain(&mut columns.float_start_ts, &keep);
    }
    let histogram = |histogram: &Arc<FloatHistogram>| is_stale_nan(histogram.sum);
    if columns.histograms.iter().any(histogram) {
        let keep: Vec<bool> = columns
            .histograms
            .iter()
            .map(|one| !histogram(one))
            .collect();
        retain(&mut columns.histogram_ts, &keep);
        retain(&mut columns.histograms, &keep);
        retain(&mut columns.histogram_start_ts, &keep);
    }
}

/// Keeps the entries whose flag is set; an empty list stays empty.
fn retain<T>(entries: &mut Vec<T>, keep: &[bool]) {
    let mut flags = keep.iter();
    entries.retain(|_| flags.next().copied().unwrap_or(true));
}

/// Replaces histograms by ones that have only count, sum, schema and counter reset hint, where
/// nothing else is looked at.
///
/// Resets between neighbours are found while the buckets are still there and kept as hints.
/// Stale histograms stay as they are.
pub(crate) fn keep_stats_only(histograms: &mut [Arc<FloatHistogram>]) {
    let mut previous: Option<Arc<FloatHistogram>> = None;
    for slot in histograms {
        let full = Arc::clone(slot);
        let stale = is_stale_nan(full.sum);
        let hint = match (&previous, full.counter_reset_hint) {
            (Some(previous), CounterResetHint::Unknown) if !stale => {
                if full.detect_reset(previous) {
                    CounterResetHint::Reset
                } else {
                    CounterResetHint::NotReset
                }
            }
            (_, hint) => hint,
        };
        *slot = Arc::new(FloatHistogram {
            counter_reset_hint: hint,
            schema: full.schema,
            count: full.count,
            sum: full.sum,
            ..FloatHistogram::default()
        });
        if !stale {
            previous = Some(full);
        }
    }
}

#[cfg(test)]
mod tests {
    use obsq_model::stale_nan;

    use super::*;
    use crate::promql::kernels::testing::histogram;

    #[test]
    fn stale_samples_go_with_their_times() {
        let mut columns = SampleColumns {
            float_ts: vec![1, 2, 3],
            floats: vec![1.0, stale_nan(), f64::NAN],
            float_start_ts: vec![7, 8, 9],
            histogram_ts: vec![4, 5],
            histograms: vec![
                Arc::new(FloatHistogram {
                    sum: stale_nan(),
                    ..FloatHistogram::default()
                }),
                Arc::new(FloatHistogram::default()),
            ],
            histogram_start_ts: Vec::new(),
        };
        drop_stale(&mut columns);
        assert_eq!(columns.float_ts, [1, 3]);
        assert!(columns.floats[1].is_nan());
        assert_eq!(columns.float_start_ts, [7, 9]);
        assert_eq!(columns.histogram_ts, [5]);
        assert_eq!(columns.histograms[0].sum, 0.0);
        assert!(columns.histogram_start_ts.is_empty());
    }

    #[test]
    fn resets_are_kept_as_hints_when_the_buckets_go() {
        let mut stale = histogram(&[]);
        stale.sum = stale_nan();
        let mut hinted = histogram(&[9.0, 9.0]);
        hinted.counter_reset_hint = CounterResetHint::Gauge;
        let mut column: Vec<_> = [
            histogram(&[1.0, 5.0]),
            histogram(&[2.0, 5.0]),
            stale,
            // The count rose, but one bucket went down.
            histogram(&[1.0, 9.0]),
            hinted,
        ]
        .into_iter()
        .map(Arc::new)
        .collect();
        keep_stats_only(&mut column);
        let hints: Vec<_> = column.iter().map(|one| one.counter_reset_hint).collect();
        assert_eq!(
            hints,
            [
                CounterResetHint::Unknown,
                CounterResetHint::NotReset,
                CounterResetHint::Unknown,
                CounterResetHint::Reset,
                CounterResetHint::Gauge,
            ]
        );
        assert!(column.iter().all(|one| one.positive_buckets.is_empty()));
        assert_eq!(column[1].count, 7.0);
    }
}
