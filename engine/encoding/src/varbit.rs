//! Integers in 1 to 72 bits, as histogram chunks and start timestamps hold them.
//!
//! A unary prefix says how many bits follow: `0` none (the value 0), `10` 3, `110` 6, `1110` 9,
//! `11110` 12, `111110` 18, `1111110` 25, `11111110` 56, `11111111` 64. A signed field of n bits
//! holds -(2^(n-1) - 1) to 2^(n-1).

use crate::{BitReader, BitWriter};

/// Payload widths by number of leading one bits in the prefix.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];
/// Fields with fewer ones than this in their prefix take at most [`SHORT_BITS`] with it.
const SHORT_ONES: u32 = 7;
const SHORT_BITS: u32 = 32;

/// Says whether a signed field of `width` bits, 1 to 63, can hold `value`.
#[inline]
pub(crate) fn fits_signed(value: i64, width: u32) -> bool {
    let half = 1_i64 << (width - 1);
    -half < value && value <= half
}

/// Returns the number in the low `width` bits, 1 to 63, of a signed field.
///
/// One less is two's complement. Written without a branch, as signs are often random.
#[inline]
pub(crate) fn sign_extend(field: u64, width: u32) -> i64 {
    let shift = 64 - width;
    ((field.wrapping_sub(1) << shift).cast_signed() >> shift) + 1
}

/// Appends a signed integer.
pub fn put_varbit_int(out: &mut BitWriter, value: i64) {
    let ones = if value == 0 {
        0
    } else {
        (1..8)
            .find(|ones| fits_signed(value, WIDTHS[*ones as usize]))
            .unwrap_or(8)
    };
    put(out, ones, value.cast_unsigned());
}

/// Appends an unsigned integer.
pub fn put_varbit_uint(out: &mut BitWriter, value: u64) {
    let width = 64 - value.leading_zeros();
    let ones = (0..8)
        .find(|ones| width <= WIDTHS[*ones as usize])
        .unwrap_or(8);
    put(out, ones, value);
}

#[inline]
fn put(out: &mut BitWriter, ones: u32, value: u64) {
    let (prefix, prefix_bits) = if ones == 8 {
        (0xff, 8)
    } else {
        ((1_u64 << (ones + 1)) - 2, ones + 1)
    };
    let width = WIDTHS[ones as usize];
    if prefix_bits + width <= 64 {
        let payload = value & ((1 << width) - 1);
        out.bits(prefix << width | payload, prefix_bits + width);
    } else {
        out.bits(prefix, prefix_bits);
        out.bits(value, width);
    }
}

/// Reads a signed integer.
#[inline]
pub fn varbit_int(reader: &mut BitReader<'_>) -> i64 {
    let (field, width) = read_field(reader);
    match width {
        0 => 0,
        64 => field.cast_signed(),
        _ => sign_extend(field, width),
    }
}

/// Reads an unsigned integer.
#[inline]
pub fn varbit_uint(reader: &mut BitReader<'_>) -> u64 {
    read_field(reader).0
}

/// Reads a prefix and the field behind it, whose width is the second result.
#[inline]
fn read_field(reader: &mut BitReader<'_>) -> (u64, u32) {
    if reader.available() < SHORT_BITS {
        reader.refill();
    }
    let next = reader.peek();
    let ones = (!next).leading_zeros().min(8);
    let width = WIDTHS[ones as usize];
    if ones < SHORT_ONES {
        // Prefix and field lie in what is available.
        reader.skip(ones + 1 + width);
        return (next << (ones + 1) >> 1 >> (63 - width), width);
    }
    reader.skip(8);
    (reader.bits(width), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn bits_of(value: i64) -> String {
        let mut writer = BitWriter::default();
        put_varbit_int(&mut writer, value);
        let mut all = String::new();
        for byte in writer.as_bytes() {
            write!(all, "{byte:08b}").unwrap();
        }
        all.trim_end_matches('0').to_owned()
    }

    #[test]
    fn prefixes_and_limits_are_those_of_the_format() {
        // Trailing zeros are cut, so that only the significant bits are compared.
        assert_eq!(bits_of(0), "");
        assert_eq!(bits_of(1), "10001");
        assert_eq!(bits_of(4), "101");
        assert_eq!(bits_of(-3), "10101");
        assert_eq!(bits_of(-4), "1101111");
        assert_eq!(bits_of(32), "1101");
        assert_eq!(bits_of(33), "1110000100001");
    }

    proptest! {
        #[test]
        fn any_integers_round_trip(signed: i64, unsigned: u64, shift in 0_u32..64) {
            let (signed, unsigned) = (signed >> shift, unsigned >> shift);
            let mut writer = BitWriter::default();
            put_varbit_int(&mut writer, signed);
            put_varbit_uint(&mut writer, unsigned);
            put_varbit_int(&mut writer, -signed.saturating_abs());
            let mut reader = BitReader::new(writer.as_bytes());
            prop_assert_eq!(varbit_int(&mut reader), signed);
            prop_assert_eq!(varbit_uint(&mut reader), unsigned);
            prop_assert_eq!(varbit_int(&mut reader), -signed.saturating_abs());
            prop_assert_eq!(reader.check(), Ok(()));
        }

        #[test]
        fn edges_of_each_width_round_trip(width in 1_u32..63, offset in -2_i64..=2) {
            for value in [(1_i64 << width) + offset, -(1_i64 << width) + offset] {
                let mut writer = BitWriter::default();
                put_varbit_int(&mut writer, value);
                let mut reader = BitReader::new(writer.as_bytes());
                prop_assert_eq!(varbit_int(&mut reader), value);
            }
        }
    }
}
