//! The arithmetic of range functions and of native histograms.
//!
//! A kernel is a pure function over the samples of one series in one window (or over a whole
//! column and all its windows). It knows no labels, no query text and no source; what it has to
//! say beyond its value goes into [`RangeNotes`], to which the caller adds metric name and place.
//!
//! Source of the meaning: Prometheus 3.x, `promql/functions.go` and `promql/quantile.go`. Sums are
//! compensated wherever upstream's are, in the same order, so that results are the same to the
//! bit but for the libm functions.

mod changes;
mod classic;
mod extended;
mod extrapolate;
mod histogram_rate;
mod histogram_stats;
mod instant_rate;
mod interpolate;
mod order;
mod over_time;
mod quantile;
mod regression;
mod sliding;
mod smoothing;
mod start_time;
mod variance;

use std::sync::Arc;

use obsq_model::FloatHistogram;
use obsq_query_lang::promql::Function;

pub(crate) use super::annotations::{RangeNote, RangeNotes};
pub(crate) use super::outcome::Value;
pub(crate) use classic::{ClassicBucket, bucket_fraction, bucket_quantile};
pub(crate) use histogram_stats::{histogram_average, histogram_stddev, histogram_stdvar};
pub(crate) use interpolate::interpolate_histograms;
pub(crate) use order::quantile;
pub(crate) use quantile::{histogram_fraction, histogram_quantile};
pub(crate) use sliding::RangeKernel;
pub(crate) use variance::Variance;

/// The samples of one series that one step looks at, staleness markers left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window<'a> {
    /// Times in ms of the floats in `(start_ms, end_ms]`, strictly rising; for `anchored` and
    /// `smoothed` ranges also of those within the lookback around it.
    pub(crate) float_ts: &'a [i64],
    /// Floats, as long as `float_ts`.
    pub(crate) floats: &'a [f64],
    /// Start timestamps of the floats: empty, or as long as `float_ts` with 0 for unknown.
    pub(crate) float_start_ts: &'a [i64],
    /// Times of the histograms in ms, strictly rising, in the same range.
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
    /// Says whether there is no sample.
    fn is_empty(&self) -> bool {
        self.float_ts.is_empty() && self.histogram_ts.is_empty()
    }

    /// Says whether there are both floats and histograms.
    fn is_mixed(&self) -> bool {
        !self.float_ts.is_empty() && !self.histogram_ts.is_empty()
    }

    /// Returns the width of the range in seconds.
    fn range_seconds(&self) -> f64 {
        let width = self.end_ms.saturating_sub(self.start_ms);
        // Whole seconds and the rest are added up as upstream does it.
        (width / 1000) as f64 + (width % 1000 * 1_000_000) as f64 / 1e9
    }
}

/// Returns the value of range function `function` in `window`; `None` when it has none, also for
/// functions that are no range functions. `params` are the scalar arguments in the order in which
/// they are written.
fn evaluate(
    function: Function,
    window: &Window<'_>,
    params: &[f64; 2],
    notes: &mut RangeNotes,
) -> Option<Value> {
    if window.is_empty() {
        return None;
    }
    match function {
        Function::Rate => extrapolate::rate(window, notes),
        Function::Increase => extrapolate::increase(window, notes),
        Function::Delta => extrapolate::delta(window, notes),
        Function::Irate => instant_rate::irate(window, notes),
        Function::Idelta => instant_rate::idelta(window, notes),
        Function::Resets => changes::resets(window),
        Function::Changes => changes::changes(window),
        Function::SumOverTime => over_time::sum(window, notes),
        Function::AvgOverTime => over_time::average(window, notes),
        Function::CountOverTime => Some(over_time::count(window)),
        Function::PresentOverTime | Function::AbsentOverTime => Some(Value::Float(1.0)),
        Function::FirstOverTime => over_time::first(window),
        Function::LastOverTime => over_time::last(window),
        Function::TsOfFirstOverTime => over_time::time_of_first(window),
        Function::TsOfLastOverTime => over_time::time_of_last(window),
        Function::MinOverTime => order::min(window, notes),
        Function::MaxOverTime => order::max(window, notes),
        Function::TsOfMinOverTime => order::time_of_min(window, notes),
        Function::TsOfMaxOverTime => order::time_of_max(window, notes),
        Function::QuantileOverTime => order::quantile_over_time(window, params[0], notes),
        Function::MadOverTime => order::median_deviation(window, notes),
        Function::StddevOverTime => variance::stddev_over_time(window, notes),
        Function::StdvarOverTime => variance::stdvar_over_time(window, notes),
        Function::Deriv => regression::deriv(window, notes),
        Function::PredictLinear => regression::predict_linear(window, params[0], notes),
        Function::DoubleExponentialSmoothing => smoothing::smooth(window, params, notes),
        _ => None,
    }
}

#[cfg(test)]
mod testing;
