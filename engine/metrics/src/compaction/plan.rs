//! Which blocks to merge next.

use std::collections::BTreeMap;

use ulid::Ulid;

use crate::block::BlockMeta;
use crate::ranges::{RANGES_MS, widest_range_ms};

/// A window that sealing fills.
const WINDOW_MS: i64 = RANGES_MS[0];
/// A range is complete when a block reaches its end, or at the latest so long after it.
const PATIENCE_MS: i64 = WINDOW_MS;

/// Blocks that should be merged into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactionPlan {
    /// The blocks, earliest first.
    pub parents: Vec<Ulid>,
    /// Whether they overlap, so that samples have to be compared.
    pub overlapping: bool,
}

/// Returns the most urgent merge; `None` when all is well. Call again after carrying it out.
///
/// 1. Blocks that overlap are merged, all that hang together at once: reads of them cost most.
/// 2. Blocks within the same 8 hours, 2 days, 14 days are merged, the shorter range first, once the
///    range is complete by `now_ms`. Ranges above a tenth of the retention are not made.
///
/// Blocks with different external labels are kept apart; downsampled ones and those marked as failed
/// are left alone. Blocks longer than 14 days are merged only with what overlaps them.
pub fn plan_compaction(
    blocks: &[&BlockMeta],
    now_ms: i64,
    retention_ms: Option<i64>,
) -> Option<CompactionPlan> {
    let mut groups: BTreeMap<_, Vec<&BlockMeta>> = BTreeMap::new();
    for block in blocks.iter().filter(|block| can_merge(block)) {
        let labels = block.thanos.as_ref().map(|thanos| &thanos.labels);
        let labels = labels.filter(|labels| !labels.is_empty());
        groups.entry(labels).or_default().push(block);
    }
    for group in groups.values_mut() {
        group.sort_by_key(|block| (block.min_time, block.ulid));
    }
    let overlap = groups.values().find_map(|group| plan_overlap(group));
    overlap.or_else(|| {
        let widest = widest_range_ms(retention_ms);
        let grown = RANGES_MS.iter().skip(1).filter(|range| **range <= widest);
        grown
            .flat_map(|range| groups.values().map(move |group| (*range, group)))
            .find_map(|(range, group)| plan_range(group, range, now_ms))
    })
}

/// Returns the blocks that are not needed, because another one was made of them: what a crash between
/// publishing a block and removing its parents leaves behind. Sorted.
pub fn superseded_blocks(blocks: &[&BlockMeta]) -> Vec<Ulid> {
    let replaces = |new: &BlockMeta, old: &BlockMeta| {
        let sources = &old.compaction.sources;
        let is_parent = new
            .compaction
            .parents
            .iter()
            .any(|parent| parent.ulid == old.ulid);
        let has_all = sources
            .iter()
            .all(|source| new.compaction.sources.contains(source));
        let is_ancestor = !sources.is_empty() && new.compaction.level > old.compaction.level;
        new.ulid != old.ulid && (is_parent || (is_ancestor && has_all))
    };
    let is_old = |old: &&&BlockMeta| blocks.iter().any(|new| replaces(new, old));
    let mut found: Vec<Ulid> = blocks.iter().filter(is_old).map(|old| old.ulid).collect();
    found.sort_unstable();
    found
}

fn can_merge(block: &BlockMeta) -> bool {
    let resolution = block
        .thanos
        .as_ref()
        .map_or(0, |thanos| thanos.downsample.resolution);
    resolution == 0 && !block.compaction.failed
}

/// Returns the first blocks that hang together by overlaps.
fn plan_overlap(sorted: &[&BlockMeta]) -> Option<CompactionPlan> {
    let mut run: Vec<&BlockMeta> = Vec::new();
    let mut end = i64::MIN;
    for block in sorted {
        if block.min_time >= end {
            if run.len() > 1 {
                break;
            }
            run.clear();
        }
        run.push(block);
        end = end.max(block.max_time);
    }
    (run.len() > 1).then(|| CompactionPlan {
        parents: run.iter().map(|block| block.ulid).collect(),
        overlapping: true,
    })
}

