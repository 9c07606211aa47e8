//! Numbers and lists about the store.

use std::sync::atomic::Ordering;

use obsq_model::{METRIC_NAME, Tenant};
use obsq_wal::Wal;

use super::{MetricStore, Shared};
use crate::block::BlockMeta;
use crate::head::Head;
use crate::stats::{HeadStatus, NamedCount, StoreStats};

impl Shared {
    pub(super) fn stats(&self) -> StoreStats {
        let mut stats = StoreStats {
            wal: self.wal.get().map(Wal::stats).unwrap_or_default(),
            replayed_records: self.replayed_records.load(Ordering::Relaxed),
            corruptions: self.corruptions.load(Ordering::Relaxed),
            missing_records: self.missing_records.load(Ordering::Relaxed),
            ..StoreStats::default()
        };
        self.counters.fill(&mut stats);
        stats.failing.checkpoints = u64::from(self.checkpointing.is_failing());
        for tenant in self.tenants.read().all() {
            let head = &tenant.head;
            stats.tenants += 1;
            stats.failing.seals += u64::from(tenant.sealing.is_failing());
            stats.failing.compactions += u64::from(tenant.compacting.is_failing());
            stats.head_series += head.index.read().len() as u64;
            stats.head_chunks += head.chunk_count();
            stats.head_file_bytes += head.files.bytes();
            stats.late_bytes += head.late.bytes();
            for block in tenant.blocks.snapshot().iter() {
                stats.blocks += 1;
                stats.damaged_blocks += u64::from(block.is_damaged());
                stats.block_bytes += block.size_bytes();
            }
            stats.corruptions += tenant.damaged_companions;
            stats.lost_chunks += tenant.blocks.lost() as u64;
            stats.broken_blocks += tenant.blocks.unreadable().len() as u64;
        }
        stats
    }
}

impl MetricStore {
    /// Returns what the head of `tenant` holds, with the `limit` largest entries of each list.
    /// O(series).
    pub fn head_status(&self, tenant: &Tenant, limit: usize) -> HeadStatus {
        let tenant = self.shared.tenant(tenant);
        tenant.map_or_else(HeadStatus::default, |tenant| tenant.head.status(limit))
    }

    /// Returns what the blocks of `tenant` say of themselves, by their earliest time.
    pub fn block_metas(&self, tenant: &Tenant) -> Vec<BlockMeta> {
        let Some(tenant) = self.shared.tenant(tenant) else {
            return Vec::new();
        };
        let blocks = tenant.blocks.snapshot();
        let mut metas: Vec<_> = blocks.iter().map(|block| block.meta().clone()).collect();
        metas.sort_by_key(|meta| (meta.min_time, meta.ulid));
        metas
    }
}

impl Head {
    fn status(&self, limit: usize) -> HeadStatus {
        let index = self.index.read();
        let mut status = HeadStatus {
            series: index.len() as u64,
            ..HeadStatus::default()
        };
        for series in index.iter() {
            let state = series.state.lock();
            status.chunks += state.chunk_count() as u64;
            if let Some((min, max)) = state.time_range() {
                status.min_time_ms = Some(status.min_time_ms.map_or(min, |known| known.min(min)));
                status.max_time_ms = Some(status.max_time_ms.map_or(max, |known| known.max(max)));
            }
        }
        let (mut values, mut bytes, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        for name in index.names() {
            let (mut count, mut size) = (0, 0);
            for (value, series) in index.values(name) {
                count += 1;
                size += (value.len() * series) as u64;
                pairs.push(((name, value), series as u64));
            }
            values.push((name, count));
            bytes.push((name, size));
        }
        status.label_pairs = pairs.len() as u64;
        let names = index.values(METRIC_NAME);
        let names = names.map(|(value, series)| (value, series as u64));
        status.series_by_metric_name = largest(names.collect(), limit, ToString::to_string);
        status.values_by_label_name = largest(values, limit, ToString::to_string);
        status.bytes_by_label_name = largest(bytes, limit, ToString::to_string);
        let pair = |(name, value): &(_, _)| format!("{name}={value}");
        status.series_by_label_pair = largest(pairs, limit, pair);
        status
    }
}

fn largest<T: Ord>(
    mut counts: Vec<(T, u64)>,
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Vec<NamedCount> {
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(limit);
    let named = counts.iter().map(|(key, value)| NamedCount {
        name: name(key),
        value: *value,
    });
    named.collect()
}
