//! `rate`, `increase` and `delta`.
//!
//! The difference of the last and the first sample, with what counters lost at resets, is
//! stretched to the whole window: to its edges where samples come close to them, else by half the
//! average distance of samples. A counter is not stretched to before it was zero. A counter whose
//! first sample says when it started is not stretched to the left at all: it was zero then.

use std::sync::Arc;

use super::histogram_rate::{add_noted, histogram_increase, lies_behind_reset};
use super::start_time::Stamps;
use super::{Edges, RangeNote, RangeNotes, Value, Window, extended};

/// Which of the three functions is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateKind {
    /// Resets are made up for.
    pub(super) counter: bool,
    /// The result is per second.
    pub(super) per_second: bool,
}

impl RateKind {
    pub(super) const RATE: Self = Self {
        counter: true,
        per_second: true,
    };
    pub(super) const INCREASE: Self = Self {
        counter: true,
        per_second: false,
    };
    pub(super) const DELTA: Self = Self {
        counter: false,
        per_second: false,
    };
}

pub(super) fn rate(window: &Window<'_>, notes: &mut RangeNotes) -> Option<Value> {
    evaluate(window, RateKind::RATE, notes)
}

pub(super) fn increase(window: &Window<'_>, notes: &mut RangeNotes) -> Option<Value> {
    evaluate(window, RateKind::INCREASE, notes)
}

pub(super) fn delta(window: &Window<'_>, notes: &mut RangeNotes) -> Option<Value> {
    evaluate(window, RateKind::DELTA, notes)
}

fn evaluate(window: &Window<'_>, kind: RateKind, notes: &mut RangeNotes) -> Option<Value> {
    let samples = &window.samples;
    if samples.is_mixed() {
        notes.note(RangeNote::MixedFloatsHistograms);
        return None;
    }
    match (window.edges, samples.float_ts.is_empty()) {
        (Edges::Plain, true) => histogram_rate(window, kind, notes),
        (Edges::Plain, false) => float_rate(window, kind, notes).map(Value::Float),
        (_, true) => extended::histogram_rate(window, kind, notes),
        (_, false) => extended::float_rate(window, kind).map(Value::Float),
    }
}

/// Where the samples of a window lie within it, and what follows for stretching.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Number of samples, at least 1.
    pub(super) samples: usize,
    /// The start timestamp of the first sample where it lies in the window, for counters.
    pub(super) started_ms: Option<i64>,
    pub(super) window_start_ms: i64,
    pub(super) window_end_ms: i64,
}

impl Extent {
    pub(super) fn new(
        window: &Window<'_>,
        stamps: Stamps<'_>,
        last: usize,
        kind: RateKind,
    ) -> Self {
        let first = stamps.get(0);
        let within = first.start_ms > window.start_ms && first.start_ms < first.ts_ms;
        Self {
            first_ms: first.ts_ms,
            last_ms: stamps.get(last).ts_ms,
            samples: last + 1,
            started_ms: (kind.counter && first.start_ms != 0 && within).then_some(first.start_ms),
            window_start_ms: window.start_ms,
            window_end_ms: window.end_ms,
        }
    }

    /// Returns how far the samples reach; `None` when one sample is all there is.
    fn reach(&self) -> Option<Reach> {
        let sampled = seconds(self.started_ms.unwrap_or(self.first_ms), self.last_ms);
        let between = seconds(self.first_ms, self.last_ms);
        let average = if self.samples > 1 {
            between / (self.samples - 1) as f64
        } else {
            0.0
        };
        let threshold = average * 1.1;
        let near = |distance: f64| {
            if distance >= threshold {
                average / 2.0
            } else {
                distance
            }
        };
        let to_start = match self.started_ms {
            Some(_) => 0.0,
            None if self.samples == 1 => return None,
            None => near(seconds(self.window_start_ms, self.first_ms)),
        };
        Some(Reach {
            sampled,
            to_start,
            to_end: near(seconds(self.last_ms, self.window_end_ms)),
        })
    }

    /// Returns what the difference is to be multiplied with; `None` when one sample is all there
    /// is. `first_share` is the first value of a counter divided by the difference: how far back
    /// zero lies, in units of the sampled time.
    pub(super) fn factor(&self, first_share: Option<f64>) -> Option<f64> {
        Some(self.reach()?.factor(first_share))
    }
}