/// Returns the earliest blocks that lie within one complete range.
fn plan_range(sorted: &[&BlockMeta], range_ms: i64, now_ms: i64) -> Option<CompactionPlan> {
    let newest_end = sorted.iter().map(|block| block.max_time).max()?;
    let start_of = |block: &BlockMeta| block.min_time.div_euclid(range_ms) * range_ms;
    sorted
        .chunk_by(|a, b| start_of(a) == start_of(b))
        .find_map(|neighbours| {
            let end = start_of(neighbours.first()?).saturating_add(range_ms);
            let is_complete = newest_end >= end || now_ms >= end.saturating_add(PATIENCE_MS);
            // What reaches beyond the range belongs to a longer one.
            let inside = neighbours.iter().filter(|block| block.max_time <= end);
            let parents: Vec<Ulid> = inside.map(|block| block.ulid).collect();
            (is_complete && parents.len() > 1).then_some(CompactionPlan {
                parents,
                overlapping: false,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockStats, Compaction, ThanosMeta};

    const HOUR_MS: i64 = 3_600_000;

    fn meta(number: u128, min_hours: i64, max_hours: i64) -> BlockMeta {
        BlockMeta {
            ulid: Ulid(number),
            min_time: min_hours * HOUR_MS,
            max_time: max_hours * HOUR_MS,
            stats: BlockStats::default(),
            compaction: Compaction::default(),
            version: 1,
            thanos: None,
            obsq: None,
        }
    }

    /// Plans for blocks given as hours, numbered from 1.
    fn plan(hours: &[(i64, i64)], now_hours: i64, retention_hours: Option<i64>) -> Vec<u128> {
        let metas: Vec<_> = (1..)
            .zip(hours)
            .map(|(number, (min, max))| meta(number, *min, *max))
            .collect();
        plan_metas(&metas, now_hours, retention_hours)
    }

    fn plan_metas(metas: &[BlockMeta], now_hours: i64, retention_hours: Option<i64>) -> Vec<u128> {
        let metas: Vec<_> = metas.iter().collect();
        let retention = retention_hours.map(|hours| hours * HOUR_MS);
        let plan = plan_compaction(&metas, now_hours * HOUR_MS, retention);
        plan.map_or(Vec::new(), |plan| {
            plan.parents.iter().map(|ulid| ulid.0).collect()
        })
    }

    #[test]
    fn a_complete_range_is_merged() {
        assert_eq!(
            plan(&[(0, 2), (2, 4), (4, 6), (6, 8)], 8, None),
            [1, 2, 3, 4]
        );
        assert_eq!(plan(&[(0, 2), (2, 4), (8, 10)], 10, None), [1, 2]);
        assert_eq!(plan(&[(-8, -6), (-2, 0)], 10, None), [1, 2]);
    }

    #[test]
    fn an_open_range_waits_for_its_end() {
        let open = [(0, 2), (2, 4), (4, 6)];
        assert!(plan(&open, 8, None).is_empty());
        assert!(plan(&open, 9, None).is_empty());
        assert_eq!(plan(&open, 10, None), [1, 2, 3]);
    }

    #[test]
    fn shorter_ranges_come_first() {
        let blocks = [(0, 8), (8, 16), (48, 50), (50, 52), (56, 58)];
        assert_eq!(plan(&blocks, 1000, None), [3, 4]);
        assert_eq!(plan(&[(0, 8), (8, 16), (48, 56)], 1000, None), [1, 2]);
        assert_eq!(plan(&[(0, 48), (48, 96)], 1000, None), [1, 2]);
    }

    #[test]
    fn a_lone_block_stays() {
        assert!(plan(&[(0, 2)], 1000, None).is_empty());
        assert!(plan(&[(0, 336), (336, 672)], 10_000, None).is_empty());
        assert!(plan(&[], 0, None).is_empty());
    }

    #[test]
    fn all_overlapping_blocks_are_merged_at_once() {
        let blocks = [(0, 2), (2, 4), (2, 3), (3, 6), (6, 8)];
        assert_eq!(plan(&blocks, 0, None), [2, 3, 4]);
        assert_eq!(
            plan(&[(0, 300), (4, 6), (200, 202), (400, 402)], 0, None),
            [1, 2, 3]
        );
    }

    #[test]
    fn blocks_stay_below_a_tenth_of_the_retention() {
        let blocks = [(0, 8), (8, 16), (16, 24)];
        assert!(plan(&blocks, 1000, Some(479)).is_empty());
        assert_eq!(plan(&blocks, 1000, Some(480)), [1, 2, 3]);
        assert!(plan(&[(0, 2), (2, 4)], 1000, Some(24)).is_empty());
    }

    #[test]
    fn blocks_that_cross_a_range_are_left_to_a_longer_one() {
        // Two blocks of Prometheus' six hours: the second crosses the end of the first eight.
        assert!(plan(&[(0, 6), (6, 12)], 24, None).is_empty());
        assert_eq!(plan(&[(0, 6), (6, 12)], 1000, None), [1, 2]);
    }

    #[test]
    fn a_block_is_superseded_by_what_was_made_of_it() {
        let mut metas = [meta(1, 0, 2), meta(2, 2, 4), meta(3, 0, 4), meta(4, 4, 6)];
        for meta in &mut metas {
            meta.compaction.level = 1;
            meta.compaction.sources = vec![meta.ulid];
        }
        metas[2].compaction.level = 2;
        metas[2].compaction.sources = vec![Ulid(1), Ulid(2)];
        let all: Vec<_> = metas.iter().collect();
        assert_eq!(superseded_blocks(&all), [Ulid(1), Ulid(2)]);
        assert!(superseded_blocks(&all[2..]).is_empty());
        assert!(superseded_blocks(&all[..2]).is_empty());
    }

    #[test]
    fn other_labels_resolutions_and_failures_are_kept_apart() {
        let mut metas = [meta(1, 0, 2), meta(2, 0, 2), meta(3, 0, 2)];
        let mut labelled = ThanosMeta::default();
        labelled.labels.insert("replica".to_owned(), "a".to_owned());
        metas[1].thanos = Some(labelled.clone());
        metas[2].compaction.failed = true;
        assert!(plan_metas(&metas, 1000, None).is_empty());
        metas[0].thanos = Some(labelled.clone());
        assert_eq!(plan_metas(&metas, 1000, None), [1, 2]);
        labelled.downsample.resolution = 300_000;
        metas[0].thanos = Some(labelled);
        assert!(plan_metas(&metas, 1000, None).is_empty());
    }
}
