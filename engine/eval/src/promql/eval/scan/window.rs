//! A function over the samples in a window, at each step.
//!
//! The windows slide: both ends of each window are found by moving on from those of the step
//! before, so finding all windows takes time in proportion to samples and steps.

use std::ops::Range;
use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram, SampleColumns};
use obsq_query_lang::promql::Function;

use super::{Cost, Scan, Scratch, stats};
use crate::promql::error::{ParameterError, QueryError};
use crate::promql::grid::Grid;
use crate::promql::kernels::{RangeParams, Samples, WindowSteps, drop_stale, evaluate_steps};
use crate::promql::meter::FrameCounts;
use crate::promql::output::Scalar;
use crate::promql::plan::WindowSpec;
use crate::promql::series::{StepSeries, histogram_samples};

/// Fills `columns` with the values of a subquery's series.
///
/// What is known about counter resets between stored samples does not hold between the samples
/// that a subquery picked, so it is forgotten.
pub(super) fn columns_of(series: &StepSeries, grid: Grid, columns: &mut SampleColumns) {
    columns.clear();
    for (step, value) in series.floats.iter() {
        columns.float_ts.push(grid.time(step));
        columns.floats.push(value);
    }
    for (step, histogram) in &series.histograms {
        columns.histogram_ts.push(grid.time(*step));
        columns.histograms.push(without_reset_hint(histogram));
    }
}

fn without_reset_hint(histogram: &Arc<FloatHistogram>) -> Arc<FloatHistogram> {
    match histogram.counter_reset_hint {
        CounterResetHint::Unknown | CounterResetHint::Gauge => Arc::clone(histogram),
        CounterResetHint::Reset | CounterResetHint::NotReset => Arc::new(FloatHistogram {
            counter_reset_hint: CounterResetHint::Unknown,
            ..FloatHistogram::clone(histogram)
        }),
    }
}

/// Samples in windows after which the deadline is looked at again.
const SAMPLES_BETWEEN_CHECKS: usize = 1 << 22;

/// Consecutive positions in a column: those of the samples in a window.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    start: usize,
    end: usize,
    /// Where the samples begin that the window before did not reach.
    fresh: usize,
}

impl Slice {
    /// Moves on to the samples in `(after_ms, upto_ms]`.
    fn slide(&mut self, times: &[i64], after_ms: i64, upto_ms: i64) {
        let before = self.end;
        while times.get(self.end).is_some_and(|time| *time <= upto_ms) {
            self.end += 1;
        }
        while self.start < self.end && times[self.start] <= after_ms {
            self.start += 1;
        }
        self.fresh = before.max(self.start);
    }
}

/// Counts the samples in the windows of one series, one window after the other.
#[derive(Debug)]
struct Windows<'a> {
    spec: &'a WindowSpec,
    columns: &'a SampleColumns,
    floats: Slice,
    histograms: Slice,
    /// `sizes[i]` is the size of the first `i` histograms, as samples count.
    sizes: Vec<usize>,
}

impl<'a> Windows<'a> {
    fn new(spec: &'a WindowSpec, columns: &'a SampleColumns) -> Self {
        let mut sum = 0;
        let sizes = columns.histograms.iter().map(|histogram| {
            sum += histogram_samples(histogram);
            sum
        });
        Self {
            spec,
            columns,
            floats: Slice::default(),
            histograms: Slice::default(),
            sizes: std::iter::once(0).chain(sizes).collect(),
        }
    }

    /// Moves on to the window of a step. Returns how many samples it holds, and how many of them
    /// the windows before did not.
    fn slide(&mut self, step_ms: i64) -> (usize, usize) {
        let end_ms = self.spec.end(step_ms);
        let after_ms = end_ms.saturating_sub(self.spec.reach_back_ms());
        let upto_ms = end_ms.saturating_add(self.spec.reach_ahead_ms());
        let (floats, histograms) = (&mut self.floats, &mut self.histograms);
        floats.slide(&self.columns.float_ts, after_ms, upto_ms);
        histograms.slide(&self.columns.histogram_ts, after_ms, upto_ms);
        let size = |from: usize| self.sizes[histograms.end] - self.sizes[from];
        let all = floats.end - floats.start + size(histograms.start);
        let fresh = floats.end - floats.fresh + size(histograms.fresh);
        (all, fresh)
    }
}

