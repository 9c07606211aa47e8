//! Values between two samples, for `smoothed` and `anchored` selectors.

use std::sync::Arc;

use obsq_model::FloatHistogram;

use super::histogram_rate::{add_noted, is_gauge, sub_noted};
use super::{RangeNote, RangeNotes, Samples, Value};

/// A float and its time.
pub(super) type FloatPoint = (i64, f64);

/// A histogram and its time.
pub(super) type HistogramPoint<'a> = (i64, &'a FloatHistogram);

/// Returns the float at `ts_ms` on the line between two samples. A counter that was reset between
/// them is taken to have risen from zero.
pub(super) fn between(a: FloatPoint, b: FloatPoint, ts_ms: i64, counter: bool) -> f64 {
    let from = if counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (ts_ms - a.0) as f64 / (b.0 - a.0) as f64
}

/// Returns the histogram at `ts_ms` on the line between two samples; `None` when exponential and
/// custom buckets meet. A counter that was reset between them is taken to have risen from zero.
pub(super) fn between_histograms(
    a: HistogramPoint<'_>,
    b: HistogramPoint<'_>,
    ts_ms: i64,
    counter: bool,
    notes: &mut RangeNotes,
) -> Option<FloatHistogram> {
    if ts_ms == a.0 {
        return Some(a.1.clone());
    }
    if ts_ms == b.0 {
        return Some(b.1.clone());
    }
    let fraction = (ts_ms - a.0) as f64 / (b.0 - a.0) as f64;
    let mut result = b.1.clone();
    if counter && b.1.detect_reset(a.1) {
        result.mul(fraction);
        return Some(result);
    }
    sub_noted(&mut result, a.1, notes).ok()?;
    result.mul(fraction);
    add_noted(&mut result, a.1, notes).ok()?;
    Some(result)
}

/// Returns the value of a `smoothed` instant selector at `ts_ms`, from the samples that lie within
/// the lookback around it: a sample at that time, or what lies between its neighbours, or the
/// last sample while there is no later one.
pub(crate) fn smoothed_value(
    samples: &Samples<'_>,
    ts_ms: i64,
    notes: &mut RangeNotes,
) -> Option<Value> {
    if samples.is_mixed() {
        notes.note(RangeNote::MixedFloatsHistograms);
        return None;
    }
    if samples.histogram_ts.is_empty() {
        return smoothed_float(samples, ts_ms).map(Value::Float);
    }
    let at = samples.histogram_ts.partition_point(|ts| *ts < ts_ms);
    let point = |index: usize| (samples.histogram_ts[index], &*samples.histograms[index]);
    let later = samples.histogram_ts.get(at);
    if later == Some(&ts_ms) {
        return Some(Value::Histogram(Arc::clone(&samples.histograms[at])));
    }
    let before = point(at.checked_sub(1)?);
    let result = if later.is_none() {
        FloatHistogram {
            // The hint is about neighbouring samples, not about this one repeated.
            counter_reset_hint: obsq_model::CounterResetHint::Unknown,
            ..before.1.clone()
        }
    } else {
        let after = point(at);
        if before.1.uses_custom_buckets() != after.1.uses_custom_buckets() {
            notes.note(RangeNote::MixedExponentialCustom);
            return None;
        }
        let counter = !is_gauge(before.1) || !is_gauge(after.1);
        between_histograms(before, after, ts_ms, counter, notes)?
    };
    Some(Value::Histogram(Arc::new(result)))
}

fn smoothed_float(samples: &Samples<'_>, ts_ms: i64) -> Option<f64> {
    let at = samples.float_ts.partition_point(|ts| *ts < ts_ms);
    let point = |index: usize| (samples.float_ts[index], samples.floats[index]);
    match samples.float_ts.get(at) {
        Some(ts) if *ts == ts_ms => Some(samples.floats[at]),
        Some(_) if at > 0 => Some(between(point(at - 1), point(at), ts_ms, false)),
        Some(_) => None,
        None => Some(samples.floats[at.checked_sub(1)?]),
    }
}

/// Returns the floats of an `anchored` or `smoothed` range selector that is not an argument of a
/// function: those strictly inside the window, with one at each edge.
pub(crate) fn extend_floats(
    ts: &[i64],
    floats: &[f64],
    (start_ms, end_ms): (i64, i64),
    smoothed: bool,
) -> Vec<FloatPoint> {
    let Some(span) = EdgeSpan::find(ts, (start_ms, end_ms), smoothed) else {
        return Vec::new();
    };
    let edges = Boundary {
        ts,
        floats,
        span,
        smoothed,
        counter: false,
    };
    let inner = span.inner(ts, (start_ms, end_ms));
    let mut points = Vec::with_capacity(inner.len() + 2);
    points.push((start_ms, edges.left(start_ms)));
    points.extend(inner.map(|index| (ts[index], floats[index])));
    points.push((end_ms, edges.right(end_ms)));
    points
}

/// Which samples an extended window begins and ends with, both inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EdgeSpan {
    pub(super) first: usize,
    pub(super) last: usize,
}

