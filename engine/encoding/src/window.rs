//! Floats as XOR with the one before, in a window of significant bits.

use crate::{BitReader, BitWriter, DecodeError};

/// The part of a float's 64 bits in which it differed last.
///
/// `0` = the same value; `10` + bits = differs within the window; `11` + 5 bits leading zeros (at
/// most 31) + 6 bits length (0 stands for 64) + bits = differs in a new window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Number of bits in the window, 1 to 64; 0 as long as there is none.
    width: u32,
    /// Number of zero bits below it.
    trailing: u32,
}

/// No window yet: nothing fits into it.
pub(crate) const NO_WINDOW: Window = Window {
    width: 0,
    trailing: 0,
};

/// What readers start with: a `10` before any `11` means all 64 bits.
pub(crate) const WHOLE_WINDOW: Window = Window {
    width: 64,
    trailing: 0,
};

impl Window {
    /// Appends `delta`, the XOR of two different floats' bits, with `reuse` or `renew` in front.
    #[inline]
    pub(crate) fn put(
        &mut self,
        out: &mut BitWriter,
        delta: u64,
        (reuse, reuse_bits): (u64, u32),
        (renew, renew_bits): (u64, u32),
    ) {
        let leading = delta.leading_zeros().min(31);
        let trailing = delta.trailing_zeros();
        if self.trailing <= trailing && 64 <= self.width + self.trailing + leading {
            out.bits(reuse, reuse_bits);
            out.bits(delta >> self.trailing, self.width());
            return;
        }
        let width = 64 - leading - trailing;
        *self = Self { width, trailing };
        let head = renew << 11 | u64::from(leading) << 6 | u64::from(width % 64);
        out.bits(head, renew_bits + 11);
        out.bits(delta >> trailing, self.width());
    }

    /// Appends the XOR of `value` and `previous` in the XOR encoding.
    #[inline]
    pub(crate) fn put_xor(&mut self, out: &mut BitWriter, value: f64, previous: f64) {
        let delta = value.to_bits() ^ previous.to_bits();
        if delta == 0 {
            out.bit(false);
        } else {
            self.put(out, delta, (0b10, 2), (0b11, 2));
        }
    }

    /// Reads a difference within the window.
    #[inline]
    pub(crate) fn reuse(self, reader: &mut BitReader<'_>) -> u64 {
        reader.bits(self.width()) << self.trailing
    }

    /// Reads a new window and the difference in it.
    #[inline]
    pub(crate) fn renew(&mut self, reader: &mut BitReader<'_>) -> Result<u64, DecodeError> {
        *self = Self::from_head(reader.bits(11))?;
        Ok(self.reuse(reader))
    }

    /// Returns the window that 5 bits of leading zeros and 6 bits of length stand for.
    #[inline]
    pub(crate) fn from_head(head: u64) -> Result<Self, DecodeError> {
        let head = (head & 0x7ff) as u32;
        let leading = head >> 6;
        let width = head.wrapping_sub(1) % 64 + 1;
        match 64_u32.checked_sub(leading + width) {
            Some(trailing) => Ok(Self { width, trailing }),
            None => Err(DecodeError::BadWindow),
        }
    }

    /// Reads the bits of a float in the XOR encoding, given those of the one before.
    #[inline]
    pub(crate) fn xor(
        &mut self,
        reader: &mut BitReader<'_>,
        previous: u64,
    ) -> Result<u64, DecodeError> {
        if reader.available() < 2 {
            reader.refill();
        }
        let control = reader.peek() >> 62;
        if control < 0b10 {
            reader.skip(1);
            return Ok(previous);
        }
        reader.skip(2);
        let delta = if control == 0b10 {
            self.reuse(reader)
        } else {
            self.renew(reader)?
        };
        Ok(previous ^ delta)
    }

    /// Returns the number of zero bits below the window.
    #[inline]
    pub(crate) fn trailing(self) -> u32 {
        self.trailing
    }

    /// Returns the number of bits in the window, 1 to 64.
    #[inline]
    pub(crate) fn width(self) -> u32 {
        self.width
    }
}
