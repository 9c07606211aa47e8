//! Values between two samples, for `smoothed` and `anchored` selectors.

use obsq_model::FloatHistogram;

use super::RangeNotes;
use super::histogram_rate::{add_noted, sub_noted};

/// A float and its time.
pub(super) type FloatPoint = (i64, f64);

/// Returns the float at `ts_ms` on the line between two samples. A counter that was reset between
/// them is taken to have risen from zero.
pub(super) fn between(a: FloatPoint, b: FloatPoint, ts_ms: i64, counter: bool) -> f64 {
    let from = if counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (ts_ms - a.0) as f64 / (b.0 - a.0) as f64
}

/// Returns the histogram at `time_ms` on the line between two samples, whose times are `ends`;
/// `None` when exponential and custom buckets meet. A counter that was reset between them is taken
/// to have risen from zero.
pub(crate) fn interpolate_histograms(
    before: &FloatHistogram,
    after: &FloatHistogram,
    ends: (i64, i64),
    time_ms: i64,
    is_counter: bool,
    notes: &mut RangeNotes,
) -> Option<FloatHistogram> {
    if time_ms == ends.0 {
        return Some(before.clone());
    }
    if time_ms == ends.1 {
        return Some(after.clone());
    }
    let fraction = (time_ms - ends.0) as f64 / (ends.1 - ends.0) as f64;
    let mut result = after.clone();
    if is_counter && after.detect_reset(before) {
        result.mul(fraction);
        return Some(result);
    }
    sub_noted(&mut result, before, notes).ok()?;
    result.mul(fraction);
    add_noted(&mut result, before, notes).ok()?;
    Some(result)
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
    use super::super::RangeNote;
    use super::super::testing::{custom, gauge, histogram};
    use super::*;

    #[test]
    fn a_counter_that_fell_has_risen_from_zero() {
        assert_eq!(between((10, 4.0), (20, 2.0), 15, false), 3.0);
        assert_eq!(between((10, 4.0), (20, 2.0), 15, true), 1.0);
        assert_eq!(between((10, 2.0), (20, 4.0), 15, true), 3.0);
    }

    #[test]
    fn histograms_are_interpolated_like_floats() {
        let at = |time_ms, is_counter| {
            let (before, after) = (gauge(&[4.0]), gauge(&[2.0]));
            let mut notes = RangeNotes::default();
            interpolate_histograms(&before, &after, (10, 20), time_ms, is_counter, &mut notes)
                .map(|result| result.count)
        };
        assert_eq!([at(10, true), at(20, true)], [Some(4.0), Some(2.0)]);
        assert_eq!([at(15, true), at(15, false)], [Some(1.0), Some(3.0)]);
    }

    #[test]
    fn kinds_of_buckets_that_do_not_mix_are_noted() {
        let (before, after) = (histogram(&[1.0]), custom(&[1.0], &[1.0]));
        let mut notes = RangeNotes::default();
        let result = interpolate_histograms(&before, &after, (1, 3), 2, false, &mut notes);
        assert!(result.is_none() && notes.has(RangeNote::MixedExponentialCustom));
    }

    #[test]
    fn the_edges_are_found_among_the_samples_around_them() {
        let ts = [10, 20, 30, 40];
        let find = |range, smoothed| {
            EdgeSpan::find(&ts, range, smoothed)
                .map(|span| (span.first, span.last, span.inner(&ts, range)))
        };
        assert_eq!(find((15, 35), true), Some((0, 3, 1..3)));
        assert_eq!(find((15, 45), false), Some((0, 3, 1..4)));
        assert_eq!(find((20, 30), true), Some((1, 2, 2..2)));
        assert_eq!(find((5, 45), false), Some((0, 3, 0..4)));
        assert_eq!(find((40, 50), false), None);
        assert_eq!(EdgeSpan::find(&[], (0, 50), true), None);
    }
}
