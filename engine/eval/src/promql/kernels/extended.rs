//! `rate`, `increase` and `delta` over `anchored` and `smoothed` ranges: the difference of the
//! values at the two edges, without extrapolation.

use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram};

use super::extrapolate::RateKind;
use super::histogram_rate::{Incompatible, add_noted, is_gauge, sub_noted};
use super::interpolate::{Boundary, EdgeSpan, HistogramPoint, between_histograms};
use super::{Edges, RangeNote, RangeNotes, Value, Window};

pub(super) fn float_rate(window: &Window<'_>, kind: RateKind) -> Option<f64> {
    let (ts, floats) = (window.samples.float_ts, window.samples.floats);
    let range = (window.start_ms, window.end_ms);
    let smoothed = window.edges == Edges::Smoothed;
    let span = EdgeSpan::find(ts, range, smoothed)?;
    if smoothed && ts[span.first] > window.end_ms {
        return None;
    }
    let boundary = Boundary {
        ts,
        floats,
        span,
        smoothed,
        counter: kind.counter,
    };
    let left = boundary.left(window.start_ms);
    let right = boundary.right(window.end_ms);
    let mut difference = right - left;
    if kind.counter {
        // Only what lies inside: the values at the edges have their resets dealt with.
        difference += lost_at_resets(left, right, &floats[span.inner(ts, range)]);
    }
    if kind.per_second {
        difference /= window.range_seconds();
    }
    Some(difference)
}

/// Sums up the values before each drop from `left` over `inner` to `right`.
fn lost_at_resets(left: f64, right: f64, inner: &[f64]) -> f64 {
    let mut lost = 0.0;
    let mut previous = left;
    for value in inner.iter().copied().chain([right]) {
        if value < previous {
            lost += previous;
        }
        previous = value;
    }
    lost
}

pub(super) fn histogram_rate(
    window: &Window<'_>,
    kind: RateKind,
    notes: &mut RangeNotes,
) -> Option<Value> {
    let ts = window.samples.histogram_ts;
    let smoothed = window.edges == Edges::Smoothed;
    let span = EdgeSpan::find(ts, (window.start_ms, window.end_ms), smoothed)?;
    if smoothed && ts[span.first] > window.end_ms {
        return None;
    }
    let range = HistogramRange {
        ts,
        histograms: window.samples.histograms,
        span,
        smoothed,
        counter: kind.counter,
    };
    range.check(notes).ok()?;
    let left = range.left(window.start_ms, notes)?;
    let right = range.right(window.end_ms, notes)?;
    if !kind.counter && (!is_gauge(&left) || !is_gauge(&right)) {
        notes.note(RangeNote::NotGauge);
    }
    let mut difference = right.clone();
    sub_noted(&mut difference, &left, notes).ok()?;
    if kind.counter {
        let lost = range
            .lost_at_resets(&left, &right, window.start_ms, notes)
            .ok()?;
        if let Some(lost) = lost {
            add_noted(&mut difference, &lost, notes).ok()?;
        }
    }
    if kind.per_second {
        difference.div(window.range_seconds());
    }
    difference.counter_reset_hint = CounterResetHint::Gauge;
    difference.compact();
    Some(Value::Histogram(Arc::new(difference)))
}

/// The histograms of an extended window.
struct HistogramRange<'a> {
    ts: &'a [i64],
    histograms: &'a [Arc<FloatHistogram>],
    span: EdgeSpan,
    smoothed: bool,
    counter: bool,
}

impl HistogramRange<'_> {
    /// Notes gauges among counters, and exponential buckets beside custom ones.
    fn check(&self, notes: &mut RangeNotes) -> Result<(), Incompatible> {
        let custom = self.histograms[self.span.first].uses_custom_buckets();
        for histogram in &self.histograms[self.span.first..=self.span.last] {
            if histogram.uses_custom_buckets() != custom {
                notes.note(RangeNote::MixedExponentialCustom);
                return Err(Incompatible);
            }
            if self.counter && is_gauge(histogram) {
                notes.note(RangeNote::NotCounter);
            }
        }
        Ok(())
    }

    fn point(&self, index: usize) -> HistogramPoint<'_> {
        (self.ts[index], &self.histograms[index])
    }

    fn left(&self, start_ms: i64, notes: &mut RangeNotes) -> Option<FloatHistogram> {
        let first = self.span.first;
        if !self.is_left_interpolated(start_ms) {
            return Some((*self.histograms[first]).clone());
        }
        let (a, b) = (self.point(first), self.point(first + 1));
        between_histograms(a, b, start_ms, self.counter, notes)
    }

    fn right(&self, end_ms: i64, notes: &mut RangeNotes) -> Option<FloatHistogram> {
        let last = self.span.last;
        if !(self.smoothed && last > 0 && self.ts[last] > end_ms) {
            return Some((*self.histograms[last]).clone());
        }
        let (a, b) = (self.point(last - 1), self.point(last));
        between_histograms(a, b, end_ms, self.counter, notes)
    }

    fn is_left_interpolated(&self, start_ms: i64) -> bool {
        let first = self.span.first;
        self.smoothed && self.ts[first] < start_ms && first + 1 < self.ts.len()
    }

    /// Returns the sum of the histograms before each reset; `None` when there was no reset.
    ///
    /// The first and the last sample are spoken for by `left` and `right`. Where a reset lies
    /// between the two samples that `left` was interpolated from, it is made up for already.
    fn lost_at_resets(
        &self,
        left: &FloatHistogram,
        right: &FloatHistogram,
        start_ms: i64,
        notes: &mut RangeNotes,
    ) -> Result<Option<FloatHistogram>, Incompatible> {
        let mut first = self.span.first + 1;
        let mut previous = left;
        if self.is_left_interpolated(start_ms) {
            let (before, after) = (self.point(first - 1).1, self.point(first).1);
            if after.detect_reset(before) {
                previous = after;
                first += 1;
            }
        }
        if first > self.span.last {
            return Ok(None);
        }
        let mut lost: Option<FloatHistogram> = None;
        let inner = self.histograms[first..self.span.last]
            .iter()
            .map(|one| &**one);
        for current in inner.chain([right]) {
            if current.detect_reset(previous) {
                match &mut lost {
                    None => lost = Some(previous.clone()),
                    Some(lost) => add_noted(lost, previous, notes)?,
                }
            }
            previous = current;
        }
        Ok(lost)
    }
}

