//! CRC32C (Castagnoli), stored as four bytes, big-endian.

use crate::DecodeError;

/// Returns the CRC32C of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Returns the CRC32C of what was summed into `crc` followed by `bytes`; start with 0.
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// Appends the CRC32C of `out[from..]` to `out`.
pub fn put_crc32c(out: &mut Vec<u8>, from: usize) {
    let crc = crc32c(out.get(from..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
}

/// Checks that `stored` is the CRC32C of `bytes`.
pub fn check_crc32c(bytes: &[u8], stored: u32) -> Result<(), DecodeError> {
    let computed = crc32c(bytes);
    if computed == stored {
        Ok(())
    } else {
        Err(DecodeError::Crc { stored, computed })
    }
}

/// Splits a frame that ends in its own CRC32C and returns what lies before it.
pub fn checked_frame(frame: &[u8]) -> Result<&[u8], DecodeError> {
    let (body, stored) = frame
        .split_last_chunk::<4>()
        .ok_or(DecodeError::UnexpectedEnd)?;
    check_crc32c(body, u32::from_be_bytes(*stored))?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomial_is_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_frame_with_any_flipped_bit_is_refused() {
        let mut frame = b"some bytes".to_vec();
        put_crc32c(&mut frame, 0);
        assert_eq!(checked_frame(&frame), Ok(b"some bytes".as_slice()));
        for bit in 0..frame.len() * 8 {
            let mut broken = frame.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(checked_frame(&broken).is_err(), "bit {bit}");
        }
        assert_eq!(checked_frame(b"abc"), Err(DecodeError::UnexpectedEnd));
    }
}
