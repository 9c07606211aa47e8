//! The XOR2 chunk (encoding 4): floats, optionally with start timestamps.
//!
//! ```text
//! samples u16 | start header u8 | ts_0 varint | v_0 f64 | start
//! ts_1 - ts_0 uvarint | v_1 value | start
//! per further sample: prefix | value where the prefix says so | start
//!
//! prefix  0      dod = 0, same value
//!         10     dod = 0, value differs: 0 + bits in the window, or 1 + new window
//!         110    13 bits dod, then value         1110   20 bits dod, then value
//!         11110  64 bits dod, then value         11111  dod = 0, staleness marker
//! value   0 same, 10 + bits in the window, 110 + new window, 111 staleness marker
//! ```
//!
//! The dod fields are two's complement. "Same" and the XOR refer to the last value that was no
//! staleness marker. For `start` see `start.rs`, for windows `window.rs`.

use obsq_model::{STALE_NAN_BITS, is_stale_nan};

use crate::start::{StartDecoder, StartEncoder};
use crate::varint::{put_uvarint, put_varint};
use crate::window::{NO_WINDOW, WHOLE_WINDOW, Window};
use crate::{BitReader, BitWriter, ByteReader, DecodeError};

/// Appends floats with start timestamps to a chunk's data.
#[derive(Debug, Clone)]
pub(crate) struct Xor2Encoder {
    out: BitWriter,
    ts_ms: i64,
    delta: u64,
    /// The last value that was no staleness marker.
    value: f64,
    window: Window,
    starts: StartEncoder,
    samples: u16,
}

impl Xor2Encoder {
    pub(crate) fn start(ts_ms: i64, start_ms: i64, value: f64) -> Self {
        let mut bytes = Vec::with_capacity(48);
        bytes.extend_from_slice(&[0, 1, 0]);
        put_varint(&mut bytes, ts_ms);
        bytes.extend_from_slice(&value.to_bits().to_be_bytes());
        let mut out = BitWriter::after(bytes);
        let mut starts = StartEncoder::default();
        starts.push(&mut out, 0, (ts_ms, 0), start_ms);
        Self {
            out,
            ts_ms,
            delta: 0,
            value: if is_stale_nan(value) { 0.0 } else { value },
            window: NO_WINDOW,
            starts,
            samples: 1,
        }
    }

    /// Appends a sample later than the last one; the caller keeps to the limit of samples.
    pub(crate) fn push(&mut self, ts_ms: i64, start_ms: i64, value: f64) {
        let delta = ts_ms.wrapping_sub(self.ts_ms).cast_unsigned();
        if self.samples == 1 {
            let mut bytes = Vec::with_capacity(10);
            put_uvarint(&mut bytes, delta);
            self.out.bytes(&bytes);
            self.put_value(value);
        } else {
            self.put_joint(delta.wrapping_sub(self.delta).cast_signed(), value);
        }
        let times = (ts_ms, self.ts_ms);
        self.starts
            .push(&mut self.out, self.samples, times, start_ms);
        if !is_stale_nan(value) {
            self.value = value;
        }
        self.ts_ms = ts_ms;
        self.delta = delta;
        self.samples += 1;
        self.out.as_bytes_mut()[..2].copy_from_slice(&self.samples.to_be_bytes());
    }

