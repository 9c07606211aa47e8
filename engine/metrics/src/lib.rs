//! The metrics store: accept, log, head, blocks.
//!
//! [`MetricStore`] implements the append and read traits of `obsq-source` over one data directory.
//! What happens to a sample:
//!
//! 1. [`obsq_source::MetricAppender::append`] checks its time, writes it to the log and inserts it
//!    into the *head* of its tenant; it is visible at once and durable when the promise is kept.
//! 2. Full chunks leave memory for files of the head; samples that come late are held apart.
//! 3. Checkpoints hold what the head holds, so that older log segments can go.
//! 4. Windows of two hours are sealed into Prometheus blocks, which are compacted later.
//!
//! Of two values for one series and time the first acknowledged one stays, wherever they lie.
//!
//! The layout of the data directory and the guarantees are in `docs/storage.md`.

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        reason = "tests look at the disk past the seam"
    )
)]

mod block;
mod block_set;
mod blocks;
mod boundary;
mod bytes;
mod checkpoint;
mod compaction;
mod companions;
mod deletion;
mod error;
mod exemplars;
mod head;
mod metadata;
mod options;
mod prometheus_log;
mod ranges;
mod record;
mod samples;
mod selected;
mod stats;
mod store;
mod tenant;

pub use block::{
    Block, BlockCache, BlockDesc, BlockMeta, BlockSeries, BlockSpec, BlockStats, BlockWriter,
    ChunkList, ChunkRef, ChunkVisitor, Compaction, Downsample, FileMeta, Finding, ObsqMeta,
    ThanosFile, ThanosMeta, verify_block,
};
pub use block_set::BlockSet;
pub use blocks::new_ulid;
pub use compaction::{CompactionPlan, compact, plan_compaction, superseded_blocks};
pub use error::Error;
pub use options::{Retention, StoreOptions};
pub use prometheus_log::PrometheusLog;
pub use stats::{FailingTasks, HeadStatus, NamedCount, RejectedCounts, StoreStats};
pub use store::{MetricStore, restore};
