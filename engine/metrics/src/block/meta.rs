//! `meta.json`: what a block holds and where it comes from.

use std::collections::BTreeMap;
use std::path::Path;

use obsq_encoding::{DecodeError, check_crc32c, crc32c};
use obsq_wal::{Vfs, read_file};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::Error;

/// Name of the file in a block's directory.
pub(crate) const META_FILE: &str = "meta.json";
/// Nobody writes larger ones; what is larger is not read.
const MAX_META_BYTES: u64 = 64 << 20;
/// Version of Prometheus' part.
const META_VERSION: u64 = 1;
/// Version of our own part.
const OBSQ_FORMAT: u64 = 1;
/// Who we are in Thanos' part.
const SOURCE: &str = "obsq";

/// A block's `meta.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// Name of the block and of its directory.
    pub ulid: Ulid,
    /// Time of the earliest sample, inclusive.
    pub min_time: i64,
    /// Behind the latest sample, exclusive.
    pub max_time: i64,
    /// How much the block holds.
    #[serde(default)]
    pub stats: BlockStats,
    /// Where the block comes from.
    pub compaction: Compaction,
    /// Always 1.
    pub version: u64,
    /// What Thanos needs to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thanos: Option<ThanosMeta>,
    /// What obsq needs to know; absent in blocks of other writers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obsq: Option<ObsqMeta>,
}

/// Counts of what a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockStats {
    /// Samples of all kinds.
    pub num_samples: u64,
    /// Float samples.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_float_samples: u64,
    /// Histogram samples.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_histogram_samples: u64,
    /// Series.
    pub num_series: u64,
    /// Chunks.
    pub num_chunks: u64,
    /// Tombstones.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_tombstones: u64,
}

/// A block's ancestry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Compaction {
    /// 1 for a sealed head, one more than the highest parent's otherwise.
    pub level: u32,
    /// All level 1 blocks whose samples went into this one, sorted.
    #[serde(default)]
    pub sources: Vec<Ulid>,
    /// The blocks that this one was made of directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<BlockDesc>,
    /// Set by Prometheus on blocks that hold no samples any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletable: bool,
    /// Set by Prometheus on blocks that it could not compact.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Hints such as `from-out-of-order`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// A parent block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDesc {
    /// Its name.
    pub ulid: Ulid,
    /// Its earliest time, inclusive.
    pub min_time: i64,
    /// Its end, exclusive.
    pub max_time: i64,
}

/// The section that Thanos reads and writes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ThanosMeta {
    /// Version of the section, 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub version: u64,
    /// External labels, which belong to every series of the block.
    pub labels: BTreeMap<String, String>,
    /// Resolution of the samples.
    pub downsample: Downsample,
    /// Which component made the block.
    pub source: String,
    /// The block's files without `meta.json`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ThanosFile>,
    /// What other versions put here.
    #[serde(flatten)]
    pub rest: BTreeMap<String, serde_json::Value>,
}

/// Resolution of a block's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Downsample {
    /// Milliseconds between samples: 0 raw, 300000 or 3600000 downsampled.
    pub resolution: i64,
}

/// A file of the block, as Thanos lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThanosFile {
    /// Path in the block's directory.
    pub rel_path: String,
    /// Length in bytes.
    #[serde(default)]
    pub size_bytes: u64,
}

/// The section that obsq writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObsqMeta {
    /// Always `metrics`.
    pub signal: String,
    /// Version of this section, 1.
    pub format: u64,
    /// Number of the last log record when the seal began: everything for the block's range that was
    /// acknowledged up to it is in this block or an earlier one. Of two blocks with a value for the
    /// same time, the one with the lower number is right.
    pub first_seq: u64,
    /// Index and chunk files. Tombstones change, so they are not listed.
    pub files: Vec<FileMeta>,
    /// Random text by which a writer recognises its own upload.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub writer_nonce: String,
    /// CRC32C of the whole `meta.json` as [`BlockMeta`] is written without this field. Only there in
    /// the file: it is checked and taken out when the file is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_crc32c: Option<u32>,
}

/// Length and CRC of one of the block's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMeta {
    /// Path in the block's directory.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// CRC32C of the whole file.
    pub crc32c: u32,
}

impl BlockMeta {
    /// Reads the `meta.json` of the block in `directory`.
    pub fn read(vfs: &dyn Vfs, directory: &Path) -> Result<Self, Error> {
        let path = directory.join(META_FILE);
        let bytes = read_file(vfs, &path, MAX_META_BYTES)?;
        let mut meta: Self = match serde_json::from_slice(&bytes) {
            Ok(meta) => meta,
            Err(source) => return Err(Error::Meta { path, source }),
        };
        let own_format = meta.obsq.as_ref().map_or(OBSQ_FORMAT, |obsq| obsq.format);
        let found = if meta.version == META_VERSION {
            own_format
        } else {
            meta.version
        };
        if found != META_VERSION {
            return Err(Error::Version { path, found });
        }
        meta.check().map_err(Error::corrupt(&path, 0))?;
        Ok(meta)
    }

    /// Checks and takes out the CRC.
    fn check(&mut self) -> Result<(), DecodeError> {
        let Some(obsq) = &mut self.obsq else {
            let is_ours = |thanos: &ThanosMeta| thanos.source == SOURCE;
            if self.thanos.as_ref().is_some_and(is_ours) {
                return Err(DecodeError::Inconsistent("a section is missing"));
            }
            return Ok(());
        };
        match obsq.meta_crc32c.take() {
            Some(stored) => check_crc32c(&self.serialized(), stored),
            // Blocks of the first versions have none.
            None => Ok(()),
        }
    }

    /// Returns the number that decides between two blocks (see [`ObsqMeta::first_seq`]). What other programs
    /// wrote has none and wins against everything, as it was there before.
    pub fn first_seq(&self) -> u64 {
        self.obsq.as_ref().map_or(0, |obsq| obsq.first_seq)
    }

    /// Returns how a block made of this one refers to it.
    pub fn desc(&self) -> BlockDesc {
        BlockDesc {
            ulid: self.ulid,
            min_time: self.min_time,
            max_time: self.max_time,
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut with_crc = self.clone();
        if let Some(obsq) = &mut with_crc.obsq {
            obsq.meta_crc32c = Some(crc32c(&self.serialized()));
        }
        with_crc.serialized()
    }

    fn serialized(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub(crate) fn new_sections(
        external_labels: BTreeMap<String, String>,
        files: Vec<FileMeta>,
        first_seq: u64,
        writer_nonce: String,
    ) -> (ThanosMeta, ObsqMeta) {
        let thanos = ThanosMeta {
            version: 1,
            labels: external_labels,
            source: SOURCE.to_owned(),
            files: files
                .iter()
                .map(|file| ThanosFile {
                    rel_path: file.path.clone(),
                    size_bytes: file.size,
                })
                .collect(),
            ..ThanosMeta::default()
        };
        let obsq = ObsqMeta {
            signal: "metrics".to_owned(),
            format: OBSQ_FORMAT,
            first_seq,
            files,
            writer_nonce,
            meta_crc32c: None,
        };
        (thanos, obsq)
    }

    pub(crate) const VERSION: u64 = META_VERSION;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
