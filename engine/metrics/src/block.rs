//! Blocks: immutable pieces of a tenant's metrics, in the format of Prometheus.
//!
//! ```text
//! <ulid>/meta.json  index  tombstones  chunks/000001 000002 ...
//! ```
//!
//! [`BlockWriter`] writes one by the seal order, [`Block`] reads one, of whatever program. The files
//! are described in the modules `meta`, `index`, `tombstones` and `segments`, and in
//! `docs/formats/blocks.md`.

mod cache;
mod chunk_list;
mod columns;
mod file;
mod index;
mod meta;
mod reader;
mod segments;
mod select;
mod series_page;
mod tombstones;
mod verify;
mod writer;

pub use cache::BlockCache;
pub use chunk_list::ChunkList;
pub use meta::{
    BlockDesc, BlockMeta, BlockStats, Compaction, Downsample, FileMeta, ObsqMeta, ThanosFile,
    ThanosMeta,
};
pub use reader::{Block, BlockSeries};
pub(crate) use segments::CHUNKS_DIRECTORY;
pub use segments::{ChunkRef, ChunkVisitor};
pub use verify::{Finding, verify_block};
pub use writer::{BlockSpec, BlockWriter};

#[cfg(test)]
pub(crate) mod tests;