/// How far the samples of a window reach and are stretched, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// From the first to the last sample.
    sampled: f64,
    /// To be added before, as far as a counter was not zero before.
    to_start: f64,
    /// To be added behind.
    to_end: f64,
}

impl Reach {
    fn factor(&self, first_share: Option<f64>) -> f64 {
        let to_zero = first_share.map_or(self.to_start, |share| self.sampled * share);
        let to_start = if to_zero < self.to_start {
            to_zero
        } else {
            self.to_start
        };
        if self.sampled == 0.0 {
            return 1.0;
        }
        (self.sampled + to_start + self.to_end) / self.sampled
    }

    /// Says whether zero lies so far back that a counter that begins with `first` and rises by
    /// `difference` is stretched to the start: without a division, and false when in doubt.
    fn starts_above_zero(&self, first: f64, difference: f64) -> bool {
        // Far more than what rounding can do, and far from where it is no longer relative.
        const SAFELY: f64 = 1.0 + 1e-9;
        const RANGE: std::ops::Range<f64> = 1e-280..1e280;
        let (zero, start) = (self.sampled * first, self.to_start * difference);
        RANGE.contains(&zero) && RANGE.contains(&start) && zero > start * SAFELY
    }
}

/// Stretches differences of counters window by window. Samples and windows are most often evenly
/// spaced, and then much of what is computed for a window holds for the next one too.
#[derive(Debug)]
pub(super) struct Stretcher {
    kind: RateKind,
    range_seconds: f64,
    /// How the samples lay in the window before: distances to its ends, of its samples, and their
    /// number.
    shape: (i64, i64, i64, usize),
    reach: Option<Reach>,
    /// What a difference is multiplied with that is stretched to the start.
    factor: f64,
}

impl Stretcher {
    pub(super) fn new(window: &Window<'_>, kind: RateKind) -> Self {
        Self {
            kind,
            range_seconds: window.range_seconds(),
            shape: (0, 0, 0, 0),
            reach: None,
            factor: 0.0,
        }
    }

    /// Returns what [`stretch`] does, to the bit. The range is as wide as that of all windows, and no
    /// sample has a start timestamp.
    #[inline]
    pub(super) fn stretch(&mut self, extent: &Extent, first: f64, difference: f64) -> Option<f64> {
        let shape = (
            extent.first_ms.saturating_sub(extent.window_start_ms),
            extent.last_ms.saturating_sub(extent.first_ms),
            extent.window_end_ms.saturating_sub(extent.last_ms),
            extent.samples,
        );
        if shape != self.shape {
            self.shape = shape;
            self.reach = extent.reach();
            self.factor = self
                .reach
                .map_or(0.0, |reach| self.scaled(reach.factor(None)));
        }
        let reach = self.reach.as_ref()?;
        let from_zero = self.kind.counter && difference > 0.0 && first >= 0.0;
        if !from_zero || reach.starts_above_zero(first, difference) {
            return Some(difference * self.factor);
        }
        Some(difference * self.scaled(reach.factor(Some(first / difference))))
    }

    fn scaled(&self, factor: f64) -> f64 {
        if self.kind.per_second {
            factor / self.range_seconds
        } else {
            factor
        }
    }
}

/// Returns the seconds between two times, which may be as far apart as any two can be.
fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}

fn float_rate(window: &Window<'_>, kind: RateKind, notes: &mut RangeNotes) -> Option<f64> {
    let samples = &window.samples;
    let stamps = Stamps::new(samples.float_ts, samples.float_start_ts);
    let floats = samples.floats;
    let last = floats.len() - 1;
    let mut difference = floats[last] - floats[0];
    if kind.counter {
        for index in 1..floats.len() {
            if floats[index] < floats[index - 1] || stamps.is_reset(index) {
                difference += floats[index - 1];
            }
        }
        if stamps.any_overlap() {
            notes.note_start_time_overlap();
        }
    }
    let extent = Extent::new(window, stamps, last, kind);
    stretch(window, kind, &extent, floats[0], difference)
}

