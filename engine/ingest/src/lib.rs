//! Getting metrics in: remote write, OTLP and exposition formats are turned into
//! [`MetricBatch`](obsq_source::MetricBatch)es, and targets are scraped.
//!
//! Everything here writes through [`MetricAppender`](obsq_source::MetricAppender) and knows
//! neither HTTP serving nor stores. What comes from outside is never trusted: sizes are checked
//! before memory is taken, a broken request is an error of its own type, and a bad sample among
//! good ones is counted in [`Refused`].

#![warn(missing_docs)]
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "tests write files to be read")
)]

pub mod config;
pub mod exposition;
pub mod forward;
pub mod otlp;
pub mod prompb;
pub mod relabel;
pub mod remote_write;
pub mod scrape;

mod base64;
#[cfg(test)]
mod batch_text;
mod body;
mod client;
mod error;
mod exemplar;
mod histogram_rules;
mod label_set;
mod limits;
mod metric_families;
mod refused;
mod wire;

pub use base64::decode_base64;
pub use body::decompress_body;
pub use error::DecodeError;
pub use limits::IngestLimits;
pub use refused::Refused;
pub use wire::WireError;
