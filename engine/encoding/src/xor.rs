//! The XOR chunk (encoding 1): floats without start timestamps.
//!
//! ```text
//! samples u16 | ts_0 varint | v_0 f64 | ts_1 - ts_0 uvarint | v_1 xor | (ts_n dod, v_n xor)* | 0 bits
//!
//! dod (delta of deltas): 0 = 0, 10 + 14 bits, 110 + 17 bits, 1110 + 20 bits, 1111 + 64 bits
//! xor: see `window.rs`
//! ```

use crate::bit_window::{Ahead, BitWindow};
use crate::varbit::{fits_signed, sign_extend};
use crate::varint::{put_uvarint, put_varint};
use crate::window::{NO_WINDOW, WHOLE_WINDOW, Window};
use crate::{BitWriter, ByteReader, DecodeError};

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
    let ts_ms = head.varint()?;
    let value = head.f64()?;
    times.push(ts_ms);
    values.push(value);
    if samples == 1 {
        return Ok(());
    }
    let decoder = XorDecoder {
        ts_ms,
        delta: head.uvarint()?,
        value: value.to_bits(),
        window: WHOLE_WINDOW,
        bits: BitWindow::new(head.rest()),
    };
    let from = times.len();
    times.resize(from + samples - 1, 0);
    values.resize(from + samples - 1, 0.0);
    decoder.decode(&mut times[from..], &mut values[from..])
}

/// Decodes what follows the second timestamp.
struct XorDecoder<'a> {
    ts_ms: i64,
    delta: u64,
    value: u64,
    window: Window,
    bits: BitWindow<'a>,
}

impl XorDecoder<'_> {
    /// Decodes the second and all further samples, as many as the columns are long.
    fn decode(mut self, times: &mut [i64], values: &mut [f64]) -> Result<(), DecodeError> {
        // The second sample has a delta, which was read, and no delta of deltas.
        self.value(self.bits.load(), 0)?;
        let mut done = 0;
        self.put(done, times, values);
        done += 1;
        while done < times.len() {
            let mut ahead = self.bits.load();
            if ahead.next >> 62 == 0 {
                // So many samples have neither a delta of deltas nor a new value.
                let same = ((ahead.next.leading_zeros() / 2) as usize).min(times.len() - done);
                self.bits.skip(2 * same);
                let (from, delta) = (self.ts_ms, self.delta);
                for (ts_ms, step) in times[done..done + same].iter_mut().zip(1_u64..) {
                    *ts_ms = from.wrapping_add_unsigned(delta.wrapping_mul(step));
                }
                values[done..done + same].fill(f64::from_bits(self.value));
                self.ts_ms = from.wrapping_add_unsigned(delta.wrapping_mul(same as u64));
                done += same;
                continue;
            }
            let used = self.dod(&mut ahead);
            self.value(ahead, used)?;
            self.put(done, times, values);
            done += 1;
        }
        self.bits.check()
    }

    /// Moves on to the next time, and writes it and the value.
    #[inline]
    fn put(&mut self, at: usize, times: &mut [i64], values: &mut [f64]) {
        self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
        times[at] = self.ts_ms;
        values[at] = f64::from_bits(self.value);
    }

    /// Reads a delta of deltas and returns how many of the bits ahead it took.
    #[inline]
    fn dod(&mut self, ahead: &mut Ahead) -> u32 {
        let next = ahead.next;
        let (dod, used) = if next >> 63 == 0 {
            return 1;
        } else if next >> 62 == 0b10 {
            (sign_extend(next << 2 >> 50, 14), 16)
        } else if next >> 61 == 0b110 {
            (sign_extend(next << 3 >> 47, 17), 20)
        } else if next >> 60 == 0b1110 {
            (sign_extend(next << 4 >> 44, 20), 24)
        } else {
            self.bits.skip(4);
            let dod = self.bits.load().next.cast_signed();
            self.bits.skip(64);
            *ahead = self.bits.load();
            (dod, 0)
        };
        self.delta = self.delta.wrapping_add_signed(dod);
        used
    }

    /// Reads the value that lies `used` bits, at most 24, ahead.
    #[inline]
    fn value(&mut self, ahead: Ahead, used: u32) -> Result<(), DecodeError> {
        let control = ahead.next << used >> 62;
        if control < 0b10 {
            self.bits.skip(used as usize + 1);
            return Ok(());
        }
        self.value ^= if control == 0b10 {
            self.bits.reuse(ahead, used + 2, self.window)
        } else {
            self.bits.renew(ahead, used + 2, &mut self.window)?
        };
        Ok(())
    }
}
