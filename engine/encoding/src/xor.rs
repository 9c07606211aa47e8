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
use crate::window::{NO_WINDOW, Window};
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
    let mut decoder = XorDecoder {
        ts_ms,
        delta: head.uvarint()?,
        value: value.to_bits(),
        leading: 0,
        width: 64,
        bytes: head.rest(),
        bit: 0,
    };
    decoder.second()?;
    times.push(decoder.ts_ms);
    values.push(f64::from_bits(decoder.value));
    let from = times.len();
    times.resize(from + samples - 2, 0);
    values.resize(from + samples - 2, 0.0);
    decoder.rest(&mut times[from..], &mut values[from..])
}

/// Decodes what follows the second timestamp.
///
/// Made for speed: a sample is decoded from the 128 bits that begin with it, without state in
/// between but its place.
struct XorDecoder<'a> {
    ts_ms: i64,
    delta: u64,
    value: u64,
    /// Leading zeros of the window of significant bits.
    leading: u32,
    /// Length of the window, 1 to 64.
    width: u32,
    bytes: &'a [u8],
    /// Number of bits consumed.
    bit: usize,
}

impl XorDecoder<'_> {
    /// Decodes the second sample, whose time is already known by `delta`.
    fn second(&mut self) -> Result<(), DecodeError> {
        let [next, behind] = self.load();
        self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
        self.value(next, behind, 0)
    }

    /// Decodes as many samples as the columns are long.
    fn rest(&mut self, times: &mut [i64], values: &mut [f64]) -> Result<(), DecodeError> {
        let mut out = times.iter_mut().zip(values);
        while out.len() > 0 {
            let [mut next, mut behind] = self.load();
            if next >> 62 == 0 {
                // So many samples have neither a delta of deltas nor a new value.
                let same = ((next.leading_zeros() / 2) as usize).min(out.len());
                self.bit += 2 * same;
                for (ts_ms, value) in out.by_ref().take(same) {
                    self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
                    *ts_ms = self.ts_ms;
                    *value = f64::from_bits(self.value);
                }
                continue;
            }
            // Each branch has constants of its own, so that where the next sample begins is known
            // before this one is decoded.
            let used = if next >> 63 == 0 {
                1
            } else if next >> 62 == 0b10 {
                self.change_delta(sign_extend(next << 2 >> 50, 14));
                16
            } else if next >> 61 == 0b110 {
                self.change_delta(sign_extend(next << 3 >> 47, 17));
                20
            } else if next >> 60 == 0b1110 {
                self.change_delta(sign_extend(next << 4 >> 44, 20));
                24
            } else {
                self.bit += 4;
                self.change_delta(self.load()[0].cast_signed());
                self.bit += 64;
                [next, behind] = self.load();
                0
            };
            self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
            self.value(next, behind, used)?;
            if let Some((ts_ms, value)) = out.next() {
                *ts_ms = self.ts_ms;
                *value = f64::from_bits(self.value);
            }
        }
        if self.bit > self.bytes.len() * 8 {
            return Err(DecodeError::UnexpectedEnd);
        }
        Ok(())
    }

    fn change_delta(&mut self, dod: i64) {
        self.delta = self.delta.wrapping_add_signed(dod);
    }

    /// Decodes the value that lies `used` bits, at most 24, into the word.
    #[inline]
    fn value(&mut self, next: u64, behind: u64, used: u32) -> Result<(), DecodeError> {
        let word = next << used;
        if word >> 63 == 0 {
            self.bit += used as usize + 1;
            return Ok(());
        }
        let mut used = used + 2;
        if word >> 62 == 0b11 {
            let head = (word >> 51) as u32;
            self.leading = head >> 6 & 31;
            self.width = (head.wrapping_sub(1) & 63) + 1;
            if self.leading + self.width > 64 {
                return Err(DecodeError::BadWindow);
            }
            used += 11;
        }
        let field = next << used | behind >> 1 >> (63 - used);
        self.value ^= field >> (64 - self.width) << (64 - self.leading - self.width);
        self.bit += (used + self.width) as usize;
        Ok(())
    }

    /// Returns the next 121 bits at least, at the high ends; zeros beyond the end.
    #[inline]
    fn load(&self) -> [u64; 2] {
        let at = self.bit / 8;
        let window = match self
            .bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<16>())
        {
            Some(window) => *window,
            None => self.load_at_end(at),
        };
        let window = u128::from_be_bytes(window) << (self.bit % 8);
        [(window >> 64) as u64, window as u64]
    }

    #[cold]
    fn load_at_end(&self, at: usize) -> [u8; 16] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let mut window = [0; 16];
        window[..rest.len()].copy_from_slice(rest);
        window
    }
}
