//! The `storage` section.

use super::node::Node;
use super::section::{Problems, Section};

/// What the file says of storage; flags on the command line win.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StorageConfig {
    /// Milliseconds after which samples are deleted; `None` keeps them.
    pub retention_time_ms: Option<i64>,
    /// Bytes that blocks may take before the oldest are deleted.
    pub retention_size_bytes: Option<u64>,
    /// The same as a percentage of the size of the disk, above 0 and up to 100; wins over the bytes.
    pub retention_percentage: Option<f64>,
    /// Most exemplars that are kept.
    pub max_exemplars: Option<usize>,
    /// Milliseconds by which samples may come late. obsq takes samples of any age, so that this
    /// asks for nothing.
    pub out_of_order_time_window_ms: i64,
}

pub(super) fn read(node: &Node, problems: &Problems) -> StorageConfig {
    let mut config = StorageConfig::default();
    let Some(mut section) = Section::of_optional(node, "`storage`", problems) else {
        return config;
    };
    if let Some(tsdb) = section.node("tsdb") {
        read_tsdb(tsdb, &mut config, problems);
    }
    if let Some(exemplars) = section.node("exemplars")
        && let Some(mut section) = Section::of_optional(exemplars, "`exemplars`", problems)
    {
        config.max_exemplars = section.count("max_exemplars");
        section.finish();
    }
    section.finish();
    config
}

fn read_tsdb(node: &Node, config: &mut StorageConfig, problems: &Problems) {
    let Some(mut section) = Section::of_optional(node, "`tsdb`", problems) else {
        return;
    };
    config.out_of_order_time_window_ms = section
        .duration_ms("out_of_order_time_window")
        .unwrap_or_default();
    section.refuse("stale_series_compaction_threshold");
    if let Some(retention) = section.node("retention")
        && let Some(mut section) = Section::of_optional(retention, "`retention`", problems)
    {
        config.retention_time_ms = section.duration_ms("time").filter(|ms| *ms > 0);
        config.retention_size_bytes = section.size_bytes("size").filter(|bytes| *bytes > 0);
        let percentage = section.checked_float("percentage", |percentage| {
            if (0.0..=100.0).contains(&percentage) {
                return Ok(());
            }
            let key = "storage.tsdb.retention.percentage";
            Err(format!(
                "'{key}' must be in the range [0, 100], got {percentage}"
            ))
        });
        config.retention_percentage = percentage.filter(|percentage| *percentage > 0.0);
        section.finish();
    }
    section.finish();
}