impl Scan {
    /// Applies a range function to all windows of a series.
    pub(super) fn call(
        &self,
        function: Function,
        scalars: &[Scalar],
        scratch: &mut Scratch,
        out: &mut StepSeries,
    ) -> Result<Cost, QueryError> {
        let columns = &mut scratch.columns;
        drop_stale(columns);
        if self.histogram_stats && !columns.histograms.is_empty() {
            stats::reduce(columns, self.grid, &self.window, stats::Access::Window);
        }
        if columns.is_empty() {
            return Ok(Cost::default());
        }
        let busy = self.busy_steps(columns);
        let cost = self.count_windows(columns, &busy, &mut scratch.counts);
        let mut samples = Samples::new(columns);
        if !self.task.wants_start_timestamps() {
            (samples.float_start_ts, samples.histogram_start_ts) = (&[], &[]);
        }
        // With wide windows a series can take long by itself.
        let together = (SAMPLES_BETWEEN_CHECKS / cost.widest_window.max(1)).max(1);
        for first in busy.clone().step_by(together) {
            self.context.check()?;
            let steps = first..busy.end.min(first.saturating_add(together));
            let params = |step| {
                let scalar = |scalar: &Scalar| scalar.get(first + step);
                let param = |index: usize| scalars.get(index).map_or(0.0, scalar);
                RangeParams {
                    first: param(0),
                    second: param(1),
                }
            };
            let emit = |step, value| out.push(first + step, value);
            let windows = self.window.steps(self.grid.part(&steps));
            let notes = &mut scratch.notes;
            evaluate_steps(function, &samples, &windows, params, notes, emit)
                .map_err(ParameterError::from)?;
        }
        Ok(cost)
    }

    /// Returns the steps whose windows may hold a sample; the others yield nothing.
    pub(super) fn busy_steps(&self, columns: &SampleColumns) -> Range<usize> {
        let (floats, histograms) = (&columns.float_ts, &columns.histogram_ts);
        let first_ms = floats.first().into_iter().chain(histograms.first()).min();
        let last_ms = floats.last().into_iter().chain(histograms.last()).max();
        match (first_ms, last_ms) {
            (Some(first_ms), Some(last_ms)) => {
                self.window.busy_steps(self.grid, *first_ms, *last_ms)
            }
            _ => 0..0,
        }
    }

    /// Counts the samples in all windows, those of steps that are not `busy` being empty.
    fn count_windows(
        &self,
        columns: &SampleColumns,
        busy: &Range<usize>,
        counts: &mut FrameCounts,
    ) -> Cost {
        let computed = matches!(self.input, super::Input::Computed(..));
        if columns.histogram_ts.is_empty() && counts.per_step.is_empty() {
            return self.count_float_windows(&columns.float_ts, busy, computed, counts);
        }
        let mut windows = Windows::new(&self.window, columns);
        let mut cost = Cost::default();
        let (mut total, mut read) = (0, 0);
        for step in busy.clone() {
            let (all, fresh) = windows.slide(self.grid.time(step));
            cost.widest_window = cost.widest_window.max(all);
            cost.last_window = all;
            // What a subquery read is counted where it was read.
            let fresh = if computed { 0 } else { fresh };
            if counts.per_step.is_empty() {
                total += all as u64;
                read += fresh as u64;
            } else {
                counts.add(step, all as u64, fresh as u64);
            }
        }
        if busy.end < self.grid.steps {
            cost.last_window = 0;
        }
        counts.total += total;
        counts.read += read;
        cost
    }
}

impl Scan {
    /// The same for floats alone, when nobody asks at which step they were read.
    fn count_float_windows(
        &self,
        times: &[i64],
        busy: &Range<usize>,
        computed: bool,
        counts: &mut FrameCounts,
    ) -> Cost {
        let (back_ms, ahead_ms) = (self.window.reach_back_ms(), self.window.reach_ahead_ms());
        let mut cost = Cost::default();
        let mut slice = Slice::default();
        let (mut total, mut read) = (0, 0);
        for step in busy.clone() {
            let end_ms = self.window.end(self.grid.time(step));
            slice.slide(
                times,
                end_ms.saturating_sub(back_ms),
                end_ms.saturating_add(ahead_ms),
            );
            let all = slice.end - slice.start;
            cost.widest_window = cost.widest_window.max(all);
            cost.last_window = all;
            total += all as u64;
            read += (slice.end - slice.fresh) as u64;
        }
        if busy.end < self.grid.steps {
            cost.last_window = 0;
        }
        counts.total += total;
        // What a subquery read is counted where it was read.
        counts.read += if computed { 0 } else { read };
        cost
    }
}

impl WindowSpec {
    /// Returns the windows of all steps of `grid`.
    fn steps(&self, grid: Grid) -> WindowSteps {
        WindowSteps {
            steps: grid.steps,
            first_end_ms: self.end(grid.start_ms),
            end_step_ms: if self.at_ms.is_some() {
                0
            } else {
                grid.step_ms
            },
            first_step_ms: grid.start_ms,
            step_ms: grid.step_ms,
            range_ms: self.range_ms,
            lookback_ms: self.lookback_ms,
            edges: self.edges,
        }
    }
}
