//! Bytes of metrics: chunks of samples as Prometheus and Thanos write them, varints, bit streams,
//! CRC frames.
//!
//! Everything here is pure: no I/O, no clock. Decoders take bytes from anywhere: malformed ones give
//! a [`DecodeError`], never a panic, and the memory taken is in proportion to the bytes.
//!
//! - [`encode_chunks`] and [`ChunkBuilder`] turn samples into chunks and decide where one ends.
//! - [`decode`] appends a chunk to columns for computing, [`decode_samples`] gives samples as they
//!   were stored.
//! - [`ByteReader`], [`BitReader`], [`BitWriter`] and the varint functions are what other formats
//!   (index, WAL, head file) are built from.

#![warn(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "tests make up numbers"
    )
)]

mod aggr;
mod bit_reader;
mod bit_window;
mod bit_writer;
mod builder;
mod byte_reader;
mod chunk;
mod crc;
mod error;
mod histogram;
mod start;
mod varbit;
mod varint;
mod window;
mod xor;
mod xor2;

pub use aggr::{AggrChunk, Aggregate};
pub use bit_reader::BitReader;
pub use bit_writer::BitWriter;
pub use builder::{ChunkBuilder, MAX_SAMPLES, encode_chunks};
pub use byte_reader::ByteReader;
pub use chunk::{EncodedChunk, Encoding, decode, decode_samples, sample_count};
pub use crc::{check_crc32c, checked_frame, crc32c, crc32c_append, put_crc32c};
pub use error::DecodeError;
pub use varbit::{put_varbit_int, put_varbit_uint, varbit_int, varbit_uint};
pub use varint::{MAX_VARINT_BYTES, put_uvarint, put_varint, uvarint_len};
