//! The targets, one file for each kind of input.

mod block;
mod chunks;
mod exposition;
mod log;
mod otlp;
mod promql;
mod remote_write;
mod stored;

pub use block::{block_chunks, block_index};
pub use chunks::chunks;
pub use exposition::exposition;
pub use log::{checkpoint, companions, wal};
pub use otlp::otlp;
pub use promql::{promql, regex};
pub use remote_write::remote_write;

use obsq_model::Labels;

/// Label names are in order and none is there twice.
fn assert_ordered(labels: &Labels) {
    let names: Vec<_> = labels.iter().map(|label| label.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
}

/// Splits the first byte off, which chooses between the variants of a target.
fn choose(input: &[u8]) -> Option<(u8, &[u8])> {
    input.split_first().map(|(first, rest)| (*first, rest))
}

/// Changes bytes: each edit is a place of two bytes, which wraps, and what to change there.
fn edit(bytes: &mut [u8], edits: &[u8]) {
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]]));
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] ^= edit[2];
        }
    }
}