/// Stretches the difference of floats to the window.
pub(super) fn stretch(
    window: &Window<'_>,
    kind: RateKind,
    extent: &Extent,
    first: f64,
    difference: f64,
) -> Option<f64> {
    let difference = if extent.started_ms.is_some() {
        difference + first
    } else {
        difference
    };
    let share = kind.counter && difference > 0.0 && first >= 0.0;
    let mut factor = extent.factor(share.then(|| first / difference))?;
    if kind.per_second {
        factor /= window.range_seconds();
    }
    Some(difference * factor)
}

fn histogram_rate(window: &Window<'_>, kind: RateKind, notes: &mut RangeNotes) -> Option<Value> {
    let samples = &window.samples;
    let stamps = Stamps::new(samples.histogram_ts, samples.histogram_start_ts);
    let is_reset = |index| lies_behind_reset(samples.histograms, stamps, index);
    histogram_rate_with(window, kind, is_reset, notes)
}

/// Evaluates a window of histograms; `is_reset` says whether a reset lies before a histogram that
/// is not the first.
pub(super) fn histogram_rate_with(
    window: &Window<'_>,
    kind: RateKind,
    is_reset: impl Fn(usize) -> bool,
    notes: &mut RangeNotes,
) -> Option<Value> {
    let samples = &window.samples;
    let stamps = Stamps::new(samples.histogram_ts, samples.histogram_start_ts);
    let last = samples.histograms.len() - 1;
    let first = &samples.histograms[0];
    let mut difference = None;
    if last > 0 {
        let increase = histogram_increase(samples.histograms, kind.counter, is_reset, notes);
        difference = Some(increase?);
        if kind.counter && stamps.any_overlap() {
            notes.note_start_time_overlap();
        }
    }
    let extent = Extent::new(window, stamps, last, kind);
    if extent.started_ms.is_some() {
        match &mut difference {
            None => difference = Some((**first).clone()),
            Some(difference) => add_noted(difference, first, notes).ok()?,
        }
    }
    let mut difference = difference?;
    let share = kind.counter && difference.count > 0.0 && first.count >= 0.0;
    let mut factor = extent.factor(share.then(|| first.count / difference.count))?;
    if kind.per_second {
        factor /= window.range_seconds();
    }
    difference.mul(factor);
    Some(Value::Histogram(Arc::new(difference)))
}

#[cfg(test)]
mod tests {
    use obsq_model::SampleColumns;

    use super::super::testing::{
        custom, float, floats, gauge, histogram, histogram_of, histograms, window,
    };
    use super::*;

