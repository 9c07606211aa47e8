//! Histogram chunks (encodings 2, 3, 5 and 6).
//!
//! ```text
//! 2, 3: samples u16 | flags u8                           | layout | sample*         | 0 bits
//! 5, 6: flags 2 bits, samples 14 bits | start header u8  | layout | (sample start)* | 0 bits
//!
//! flags   the two high bits: 10 a counter reset lies before the chunk, 01 none does, 00 unknown,
//!         11 gauge histograms
//! layout  see `layout.rs`: all samples of a chunk have the same buckets
//! sample  ts varbit, then the fields of `int.rs` or `float.rs`; behind the first sample the time
//!         is a delta of deltas
//! start   see `start.rs`
//! ```
//!
//! A stale histogram has no buckets; only stale ones may follow it in a chunk.

mod decoder;
mod encoder;
mod float;
mod int;
mod kind;
mod layout;
mod spans;

pub(crate) use decoder::decode_histograms;
pub(crate) use encoder::{Fit, HistogramEncoder};
pub(crate) use kind::Kind;

/// What lies between a chunk's first histogram and the one before it in the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetHeader {
    Unknown = 0b0000_0000,
    NotReset = 0b0100_0000,
    Reset = 0b1000_0000,
    Gauge = 0b1100_0000,
}

impl ResetHeader {
    /// The bits of a byte that hold it.
    pub(crate) const MASK: u8 = 0b1100_0000;

    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte >> 6 {
            0b00 => Self::Unknown,
            0b01 => Self::NotReset,
            0b10 => Self::Reset,
            _ => Self::Gauge,
        }
    }
}

/// Number of header bytes in front of the layout, in all four encodings.
const HEADER_BYTES: usize = 3;
/// Largest number of samples that encodings 5 and 6 can announce.
const START_COUNT_MASK: u16 = 0x3fff;
