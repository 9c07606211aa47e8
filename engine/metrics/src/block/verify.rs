//! Looking through a whole block for damage.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_encoding::{Encoding, decode_samples};
use obsq_model::TimeRange;
use obsq_wal::{DiskVfs, Vfs};

use super::cache::BlockCache;
use super::meta::BlockStats;
use super::reader::{Block, BlockSeries};
use crate::Error;

/// Findings of one block beyond which the rest is not told.
const MAX_FINDINGS: usize = 100;
/// Bytes of index that may be kept meanwhile.
const CACHE_BYTES: u64 = 64 << 20;
/// Bytes of a file that are read at once.
const READ_BYTES: usize = 1 << 20;

/// What is wrong with a block, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, or the block's directory.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
}

/// Reads everything of the block in `directory` and returns what is wrong, at most 100 findings; none
/// when it is sound. Checked are meta, length and CRC of the files where they are known, every
/// section of the index, every list of postings, every chunk's CRC, order and times, the counts, and
/// the tombstones.
pub fn verify_block(directory: &Path) -> Vec<Finding> {
    let vfs: Arc<dyn Vfs> = Arc::new(DiskVfs);
    let mut findings = Findings {
        directory: directory.to_owned(),
        list: Vec::new(),
    };
    let cache = Arc::new(BlockCache::new(CACHE_BYTES));
    match Block::open(&vfs, directory, &cache) {
        Ok(block) => {
            findings.check_meta(&block);
            findings.check_files(vfs.as_ref(), &block);
            findings.check_series(&block);
            if let Err(error) = block.verify_index() {
                findings.add_error(&error);
            }
        }
        Err(error) => findings.add_error(&error),
    }
    findings.list
}

struct Findings {
    directory: PathBuf,
    list: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, path: PathBuf, what: String) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(Finding { path, what });
        }
    }

    fn add_error(&mut self, error: &Error) {
        let path = match error {
            Error::Corrupt { path, .. }
            | Error::Meta { path, .. }
            | Error::Version { path, .. } => path.clone(),
            _ => self.directory.clone(),
        };
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        self.add(path, what);
    }

    fn check_meta(&mut self, block: &Block) {
        let meta = block.meta();
        let path = self.directory.join("meta.json");
        let name = self.directory.file_name().unwrap_or_default();
        if name.to_string_lossy() != meta.ulid.to_string() {
            self.add(
                path.clone(),
                format!("it says that the block is {}", meta.ulid),
            );
        }
        if meta.min_time > meta.max_time {
            let what = format!("the range {}..{} is none", meta.min_time, meta.max_time);
            self.add(path, what);
        }
    }

    fn check_files(&mut self, vfs: &dyn Vfs, block: &Block) {
        let files = block.meta().obsq.iter().flat_map(|obsq| &obsq.files);
        for file in files {
            let path = self.directory.join(&file.path);
            match crc_of(vfs, &path) {
                Ok((size, _crc)) if size != file.size => {
                    let what = format!("it has {size} bytes, the meta says {}", file.size);
                    self.add(path, what);
                }
                Ok((_size, crc)) if crc != file.crc32c => {
                    let what = format!("its CRC is {crc:08x}, the meta says {:08x}", file.crc32c);
                    self.add(path, what);
                }
                Ok(_sound) => {}
                Err(error) => self.add(path, format!("cannot be read: {error}")),
            }
        }
    }

    fn check_series(&mut self, block: &Block) {
        let mut stats = BlockStats::default();
        let mut last = None;
        let (mut ids, mut seen) = (BTreeSet::new(), Vec::new());
        let walked = block.visit_all_series(&mut |series| {
            if last.as_ref().is_some_and(|last| *last >= series.labels) {
                let path = self.directory.join("index");
                self.add(path, format!("series {} is out of order", series.labels));
            }
            last = Some(series.labels.clone());
            self.check_chunks(block, &series, &mut stats);
            stats.num_series += 1;
            ids.insert(series.id);
            seen.push(series.id);
            ControlFlow::Continue(())
        });
        if let Err(error) = walked {
            self.add_error(&error);
            return;
        }
        let known = block.meta().stats;
        for (what, found, said) in [
            ("series", stats.num_series, known.num_series),
            ("chunks", stats.num_chunks, known.num_chunks),
            ("samples", stats.num_samples, known.num_samples),
        ] {
            // A block of which a chunk cannot be read has fewer, and that is told already.
            if found != said && self.list.is_empty() {
                let path = self.directory.join("meta.json");
                self.add(path, format!("it says {said} {what}, there are {found}"));
            }
        }
        for id in block.deleted_series() {
            if !ids.contains(&id) {
                let path = self.directory.join("tombstones");
                self.add(path, format!("series {id} is not in the block"));
            }
        }
    }

    fn check_chunks(&mut self, block: &Block, series: &BlockSeries, stats: &mut BlockStats) {
        let whole = block.range();
        let mut end = None;
        for chunk in series.chunks.iter() {
            stats.num_chunks += 1;
            let range = TimeRange::new(chunk.min_ts_ms, chunk.max_ts_ms);
            let within = whole.contains(range.start_ms) && whole.contains(range.end_ms);
            if !within || end.is_some_and(|end| end >= range.start_ms) {
                let path = self.directory.join("index");
                let what = format!("a chunk of {} lies at a wrong time", series.labels);
                self.add(path, what);
            }
            end = Some(range.end_ms);
            let one = BlockSeries {
                chunks: vec![*chunk].into(),
                ..series.clone()
            };
            let mut problem = None;
            let read = block.visit_chunks(&one, TimeRange::ALL, &mut |_, encoding, bytes| {
                if encoding == Encoding::Aggr {
                    return Ok(());
                }
                let samples = decode_samples(encoding, bytes)?;
                stats.num_samples += samples.len() as u64;
                let rising = samples.windows(2).all(|pair| pair[0].ts_ms < pair[1].ts_ms);
                let first = samples.first().map(|sample| sample.ts_ms);
                let last = samples.last().map(|sample| sample.ts_ms);
                if !rising || first != Some(range.start_ms) || last != Some(range.end_ms) {
                    problem = Some("samples of a chunk are out of order or at other times");
                }
                Ok(())
            });
            if let Err(error) = read {
                self.add_error(&error);
            }
            if let Some(problem) = problem {
                let path = self.directory.join("chunks");
                self.add(path, format!("{problem}: {}", series.labels));
            }
        }
    }
}