    fn of(
        function: fn(&Window<'_>, &mut RangeNotes) -> Option<Value>,
        columns: &SampleColumns,
        start_ms: i64,
        end_ms: i64,
    ) -> Option<Value> {
        function(
            &window(columns, start_ms, end_ms),
            &mut RangeNotes::default(),
        )
    }

    #[test]
    fn samples_near_the_edges_are_stretched_to_them() {
        let columns = floats(10_000, &[10.0, 20.0, 30.0, 40.0]);
        // From 10 to 40 s the counter rises by 30; 5 s are missing on either side.
        assert_eq!(float(of(increase, &columns, 5_000, 45_000)), 40.0);
        assert_eq!(float(of(rate, &columns, 5_000, 45_000)), 1.0);
        assert_eq!(float(of(delta, &columns, 5_000, 45_000)), 40.0);
    }

    #[test]
    fn a_window_over_all_times_does_not_overflow() {
        let columns = floats(10_000, &[110.0, 120.0]);
        assert_eq!(float(of(increase, &columns, i64::MIN, i64::MAX)), 20.0);
    }

    #[test]
    fn samples_far_from_an_edge_are_stretched_by_half_an_interval() {
        let columns = floats(10_000, &[110.0, 120.0, 130.0]);
        // 11 s = 1.1 intervals is too far, 10.999 s is not.
        assert_eq!(float(of(increase, &columns, -1_000, 41_000)), 30.0);
        let near = float(of(increase, &columns, -999, 40_999));
        assert!((near - 20.0 * (20.0 + 2.0 * 10.999) / 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_counter_does_not_begin_before_it_was_zero() {
        let columns = floats(10_000, &[1.0, 11.0, 21.0]);
        assert_eq!(float(of(increase, &columns, 1_000, 30_000)), 21.0);
        // A gauge may have been negative.
        assert_eq!(float(of(delta, &columns, 1_000, 30_000)), 29.0);
        let negative = floats(10_000, &[-1.0, 9.0]);
        assert_eq!(float(of(increase, &negative, 0, 20_000)), 20.0);
    }

    #[test]
    fn what_a_counter_lost_at_a_reset_is_added() {
        let columns = floats(10_000, &[100.0, 110.0, 5.0, 2.0, 10.0]);
        // -90 + 110 + 5, and as much again for the missing 10 s of 40.
        assert_eq!(float(of(increase, &columns, 0, 50_000)), 25.0 * 50.0 / 40.0);
        assert_eq!(float(of(delta, &columns, 0, 50_000)), -90.0 * 50.0 / 40.0);
    }

    #[test]
    fn one_sample_has_no_rate_unless_it_says_when_it_started() {
        let mut columns = floats(10_000, &[5.0]);
        assert_eq!(of(rate, &columns, 0, 20_000), None);
        columns.float_start_ts = vec![6_000];
        assert_eq!(float(of(increase, &columns, 0, 20_000)), 5.0);
        assert_eq!(of(delta, &columns, 0, 20_000), None);
        // The window does not reach back to the start.
        assert_eq!(of(increase, &columns, 6_000, 20_000), None);
    }

    #[test]
    fn a_start_timestamp_marks_a_reset_that_the_values_hide() {
        let mut columns = floats(10_000, &[5.0, 9.0]);
        columns.float_start_ts = vec![1, 15_000];
        let mut notes = RangeNotes::default();
        let value = increase(&window(&columns, 0, 20_000), &mut notes);
        // 4 + 5 lost, and the first 5 counted since 1 ms.
        assert_eq!(float(value), 14.0);
        assert!(notes.is_empty());
        columns.float_start_ts = vec![1, 5_000];
        increase(&window(&columns, 0, 20_000), &mut notes);
        assert!(!notes.is_empty());
    }

    #[test]
    fn floats_and_histograms_in_one_window_give_nothing_but_a_warning() {
        let mut columns = floats(10_000, &[1.0, 2.0]);
        columns.histogram_ts = vec![25_000];
        columns.histograms = vec![Arc::new(histogram(&[1.0]))];
        let mut notes = RangeNotes::default();
        assert_eq!(rate(&window(&columns, 0, 30_000), &mut notes), None);
        assert!(notes.has(RangeNote::MixedFloatsHistograms));
    }

    #[test]
    fn histograms_are_stretched_like_their_counts() {
        let columns = histograms(
            10_000,
            vec![histogram(&[10.0, 10.0]), histogram(&[20.0, 40.0])],
        );
        let result = histogram_of(of(increase, &columns, 5_000, 25_000));
        assert_eq!(
            (result.count, &*result.positive_buckets),
            (80.0, &[20.0, 60.0][..])
        );
        let result = histogram_of(of(rate, &columns, 5_000, 25_000));
        assert_eq!((result.count, result.sum), (4.0, 4.0));
    }

    #[test]
    fn a_reset_after_the_first_histogram_hides_its_layout() {
        let columns = histograms(
            10_000,
            vec![
                custom(&[1.0], &[50.0, 1.0]),
                histogram(&[1.0]),
                histogram(&[4.0]),
            ],
        );
        let mut notes = RangeNotes::default();
        let result = histogram_of(increase(&window(&columns, 5_000, 35_000), &mut notes));
        assert!(notes.is_empty());
        assert_eq!(result.count, 4.0 * 30.0 / 20.0);
        assert_eq!(result.schema, 0);
    }

    #[test]
    fn hints_that_do_not_fit_the_function_are_noted() {
        let gauges = histograms(10_000, vec![gauge(&[1.0]), gauge(&[4.0])]);
        let counters = histograms(10_000, vec![histogram(&[1.0]), histogram(&[4.0])]);
        let noted = |function: fn(&Window<'_>, &mut RangeNotes) -> Option<Value>, columns| {
            let mut notes = RangeNotes::default();
            function(&window(columns, 0, 30_000), &mut notes);
            (
                notes.has(RangeNote::NotCounter),
                notes.has(RangeNote::NotGauge),
            )
        };
        assert_eq!(noted(rate, &gauges), (true, false));
        assert_eq!(noted(rate, &counters), (false, false));
        assert_eq!(noted(delta, &gauges), (false, false));
        assert_eq!(noted(delta, &counters), (false, true));
    }
}
