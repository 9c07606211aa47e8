//! Prometheus remote write 1.0 and 2.0, the receiving side.
//!
//! A request goes through [`Message::from_headers`], [`decompress`] and [`decode`]; the batch then
//! goes to an appender. A request that cannot be decoded is refused as a whole; a series or sample
//! that breaks a rule is left out and counted, the rest is kept.
//!
//! Source: Prometheus remote write specifications 1.0 and 2.0.

mod header;
mod histogram;
mod label_cache;
mod series;
mod snappy;
mod v1;
mod v2;

use obsq_source::MetricBatch;

use crate::error::DecodeError;
use crate::limits::IngestLimits;
use crate::refused::Refused;

pub use header::Message;
pub use label_cache::LabelCache;
pub use snappy::decompress;
pub use v1::decode_v1;
pub use v2::decode_v2;

pub(crate) use histogram::decode_histogram;
pub(crate) use snappy::compress;

/// What a request brings, and what of it was refused.
#[derive(Debug, Default)]
pub struct Decoded {
    /// What is to be stored.
    pub batch: MetricBatch,
    /// What broke a rule.
    pub refused: Refused,
}

/// Decodes a decompressed request of either version; `known` are the label sets of earlier ones.
pub fn decode(
    message: Message,
    body: &[u8],
    limits: &IngestLimits,
    known: &LabelCache,
) -> Result<Decoded, DecodeError> {
    match message {
        Message::V1 => v1::decode_known(body, limits, Some(known)),
        Message::V2 => decode_v2(body, limits),
    }
}

#[cfg(test)]
mod tests;
