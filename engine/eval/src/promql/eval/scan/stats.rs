//! Histograms reduced to count and sum.
//!
//! Below `histogram_count`, `histogram_sum` and `histogram_avg` the buckets of stored histograms
//! matter only for telling counter resets. Upstream compares each histogram with the one it read
//! before, writes down what it found as the hint, and forgets the buckets; so an operation between
//! such histograms has no layouts to reconcile, and can find contradicting hints where whole
//! histograms would have none. Source: Prometheus 3.x, `HistogramStatsIterator`.

use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram, SampleColumns, is_stale_nan};

use crate::promql::grid::Grid;
use crate::promql::plan::WindowSpec;

/// How samples are come by: it decides which ones are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// As the latest at each step.
    Latest,
    /// As part of a window at each step.
    Window,
}

/// Replaces all histograms by their count, sum and reset hint.
pub(super) fn reduce(columns: &mut SampleColumns, grid: Grid, window: &WindowSpec, access: Access) {
    let fresh = starts_of_runs(&columns.histogram_ts, grid, window, access);
    let mut before: Option<Arc<FloatHistogram>> = None;
    for (index, histogram) in columns.histograms.iter_mut().enumerate() {
        if fresh[index] {
            before = None;
        }
        let whole = Arc::clone(histogram);
        let stale = is_stale_nan(whole.sum);
        let hint = match (whole.counter_reset_hint, &before) {
            (CounterResetHint::Unknown, Some(before)) if !stale => {
                if whole.detect_reset(before) {
                    CounterResetHint::Reset
                } else {
                    CounterResetHint::NotReset
                }
            }
            (hint, _) => hint,
        };
        *histogram = Arc::new(FloatHistogram {
            counter_reset_hint: hint,
            schema: whole.schema,
            count: whole.count,
            sum: whole.sum,
            ..FloatHistogram::default()
        });
        if !stale {
            // The hint found is part of what the next one is compared with.
            before = Some(if hint == whole.counter_reset_hint {
                whole
            } else {
                Arc::new(FloatHistogram {
                    counter_reset_hint: hint,
                    ..FloatHistogram::clone(&whole)
                })
            });
        }
    }
}

/// Returns for each sample whether the samples before it were skipped, so that there is nothing
/// to compare it with.
fn starts_of_runs(times: &[i64], grid: Grid, window: &WindowSpec, access: Access) -> Vec<bool> {
    let mut fresh = vec![false; times.len()];
    let reach_ms = window
        .reach_back_ms()
        .saturating_add(window.reach_ahead_ms());
    let (mut at, mut last_ms) = (0, i64::MIN);
    for step in 0..grid.steps {
        let end_ms = window.end(grid.time(step));
        let end_ms = end_ms.saturating_add(window.reach_ahead_ms());
        let back_ms = match access {
            Access::Window if step > 0 => reach_ms.min(grid.step_ms),
            _ => reach_ms,
        };
        let from_ms = end_ms.saturating_sub(back_ms);
        if from_ms > last_ms {
            at += times[at..].partition_point(|time| *time < from_ms);
            let Some(time) = times.get(at) else { break };
            fresh[at] = true;
            last_ms = *time;
        }
        while last_ms < end_ms {
            at += 1;
            let Some(time) = times.get(at) else {
                return fresh;
            };
            last_ms = *time;
        }
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::kernels::Edges;

    fn window(range_ms: i64) -> WindowSpec {
        WindowSpec {
            range_ms,
            offset_ms: 0,
            at_ms: None,
            edges: Edges::Plain,
            lookback_ms: 300,
        }
    }

    #[test]
    fn samples_between_two_windows_are_not_compared() {
        let times = [10, 20, 110, 120, 210, 220];
        let grid = Grid::range(20, 220, 100);
        let apart = starts_of_runs(&times, grid, &window(15), Access::Window);
        assert_eq!(apart, [true, false, true, false, true, false]);
        let together = starts_of_runs(&times, grid, &window(150), Access::Window);
        assert_eq!(together, [true, false, false, false, false, false]);
    }
}
