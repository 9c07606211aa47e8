//! Varints as Go's `encoding/binary` writes them: seven bits a byte, low bits first, the high bit
//! says that more follow; signed ones zig-zag.

/// The most bytes that a varint takes.
pub const MAX_VARINT_BYTES: usize = 10;

/// Appends `value` as an unsigned varint of 1 to 10 bytes.
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends `value` as a zig-zag varint of 1 to 10 bytes.
pub fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, zigzag(value));
}

/// Returns the number of bytes that [`put_uvarint`] takes for `value`.
pub fn uvarint_len(value: u64) -> usize {
    ((64 - (value | 1).leading_zeros()).div_ceil(7)) as usize
}

pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned()
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ByteReader;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_go() {
        let table: [(i64, &[u8]); 6] = [
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[126]),
            (64, &[0x80, 1]),
            (i64::MIN, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (value, expected) in table {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_value_round_trips(signed: i64, unsigned: u64, shift in 0_u32..64) {
            let unsigned = unsigned >> shift;
            let mut out = Vec::new();
            put_varint(&mut out, signed);
            let signed_len = out.len();
            put_uvarint(&mut out, unsigned);
            prop_assert_eq!(out.len() - signed_len, uvarint_len(unsigned));
            let mut reader = ByteReader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(signed));
            prop_assert_eq!(reader.uvarint(), Ok(unsigned));
            prop_assert!(reader.is_empty());
        }
    }
}
