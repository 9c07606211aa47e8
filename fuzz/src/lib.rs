//! What must hold for any bytes that come from outside or from a disk.
//!
//! One function a target: it takes the bytes and panics when something does not hold. `.ci/fuzz`
//! runs them under libFuzzer; the tests here run them over `corpus/`, so that what was once found
//! stays found.

mod corpus;
mod targets;

pub use targets::{
    block_chunks, block_index, checkpoint, chunks, companions, exposition, otlp, promql, regex,
    remote_write, wal,
};
