//! From a place to who answers there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_ingest::exposition::{Format, ParseOptions, parse};
use obsq_metrics::{BlockSet, MetricStore, StoreOptions};
use obsq_model::{Clock, Tenant};
use obsq_source::{MetricBatch, MetricSource, SeriesBatch};

use crate::exit::Failure;

/// What lies in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// obsq's own data directory.
    Store,
    /// One block.
    Block,
    /// Blocks side by side, as in a data directory of Prometheus.
    Blocks(Vec<PathBuf>),
}

/// Looks into a directory and says what lies there.
pub(crate) fn layout(dir: &Path) -> Result<Layout, Failure> {
    let is = |path: PathBuf| path.try_exists().unwrap_or(false);
    if is(dir.join("meta.json")) && is(dir.join("index")) {
        return Ok(Layout::Block);
    }
    // Before anything is sealed there is only the log.
    if is(dir.join("tenants")) || is(dir.join("wal").join("metrics")) {
        return Ok(Layout::Store);
    }
    let entries = std::fs::read_dir(dir).map_err(|error| {
        Failure::usage(format!("cannot read `{}`", dir.display())).because(&error)
    })?;
    let mut blocks: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| is(path.join("meta.json")) && is(path.join("index")))
        .collect();
    blocks.sort();
    if blocks.is_empty() {
        return Err(nothing_in(dir));
    }
    Ok(Layout::Blocks(blocks))
}

/// Returns a warning when `dir` is a data directory of Prometheus with a log, whose samples of the
/// last hours are in no block yet.
pub(crate) fn unread_log(dir: &Path) -> Option<String> {
    let has_log = dir.join("wal").is_dir();
    match layout(dir) {
        Ok(Layout::Blocks(_)) if has_log => Some(format!(
            "only the blocks of `{}` are read: what is still in its write-ahead log is missing",
            dir.display()
        )),
        _ => None,
    }
}

/// Says why a directory cannot be read; a Prometheus writes its first block after hours.
fn nothing_in(dir: &Path) -> Failure {
    let shown = dir.display();
    if dir.join("wal").is_dir() && dir.join("chunks_head").is_dir() {
        let text =
            format!("`{shown}` has no block yet, and Prometheus' write-ahead log is not read");
        return Failure::usage(text).hint(
            "`POST /api/v1/admin/tsdb/snapshot` makes Prometheus write a block under `snapshots/`",
        );
    }
    Failure::usage(format!("`{shown}` is no data directory and no block"))
        .hint("a data directory has `tenants/` (obsq) or blocks (Prometheus)")
}

/// Opens a directory for reading.
pub(crate) fn open_directory(
    dir: &Path,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn MetricSource>, Failure> {
    match layout(dir)? {
        Layout::Store => Ok(Arc::new(open_store(dir, clock)?)),
        Layout::Block => Ok(Arc::new(open_blocks(&[dir.to_owned()])?)),
        Layout::Blocks(blocks) => Ok(Arc::new(open_blocks(&blocks)?)),
    }
}

/// Opens obsq's own store for reading; a server may hold it at the same time.
fn open_store(dir: &Path, clock: Arc<dyn Clock>) -> Result<MetricStore, Failure> {
    MetricStore::open_read_only(StoreOptions::new(dir.to_owned(), clock)).map_err(|error| {
        Failure::failed(format!("cannot open `{}`", dir.display())).because(&error)
    })
}

/// Opens blocks for reading.
pub(crate) fn open_blocks(directories: &[PathBuf]) -> Result<BlockSet, Failure> {
    let mut set = BlockSet::default();
    for directory in directories {
        set.add_block(directory).map_err(|error| {
            Failure::failed(format!("cannot open the block `{}`", directory.display()))
                .because(&error)
        })?;
    }
    Ok(set)
}

/// Reads exposition text or OpenMetrics; samples without a time get `now_ms`.
pub(crate) fn read_exposition(text: &str, now_ms: i64) -> Result<MetricBatch, Failure> {
    let format = if text.trim_end().ends_with("# EOF") {
        Format::OpenMetrics
    } else {
        Format::Text
    };
    let scraped = parse(text.as_bytes(), ParseOptions::new(format))
        .map_err(|error| Failure::failed("cannot understand the samples").because(&error))?;
    let series = scraped.samples.into_iter().map(|sample| SeriesBatch {
        labels: sample.labels,
        samples: vec![obsq_model::Sample {
            ts_ms: sample.ts_ms.unwrap_or(now_ms),
            start_ts_ms: sample.start_ts_ms,
            value: sample.value,
        }],
        exemplars: Vec::new(),
    });
    Ok(MetricBatch {
        series: series.collect(),
        metadata: scraped.metadata,
    })
}

/// Returns the tenant of `--org-id`.
pub(crate) fn tenant(name: Option<&str>) -> Result<Tenant, Failure> {
    match name {
        None => Ok(Tenant::anonymous()),
        Some(name) => Tenant::parse(name)
            .map_err(|error| Failure::usage("`--org-id` is wrong").because(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_what_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(layout(root).is_err());
        assert!(layout(&root.join("nowhere")).is_err());
        for young in ["wal", "chunks_head"] {
            std::fs::create_dir(root.join(young)).unwrap();
        }
        let failure = format!("{:?}", layout(root).unwrap_err());
        assert!(failure.contains("has no block yet"), "{failure}");
        std::fs::remove_dir(root.join("wal")).unwrap();
        let block = root.join("01ARZ3NDEKTSV4RRFFQ69G5FAV");
        std::fs::create_dir(&block).unwrap();
        for file in ["meta.json", "index"] {
            std::fs::write(block.join(file), "").unwrap();
        }
        assert_eq!(layout(&block).unwrap(), Layout::Block);
        assert_eq!(layout(root).unwrap(), Layout::Blocks(vec![block]));
        assert_eq!(unread_log(root), None);
        std::fs::create_dir(root.join("wal")).unwrap();
        assert!(unread_log(root).unwrap().contains("write-ahead log"));
        std::fs::create_dir(root.join("tenants")).unwrap();
        assert_eq!(layout(root).unwrap(), Layout::Store);
        assert_eq!(unread_log(root), None);
    }

    #[test]
    fn text_and_openmetrics_are_told_apart_by_their_end() {
        let text = read_exposition("up 1\nup{a=\"b\"} 2 5000\n", 7).unwrap();
        assert_eq!(text.series[0].samples[0].ts_ms, 7);
        assert_eq!(text.series[1].samples[0].ts_ms, 5_000);
        let open = read_exposition("up 1 5\n# EOF\n", 7).unwrap();
        assert_eq!(open.series[0].samples[0].ts_ms, 5_000);
        assert!(read_exposition("up{", 7).is_err());
    }
}
