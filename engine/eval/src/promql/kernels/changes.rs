//! `changes` and `resets`.

use std::sync::Arc;

use obsq_model::FloatHistogram;

use super::start_time::{Stamp, is_reset};
use super::{Edges, Samples, Value, Window};

pub(super) fn changes(window: &Window<'_>) -> Option<Value> {
    count_pairs(window, |before, now| match (before.value, now.value) {
        (SampleRef::Float(a), SampleRef::Float(b)) => is_change(a, b),
        (SampleRef::Histogram(a), SampleRef::Histogram(b)) => !b.equals(a),
        _ => true,
    })
}

pub(super) fn resets(window: &Window<'_>) -> Option<Value> {
    count_pairs(window, |before, now| {
        let restarted = is_reset(before.stamp, now.stamp);
        match (before.value, now.value) {
            (SampleRef::Float(a), SampleRef::Float(b)) => b < a || restarted,
            (SampleRef::Histogram(a), SampleRef::Histogram(b)) => restarted || b.detect_reset(a),
            _ => true,
        }
    })
}

/// Says whether a float changed; one NaN is like another.
pub(super) fn is_change(before: f64, now: f64) -> bool {
    now != before && !(now.is_nan() && before.is_nan())
}

#[derive(Debug, Clone, Copy)]
struct Point<'a> {
    stamp: Stamp,
    value: SampleRef<'a>,
}

#[derive(Debug, Clone, Copy)]
enum SampleRef<'a> {
    Float(f64),
    Histogram(&'a Arc<FloatHistogram>),
}

/// Counts the neighbours, floats and histograms in one order of time, for which `counts` holds.
fn count_pairs(
    window: &Window<'_>,
    counts: impl Fn(Point<'_>, Point<'_>) -> bool,
) -> Option<Value> {
    let (float, histogram) = first_of(window)?;
    let mut points = in_time_order(&window.samples, float, histogram);
    let mut previous = points.next()?;
    let mut number = 0_u64;
    for point in points {
        number += u64::from(counts(previous, point));
        previous = point;
    }
    Some(Value::Float(number as f64))
}

/// Returns the first float and the first histogram to look at. An anchored window begins with the
/// last sample of either kind at or before its left edge, and has no value when no sample follows.
fn first_of(window: &Window<'_>) -> Option<(usize, usize)> {
    if window.edges != Edges::Anchored {
        return Some((0, 0));
    }
    let samples = &window.samples;
    let floats = samples
        .float_ts
        .partition_point(|ts| *ts <= window.start_ms);
    let histograms = samples
        .histogram_ts
        .partition_point(|ts| *ts <= window.start_ms);
    if floats == samples.float_ts.len() && histograms == samples.histogram_ts.len() {
        return None;
    }
    let last_float = floats.checked_sub(1).map(|index| samples.float_ts[index]);
    let last_histogram = histograms
        .checked_sub(1)
        .map(|index| samples.histogram_ts[index]);
    Some(match (last_float, last_histogram) {
        (None, None) => (0, 0),
        (Some(float), histogram) if Some(float) >= histogram => (floats - 1, histograms),
        _ => (floats, histograms - 1),
    })
}

fn in_time_order<'a>(
    samples: &'a Samples<'a>,
    mut float: usize,
    mut histogram: usize,
) -> impl Iterator<Item = Point<'a>> {
    std::iter::from_fn(move || {
        let float_ts = samples.float_ts.get(float).copied();
        let histogram_ts = samples.histogram_ts.get(histogram).copied();
        match (float_ts, histogram_ts) {
            (Some(ts_ms), later) if later.is_none_or(|later| ts_ms < later) => {
                let start_ms = samples.float_start_ts.get(float).copied().unwrap_or(0);
                float += 1;
                Some(Point {
                    stamp: Stamp { ts_ms, start_ms },
                    value: SampleRef::Float(samples.floats[float - 1]),
                })
            }
            (_, Some(ts_ms)) => {
                let start_ms = samples
                    .histogram_start_ts
                    .get(histogram)
                    .copied()
                    .unwrap_or(0);
                histogram += 1;
                Some(Point {
                    stamp: Stamp { ts_ms, start_ms },
                    value: SampleRef::Histogram(&samples.histograms[histogram - 1]),
                })
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use obsq_model::SampleColumns;

    use super::super::testing::{float, floats, histogram, histograms, window};
    use super::*;

    fn both(columns: &SampleColumns) -> (f64, f64) {
        let window = window(columns, 0, 1_000_000);
        (float(changes(&window)), float(resets(&window)))
    }

    #[test]
    fn floats_change_when_they_differ_and_reset_when_they_drop() {
        let nan = f64::NAN;
        assert_eq!(
            both(&floats(1, &[1.0, 1.0, 3.0, 2.0, 2.0, 5.0])),
            (3.0, 1.0)
        );
        assert_eq!(both(&floats(1, &[nan, nan, 1.0, nan])), (2.0, 0.0));
        assert_eq!(both(&floats(1, &[7.0])), (0.0, 0.0));
    }

    #[test]
    fn histograms_are_compared_whole() {
        let columns = histograms(
            1,
            vec![
                histogram(&[1.0, 2.0]),
                histogram(&[1.0, 2.0]),
                histogram(&[0.0, 4.0]),
            ],
        );
        assert_eq!(both(&columns), (1.0, 1.0));
    }

    #[test]
    fn a_change_of_kind_is_a_change_and_a_reset() {
        let mut columns = floats(10, &[1.0, 2.0, 3.0]);
        columns.histogram_ts = vec![15, 40];
        columns.histograms = std::iter::repeat_n(Arc::new(histogram(&[1.0])), 2).collect();
        // float, histogram, float, float, histogram
        assert_eq!(both(&columns), (4.0, 3.0));
    }

    #[test]
    fn start_timestamps_show_resets_that_the_values_hide() {
        let mut columns = floats(10, &[1.0, 2.0, 3.0]);
        columns.float_start_ts = vec![5, 5, 25];
        assert_eq!(both(&columns), (2.0, 1.0));
    }

    #[test]
    fn an_anchored_window_begins_with_the_sample_before_it() {
        let mut columns = floats(10, &[9.0, 5.0, 5.0, 1.0]);
        let anchored = |columns: &SampleColumns, start_ms| {
            let window = Window {
                edges: Edges::Anchored,
                ..window(columns, start_ms, 100)
            };
            resets(&window).map(|value| float(Some(value)))
        };
        assert_eq!(anchored(&columns, 5), Some(2.0));
        assert_eq!(anchored(&columns, 10), Some(2.0));
        assert_eq!(anchored(&columns, 20), Some(1.0));
        assert_eq!(anchored(&columns, 40), None);
        // The histogram at 25 is nearer to the edge than the float at 20.
        columns.histogram_ts = vec![5, 25];
        columns.histograms = std::iter::repeat_n(Arc::new(histogram(&[1.0])), 2).collect();
        assert_eq!(anchored(&columns, 26), Some(2.0));
    }
}
