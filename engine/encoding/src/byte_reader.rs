//! A cursor over bytes; fixed integers are big-endian.

use crate::DecodeError;
use crate::varint::unzigzag;

/// Reads integers, varints and texts from bytes, checking the bounds of each.
///
/// After an error the position is undefined.
#[derive(Debug, Clone)]
pub struct ByteReader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> ByteReader<'a> {
    /// Returns a reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    /// Returns the number of bytes read so far.
    pub fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Returns the bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the number of bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Says whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = tail;
        Ok(head)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Reads two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads eight bytes as a signed integer.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads the bits of a float.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.u64().map(f64::from_bits)
    }

    /// Reads an unsigned varint.
    pub fn uvarint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                return Err(DecodeError::VarintOverflow);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintOverflow)
    }

    /// Reads an unsigned varint that must fit 32 bits.
    pub fn uvarint32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.uvarint()?).map_err(|_too_large| DecodeError::VarintOverflow)
    }

    /// Reads a zig-zag varint.
    pub fn varint(&mut self) -> Result<i64, DecodeError> {
        self.uvarint().map(unzigzag)
    }

    /// Reads bytes that are preceded by their number as an unsigned varint.
    pub fn uvarint_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let count = self.uvarint()?;
        self.bytes(usize::try_from(count).map_err(|_too_large| DecodeError::UnexpectedEnd)?)
    }

    /// Reads UTF-8 text that is preceded by its number of bytes as an unsigned varint.
    pub fn uvarint_str(&mut self) -> Result<&'a str, DecodeError> {
        str::from_utf8(self.uvarint_bytes()?).map_err(|_position| DecodeError::NotUtf8)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = tail;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_varint_beyond_64_bits_is_refused() {
        let mut bytes = [0xff_u8; 11];
        assert_eq!(
            ByteReader::new(&bytes).uvarint(),
            Err(DecodeError::VarintOverflow)
        );
        bytes[9] = 1;
        assert_eq!(ByteReader::new(&bytes).uvarint(), Ok(u64::MAX));
        assert_eq!(
            ByteReader::new(&bytes).uvarint32(),
            Err(DecodeError::VarintOverflow)
        );
    }

    #[test]
    fn a_text_longer_than_the_bytes_is_refused() {
        let mut reader = ByteReader::new(b"\x03ab");
        assert_eq!(reader.uvarint_str(), Err(DecodeError::UnexpectedEnd));
        let mut reader = ByteReader::new(b"\x02\xff\xff");
        assert_eq!(reader.uvarint_str(), Err(DecodeError::NotUtf8));
        let mut reader = ByteReader::new(b"\x02ab\x01");
        assert_eq!(reader.uvarint_str(), Ok("ab"));
        assert_eq!((reader.position(), reader.remaining()), (3, 1));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = ByteReader::new(&bytes);
            while reader.uvarint().is_ok() && reader.varint().is_ok() && reader.u16().is_ok() {}
        }
    }
}
