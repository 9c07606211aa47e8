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

use crate::bit_window::{Ahead, BitWindow};
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
    let mut start = StartDecoder::new(head.u8()?);
    // A sample takes at least one bit.
    if usize::from(samples) > bytes.len() * 8 {
        return Err(DecodeError::UnexpectedEnd);
    }
    if samples == 0 {
        return Ok(());
    }
    let (ts_ms, value) = (head.varint()?, head.u64()?);
    if start.is_first_known() {
        start.set_first(ts_ms.wrapping_sub(head.varint()?));
    }
    times.push(ts_ms);
    values.push(f64::from_bits(value));
    starts.push(start.start_ms());
    if samples == 1 {
        return Ok(());
    }
    let mut decoder = Xor2Decoder {
        ts_ms,
        delta: head.uvarint()?,
        value: if value == STALE_NAN_BITS { 0 } else { value },
        window: WHOLE_WINDOW,
        bits: BitWindow::new(head.rest()),
    };
    let plain = start.first_with_field(samples);
    let (from, more) = (times.len(), usize::from(plain) - 1);
    times.resize(from + more, 0);
    values.resize(from + more, 0.0);
    starts.resize(starts.len() + more, start.start_ms());
    if plain > 1 {
        decoder.decode_plain(&mut times[from..], &mut values[from..])?;
    }
    for index in plain..samples {
        let previous = decoder.ts_ms;
        let value = if index == 1 {
            decoder.second()?
        } else {
            decoder.joint(decoder.bits.load())?
        };
        let start_ms = decoder.start(&mut start, index, previous)?;
        times.push(decoder.ts_ms);
        values.push(f64::from_bits(value));
        starts.push(start_ms);
    }
    decoder.bits.check()
}

/// Decodes what follows the second timestamp.
struct Xor2Decoder<'a> {
    ts_ms: i64,
    delta: u64,
    /// Bits of the last value that was no staleness marker.
    value: u64,
    window: Window,
    bits: BitWindow<'a>,
}

impl Xor2Decoder<'_> {
    /// Decodes the samples from the second on, which have no start timestamp of their own, as many
    /// as the columns are long.
    fn decode_plain(&mut self, times: &mut [i64], values: &mut [f64]) -> Result<(), DecodeError> {
        let value = self.second()?;
        put(self.ts_ms, value, 0, times, values);
        let mut done = 1;
        while done < times.len() {
            let ahead = self.bits.load();
            if ahead.next >> 63 == 0 {
                // So many samples have neither a delta of deltas nor a new value.
                let same = (ahead.next.leading_zeros() as usize).min(times.len() - done);
                self.bits.skip(same);
                for ts_ms in &mut times[done..done + same] {
                    self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
                    *ts_ms = self.ts_ms;
                }
                values[done..done + same].fill(f64::from_bits(self.value));
                done += same;
                continue;
            }
            let value = self.joint(ahead)?;
            put(self.ts_ms, value, done, times, values);
            done += 1;
        }
        self.bits.check()
    }

    /// Moves on to the second sample, whose delta was read, and returns its value.
    fn second(&mut self) -> Result<u64, DecodeError> {
        self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
        self.value(self.bits.load(), 0)
    }

    /// Moves on to a sample behind the second and returns its value.
    #[inline]
    fn joint(&mut self, mut ahead: Ahead) -> Result<u64, DecodeError> {
        let next = ahead.next;
        let (dod, used) = if next >> 62 == 0b10 {
            self.value ^= if next >> 61 == 0b100 {
                self.bits.reuse(ahead, 3, self.window)
            } else {
                self.bits.renew(ahead, 3, &mut self.window)?
            };
            self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
            return Ok(self.value);
        } else if next >> 63 == 0 {
            self.bits.skip(1);
            self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
            return Ok(self.value);
        } else if next >> 61 == 0b110 {
            ((next << 3).cast_signed() >> 51, 16)
        } else if next >> 60 == 0b1110 {
            ((next << 4).cast_signed() >> 44, 24)
        } else if next >> 59 == 0b11110 {
            self.bits.skip(5);
            let dod = self.bits.load().next.cast_signed();
            self.bits.skip(64);
            ahead = self.bits.load();
            (dod, 0)
        } else {
            self.bits.skip(5);
            self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
            return Ok(STALE_NAN_BITS);
        };
        self.delta = self.delta.wrapping_add_signed(dod);
        self.ts_ms = self.ts_ms.wrapping_add_unsigned(self.delta);
        self.value(ahead, used)
    }

    /// Reads the value that lies `used` bits, at most 24, ahead.
    #[inline]
    fn value(&mut self, ahead: Ahead, used: u32) -> Result<u64, DecodeError> {
        let control = ahead.next << used >> 61;
        if control < 0b100 {
            self.bits.skip(used as usize + 1);
        } else if control < 0b110 {
            self.value ^= self.bits.reuse(ahead, used + 2, self.window);
        } else if control == 0b110 {
            self.value ^= self.bits.renew(ahead, used + 3, &mut self.window)?;
        } else {
            self.bits.skip(used as usize + 3);
            return Ok(STALE_NAN_BITS);
        }
        Ok(self.value)
    }

    /// Reads the start timestamp behind sample `index`.
    fn start(
        &mut self,
        start: &mut StartDecoder,
        index: u16,
        previous_ts_ms: i64,
    ) -> Result<i64, DecodeError> {
        let (bytes, used) = self.bits.rest();
        let mut reader = BitReader::new(bytes);
        reader.bits(u32::from(used));
        let before = reader.remaining_bits();
        let start_ms = start.read(&mut reader, index, (self.ts_ms, previous_ts_ms))?;
        reader.check()?;
        let taken = usize::try_from(before - reader.remaining_bits());
        self.bits.skip(taken.unwrap_or_default());
        Ok(start_ms)
    }
}

#[inline]
fn put(ts_ms: i64, value: u64, at: usize, times: &mut [i64], values: &mut [f64]) {
    times[at] = ts_ms;
    values[at] = f64::from_bits(value);
}
