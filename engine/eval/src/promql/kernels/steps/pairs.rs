//! Functions that depend on which neighbours differ: `rate`, `increase`, `resets`, `changes`.

use std::convert::Infallible;
use std::ops::Range;

use super::super::changes::is_change;
use super::super::extrapolate::{Extent, RateKind, Stretcher, histogram_rate_with, stretch};
use super::super::histogram_rate::lies_behind_reset;
use super::super::start_time::Stamps;
use super::super::{RangeNotes, Samples, Value, Window};
use super::WindowSteps;

/// The samples of a column that differ from the one before in some way, in rising order.
#[derive(Debug, Default)]
struct Marks {
    positions: Vec<usize>,
    low: usize,
    high: usize,
}

impl Marks {
    fn new(samples: usize, marked: impl Fn(usize) -> bool) -> Self {
        Self {
            positions: (1..samples).filter(|index| marked(*index)).collect(),
            ..Self::default()
        }
    }

    /// Returns the marks of a window whose first sample has no neighbour before it. Windows must
    /// not move back.
    fn within(&mut self, window: &Range<usize>) -> &[usize] {
        while self
            .positions
            .get(self.low)
            .is_some_and(|at| *at <= window.start)
        {
            self.low += 1;
        }
        self.high = self.high.max(self.low);
        while self
            .positions
            .get(self.high)
            .is_some_and(|at| *at < window.end)
        {
            self.high += 1;
        }
        &self.positions[self.low..self.high]
    }
}

fn each_window(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    mut visit: impl FnMut(usize, &super::Cut),
) {
    let done: Result<(), Infallible> = windows.for_each(samples, |step, cut| {
        visit(step, cut);
        Ok(())
    });
    let Ok(()) = done;
}

pub(super) fn changes(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    mut emit: impl FnMut(usize, f64),
) {
    let floats = samples.floats;
    let mut marks = Marks::new(floats.len(), |at| is_change(floats[at - 1], floats[at]));
    each_window(samples, windows, |step, cut| {
        emit(step, marks.within(&cut.floats).len() as f64);
    });
}

pub(super) fn resets(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    mut emit: impl FnMut(usize, f64),
) {
    let mut marks = reset_marks(samples);
    each_window(samples, windows, |step, cut| {
        emit(step, marks.within(&cut.floats).len() as f64);
    });
}

fn reset_marks(samples: &Samples<'_>) -> Marks {
    let floats = samples.floats;
    let stamps = Stamps::new(samples.float_ts, samples.float_start_ts);
    Marks::new(floats.len(), |at| {
        floats[at] < floats[at - 1] || stamps.is_reset(at)
    })
}

/// Evaluates `rate` or `increase`: what was lost at the resets of a window is added in their
/// order, as the function of one window does it.
pub(super) fn rates(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    kind: RateKind,
    notes: &mut RangeNotes,
    mut emit: impl FnMut(usize, f64),
) {
    if samples.float_start_ts.is_empty() {
        plain_rates(samples, windows, kind, emit);
        return;
    }
    let floats = samples.floats;
    let stamps = Stamps::new(samples.float_ts, samples.float_start_ts);
    let mut resets = reset_marks(samples);
    let mut overlaps = Marks::new(samples.float_start_ts.len(), |at| stamps.overlaps(at));
    each_window(samples, windows, |step, cut| {
        let range = &cut.floats;
        let (first, last) = (floats[range.start], floats[range.end - 1]);
        let mut difference = last - first;
        for at in resets.within(range) {
            difference += floats[at - 1];
        }
        if !overlaps.within(range).is_empty() {
            notes.note_start_time_overlap();
        }
        let window = samples.window(cut, windows.edges);
        let stamps = Stamps::new(window.samples.float_ts, window.samples.float_start_ts);
        let extent = Extent::new(&window, stamps, range.len() - 1, kind);
        if let Some(value) = stretch(&window, kind, &extent, first, difference) {
            emit(step, value);
        }
    });
}

/// The same without start timestamps, which most counters do not have.
fn plain_rates(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    kind: RateKind,
    mut emit: impl FnMut(usize, f64),
) {
    let (times, floats) = (samples.float_ts, samples.floats);
    let mut resets = Marks::new(floats.len(), |at| floats[at] < floats[at - 1]);
    let (mut low, mut high) = (0, 0);
    let mut stretcher: Option<Stretcher> = None;
    for step in 0..windows.steps {
        let (start_ms, end_ms, step_ms) = windows.window(step);
        while times.get(high).is_some_and(|time| *time <= end_ms) {
            high += 1;
        }
        while low < high && times[low] <= start_ms {
            low += 1;
        }
        // One sample has no rate.
        if high - low < 2 {
            continue;
        }
        let (first, last) = (floats[low], floats[high - 1]);
        let mut difference = last - first;
        for at in resets.within(&(low..high)) {
            difference += floats[at - 1];
        }
        let extent = Extent {
            first_ms: times[low],
            last_ms: times[high - 1],
            samples: high - low,
            started_ms: None,
            window_start_ms: start_ms,
            window_end_ms: end_ms,
        };
        let window = || Window {
            start_ms,
            end_ms,
            step_ms,
            ..Window::default()
        };
        let stretcher = stretcher.get_or_insert_with(|| Stretcher::new(&window(), kind));
        if let Some(value) = stretcher.stretch(&extent, first, difference) {
            emit(step, value);
        }
    }
}

/// Evaluates `rate` or `increase` of histograms: each one is compared with its neighbour once, not
/// once per window.
pub(super) fn histogram_rates(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    kind: RateKind,
    notes: &mut RangeNotes,
    mut emit: impl FnMut(usize, Value),
) {
    let stamps = Stamps::new(samples.histogram_ts, samples.histogram_start_ts);
    let resets: Vec<bool> = (0..samples.histograms.len())
        .map(|at| at > 0 && lies_behind_reset(samples.histograms, stamps, at))
        .collect();
    each_window(samples, windows, |step, cut| {
        let window = samples.window(cut, windows.edges);
        let is_reset = |index: usize| resets[cut.histograms.start + index];
        if let Some(value) = histogram_rate_with(&window, kind, is_reset, notes) {
            emit(step, value);
        }
    });
}
