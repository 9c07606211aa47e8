//! The targets, one file for each kind of input.

mod chunks;
mod exposition;
mod otlp;
mod promql;
mod remote_write;

pub use chunks::chunks;
pub use exposition::exposition;
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
