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
mod columns;
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
mod smoothing;
mod start_time;
mod steps;
mod variance;

use std::sync::Arc;

use obsq_model::{FloatHistogram, SampleColumns};
use obsq_query_lang::promql::Function;
use thiserror::Error;

pub(crate) use super::annotations::{RangeNote, RangeNotes};
pub(crate) use super::outcome::Value;
pub(crate) use classic::{ClassicBucket, bucket_fraction, bucket_quantile};
pub(crate) use columns::drop_stale;
pub(crate) use histogram_stats::{histogram_average, histogram_stddev, histogram_stdvar};
pub(crate) use interpolate::{extend_floats, smoothed_value};
pub(crate) use order::quantile;
pub(crate) use quantile::{histogram_fraction, histogram_quantile};
pub(crate) use steps::{WindowSteps, evaluate_steps};

/// The samples of one series, staleness markers left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Samples<'a> {
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
}

/// The samples that one step looks at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window<'a> {
    /// The samples in `(start_ms, end_ms]`; for `anchored` and `smoothed` ranges also those that
    /// lie within the lookback around it.
    pub(crate) samples: Samples<'a>,
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

/// The scalar arguments of a range function at one step, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct RangeParams {
    /// The quantile, the seconds to predict, the smoothing factor.
    pub(crate) first: f64,
    /// The trend factor.
    pub(crate) second: f64,
}

/// Why a range function cannot be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub(crate) enum KernelError {
    /// A smoothing factor that is not between 0 and 1.
    #[error("invalid smoothing factor. Expected: 0 < sf < 1, got: {0:.6}")]
    SmoothingFactor(f64),
    /// A trend factor that is not between 0 and 1.
    #[error("invalid trend factor. Expected: 0 < tf < 1, got: {0:.6}")]
    TrendFactor(f64),
}

impl<'a> Samples<'a> {
    /// Returns the samples of `columns`, which must hold no staleness markers.
    pub(crate) fn new(columns: &'a SampleColumns) -> Self {
        Self {
            float_ts: &columns.float_ts,
            floats: &columns.floats,
            float_start_ts: &columns.float_start_ts,
            histogram_ts: &columns.histogram_ts,
            histograms: &columns.histograms,
            histogram_start_ts: &columns.histogram_start_ts,
        }
    }

    /// Says whether there is no sample.
    pub(crate) fn is_empty(&self) -> bool {
        self.float_ts.is_empty() && self.histogram_ts.is_empty()
    }

    /// Says whether there are both floats and histograms.
    fn is_mixed(&self) -> bool {
        !self.float_ts.is_empty() && !self.histogram_ts.is_empty()
    }
}

impl Window<'_> {
    /// Returns the width of the range in seconds.
    fn range_seconds(&self) -> f64 {
        let width = self.end_ms.saturating_sub(self.start_ms);
        // Whole seconds and the rest are added up as upstream does it.
        (width / 1000) as f64 + (width % 1000 * 1_000_000) as f64 / 1e9
    }
}

/// Returns the value of range function `function` in `window`; `None` when it has none, also for
/// functions that are no range functions.
///
/// # Errors
///
/// Parameters out of range, where upstream fails the query rather than warning. They are only
/// looked at when there is a sample.
pub(crate) fn evaluate(
    function: Function,
    window: &Window<'_>,
    params: RangeParams,
    notes: &mut RangeNotes,
) -> Result<Option<Value>, KernelError> {
    if window.samples.is_empty() {
        return Ok(None);
    }
    let samples = &window.samples;
    Ok(match function {
        Function::Rate => extrapolate::rate(window, notes),
        Function::Increase => extrapolate::increase(window, notes),
        Function::Delta => extrapolate::delta(window, notes),
        Function::Irate => instant_rate::irate(samples, notes),
        Function::Idelta => instant_rate::idelta(samples, notes),
        Function::Resets => changes::resets(window),
        Function::Changes => changes::changes(window),
        Function::SumOverTime => over_time::sum(samples, notes),
        Function::AvgOverTime => over_time::average(samples, notes),
        Function::CountOverTime => Some(over_time::count(samples)),
        Function::PresentOverTime | Function::AbsentOverTime => Some(Value::Float(1.0)),
        Function::FirstOverTime => over_time::first(samples),
        Function::LastOverTime => over_time::last(samples),
        Function::TsOfFirstOverTime => over_time::time_of_first(samples),
        Function::TsOfLastOverTime => over_time::time_of_last(samples),
        Function::MinOverTime => order::min(samples, notes),
        Function::MaxOverTime => order::max(samples, notes),
        Function::TsOfMinOverTime => order::time_of_min(samples, notes),
        Function::TsOfMaxOverTime => order::time_of_max(samples, notes),
        Function::QuantileOverTime => order::quantile_over_time(samples, params.first, notes),
        Function::MadOverTime => order::median_deviation(samples, notes),
        Function::StddevOverTime => variance::stddev_over_time(samples, notes),
        Function::StdvarOverTime => variance::stdvar_over_time(samples, notes),
        Function::Deriv => regression::deriv(samples, notes),
        Function::PredictLinear => regression::predict_linear(window, params.first, notes),
        Function::DoubleExponentialSmoothing => smoothing::smooth(samples, params, notes)?,
        _ => None,
    })
}

/// Says whether a metric's name is one that a counter may have.
pub(crate) fn has_counter_suffix(metric: &str) -> bool {
    ["_total", "_sum", "_count", "_bucket"]
        .iter()
        .any(|suffix| metric.ends_with(suffix))
}

#[cfg(test)]
mod testing;
