//! A function over the samples in a window, at each step.
//!
//! The windows slide: both ends of each window are found by moving on from those of the step
//! before, so finding all windows takes time in proportion to samples and steps.

use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram, SampleColumns};
use obsq_query_lang::promql::Function;

use super::{Cost, Scan, Scratch, stats};
use crate::promql::error::{ParameterError, QueryError};
use crate::promql::grid::Grid;
use crate::promql::kernels::{RangeParams, Samples, WindowSteps, drop_stale, evaluate_steps};
use crate::promql::meter::FrameCounts;
use crate::promql::outcome::Value;
use crate::promql::output::Scalar;
use crate::promql::plan::WindowSpec;
use crate::promql::series::{FloatColumn, StepSeries, histogram_samples};

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

/// Consecutive positions in a column.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    start: usize,
    end: usize,
}

impl Slice {
    /// Moves on to the samples in `(after_ms, upto_ms]`.
    fn slide(&mut self, times: &[i64], after_ms: i64, upto_ms: i64) {
        while times.get(self.end).is_some_and(|time| *time <= upto_ms) {
            self.end += 1;
        }
        while self.start < self.end && times[self.start] <= after_ms {
            self.start += 1;
        }
    }

    fn of<'a, T>(&self, column: &'a [T]) -> &'a [T] {
        column.get(self.start..self.end).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    /// Returns how many samples at the end of the slice are later than `cutoff_ms`.
    fn later_than(&self, times: &[i64], cutoff_ms: i64) -> usize {
        let times = self.of(times).iter().rev();
        times.take_while(|time| **time > cutoff_ms).count()
    }
}

/// The windows of one series, one after the other.
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
        let mut sizes = Vec::new();
        if !columns.histograms.is_empty() {
            sizes.push(0);
            let mut sum = 0;
            sizes.extend(columns.histograms.iter().map(|histogram| {
                sum += histogram_samples(histogram);
                sum
            }));
        }
        Self {
            spec,
            columns,
            floats: Slice::default(),
            histograms: Slice::default(),
            sizes,
        }
    }

    /// Moves on to the window of a step.
    fn slide(&mut self, step_ms: i64) {
        let end_ms = self.spec.end(step_ms);
        let after_ms = end_ms.saturating_sub(self.spec.reach_back_ms());
        let upto_ms = end_ms.saturating_add(self.spec.reach_ahead_ms());
        self.floats.slide(&self.columns.float_ts, after_ms, upto_ms);
        self.histograms
            .slide(&self.columns.histogram_ts, after_ms, upto_ms);
    }

    /// Returns the number of samples in the present window.
    fn samples(&self) -> usize {
        let upto = |index: usize| self.sizes.get(index).copied().unwrap_or(0);
        self.floats.len() + upto(self.histograms.end) - upto(self.histograms.start)
    }

    /// Returns how many samples of the present window are later than `cutoff_ms`.
    fn later_than(&self, cutoff_ms: i64) -> usize {
        let floats = self.floats.later_than(&self.columns.float_ts, cutoff_ms);
        let histograms = self
            .histograms
            .later_than(&self.columns.histogram_ts, cutoff_ms);
        let upto = |index: usize| self.sizes.get(index).copied().unwrap_or(0);
        let end = self.histograms.end;
        floats + upto(end) - upto(end - histograms)
    }

    /// Counts the present window as looked at, and as read what the step before had not.
    fn count(&self, step: usize, grid: Grid, computed: bool, counts: &mut FrameCounts) {
        let total = self.samples();
        let read = match (computed, step) {
            (true, _) => 0,
            (_, 0) => total,
            _ if self.spec.at_ms.is_some() => 0,
            _ => {
                let newest = self.spec.end(grid.time(step));
                let newest = newest.saturating_add(self.spec.reach_ahead_ms());
                self.later_than(newest.saturating_sub(grid.step_ms))
            }
        };
        counts.add(step, total as u64, read as u64);
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
        let cost = self.count_windows(columns, &mut scratch.counts);
        let mut samples = Samples::new(columns);
        if !self.task.wants_start_timestamps() {
            (samples.float_start_ts, samples.histogram_start_ts) = (&[], &[]);
        }
        let params = |step| {
            let param = |index: usize| scalars.get(index).map_or(0.0, |scalar| scalar.get(step));
            RangeParams {
                first: param(0),
                second: param(1),
            }
        };
        let mut floats = FloatColumn::with_capacity(self.grid.steps);
        let histograms = &mut out.histograms;
        let emit = |step, value| match value {
            Value::Float(value) => floats.push(step, value),
            Value::Histogram(histogram) => histograms.push((step, histogram)),
        };
        let windows = self.window.steps(self.grid);
        evaluate_steps(
            function,
            &samples,
            &windows,
            params,
            &mut scratch.notes,
            emit,
        )
        .map_err(ParameterError::from)?;
        out.floats = floats;
        Ok(cost)
    }

    /// Counts the samples in all windows.
    fn count_windows(&self, columns: &SampleColumns, counts: &mut FrameCounts) -> Cost {
        let computed = matches!(self.input, super::Input::Computed(..));
        let mut windows = Windows::new(&self.window, columns);
        let mut cost = Cost::default();
        for step in 0..self.grid.steps {
            windows.slide(self.grid.time(step));
            let samples = windows.samples();
            cost.widest_window = cost.widest_window.max(samples);
            cost.last_window = samples;
            if samples > 0 {
                windows.count(step, self.grid, computed, counts);
            }
        }
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
