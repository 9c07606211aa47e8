//! Snappy blocks, decompressed only when their claimed size is allowed and possible.

use crate::error::DecodeError;
use crate::limits::IngestLimits;

/// No snappy block grows more: a copy of 64 bytes takes 3.
const MAX_RATIO: usize = 22;

/// Returns the decompressed body.
///
/// The size that the block's header claims is checked against the limits, and against what its
/// bytes can hold at most, before any memory is taken.
pub fn decompress(body: &[u8], limits: &IngestLimits) -> Result<Vec<u8>, DecodeError> {
    if body.len() > limits.max_wire_bytes {
        return Err(DecodeError::TooLarge {
            what: "request body",
            actual_bytes: body.len() as u64,
            limit_bytes: limits.max_wire_bytes,
        });
    }
    let claimed = match snap::raw::decompress_len(body) {
        Ok(claimed) => claimed,
        Err(snap::Error::TooBig { given, .. }) => return Err(too_large(given, limits)),
        Err(error) => return Err(corrupt(error.to_string())),
    };
    if claimed > limits.max_decoded_bytes {
        return Err(too_large(claimed as u64, limits));
    }
    if body.is_empty() {
        return Err(corrupt("empty body".to_owned()));
    }
    if claimed > body.len().saturating_mul(MAX_RATIO) {
        return Err(corrupt(format!(
            "header claims {claimed} bytes, more than the body can hold"
        )));
    }
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(|error| corrupt(error.to_string()))
}

/// Returns `bytes` as a snappy block.
pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(bytes)
        .expect("invariant: a message of ours is below 4 GiB")
}

fn too_large(claimed: u64, limits: &IngestLimits) -> DecodeError {
    DecodeError::TooLarge {
        what: "decompressed request body",
        actual_bytes: claimed,
        limit_bytes: limits.max_decoded_bytes,
    }
}

fn corrupt(reason: String) -> DecodeError {
    DecodeError::Decompress {
        encoding: "snappy",
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;
    use proptest::prelude::*;

    fn claim(bytes: u64) -> Vec<u8> {
        let mut body = Vec::new();
        wire::push_varint(&mut body, bytes);
        body.extend_from_slice(&[0, b'a']);
        body
    }

    #[test]
    fn claims_beyond_the_limit_are_refused_unread() {
        let limits = IngestLimits::default();
        for claimed in [314_572_800, 4_294_967_295] {
            let error = decompress(&claim(claimed), &limits).unwrap_err();
            assert_eq!(error.status(), 413, "{error}");
        }
        for claimed in [1 << 20, 1 << 62, u64::MAX] {
            assert!(decompress(&claim(claimed), &limits).is_err(), "{claimed}");
        }
        let error = decompress(&claim(30 << 20), &limits).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot decompress snappy: header claims 31457280 bytes, more than the body can hold"
        );
    }

    #[test]
    fn broken_blocks_are_refused() {
        let limits = IngestLimits::default();
        let offset_before_start: &[u8] = &[0x40, 0x00, 0x61, 0x0a, 0xfe, 0x00, 0x10];
        for body in [b"".as_slice(), b"hello world", offset_before_start] {
            assert_eq!(decompress(body, &limits).unwrap_err().status(), 400);
        }
        let tight = IngestLimits {
            max_wire_bytes: 3,
            ..limits
        };
        assert_eq!(decompress(b"abcd", &tight).unwrap_err().status(), 413);
    }

    proptest! {
        #[test]
        fn compressed_bytes_come_back(bytes in proptest::collection::vec(0_u8..4, 0..5000)) {
            let body = compress(&bytes);
            prop_assert_eq!(decompress(&body, &IngestLimits::default()).unwrap(), bytes);
        }

        #[test]
        fn the_best_ratio_is_allowed(length in 1_usize..200_000) {
            let bytes = vec![7_u8; length];
            let body = compress(&bytes);
            prop_assert_eq!(decompress(&body, &IngestLimits::default()).unwrap(), bytes);
        }
    }
}
