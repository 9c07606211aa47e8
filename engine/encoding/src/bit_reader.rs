//! Bits taken from bytes, high bits first, 64 at a time.

use crate::DecodeError;
use crate::varint::unzigzag;

/// Reads bits from bytes.
///
/// Beyond the end it hands out zero bits and remembers that it did; who reads a bounded number of
/// values therefore may ask [`BitReader::check`] once, at the end.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, at the high end. Below `valid` bits lies a part of the byte at `rest`.
    buffer: u64,
    /// Bits of `buffer` that count, at most 64.
    valid: u32,
    /// Zero bits put in beyond the end, always the last ones of `valid`.
    invented: u64,
}

impl<'a> BitReader<'a> {
    /// Returns a reader at the first bit of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            buffer: 0,
            valid: 0,
            invented: 0,
        }
    }

    /// Fails when more was read than there is.
    #[inline]
    pub fn check(&self) -> Result<(), DecodeError> {
        if u64::from(self.valid) < self.invented {
            Err(DecodeError::UnexpectedEnd)
        } else {
            Ok(())
        }
    }

    /// Returns the number of bits that are left, padding included.
    pub fn remaining_bits(&self) -> u64 {
        (self.rest.len() as u64 * 8 + u64::from(self.valid)).saturating_sub(self.invented)
    }

    /// Makes at least 56 bits available to [`BitReader::peek`] and [`BitReader::skip`].
    #[inline]
    pub fn refill(&mut self) {
        if let Some(word) = self.rest.first_chunk::<8>() {
            self.buffer |= u64::from_be_bytes(*word) >> self.valid;
            let whole = (63 - self.valid) >> 3;
            self.rest = &self.rest[whole as usize..];
            self.valid += whole * 8;
        } else {
            self.refill_at_end();
        }
    }

    #[cold]
    fn refill_at_end(&mut self) {
        while self.valid <= 55 {
            if let Some((byte, tail)) = self.rest.split_first() {
                self.buffer |= u64::from(*byte) << (56 - self.valid);
                self.rest = tail;
            } else {
                self.invented += 8;
            }
            self.valid += 8;
        }
    }

    /// Returns the next bits at the high end of a word; only those made available count.
    #[inline]
    pub fn peek(&self) -> u64 {
        self.buffer
    }

    /// Returns the number of bits that [`BitReader::peek`] shows.
    #[inline]
    pub fn available(&self) -> u32 {
        self.valid
    }

    /// Drops `count` bits, which must be available and less than 64.
    #[inline]
    pub fn skip(&mut self, count: u32) {
        debug_assert!(count <= self.valid && count < 64, "skip {count}");
        self.buffer <<= count;
        self.valid -= count;
    }

    /// Reads one bit.
    #[inline]
    pub fn bit(&mut self) -> bool {
        if self.valid == 0 {
            self.refill();
        }
        let bit = self.buffer >> 63 == 1;
        self.skip(1);
        bit
    }

    /// Reads `count` bits, 0 to 64, into the low end of a word.
    #[inline]
    pub fn bits(&mut self, count: u32) -> u64 {
        debug_assert!(count <= 64, "{count} bits");
        if count > 56 {
            let high = self.bits(32);
            return high << (count - 32) | self.bits(count - 32);
        }
        if self.valid < count {
            self.refill();
        }
        // Two shifts, because a shift by 64 is not one.
        let value = self.buffer >> 1 >> (63 - count);
        self.skip(count);
        value
    }

    /// Reads a float's 64 bits.
    #[inline]
    pub fn f64(&mut self) -> f64 {
        f64::from_bits(self.bits(64))
    }

    /// Reads an unsigned varint, not necessarily at a byte's edge.
    pub fn uvarint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bits(8);
            if shift == 63 && byte > 1 {
                return Err(DecodeError::VarintOverflow);
            }
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintOverflow)
    }

    /// Reads a zig-zag varint, not necessarily at a byte's edge.
    pub fn varint(&mut self) -> Result<i64, DecodeError> {
        self.uvarint().map(unzigzag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BitWriter;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn reading_beyond_the_end_gives_zeros_and_is_noticed() {
        let mut reader = BitReader::new(&[0b1010_0000]);
        assert_eq!(reader.bits(3), 0b101);
        assert_eq!(reader.remaining_bits(), 5);
        assert_eq!(reader.bits(5), 0);
        assert_eq!(reader.check(), Ok(()));
        assert_eq!(reader.bits(64), 0);
        assert_eq!(reader.check(), Err(DecodeError::UnexpectedEnd));
        assert_eq!(reader.remaining_bits(), 0);
    }

    proptest! {
        #[test]
        fn any_fields_round_trip(fields in vec((any::<u64>(), 0_u32..=64), 0..40)) {
            let mut writer = BitWriter::default();
            for (value, count) in &fields {
                writer.bits(*value, *count);
            }
            let total: u32 = fields.iter().map(|(_, count)| *count).sum();
            prop_assert_eq!(writer.as_bytes().len(), total.div_ceil(8) as usize);
            let mut reader = BitReader::new(writer.as_bytes());
            for (value, count) in &fields {
                let mask = if *count == 64 { u64::MAX } else { (1 << count) - 1 };
                prop_assert_eq!(reader.bits(*count), value & mask);
            }
            prop_assert_eq!(reader.check(), Ok(()));
            prop_assert!(reader.remaining_bits() < 8);
        }

        #[test]
        fn single_bits_are_the_same_as_fields(bytes in vec(any::<u8>(), 0..20)) {
            let mut by_bit = BitReader::new(&bytes);
            let mut by_byte = BitReader::new(&bytes);
            for _ in 0..bytes.len() {
                let byte = (0..8).fold(0, |byte, _| byte << 1 | u64::from(by_bit.bit()));
                prop_assert_eq!(byte, by_byte.bits(8));
            }
        }
    }
}
