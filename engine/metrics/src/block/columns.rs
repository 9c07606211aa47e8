//! Taking samples out of columns.

use std::sync::Arc;

use obsq_model::{CounterResetHint, SampleColumns, TimeRange};

/// Removes the samples behind the first `before` floats and histograms whose time lies in one of
/// the ranges, which are sorted and apart.
pub(super) fn remove_deleted(
    columns: &mut SampleColumns,
    (floats, histograms): (usize, usize),
    deleted: &[TimeRange],
) {
    for range in deleted {
        let (from, to) = indices(&columns.float_ts, floats, *range);
        columns.float_ts.drain(from..to);
        columns.floats.drain(from..to);
        if !columns.float_start_ts.is_empty() {
            columns.float_start_ts.drain(from..to);
        }
        let (from, to) = indices(&columns.histogram_ts, histograms, *range);
        columns.histogram_ts.drain(from..to);
        columns.histograms.drain(from..to);
        // What lay before the next one does not any more.
        if let Some(next) = columns.histograms.get_mut(from).filter(|_next| from < to)
            && next.counter_reset_hint != CounterResetHint::Gauge
        {
            Arc::make_mut(next).counter_reset_hint = CounterResetHint::Unknown;
        }
        if !columns.histogram_start_ts.is_empty() {
            columns.histogram_start_ts.drain(from..to);
        }
    }
}

fn indices(times: &[i64], before: usize, range: TimeRange) -> (usize, usize) {
    let tail = &times[before..];
    let from = tail.partition_point(|ts_ms| *ts_ms < range.start_ms);
    let to = tail.partition_point(|ts_ms| *ts_ms <= range.end_ms);
    (before + from, before + to.max(from))
}