    pub(crate) fn out(&self) -> &BitWriter {
        &self.out
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn put_joint(&mut self, dod: i64, value: f64) {
        let bits = dod.cast_unsigned();
        if dod == 0 {
            let delta = value.to_bits() ^ self.value.to_bits();
            if is_stale_nan(value) {
                self.out.bits(0b11111, 5);
            } else if delta == 0 {
                self.out.bit(false);
            } else {
                self.window
                    .put(&mut self.out, delta, (0b100, 3), (0b101, 3));
            }
            return;
        }
        if (-(1 << 12)..1 << 12).contains(&dod) {
            self.out.bits(0b110 << 13 | (bits & 0x1fff), 16);
        } else if (-(1 << 19)..1 << 19).contains(&dod) {
            self.out.bits(0b1110 << 20 | (bits & 0xf_ffff), 24);
        } else {
            self.out.bits(0b11110, 5);
            self.out.bits(bits, 64);
        }
        self.put_value(value);
    }

    fn put_value(&mut self, value: f64) {
        let delta = value.to_bits() ^ self.value.to_bits();
        if is_stale_nan(value) {
            self.out.bits(0b111, 3);
        } else if delta == 0 {
            self.out.bit(false);
        } else {
            self.window.put(&mut self.out, delta, (0b10, 2), (0b110, 3));
        }
    }
}

/// Appends times, values and start timestamps of a chunk to the three columns; what was appended
/// before an error is to be cut off by the caller.
pub(crate) fn decode_xor2(
    bytes: &[u8],
    times: &mut Vec<i64>,
    values: &mut Vec<f64>,
    starts: &mut Vec<i64>,
) -> Result<(), DecodeError> {
    let mut head = ByteReader::new(bytes);
    let samples = head.u16()?;
    let mut start_decoder = StartDecoder::new(head.u8()?);
    // A sample takes at least one bit.
    if usize::from(samples) > bytes.len() * 8 {
        return Err(DecodeError::UnexpectedEnd);
    }
    if samples == 0 {
        return Ok(());
    }
    let mut ts_ms = head.varint()?;
    let first = head.u64()?;
    let mut reader = BitReader::new(head.rest());
    let start_ms = start_decoder.read(&mut reader, 0, (ts_ms, 0))?;
    let mut push = |ts_ms, value, start_ms| {
        times.push(ts_ms);
        values.push(f64::from_bits(value));
        starts.push(start_ms);
    };
    push(ts_ms, first, start_ms);
    let mut value = ValueDecoder::after(first);
    let mut delta = 0_u64;
    for index in 1..samples {
        let bits = if index == 1 {
            delta = reader.uvarint()?;
            value.read(&mut reader)?
        } else {
            let (dod, bits) = joint(&mut reader, &mut value)?;
            delta = delta.wrapping_add_signed(dod);
            bits
        };
        let previous = ts_ms;
        ts_ms = ts_ms.wrapping_add_unsigned(delta);
        let start_ms = start_decoder.read(&mut reader, index, (ts_ms, previous))?;
        push(ts_ms, bits, start_ms);
    }
    reader.check()
}

/// Reads delta of deltas and value of a sample behind the second.
fn joint(reader: &mut BitReader<'_>, value: &mut ValueDecoder) -> Result<(i64, u64), DecodeError> {
    reader.refill();
    let next = reader.peek();
    let dod = match (!next).leading_zeros() {
        0 => {
            reader.skip(1);
            return Ok((0, value.bits));
        }
        1 => {
            reader.skip(2);
            let delta = if reader.bit() {
                value.window.renew(reader)?
            } else {
                value.window.reuse(reader)
            };
            return Ok((0, value.change(delta)));
        }
        2 => {
            reader.skip(16);
            (next << 3).cast_signed() >> 51
        }
        3 => {
            reader.skip(24);
            (next << 4).cast_signed() >> 44
        }
        4 => {
            reader.skip(5);
            reader.bits(64).cast_signed()
        }
        _ => {
            reader.skip(5);
            return Ok((0, STALE_NAN_BITS));
        }
    };
    Ok((dod, value.read(reader)?))
}

/// The bits of the last value that was no staleness marker, and the window.
struct ValueDecoder {
    bits: u64,
    window: Window,
}

impl ValueDecoder {
    fn after(first: u64) -> Self {
        Self {
            bits: if first == STALE_NAN_BITS { 0 } else { first },
            window: WHOLE_WINDOW,
        }
    }

    fn change(&mut self, delta: u64) -> u64 {
        self.bits ^= delta;
        self.bits
    }

    fn read(&mut self, reader: &mut BitReader<'_>) -> Result<u64, DecodeError> {
        if !reader.bit() {
            return Ok(self.bits);
        }
        if !reader.bit() {
            let delta = self.window.reuse(reader);
            return Ok(self.change(delta));
        }
        if reader.bit() {
            return Ok(STALE_NAN_BITS);
        }
        let delta = self.window.renew(reader)?;
        Ok(self.change(delta))
    }
}
