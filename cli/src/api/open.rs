//! From a place to who answers there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_ingest::exposition::{Format, ParseOptions, parse};
use obsq_metrics::{BlockSet, MetricStore, PrometheusLog, StoreOptions};
use obsq_model::{Clock, ErrorKind, Tenant};
use obsq_source::{MetricBatch, MetricSource, SeriesBatch};

use crate::exit::Failure;

/// What lies in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// obsq's own data directory.
    Store,
    /// One block.
    Block,
    /// Blocks side by side.
    Blocks(Vec<PathBuf>),
    /// A data directory of Prometheus: blocks, if any, and a log.
    Prometheus(Vec<PathBuf>),
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
    if dir.join("wal").is_dir() {
        return Ok(Layout::Prometheus(blocks));
    }
    if blocks.is_empty() {
        let text = format!("`{}` is no data directory and no block", dir.display());
        return Err(Failure::usage(text)
            .hint("a data directory has `tenants/` (obsq), or blocks and `wal/` (Prometheus)"));
    }
    Ok(Layout::Blocks(blocks))
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
        Layout::Prometheus(blocks) => {
            let mut set = open_blocks(&blocks)?;
            set.set_log(open_log(dir, &set)?);
            Ok(Arc::new(set))
        }
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

/// Reads what is in the log of a Prometheus data directory and in none of its blocks.
pub(crate) fn open_log(dir: &Path, blocks: &BlockSet) -> Result<Arc<PrometheusLog>, Failure> {
    let log = PrometheusLog::read(dir, blocks.blocks()).map_err(|error| {
        let text = format!("cannot read the log of `{}`", dir.display());
        let failure = Failure::failed(text).because(&error);
        if error.kind() == ErrorKind::LimitExceeded {
            return failure.hint("ask the Prometheus that has it open, with `--server`");
        }
        failure
    })?;
    if log.damaged() > 0 {
        let damaged = log.damaged();
        tracing::warn!(damaged, directory = %dir.display(), "parts of the write-ahead log cannot be read");
    }
    Ok(Arc::new(log))
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
        samples: [obsq_model::Sample {
            ts_ms: sample.ts_ms.unwrap_or(now_ms),
            start_ts_ms: sample.start_ts_ms,
            value: sample.value,
        }]
        .into(),
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
        assert_eq!(layout(root).unwrap(), Layout::Prometheus(Vec::new()));
        std::fs::remove_dir(root.join("wal")).unwrap();
        let block = root.join("01ARZ3NDEKTSV4RRFFQ69G5FAV");
        std::fs::create_dir(&block).unwrap();
        for file in ["meta.json", "index"] {
            std::fs::write(block.join(file), "").unwrap();
        }
        assert_eq!(layout(&block).unwrap(), Layout::Block);
        assert_eq!(layout(root).unwrap(), Layout::Blocks(vec![block]));
        std::fs::create_dir(root.join("wal")).unwrap();
        assert!(matches!(layout(root).unwrap(), Layout::Prometheus(blocks) if blocks.len() == 1));
        std::fs::create_dir(root.join("tenants")).unwrap();
        assert_eq!(layout(root).unwrap(), Layout::Store);
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
