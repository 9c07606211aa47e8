//! Preparing columns for kernels.

use std::sync::Arc;

use obsq_model::{FloatHistogram, SampleColumns, is_stale_nan};

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

#[cfg(test)]
mod tests {
    use obsq_model::stale_nan;

    use super::*;

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
}
