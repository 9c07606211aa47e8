//! Which blocks to merge when some are damaged.

use std::sync::Arc;

use ulid::Ulid;

use crate::block::{Block, BlockMeta};
use crate::compaction::plan_compaction;

/// Returns the blocks to merge next. Those that are damaged are left out, and those whose values would
/// then win over values of one left out that they lose to, or the other way round.
pub(super) fn plan(
    list: &[Arc<Block>],
    now_ms: i64,
    retention_ms: Option<i64>,
) -> Option<Vec<Arc<Block>>> {
    let (mut out, mut left): (Vec<_>, Vec<_>) =
        list.iter().cloned().partition(|block| block.is_damaged());
    loop {
        let metas: Vec<_> = left.iter().map(|block| block.meta()).collect();
        let plan = plan_compaction(&metas, now_ms, retention_ms)?;
        let mut parents = left.clone();
        parents.retain(|block| plan.parents.contains(&block.meta().ulid));
        let first_seq = parents.iter().map(|block| block.meta().first_seq()).min()?;
        let changes_order = |block: &Block| {
            let (meta, range) = (block.meta(), block.range());
            let mut near = out.iter().filter(|other| range.overlaps(other.range()));
            near.any(|other| {
                let other = rank(other.meta());
                // The name of a new block comes last.
                (rank(meta) < other) != ((first_seq, Ulid(u128::MAX)) < other)
            })
        };
        if !parents.iter().any(|block| changes_order(block)) {
            return Some(parents);
        }
        parents.retain(|block| changes_order(block));
        left.retain(|block| !parents.iter().any(|parent| Arc::ptr_eq(block, parent)));
        out.extend(parents);
    }
}

/// Of two values at one time that of the block with the lower one stays.
fn rank(meta: &BlockMeta) -> (u64, Ulid) {
    (meta.first_seq(), meta.ulid)
}