impl EdgeSpan {
    /// Returns the last sample at or before the left edge (else the first of all), and the last
    /// sample of all, for smoothed ranges the first one at or behind the right edge. `None` when
    /// no sample lies behind the left edge.
    pub(super) fn find(ts: &[i64], (start_ms, end_ms): (i64, i64), smoothed: bool) -> Option<Self> {
        let mut last = ts.len().checked_sub(1)?;
        let first = ts[..last]
            .partition_point(|at| *at <= start_ms)
            .saturating_sub(1);
        if smoothed {
            last = ts[..last].partition_point(|at| *at < end_ms);
        }
        (ts[last] > start_ms).then_some(Self { first, last })
    }

    /// Returns the samples that lie strictly between the edges.
    pub(super) fn inner(
        self,
        ts: &[i64],
        (start_ms, end_ms): (i64, i64),
    ) -> std::ops::Range<usize> {
        let first = self.first + usize::from(ts[self.first] <= start_ms);
        let behind = self.last + usize::from(ts[self.last] < end_ms);
        first..behind.max(first)
    }
}

/// Floats of an extended window, for taking the values at its edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boundary<'a> {
    pub(super) ts: &'a [i64],
    pub(super) floats: &'a [f64],
    pub(super) span: EdgeSpan,
    pub(super) smoothed: bool,
    pub(super) counter: bool,
}

impl Boundary<'_> {
    pub(super) fn left(&self, start_ms: i64) -> f64 {
        let first = self.span.first;
        if self.smoothed && self.ts[first] < start_ms && first + 1 < self.ts.len() {
            return between(
                self.point(first),
                self.point(first + 1),
                start_ms,
                self.counter,
            );
        }
        self.floats[first]
    }

    pub(super) fn right(&self, end_ms: i64) -> f64 {
        let last = self.span.last;
        if self.smoothed && last > 0 && self.ts[last] > end_ms {
            return between(self.point(last - 1), self.point(last), end_ms, self.counter);
        }
        self.floats[last]
    }

    fn point(&self, index: usize) -> FloatPoint {
        (self.ts[index], self.floats[index])
    }
}

#[cfg(test)]
mod tests {
    use obsq_model::{CounterResetHint, SampleColumns};

    use super::super::testing::{
        custom, float, floats, gauge, histogram, histogram_of, histograms,
    };
    use super::*;

    fn smoothed(columns: &SampleColumns, ts_ms: i64) -> (Option<Value>, RangeNotes) {
        let mut notes = RangeNotes::default();
        let value = smoothed_value(&Samples::new(columns), ts_ms, &mut notes);
        (value, notes)
    }

    #[test]
    fn a_smoothed_float_lies_between_its_neighbours() {
        let columns = floats(10, &[1.0, 3.0, 2.0]);
        let cases = [
            (5, None),
            (10, Some(1.0)),
            (15, Some(2.0)),
            (20, Some(3.0)),
            (25, Some(2.5)),
            (99, Some(2.0)),
        ];
        for (ts_ms, expected) in cases {
            let found = smoothed(&columns, ts_ms).0.map(|value| float(Some(value)));
            assert_eq!(found, expected, "at {ts_ms}");
        }
    }

    #[test]
    fn a_smoothed_histogram_counts_up_from_zero_after_a_reset() {
        let counters = histograms(10, vec![histogram(&[4.0]), histogram(&[2.0])]);
        assert_eq!(histogram_of(smoothed(&counters, 15).0).count, 1.0);
        let gauges = histograms(10, vec![gauge(&[4.0]), gauge(&[2.0])]);
        assert_eq!(histogram_of(smoothed(&gauges, 15).0).count, 3.0);
        let kept = histogram_of(smoothed(&gauges, 25).0);
        assert_eq!(
            (kept.count, kept.counter_reset_hint),
            (2.0, CounterResetHint::Unknown)
        );
    }

    #[test]
    fn kinds_that_do_not_mix_are_noted() {
        let mut mixed = floats(10, &[1.0]);
        mixed.histogram_ts = vec![20];
        mixed.histograms = vec![Arc::new(histogram(&[1.0]))];
        let (value, notes) = smoothed(&mixed, 15);
        assert!(value.is_none() && notes.has(RangeNote::MixedFloatsHistograms));
        let schemas = histograms(10, vec![histogram(&[1.0]), custom(&[1.0], &[1.0])]);
        let (value, notes) = smoothed(&schemas, 15);
        assert!(value.is_none() && notes.has(RangeNote::MixedExponentialCustom));
    }

    #[test]
    fn an_extended_selector_has_a_sample_at_each_edge() {
        let (ts, floats) = ([10, 20, 30, 40], [1.0, 2.0, 4.0, 8.0]);
        let anchored = extend_floats(&ts[..3], &floats[..3], (15, 35), false);
        assert_eq!(anchored, [(15, 1.0), (20, 2.0), (30, 4.0), (35, 4.0)]);
        let smoothed = extend_floats(&ts, &floats, (15, 35), true);
        assert_eq!(smoothed, [(15, 1.5), (20, 2.0), (30, 4.0), (35, 6.0)]);
        let exact = extend_floats(&ts, &floats, (20, 30), true);
        assert_eq!(exact, [(20, 2.0), (30, 4.0)]);
        assert!(extend_floats(&ts, &floats, (40, 50), false).is_empty());
        assert!(extend_floats(&[], &[], (0, 50), true).is_empty());
    }
}
