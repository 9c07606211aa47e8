//! The time ranges that blocks are made for.

use std::collections::BTreeSet;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Lengths of blocks, the same for seals and compactions, aligned to the epoch.
pub(crate) const RANGES_MS: [i64; 4] = [2 * HOUR_MS, 8 * HOUR_MS, 2 * DAY_MS, 14 * DAY_MS];
/// Length of blocks for what is older than a year.
const ANCIENT_RANGE_MS: i64 = 1024 * DAY_MS;
/// Blocks that one seal may make.
pub(crate) const MAX_SEALED_BLOCKS: usize = 64;

/// Returns the widest range that blocks may have: a tenth of the retention, but at least two hours.
pub(crate) fn widest_range_ms(retention_ms: Option<i64>) -> i64 {
    let limit = retention_ms.map_or(i64::MAX, |retention| retention / 10);
    let fitting = RANGES_MS.into_iter().filter(|range| *range <= limit);
    fitting.max().unwrap_or(RANGES_MS[0])
}

/// How a seal divides time into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    range_ms: i64,
    /// Before this time ranges are wider; aligned to every range.
    ancient_until_ms: i64,
}

impl Partition {
    /// Returns the start and the end, exclusive, of the block that `ts_ms` belongs to.
    pub(crate) fn range_of(self, ts_ms: i64) -> (i64, i64) {
        if ts_ms < self.ancient_until_ms {
            let start = align(ts_ms, ANCIENT_RANGE_MS);
            return (start, (start + ANCIENT_RANGE_MS).min(self.ancient_until_ms));
        }
        let start = align(ts_ms, self.range_ms);
        (start, start + self.range_ms)
    }

    /// Returns the narrowest division whose blocks are few enough, or the widest there is.
    /// `starts` gives for a division the starts of the blocks that would be made.
    pub(crate) fn choose(
        now_ms: i64,
        retention_ms: Option<i64>,
        mut starts: impl FnMut(Self) -> BTreeSet<i64>,
    ) -> (Self, BTreeSet<i64>) {
        let widest = widest_range_ms(retention_ms);
        let ancient_until_ms = match retention_ms {
            None => align(now_ms - 365 * DAY_MS, RANGES_MS[3]),
            Some(_) => i64::MIN,
        };
        let mut range_ms = RANGES_MS[0];
        loop {
            let partition = Self {
                range_ms,
                ancient_until_ms,
            };
            let found = starts(partition);
            let wider = RANGES_MS
                .into_iter()
                .find(|wider| *wider > range_ms && *wider <= widest);
            match wider {
                Some(wider) if found.len() > MAX_SEALED_BLOCKS => range_ms = wider,
                _ => return (partition, found),
            }
        }
    }
}

fn align(ts_ms: i64, range_ms: i64) -> i64 {
    ts_ms.div_euclid(range_ms).saturating_mul(range_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;

    fn choose(times: &[i64], retention_ms: Option<i64>) -> (Partition, usize) {
        let (partition, starts) = Partition::choose(NOW_MS, retention_ms, |partition| {
            times.iter().map(|ts| partition.range_of(*ts).0).collect()
        });
        (partition, starts.len())
    }

    #[test]
    fn ranges_widen_until_the_blocks_are_few() {
        let every_hour = |days: i64| {
            (0..days * 24)
                .map(|h| NOW_MS - h * HOUR_MS)
                .collect::<Vec<_>>()
        };
        assert_eq!(choose(&every_hour(1), None).0.range_ms, 2 * HOUR_MS);
        assert_eq!(choose(&every_hour(10), None).0.range_ms, 8 * HOUR_MS);
        assert_eq!(choose(&every_hour(100), None).0.range_ms, 2 * DAY_MS);
        assert_eq!(choose(&every_hour(300), None).0.range_ms, 14 * DAY_MS);
        assert_eq!(
            choose(&every_hour(100), Some(30 * DAY_MS)).0.range_ms,
            2 * DAY_MS
        );
        assert_eq!(
            choose(&every_hour(100), Some(DAY_MS)).0.range_ms,
            2 * HOUR_MS
        );
    }

    #[test]
    fn what_is_older_than_a_year_goes_into_few_wide_blocks() {
        let times: Vec<i64> = (0..56 * 365).map(|day| day * DAY_MS).collect();
        let (partition, blocks) = choose(&times, None);
        assert!(blocks <= MAX_SEALED_BLOCKS, "{blocks}");
        let (start, end) = partition.range_of(-1);
        assert_eq!((start, end), (-ANCIENT_RANGE_MS, 0));
        let last = partition.ancient_until_ms;
        assert_eq!(partition.range_of(last - 1).1, last);
        assert_eq!(partition.range_of(last).0, last);
    }

    #[test]
    fn the_widest_range_is_a_tenth_of_the_retention() {
        assert_eq!(widest_range_ms(None), 14 * DAY_MS);
        assert_eq!(widest_range_ms(Some(15 * DAY_MS)), 8 * HOUR_MS);
        assert_eq!(widest_range_ms(Some(HOUR_MS)), 2 * HOUR_MS);
    }
}
