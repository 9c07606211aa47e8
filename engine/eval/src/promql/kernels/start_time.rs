//! What start timestamps say about two neighbouring samples of a counter.

/// A sample's time and start timestamp in ms; 0 means that the start is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) ts_ms: i64,
    pub(super) start_ms: i64,
}

/// Times and start timestamps of one column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps<'a> {
    ts: &'a [i64],
    starts: &'a [i64],
}

impl<'a> Stamps<'a> {
    /// `starts` is empty or as long as `ts`.
    pub(super) fn new(ts: &'a [i64], starts: &'a [i64]) -> Self {
        Self { ts, starts }
    }

    /// Says whether there are start timestamps at all.
    pub(super) fn known(&self) -> bool {
        !self.starts.is_empty()
    }

    pub(super) fn get(&self, index: usize) -> Stamp {
        Stamp {
            ts_ms: self.ts[index],
            start_ms: self.starts.get(index).copied().unwrap_or(0),
        }
    }

    /// Says whether the counter was started anew between sample `index - 1` and sample `index`.
    pub(super) fn is_reset(&self, index: usize) -> bool {
        self.known() && is_reset(self.get(index - 1), self.get(index))
    }

    /// Says whether sample `index` claims to have started before the sample before it.
    pub(super) fn overlaps(&self, index: usize) -> bool {
        if !self.known() {
            return false;
        }
        let (before, now) = (self.get(index - 1), self.get(index));
        now.start_ms != 0 && now.start_ms < before.ts_ms && now.start_ms != before.start_ms
    }

    /// Says whether any sample overlaps the one before it.
    pub(super) fn any_overlap(&self) -> bool {
        (1..self.starts.len()).any(|index| self.overlaps(index))
    }
}

/// Says whether the counter was started anew between two neighbouring samples.
///
/// A start at or behind the sample's own time says nothing. A start exactly at the sample before
/// is a reset (as in a series of deltas), unless that sample's start is unknown too: then it is a
/// cumulative series without known start.
pub(super) fn is_reset(before: Stamp, now: Stamp) -> bool {
    if now.start_ms == 0 || now.start_ms >= now.ts_ms || now.start_ms < before.ts_ms {
        return false;
    }
    now.start_ms > before.ts_ms || (before.start_ms != 0 && before.start_ms < before.ts_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_behind_the_sample_before_is_a_reset() {
        let stamp = |(ts_ms, start_ms)| Stamp { ts_ms, start_ms };
        let cases = [
            ((10, 5), (20, 5), false),
            ((10, 5), (20, 0), false),
            ((10, 5), (20, 15), true),
            ((10, 5), (20, 20), false),
            ((10, 5), (20, 25), false),
            // Deltas: each starts where the one before ended.
            ((10, 5), (20, 10), true),
            ((10, 0), (20, 10), false),
            ((10, 10), (20, 10), false),
            ((10, 12), (20, 10), false),
            ((10, 0), (20, 11), true),
        ];
        for (before, now, reset) in cases {
            assert_eq!(
                is_reset(stamp(before), stamp(now)),
                reset,
                "{before:?} {now:?}"
            );
        }
    }

    #[test]
    fn a_start_before_the_sample_before_overlaps_unless_both_share_it() {
        let stamps = Stamps::new(&[10, 20, 30, 40, 50], &[5, 5, 15, 30, 0]);
        let overlaps: Vec<_> = (1..5).map(|index| stamps.overlaps(index)).collect();
        assert_eq!(overlaps, [false, true, false, false]);
        assert!(stamps.any_overlap());
        assert!(!Stamps::new(&[10, 20], &[]).any_overlap());
    }
}
