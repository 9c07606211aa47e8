//! Prometheus' Protocol Buffers messages beyond decoding of remote write: write requests as a
//! sender makes them, and both directions of remote read.
//!
//! Bodies are not compressed here but for [`snappy`]; see [`decompress`](crate::remote_write::decompress)
//! for the other way.

mod chunked;
mod read;
mod response;
mod write;

pub use chunked::{ChunkedSeries, chunked_frame};
pub use read::{
    ReadHints, ReadQuery, ReadRequest, ResponseType, decode_read_request, read_request,
};
pub use response::{decode_read_response, read_response};
pub use write::{write_request, write_request_v2};

/// Returns `bytes` as one snappy block, as remote write and remote read send bodies.
pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    crate::remote_write::compress(bytes)
}
