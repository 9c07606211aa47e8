//! The XOR chunk (encoding 1): floats without start timestamps.
//!
//! ```text
//! samples u16 | ts_0 varint | v_0 f64 | ts_1 - ts_0 uvarint | v_1 xor | (ts_n dod, v_n xor)* | 0 bits
//!
//! dod (delta of deltas): 0 = 0, 10 + 14 bits, 110 + 17 bits, 1110 + 20 bits, 1111 + 64 bits
//! xor: see `window.rs`
//! ```

use crate::varbit::{fits_signed, sign_extend};
use crate::varint::{put_uvarint, put_varint};
use crate::window::{NO_WINDOW, WHOLE_WINDOW, Window};
use crate::{BitReader, BitWriter, ByteReader, DecodeError};

/// Appends floats to a chunk's data.
#[derive(Debug, Clone)]
pub(crate) struct XorEncoder {
    out: BitWriter,
    ts_ms: i64,
    delta: u64,
    value: f64,
    window: Window,
    samples: u16,
}

impl XorEncoder {
    pub(crate) fn start(ts_ms: i64, value: f64) -> Self {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&1_u16.to_be_bytes());
        put_varint(&mut bytes, ts_ms);
        bytes.extend_from_slice(&value.to_bits().to_be_bytes());
        Self {
            out: BitWriter::after(bytes),
            ts_ms,
            delta: 0,
            value,
            window: NO_WINDOW,
            samples: 1,
        }
    }

    /// Appends a sample later than the last one; the caller keeps to the limit of samples.
    pub(crate) fn push(&mut self, ts_ms: i64, value: f64) {
        let delta = ts_ms.wrapping_sub(self.ts_ms).cast_unsigned();
        if self.samples == 1 {
            let mut bytes = Vec::with_capacity(10);
            put_uvarint(&mut bytes, delta);
            self.out.bytes(&bytes);
        } else {
            put_dod(&mut self.out, delta.wrapping_sub(self.delta).cast_signed());
        }
        self.window.put_xor(&mut self.out, value, self.value);
        self.ts_ms = ts_ms;
        self.delta = delta;
        self.value = value;
        self.samples += 1;
        self.out.as_bytes_mut()[..2].copy_from_slice(&self.samples.to_be_bytes());
    }

    pub(crate) fn out(&self) -> &BitWriter {
        &self.out
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

fn put_dod(out: &mut BitWriter, dod: i64) {
    let bits = dod.cast_unsigned();
    if dod == 0 {
        out.bit(false);
    } else if fits_signed(dod, 14) {
        out.bits(0b10 << 14 | (bits & 0x3fff), 16);
    } else if fits_signed(dod, 17) {
        out.bits(0b110 << 17 | (bits & 0x1_ffff), 20);
    } else if fits_signed(dod, 20) {
        out.bits(0b1110 << 20 | (bits & 0xf_ffff), 24);
    } else {
        out.bits(0b1111, 4);
        out.bits(bits, 64);
    }
}

/// Appends times and values of a chunk to the two columns; what was appended before an error is
/// to be cut off by the caller.
pub(crate) fn decode_xor(
    bytes: &[u8],
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), DecodeError> {
    let mut head = ByteReader::new(bytes);
    let samples = usize::from(head.u16()?);
    // A sample takes at least two bits.
    if samples > bytes.len() * 4 {
        return Err(DecodeError::UnexpectedEnd);
    }
    if samples == 0 {
        return Ok(());
    }
    times.reserve(samples);
    values.reserve(samples);
    let mut ts_ms = head.varint()?;
    let mut value = head.u64()?;
    times.push(ts_ms);
    values.push(f64::from_bits(value));
    if samples == 1 {
        return Ok(());
    }
    let mut delta = head.uvarint()?;
    let mut reader = BitReader::new(head.rest());
    let mut window = WHOLE_WINDOW;
    value = window.xor(&mut reader, value)?;
    ts_ms = ts_ms.wrapping_add_unsigned(delta);
    times.push(ts_ms);
    values.push(f64::from_bits(value));
    for _ in 2..samples {
        reader.refill();
        delta = delta.wrapping_add_signed(dod(&mut reader));
        value = window.xor(&mut reader, value)?;
        ts_ms = ts_ms.wrapping_add_unsigned(delta);
        times.push(ts_ms);
        values.push(f64::from_bits(value));
    }
    reader.check()
}

/// Reads a delta of deltas; at least 24 bits are available.
#[inline]
fn dod(reader: &mut BitReader<'_>) -> i64 {
    let next = reader.peek();
    let (prefix, width) = match (!next).leading_zeros() {
        0 => {
            reader.skip(1);
            return 0;
        }
        1 => (2, 14),
        2 => (3, 17),
        3 => (4, 20),
        _ => {
            reader.skip(4);
            return reader.bits(64).cast_signed();
        }
    };
    reader.skip(prefix + width);
    sign_extend(next << prefix >> (64 - width), width)
}