/// Returns length and CRC of a file.
fn crc_of(vfs: &dyn Vfs, path: &Path) -> std::io::Result<(u64, u32)> {
    let file = vfs.open(path)?;
    let size = file.size()?;
    let (mut offset, mut crc, mut buffer) = (0, 0, vec![0; READ_BYTES]);
    while offset < size {
        let part = (size - offset).min(READ_BYTES as u64) as usize;
        file.read_exact_at(&mut buffer[..part], offset)?;
        crc = obsq_encoding::crc32c_append(crc, &buffer[..part]);
        offset += part as u64;
    }
    Ok((size, crc))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use obsq_model::Matcher;
    use tempfile::TempDir;

    use super::*;
    use crate::BlockMeta;
    use crate::block::tests::{disk, open, small_model, spec, write};

    fn block() -> (TempDir, PathBuf) {
        let directory = TempDir::new().unwrap();
        let meta = write(directory.path(), &small_model(), spec(1));
        let path = directory.path().join(meta.ulid.to_string());
        let block = open(directory.path(), &meta);
        let job = [Matcher::equal("job", "api")];
        block.delete(&job, TimeRange::new(0, 1000)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_sound_block_has_no_findings() {
        let (_directory, path) = block();
        assert_eq!(verify_block(&path), []);
    }

    #[test]
    fn every_flipped_bit_of_a_listed_file_is_found() {
        let (_directory, path) = block();
        for name in ["index", "chunks/000001", "tombstones"] {
            let file = path.join(name);
            let bytes = fs::read(&file).unwrap();
            for bit in (0..bytes.len() * 8).step_by((bytes.len() / 40).max(1)) {
                let mut broken = bytes.clone();
                broken[bit / 8] ^= 1 << (bit % 8);
                fs::write(&file, &broken).unwrap();
                let findings = verify_block(&path);
                assert!(!findings.is_empty(), "{name} bit {bit}");
                assert!(findings[0].path.starts_with(&path), "{findings:?}");
            }
            fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(verify_block(&path), []);
    }

    #[test]
    fn a_meta_that_says_something_else_is_found() {
        let (_directory, path) = block();
        let file = path.join("meta.json");
        let mut meta = BlockMeta::read(disk().as_ref(), &path).unwrap();
        meta.stats.num_samples += 9;
        fs::write(&file, meta.to_json()).unwrap();
        let findings = verify_block(&path);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].what.contains("samples, there are"),
            "{findings:?}"
        );
        fs::write(&file, "{").unwrap();
        assert_eq!(verify_block(&path)[0].path, file);
        fs::remove_file(&file).unwrap();
        assert_eq!(verify_block(&path).len(), 1);
    }
}
