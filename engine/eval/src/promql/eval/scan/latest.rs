//! The latest sample of a series at each step.
//!
//! A sample counts when it lies in `(end - lookback, end]` and no later one does, unless it marks
//! the series as stale.

use std::sync::Arc;

use obsq_model::{SampleColumns, is_stale_nan};

use super::{Scan, Scratch, stats};
use crate::promql::meter::FrameCounts;
use crate::promql::outcome::Value;
use crate::promql::series::{StepSeries, histogram_samples};

/// The latest sample at a step: its kind and its position in the column of that kind.
#[derive(Debug, Clone, Copy)]
enum Found {
    Float(usize),
    Histogram(usize),
}

/// A position behind the last sample that is not later than some time.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor(usize);

impl Cursor {
    /// Moves on to `end_ms` and returns the last sample not after it, with its time.
    fn advance(&mut self, times: &[i64], end_ms: i64) -> Option<(i64, usize)> {
        while times.get(self.0).is_some_and(|time| *time <= end_ms) {
            self.0 += 1;
        }
        let index = self.0.checked_sub(1)?;
        Some((times[index], index))
    }
}

impl Scan {
    pub(super) fn latest(
        &self,
        columns: &mut SampleColumns,
        counts: &mut FrameCounts,
        out: &mut StepSeries,
    ) {
        if columns.histogram_ts.is_empty() {
            self.latest_floats(columns, counts, out);
            return;
        }
        if self.histogram_stats {
            stats::reduce(columns, self.grid, &self.window, stats::Access::Latest);
        }
        self.for_each_latest(columns, |step, found| match found {
            Found::Float(index) => {
                counts.add(step, 1, 1);
                out.push(step, Value::Float(columns.floats[index]));
            }
            Found::Histogram(index) => {
                let histogram = &columns.histograms[index];
                let size = histogram_samples(histogram) as u64;
                counts.add(step, size, size);
                out.push(step, Value::Histogram(Arc::clone(histogram)));
            }
        });
    }

    /// The same for a series of floats alone, which most are.
    fn latest_floats(
        &self,
        columns: &SampleColumns,
        counts: &mut FrameCounts,
        out: &mut StepSeries,
    ) {
        if columns.float_ts.is_empty() {
            return;
        }
        let mut seen = 0;
        let mut cursor = Cursor::default();
        for step in self.busy_steps(columns) {
            let end_ms = self.window.end(self.grid.time(step));
            let Some((time, index)) = cursor.advance(&columns.float_ts, end_ms) else {
                continue;
            };
            let value = columns.floats[index];
            if end_ms.saturating_sub(time) < self.window.range_ms && !is_stale_nan(value) {
                out.floats.push(step, value);
                if counts.per_step.is_empty() {
                    seen += 1;
                } else {
                    counts.add(step, 1, 1);
                }
            }
        }
        counts.total += seen;
        counts.read += seen;
    }

    fn for_each_latest(&self, columns: &SampleColumns, mut found: impl FnMut(usize, Found)) {
        let (mut floats, mut histograms) = (Cursor::default(), Cursor::default());
        for step in self.busy_steps(columns) {
            let end_ms = self.window.end(self.grid.time(step));
            let float = floats.advance(&columns.float_ts, end_ms);
            let histogram = histograms.advance(&columns.histogram_ts, end_ms);
            let latest = match (float, histogram) {
                (Some((at, index)), Some((other, _))) if at >= other => {
                    Some((at, Found::Float(index)))
                }
                (Some((at, index)), None) => Some((at, Found::Float(index))),
                (_, Some((at, index))) => Some((at, Found::Histogram(index))),
                (None, None) => None,
            };
            let Some((time, latest)) = latest else {
                continue;
            };
            let stale = match latest {
                Found::Float(index) => is_stale_nan(columns.floats[index]),
                Found::Histogram(index) => is_stale_nan(columns.histograms[index].sum),
            };
            if end_ms.saturating_sub(time) < self.window.range_ms && !stale {
                found(step, latest);
            }
        }
    }

    /// Makes the time of the latest sample, or its start time, in seconds.
    pub(super) fn times(&self, start: bool, scratch: &mut Scratch, out: &mut StepSeries) {
        let columns = &scratch.columns;
        let start_of = |starts: &[i64], index: usize| starts.get(index).copied().unwrap_or(0);
        self.for_each_latest(columns, |step, found| {
            let time_ms = match (found, start) {
                (Found::Float(index), false) => columns.float_ts[index],
                (Found::Float(index), true) => start_of(&columns.float_start_ts, index),
                (Found::Histogram(index), false) => columns.histogram_ts[index],
                (Found::Histogram(index), true) => start_of(&columns.histogram_start_ts, index),
            };
            out.push(step, Value::Float(time_ms as f64 / 1000.0));
            scratch.counts.add(step, 1, 1);
        });
    }
}
