//! Range functions over the windows of one series, one step after the other.
//!
//! Windows mostly overlap the one before. Where a function needs only what changes at the two
//! ends, and carrying the rest along does not change a bit of the result, it looks at each sample
//! once: counts of changes and resets, extremes, and the places of resets for rates. Everything
//! else looks at each window anew.

mod extremes;
mod pairs;

use obsq_query_lang::promql::Function;

use super::extrapolate::RateKind;
use super::order::Extreme;
use super::{Edges, RangeNotes, Value, Window, evaluate};

use extremes::Extremes;
use pairs::{ChangeCount, RateSlide, ResetCount};

/// A range function and what it carries from one window of a series to the next.
#[derive(Debug)]
pub(crate) struct RangeKernel {
    function: Function,
    carried: Carried,
    /// Ends of the window before.
    before: Option<(i64, i64)>,
}

#[derive(Debug)]
enum Carried {
    Nothing,
    Changes(ChangeCount),
    Resets(ResetCount),
    Rate(RateSlide),
    Extremes(Extremes),
}

impl Carried {
    fn new(function: Function) -> Self {
        match function {
            Function::Changes => Self::Changes(ChangeCount::default()),
            Function::Resets => Self::Resets(ResetCount::default()),
            Function::Rate => Self::Rate(RateSlide::new(RateKind::RATE)),
            Function::Increase => Self::Rate(RateSlide::new(RateKind::INCREASE)),
            Function::MinOverTime => Self::Extremes(Extremes::values(Extreme::Min)),
            Function::MaxOverTime => Self::Extremes(Extremes::values(Extreme::Max)),
            Function::TsOfMinOverTime => Self::Extremes(Extremes::times(Extreme::Min)),
            Function::TsOfMaxOverTime => Self::Extremes(Extremes::times(Extreme::Max)),
            _ => Self::Nothing,
        }
    }
}

impl RangeKernel {
    /// Returns the kernel of `function` for one series.
    pub(crate) fn new(function: Function) -> Self {
        Self {
            function,
            carried: Carried::new(function),
            before: None,
        }
    }

    /// Returns the value of the function in `window`; `None` when it has none there. `params` are
    /// the scalar arguments in the order in which they are written, checked by the caller.
    ///
    /// Windows must come from one series. They may move in any direction, but only those that move
    /// ahead are fast.
    pub(crate) fn evaluate(
        &mut self,
        window: &Window<'_>,
        params: &[f64; 2],
        notes: &mut RangeNotes,
    ) -> Option<Value> {
        if window.is_empty() {
            return None;
        }
        if window.edges != Edges::Plain || !window.histogram_ts.is_empty() {
            return evaluate(self.function, window, params, notes);
        }
        let moved_ahead = self.before.is_none_or(|(start_ms, end_ms)| {
            start_ms <= window.start_ms && end_ms <= window.end_ms
        });
        if !moved_ahead {
            self.carried = Carried::new(self.function);
        }
        self.before = Some((window.start_ms, window.end_ms));
        let value = match &mut self.carried {
            Carried::Nothing => return evaluate(self.function, window, params, notes),
            Carried::Changes(changes) => changes.evaluate(window),
            Carried::Resets(resets) => resets.evaluate(window),
            Carried::Rate(rate) => rate.evaluate(window, notes)?,
            Carried::Extremes(extremes) => extremes.evaluate(window)?,
        };
        Some(Value::Float(value))
    }
}

/// How far the samples of a series have been looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    until_ms: Option<i64>,
}

impl Seen {
    /// Returns the position of the first float of the window that has not been looked at, and
    /// takes all of them for looked at.
    fn advance(&mut self, window: &Window<'_>) -> usize {
        let first = match self.until_ms {
            None => 0,
            Some(until_ms) => {
                let new = window.float_ts.iter().rev();
                let new = new.take_while(|ts| **ts > until_ms).count();
                window.float_ts.len() - new
            }
        };
        self.until_ms = window.float_ts.last().copied().or(self.until_ms);
        first
    }
}

#[cfg(test)]
mod tests;
