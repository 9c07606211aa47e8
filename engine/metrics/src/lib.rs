//! The metrics store.

mod block;
mod error;

pub use block::{
    Block, BlockCache, BlockDesc, BlockMeta, BlockSeries, BlockSpec, BlockStats, BlockWriter,
    ChunkRef, ChunkVisitor, Compaction, Downsample, FileMeta, ObsqMeta, ThanosFile, ThanosMeta,
};
pub use error::Error;
