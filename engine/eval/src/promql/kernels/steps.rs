//! Range functions over all windows of one series at once.
//!
//! Windows are cut from the columns with two pointers, so that a query costs O(samples + steps)
//! where a function needs only the ends of its window, or what can be carried from one window to
//! the next without changing a bit of the result: counts of changes and resets, extremes, and the
//! places of resets for rates. Everything else looks at each window anew.

mod extremes;
mod pairs;

use std::ops::Range;

use obsq_query_lang::promql::Function;

use super::extrapolate::RateKind;
use super::order::Extreme;
use super::{Edges, KernelError, RangeNotes, RangeParams, Samples, Value, Window, evaluate};

/// The windows of all steps: `(end - range, end]`, evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowSteps {
    /// Number of steps.
    pub(crate) steps: usize,
    /// Right end of the first window in ms, inside.
    pub(crate) first_end_ms: i64,
    /// Distance between ends in ms; 0 when `@` fixes the window.
    pub(crate) end_step_ms: i64,
    /// Time of the first step in ms.
    pub(crate) first_step_ms: i64,
    /// Distance between steps in ms.
    pub(crate) step_ms: i64,
    /// Width of the windows in ms.
    pub(crate) range_ms: i64,
    /// How far `anchored` and `smoothed` windows look beyond their edges.
    pub(crate) lookback_ms: i64,
    /// How samples at the edges are taken.
    pub(crate) edges: Edges,
}

/// One step's part of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    floats: Range<usize>,
    histograms: Range<usize>,
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
}

impl WindowSteps {
    /// Returns where the window of `step` lies: left end (outside), right end, time of the step.
    fn window(&self, step: usize) -> (i64, i64, i64) {
        let at =
            |first: i64, distance: i64| first.saturating_add(distance.saturating_mul(step as i64));
        let end_ms = at(self.first_end_ms, self.end_step_ms);
        (
            end_ms.saturating_sub(self.range_ms),
            end_ms,
            at(self.first_step_ms, self.step_ms),
        )
    }

    /// Calls `visit` with each step and the samples of its window, in order. Windows without any
    /// sample are left out.
    fn for_each<E>(
        &self,
        samples: &Samples<'_>,
        mut visit: impl FnMut(usize, &Cut) -> Result<(), E>,
    ) -> Result<(), E> {
        let (back_ms, ahead_ms) = match self.edges {
            Edges::Plain => (0, 0),
            Edges::Anchored => (self.lookback_ms, 0),
            Edges::Smoothed => (self.lookback_ms, self.lookback_ms),
        };
        let mut floats = Pointers::default();
        let mut histograms = Pointers::default();
        for step in 0..self.steps {
            let (start_ms, end_ms, step_ms) = self.window(step);
            let left = start_ms.saturating_sub(back_ms);
            let right = end_ms.saturating_add(ahead_ms);
            let cut = Cut {
                floats: floats.advance(samples.float_ts, left, right),
                histograms: histograms.advance(samples.histogram_ts, left, right),
                start_ms,
                end_ms,
                step_ms,
            };
            if !(cut.floats.is_empty() && cut.histograms.is_empty()) {
                visit(step, &cut)?;
            }
        }
        Ok(())
    }
}

/// Both ends of a window in a column; they only move ahead.
#[derive(Debug, Clone, Copy, Default)]
struct Pointers {
    low: usize,
    high: usize,
}

impl Pointers {
    /// Returns the samples in `(left, right]`.
    fn advance(&mut self, ts: &[i64], left: i64, right: i64) -> Range<usize> {
        self.low += count_up_to(&ts[self.low..], left);
        self.high = self.high.max(self.low);
        self.high += count_up_to(&ts[self.high..], right);
        self.low..self.high
    }
}

/// Returns how many of the rising `ts` are at or before `limit`, looking near the front first.
fn count_up_to(ts: &[i64], limit: i64) -> usize {
    const NEAR: usize = 8;
    let near = ts.len().min(NEAR);
    let found = ts[..near].iter().position(|at| *at > limit);
    match found {
        Some(position) => position,
        None => near + ts[near..].partition_point(|at| *at <= limit),
    }
}

fn part<T>(column: &[T], range: &Range<usize>) -> Range<usize> {
    if column.is_empty() {
        0..0
    } else {
        range.clone()
    }
}

impl<'a> Samples<'a> {
    /// Returns the samples of a cut.
    fn cut(&self, floats: &Range<usize>, histograms: &Range<usize>) -> Self {
        Samples {
            float_ts: &self.float_ts[floats.clone()],
            floats: &self.floats[floats.clone()],
            float_start_ts: &self.float_start_ts[part(self.float_start_ts, floats)],
            histogram_ts: &self.histogram_ts[histograms.clone()],
            histograms: &self.histograms[histograms.clone()],
            histogram_start_ts: &self.histogram_start_ts[part(self.histogram_start_ts, histograms)],
        }
    }

    fn window(&self, cut: &Cut, edges: Edges) -> Window<'a> {
        Window {
            samples: self.cut(&cut.floats, &cut.histograms),
            start_ms: cut.start_ms,
            end_ms: cut.end_ms,
            step_ms: cut.step_ms,
            edges,
        }
    }
}

/// Evaluates range function `function` at all steps and hands each value to `emit`, in order of
/// steps. `params` says what the scalar arguments are at a step.
///
/// The result is that of [`evaluate`] for each window, to the bit.
///
/// # Errors
///
/// As [`evaluate`].
pub(crate) fn evaluate_steps(
    function: Function,
    samples: &Samples<'_>,
    windows: &WindowSteps,
    params: impl Fn(usize) -> RangeParams,
    notes: &mut RangeNotes,
    mut emit: impl FnMut(usize, Value),
) -> Result<(), KernelError> {
    if windows.edges == Edges::Plain && samples.histogram_ts.is_empty() && windows.steps > 1 {
        let mut float = |step: usize, value: f64| emit(step, Value::Float(value));
        match function {
            Function::Rate => {
                pairs::rates(samples, windows, RateKind::RATE, notes, float);
                return Ok(());
            }
            Function::Increase => {
                pairs::rates(samples, windows, RateKind::INCREASE, notes, float);
                return Ok(());
            }
            Function::Resets => {
                pairs::resets(samples, windows, float);
                return Ok(());
            }
            Function::Changes => {
                pairs::changes(samples, windows, float);
                return Ok(());
            }
            Function::MinOverTime => {
                extremes::values(samples, windows, Extreme::Min, float);
                return Ok(());
            }
            Function::MaxOverTime => {
                extremes::values(samples, windows, Extreme::Max, float);
                return Ok(());
            }
            Function::TsOfMinOverTime => {
                extremes::times(samples, windows, Extreme::Min, &mut float);
                return Ok(());
            }
            Function::TsOfMaxOverTime => {
                extremes::times(samples, windows, Extreme::Max, &mut float);
                return Ok(());
            }
            _ => {}
        }
    }
    let kind = match function {
        Function::Rate => Some(RateKind::RATE),
        Function::Increase => Some(RateKind::INCREASE),
        _ => None,
    };
    if windows.edges == Edges::Plain
        && samples.float_ts.is_empty()
        && windows.steps > 1
        && let Some(kind) = kind
    {
        pairs::histogram_rates(samples, windows, kind, notes, emit);
        return Ok(());
    }
    windows.for_each(samples, |step, cut| {
        let window = samples.window(cut, windows.edges);
        if let Some(value) = evaluate(function, &window, params(step), notes)? {
            emit(step, value);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
