//! The arithmetic of range functions and of native histograms.
//!
//! A kernel is a pure function over the samples of one series in one window (or over a whole
//! column and all its windows). It knows no labels, no query text and no source; what it has to
//! say beyond its value goes into [`RangeNotes`], to which the caller adds metric name and place.

use std::sync::Arc;

use obsq_model::FloatHistogram;

pub(crate) use super::annotations::{RangeNote, RangeNotes};
pub(crate) use super::outcome::Value;

/// The samples of one series that one step looks at, staleness markers left out.
///
/// The window proper is `(start_ms, end_ms]`. For `anchored` and `smoothed` ranges the columns
/// also hold the samples around it that those look at: see [`Window::is_extended`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window<'a> {
    /// Times of the floats in ms, strictly rising.
    pub(crate) float_ts: &'a [i64],
    /// Floats, as long as `float_ts`.
    pub(crate) floats: &'a [f64],
    /// Start timestamps of the floats: empty, or as long as `float_ts` with 0 for unknown.
    pub(crate) float_start_ts: &'a [i64],
    /// Times of the histograms in ms, strictly rising.
    pub(crate) histogram_ts: &'a [i64],
    /// Histograms, as long as `histogram_ts`.
    pub(crate) histograms: &'a [Arc<FloatHistogram>],
    /// Start timestamps of the histograms: empty, or as long as `histogram_ts`.
    pub(crate) histogram_start_ts: &'a [i64],
    /// Left end of the range in ms, outside of it.
    pub(crate) start_ms: i64,
    /// Right end of the range in ms, inside.
    pub(crate) end_ms: i64,
    /// Time of the step in ms: `end_ms` without `offset` and `@`.
    pub(crate) step_ms: i64,
    /// How samples at the edges are taken.
    pub(crate) edges: Edges,
}

/// How a range takes the samples at and beyond its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Edges {
    /// Only what lies inside.
    #[default]
    Plain,
    /// `anchored`: the last sample at or before the left edge belongs to it.
    Anchored,
    /// `smoothed`: values at both edges are interpolated.
    Smoothed,
}

impl Window<'_> {
    /// Says whether the columns may hold samples outside the window.
    pub(crate) fn is_extended(&self) -> bool {
        self.edges != Edges::Plain
    }
}
