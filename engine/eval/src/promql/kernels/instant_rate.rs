//! `irate` and `idelta`: the difference of the last two samples.

use std::sync::Arc;

use obsq_model::{CounterResetHint, FloatHistogram};

use super::histogram_rate::{is_gauge, sub_noted};
use super::start_time::{Stamp, is_reset};
use super::{RangeNote, RangeNotes, Samples, Value};

pub(super) fn irate(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    let (before, now) = last_two(samples)?;
    let seconds = (now.stamp.ts_ms - before.stamp.ts_ms) as f64 / 1000.0;
    let restarted = is_reset(before.stamp, now.stamp);
    match (before.value, now.value) {
        (SampleRef::Float(a), SampleRef::Float(b)) => {
            let difference = if restarted || b < a { b } else { b - a };
            Some(Value::Float(difference / seconds))
        }
        (SampleRef::Histogram(a), SampleRef::Histogram(b)) => {
            if is_gauge(a) || is_gauge(b) {
                notes.note(RangeNote::NotCounter);
            }
            let mut difference = b.clone();
            if !restarted && !b.detect_reset(a) {
                sub_noted(&mut difference, a, notes).ok()?;
            }
            finish(&mut difference);
            difference.div(seconds);
            Some(Value::Histogram(Arc::new(difference)))
        }
        _ => mixed(notes),
    }
}

pub(super) fn idelta(samples: &Samples<'_>, notes: &mut RangeNotes) -> Option<Value> {
    let (before, now) = last_two(samples)?;
    match (before.value, now.value) {
        (SampleRef::Float(a), SampleRef::Float(b)) => Some(Value::Float(b - a)),
        (SampleRef::Histogram(a), SampleRef::Histogram(b)) => {
            if !is_gauge(a) || !is_gauge(b) {
                notes.note(RangeNote::NotGauge);
            }
            let mut difference = b.clone();
            sub_noted(&mut difference, a, notes).ok()?;
            finish(&mut difference);
            Some(Value::Histogram(Arc::new(difference)))
        }
        _ => mixed(notes),
    }
}

fn finish(difference: &mut FloatHistogram) {
    difference.counter_reset_hint = CounterResetHint::Gauge;
    difference.compact();
}

fn mixed(notes: &mut RangeNotes) -> Option<Value> {
    notes.note(RangeNote::MixedFloatsHistograms);
    None
}

/// A sample of either kind.
#[derive(Debug, Clone, Copy)]
struct Point<'a> {
    stamp: Stamp,
    value: SampleRef<'a>,
}

#[derive(Debug, Clone, Copy)]
enum SampleRef<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
}

/// Returns the last two samples of both kinds together, in order of time.
fn last_two<'a>(samples: &Samples<'a>) -> Option<(Point<'a>, Point<'a>)> {
    let mut floats = (0..samples.floats.len()).rev().map(|index| Point {
        stamp: Stamp {
            ts_ms: samples.float_ts[index],
            start_ms: samples.float_start_ts.get(index).copied().unwrap_or(0),
        },
        value: SampleRef::Float(samples.floats[index]),
    });
    let mut histograms = (0..samples.histograms.len()).rev().map(|index| Point {
        stamp: Stamp {
            ts_ms: samples.histogram_ts[index],
            start_ms: samples.histogram_start_ts.get(index).copied().unwrap_or(0),
        },
        value: SampleRef::Histogram(&samples.histograms[index]),
    });
    let (mut float, mut histogram) = (floats.next(), histograms.next());
    let mut latest = || match (float, histogram) {
        (Some(a), Some(b)) if a.stamp.ts_ms < b.stamp.ts_ms => {
            std::mem::replace(&mut histogram, histograms.next())
        }
        (None, _) => std::mem::replace(&mut histogram, histograms.next()),
        (Some(_), _) => std::mem::replace(&mut float, floats.next()),
    };
    let now = latest()?;
    let before = latest()?;
    (before.stamp.ts_ms < now.stamp.ts_ms).then_some((before, now))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        custom, float, floats, gauge, histogram, histogram_of, histograms,
    };
    use super::*;

    #[test]
    fn only_the_last_two_samples_count() {
        let columns = floats(10_000, &[100.0, 5.0, 8.0]);
        let samples = Samples::new(&columns);
        let mut notes = RangeNotes::default();
        assert_eq!(float(irate(&samples, &mut notes)), 0.3);
        assert_eq!(float(idelta(&samples, &mut notes)), 3.0);
        assert!(irate(&Samples::new(&floats(1, &[1.0])), &mut notes).is_none());
    }

    #[test]
    fn after_a_reset_irate_counts_from_zero() {
        let mut columns = floats(10_000, &[5.0, 2.0]);
        let mut notes = RangeNotes::default();
        assert_eq!(float(irate(&Samples::new(&columns), &mut notes)), 0.2);
        assert_eq!(float(idelta(&Samples::new(&columns), &mut notes)), -3.0);
        columns.floats = vec![5.0, 7.0];
        columns.float_start_ts = vec![1, 15_000];
        assert_eq!(float(irate(&Samples::new(&columns), &mut notes)), 0.7);
    }

    #[test]
    fn the_last_two_may_come_from_either_column() {
        let mut columns = floats(10_000, &[1.0, 2.0]);
        columns.histogram_ts = vec![5_000, 15_000, 30_000];
        columns.histograms = std::iter::repeat_n(Arc::new(histogram(&[1.0])), 3).collect();
        let mut notes = RangeNotes::default();
        assert!(irate(&Samples::new(&columns), &mut notes).is_none());
        assert!(notes.has(RangeNote::MixedFloatsHistograms));
        columns.histogram_ts = vec![5_000, 25_000, 30_000];
        let mut notes = RangeNotes::default();
        assert_eq!(
            histogram_of(irate(&Samples::new(&columns), &mut notes)).count,
            0.0
        );
        columns.histogram_ts = vec![5_000, 6_000, 7_000];
        assert_eq!(float(irate(&Samples::new(&columns), &mut notes)), 0.1);
        assert!(notes.is_empty());
    }

    #[test]
    fn histograms_are_noted_when_hint_or_buckets_do_not_fit() {
        let both = |values| {
            let columns = histograms(10_000, values);
            let mut notes = RangeNotes::default();
            let samples = Samples::new(&columns);
            (
                irate(&samples, &mut notes),
                idelta(&samples, &mut notes),
                notes,
            )
        };
        let (rate, delta, notes) = both(vec![gauge(&[4.0]), histogram(&[24.0])]);
        assert_eq!(histogram_of(rate).count, 2.0);
        assert_eq!(histogram_of(delta).count, 20.0);
        assert!(notes.has(RangeNote::NotCounter) && notes.has(RangeNote::NotGauge));
        let (_, delta, notes) = both(vec![histogram(&[4.0]), custom(&[1.0], &[9.0])]);
        assert!(delta.is_none() && notes.has(RangeNote::MixedExponentialCustom));
    }
}
