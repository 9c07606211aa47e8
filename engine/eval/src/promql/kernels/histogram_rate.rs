//! The difference of histograms over a window.

use std::borrow::Cow;
use std::sync::Arc;

use obsq_model::histogram::Combined;
use obsq_model::{CounterResetHint, FloatHistogram};

use super::start_time::Stamps;
use super::{RangeNote, RangeNotes};

/// Exponential and custom buckets met, which has been noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incompatible;

/// Adds `other` and notes what is to be said.
pub(super) fn add_noted(
    histogram: &mut FloatHistogram,
    other: &FloatHistogram,
    notes: &mut RangeNotes,
) -> Result<(), Incompatible> {
    let combined = histogram.add(other).ok();
    note_combined(combined, RangeNote::ReconciledByAddition, notes)
}

/// Subtracts `other` and notes what is to be said.
pub(super) fn sub_noted(
    histogram: &mut FloatHistogram,
    other: &FloatHistogram,
    notes: &mut RangeNotes,
) -> Result<(), Incompatible> {
    let combined = histogram.sub(other).ok();
    note_combined(combined, RangeNote::ReconciledBySubtraction, notes)
}

fn note_combined(
    combined: Option<Combined>,
    reconciled: RangeNote,
    notes: &mut RangeNotes,
) -> Result<(), Incompatible> {
    let Some(combined) = combined else {
        notes.note(RangeNote::MixedExponentialCustom);
        return Err(Incompatible);
    };
    if combined.bounds_reconciled {
        notes.note(reconciled);
    }
    Ok(())
}

pub(super) fn is_gauge(histogram: &FloatHistogram) -> bool {
    histogram.counter_reset_hint == CounterResetHint::Gauge
}

/// Returns the last of at least two histograms minus the first, for counters with what was lost
/// at resets, as a gauge; `None` when exponential and custom buckets meet.
///
/// Where a reset lies between the first two, the layout of the first one does not count.
/// `is_reset` says whether one lies before a histogram that is not the first; see
/// [`lies_behind_reset`].
pub(super) fn histogram_increase(
    histograms: &[Arc<FloatHistogram>],
    counter: bool,
    is_reset: impl Fn(usize) -> bool,
    notes: &mut RangeNotes,
) -> Option<FloatHistogram> {
    let before = notes.clone();
    let first = &*histograms[0];
    let last = &**histograms.last()?;
    if counter && (is_gauge(first) || is_gauge(last)) {
        notes.note(RangeNote::NotCounter);
    }
    let baseline = if counter && is_reset(1) {
        Cow::Owned(histograms[1].emptied())
    } else {
        Cow::Borrowed(first)
    };
    let custom = baseline.uses_custom_buckets();
    if last.uses_custom_buckets() != custom {
        notes.note(RangeNote::MixedExponentialCustom);
        return None;
    }
    let mut schema = last.schema.min(baseline.schema);
    if counter {
        for between in &histograms[1..histograms.len() - 1] {
            if is_gauge(between) {
                notes.note(RangeNote::NotCounter);
            }
            schema = schema.min(between.schema);
            if between.uses_custom_buckets() != custom {
                // Upstream says nothing but this then.
                *notes = before;
                notes.note(RangeNote::MixedExponentialCustom);
                return None;
            }
        }
    }
    let mut difference = last.to_schema(schema);
    sub_noted(&mut difference, &baseline, notes).ok()?;
    if counter {
        // What lies before the second one is dealt with by the baseline.
        for index in (2..histograms.len()).filter(|index| is_reset(*index)) {
            add_noted(&mut difference, &histograms[index - 1], notes).ok()?;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        notes.note(RangeNote::NotGauge);
    }
    difference.counter_reset_hint = CounterResetHint::Gauge;
    difference.compact();
    Some(difference)
}

/// Says whether a counter reset lies before histogram `index`, which is not the first.
pub(super) fn lies_behind_reset(
    histograms: &[Arc<FloatHistogram>],
    stamps: Stamps<'_>,
    index: usize,
) -> bool {
    stamps.is_reset(index) || histograms[index].detect_reset(&histograms[index - 1])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{custom, gauge, histogram};
    use super::*;

    fn increase(histograms: Vec<FloatHistogram>, notes: &mut RangeNotes) -> Option<FloatHistogram> {
        let histograms: Vec<_> = histograms.into_iter().map(Arc::new).collect();
        let ts: Vec<i64> = (0..histograms.len() as i64).collect();
        let stamps = Stamps::new(&ts, &[]);
        let is_reset = |index| lies_behind_reset(&histograms, stamps, index);
        histogram_increase(&histograms, true, is_reset, notes)
    }

    #[test]
    fn all_of_a_histogram_is_lost_when_any_bucket_goes_down() {
        let mut notes = RangeNotes::default();
        let result = increase(
            vec![
                histogram(&[1.0, 1.0]),
                histogram(&[5.0, 3.0]),
                histogram(&[6.0, 2.0]),
                histogram(&[7.0, 4.0]),
            ],
            &mut notes,
        );
        let result = result.unwrap();
        // Last minus first, plus the whole second one.
        assert_eq!(result.positive_buckets, [11.0, 6.0]);
        assert_eq!(result.counter_reset_hint, CounterResetHint::Gauge);
        assert!(notes.is_empty());
    }

    #[test]
    fn the_lowest_schema_of_all_points_is_taken() {
        let mut fine = histogram(&[1.0, 1.0, 1.0, 1.0]);
        fine.schema = 1;
        let mut finer = fine.clone();
        finer.mul(3.0);
        let coarse = fine.to_schema(0);
        let result = increase(
            vec![fine.clone(), coarse, finer],
            &mut RangeNotes::default(),
        );
        assert_eq!(result.unwrap().schema, 0);
    }

    #[test]
    fn kinds_of_buckets_that_mix_give_nothing_and_only_one_warning() {
        let mut notes = RangeNotes::default();
        let result = increase(
            vec![
                histogram(&[1.0]),
                gauge(&[2.0]),
                custom(&[1.0], &[3.0]),
                histogram(&[4.0]),
            ],
            &mut notes,
        );
        assert!(result.is_none());
        assert!(notes.has(RangeNote::MixedExponentialCustom));
        assert!(!notes.has(RangeNote::NotCounter));
    }

    #[test]
    fn different_custom_bounds_are_reconciled_and_noted() {
        let mut notes = RangeNotes::default();
        let result = increase(
            vec![custom(&[1.0, 2.0], &[1.0, 1.0]), custom(&[2.0], &[5.0])],
            &mut notes,
        );
        assert_eq!(result.unwrap().positive_buckets, [3.0]);
        assert!(notes.has(RangeNote::ReconciledBySubtraction));
        assert!(!notes.has(RangeNote::ReconciledByAddition));
    }
}