#[cfg(test)]
mod tests {
    use obsq_model::SampleColumns;

    use super::super::testing::{
        float, floats, gauge, histogram, histogram_of, histograms, window,
    };
    use super::super::{RangeParams, evaluate};
    use super::*;
    use obsq_query_lang::promql::Function;

    fn of(
        function: Function,
        columns: &SampleColumns,
        edges: Edges,
        range: (i64, i64),
    ) -> Option<Value> {
        let window = Window {
            edges,
            ..window(columns, range.0, range.1)
        };
        evaluate(
            function,
            &window,
            RangeParams::default(),
            &mut RangeNotes::default(),
        )
        .unwrap()
    }

    #[test]
    fn anchored_takes_the_sample_before_the_window() {
        let columns = floats(10_000, &[1.0, 2.0, 5.0, 9.0]);
        let increase = |range| of(Function::Increase, &columns, Edges::Anchored, range);
        assert_eq!(float(increase((20_000, 40_000))), 7.0);
        assert_eq!(float(increase((25_000, 45_000))), 7.0);
        assert_eq!(float(increase((5_000, 45_000))), 8.0);
        assert_eq!(increase((40_000, 50_000)), None);
        let rate = of(Function::Rate, &columns, Edges::Anchored, (20_000, 40_000));
        assert_eq!(float(rate), 0.35);
    }

    #[test]
    fn smoothed_interpolates_at_both_edges() {
        let columns = floats(10_000, &[0.0, 10.0, 20.0, 40.0]);
        let increase = |range| of(Function::Increase, &columns, Edges::Smoothed, range);
        assert_eq!(float(increase((15_000, 35_000))), 25.0);
        assert_eq!(float(increase((5_000, 15_000))), 5.0);
        assert_eq!(increase((0, 5_000)), None);
    }

    #[test]
    fn resets_are_made_up_for_inside_and_at_the_edges() {
        let columns = floats(10_000, &[8.0, 4.0, 6.0, 2.0]);
        let increase = |edges, range| float(of(Function::Increase, &columns, edges, range));
        // From 8: 4 after a reset, 2 more, 2 after another one.
        assert_eq!(increase(Edges::Anchored, (10_000, 40_000)), 8.0);
        // At 15 s the counter has risen from 0 to 2, at 35 s from 0 to 1.
        assert_eq!(increase(Edges::Smoothed, (15_000, 35_000)), 5.0);
        let delta = of(Function::Delta, &columns, Edges::Smoothed, (15_000, 35_000));
        assert_eq!(float(delta), -2.0);
    }

    #[test]
    fn histograms_follow_the_same_rules() {
        let of_counts = |counts: [f64; 4]| {
            histograms(
                10_000,
                counts.iter().map(|count| histogram(&[*count])).collect(),
            )
        };
        let rising = of_counts([0.0, 10.0, 20.0, 40.0]);
        let falling = of_counts([8.0, 4.0, 6.0, 2.0]);
        let cases = [
            (&rising, Edges::Smoothed, (15_000, 35_000), 25.0),
            (&rising, Edges::Anchored, (15_000, 35_000), 40.0),
            (&falling, Edges::Smoothed, (15_000, 35_000), 5.0),
            (&falling, Edges::Anchored, (10_000, 40_000), 8.0),
        ];
        for (columns, edges, range, count) in cases {
            let result = histogram_of(of(Function::Increase, columns, edges, range));
            assert_eq!(result.count, count, "{edges:?} {range:?}");
            assert_eq!(result.counter_reset_hint, CounterResetHint::Gauge);
        }
    }

    #[test]
    fn hints_that_do_not_fit_are_noted() {
        let columns = histograms(10_000, vec![gauge(&[1.0]), histogram(&[2.0])]);
        let window = Window {
            edges: Edges::Anchored,
            ..window(&columns, 10_000, 20_000)
        };
        let mut notes = RangeNotes::default();
        histogram_rate(&window, RateKind::RATE, &mut notes);
        assert!(notes.has(RangeNote::NotCounter) && !notes.has(RangeNote::NotGauge));
        let mut notes = RangeNotes::default();
        histogram_rate(&window, RateKind::DELTA, &mut notes);
        assert!(!notes.has(RangeNote::NotCounter) && notes.has(RangeNote::NotGauge));
    }
}
