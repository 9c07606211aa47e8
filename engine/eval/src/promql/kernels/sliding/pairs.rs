//! Functions that depend on which neighbours differ: `rate`, `increase`, `resets`, `changes`.

use std::collections::VecDeque;

use super::super::changes::is_change;
use super::super::extrapolate::{Extent, RateKind, stretch};
use super::super::start_time::Stamps;
use super::super::{RangeNotes, Window};
use super::Seen;

/// The samples of a window that differ from the one before in some way.
#[derive(Debug, Default)]
struct Marks<T> {
    seen: Seen,
    /// Times of the samples, rising, with what is kept of each.
    marks: VecDeque<(i64, T)>,
}

impl<T> Marks<T> {
    /// Moves on to `window`. `mark` says what is to be kept of the float at a position, which is
    /// never the first of the window: that one has no neighbour before it.
    fn advance(&mut self, window: &Window<'_>, mark: impl Fn(usize) -> Option<T>) {
        let first = self.seen.advance(window);
        for at in first.max(1)..window.float_ts.len() {
            if let Some(kept) = mark(at) {
                self.marks.push_back((window.float_ts[at], kept));
            }
        }
        let begin = window.float_ts.first().copied().unwrap_or(i64::MAX);
        while self.marks.front().is_some_and(|(ts, _)| *ts <= begin) {
            self.marks.pop_front();
        }
    }
}

/// `changes`
#[derive(Debug, Default)]
pub(super) struct ChangeCount {
    marks: Marks<()>,
}

impl ChangeCount {
    pub(super) fn evaluate(&mut self, window: &Window<'_>) -> f64 {
        let floats = window.floats;
        self.marks.advance(window, |at| {
            is_change(floats[at - 1], floats[at]).then_some(())
        });
        self.marks.marks.len() as f64
    }
}

/// `resets`
#[derive(Debug, Default)]
pub(super) struct ResetCount {
    marks: Marks<()>,
}

impl ResetCount {
    pub(super) fn evaluate(&mut self, window: &Window<'_>) -> f64 {
        self.marks
            .advance(window, |at| is_reset(window, at).then_some(()));
        self.marks.marks.len() as f64
    }
}

fn is_reset(window: &Window<'_>, at: usize) -> bool {
    let stamps = Stamps::new(window.float_ts, window.float_start_ts);
    window.floats[at] < window.floats[at - 1] || stamps.is_reset(at)
}

/// `rate` and `increase`: what was lost at the resets of a window is added in their order, as the
/// function of one window does it.
#[derive(Debug)]
pub(super) struct RateSlide {
    kind: RateKind,
    /// The values before resets.
    lost: Marks<f64>,
    overlaps: Marks<()>,
}

impl RateSlide {
    pub(super) fn new(kind: RateKind) -> Self {
        Self {
            kind,
            lost: Marks::default(),
            overlaps: Marks::default(),
        }
    }

    pub(super) fn evaluate(&mut self, window: &Window<'_>, notes: &mut RangeNotes) -> Option<f64> {
        let floats = window.floats;
        let last = floats.len() - 1;
        let stamps = Stamps::new(window.float_ts, window.float_start_ts);
        self.lost
            .advance(window, |at| is_reset(window, at).then(|| floats[at - 1]));
        let mut difference = floats[last] - floats[0];
        for (_, lost) in &self.lost.marks {
            difference += lost;
        }
        if stamps.known() {
            self.overlaps
                .advance(window, |at| stamps.overlaps(at).then_some(()));
            if !self.overlaps.marks.is_empty() {
                notes.note_start_time_overlap();
            }
        }
        let extent = Extent::new(window, stamps, last, self.kind);
        stretch(window, self.kind, &extent, floats[0], difference)
    }
}
