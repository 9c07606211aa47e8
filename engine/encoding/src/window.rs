//! Floats as XOR with the one before, in a window of significant bits.

use crate::{BitReader, BitWriter, DecodeError};

/// The part of a float's 64 bits in which it differed last: its zero bits on both sides.
///
/// `0` = the same value; `10` + bits = differs within the window; `11` + 5 bits leading zeros (at
/// most 31) + 6 bits length (0 stands for 64) + bits = differs in a new window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    leading: u8,
    trailing: u8,
}

/// No window yet: nothing fits into it.
pub(crate) const NO_WINDOW: Window = Window {
    leading: u8::MAX,
    trailing: 0,
};

/// What readers start with: a `10` before any `11` means all 64 bits.
pub(crate) const WHOLE_WINDOW: Window = Window {
    leading: 0,
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
        let leading = delta.leading_zeros().min(31) as u8;
        let trailing = delta.trailing_zeros() as u8;
        if self.leading <= leading && self.trailing <= trailing {
            out.bits(reuse, reuse_bits);
            out.bits(delta >> self.trailing, self.width());
            return;
        }
        *self = Self { leading, trailing };
        let width = self.width();
        let head = renew << 11 | u64::from(leading) << 6 | u64::from(width & 63);
        out.bits(head, renew_bits + 11);
        out.bits(delta >> trailing, width);
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
        let head = reader.bits(11);
        let leading = (head >> 6) as u8;
        let width = match head as u8 & 63 {
            0 => 64,
            width => width,
        };
        if leading + width > 64 {
            return Err(DecodeError::BadWindow);
        }
        *self = Self {
            leading,
            trailing: 64 - leading - width,
        };
        Ok(self.reuse(reader))
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

    #[inline]
    fn width(self) -> u32 {
        64 - u32::from(self.leading) - u32::from(self.trailing)
    }
}
