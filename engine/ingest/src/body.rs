//! Decompressing request bodies within limits.

use std::borrow::Cow;
use std::io::Read;

use crate::error::DecodeError;
use crate::limits::IngestLimits;
use crate::remote_write;

/// A body may grow this much without a look at the ratio.
const FREE_BYTES: usize = 1 << 20;
/// Beyond [`FREE_BYTES`] a body may not be this many times larger than it was sent.
const MAX_RATIO: usize = 200;
/// Largest window of a zstd frame, as a power of two; RFC 8878 recommends to support 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Returns the body as it was before its `Content-Encoding` (`gzip`, `zstd`, `snappy`, `identity`
/// or none) was applied.
///
/// Stops as soon as the result is larger than allowed, or more than 200 times as large as what was
/// sent.
pub fn decompress_body<'a>(
    content_encoding: Option<&str>,
    body: &'a [u8],
    limits: &IngestLimits,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    if body.len() > limits.max_wire_bytes {
        return Err(DecodeError::TooLarge {
            what: "request body",
            actual_bytes: body.len() as u64,
            limit_bytes: limits.max_wire_bytes,
        });
    }
    let given = content_encoding.unwrap_or_default().trim();
    match given.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Cow::Borrowed(body)),
        "gzip" => {
            let reader = flate2::read::MultiGzDecoder::new(body);
            read_capped("gzip", reader, body.len(), limits).map(Cow::Owned)
        }
        "zstd" => {
            let reader = zstd_reader(body)?;
            read_capped("zstd", reader, body.len(), limits).map(Cow::Owned)
        }
        "snappy" => remote_write::decompress(body, limits).map(Cow::Owned),
        _ => Err(DecodeError::ContentEncoding {
            given: given.to_owned(),
            accepted: "`gzip`, `zstd`, `snappy` or none",
        }),
    }
}

fn zstd_reader(body: &[u8]) -> Result<impl Read + '_, DecodeError> {
    let corrupt = |error: std::io::Error| DecodeError::Decompress {
        encoding: "zstd",
        reason: error.to_string(),
    };
    let mut reader = zstd::stream::read::Decoder::with_buffer(body).map_err(corrupt)?;
    reader.window_log_max(ZSTD_WINDOW_LOG).map_err(corrupt)?;
    Ok(reader)
}

fn read_capped(
    encoding: &'static str,
    reader: impl Read,
    sent_bytes: usize,
    limits: &IngestLimits,
) -> Result<Vec<u8>, DecodeError> {
    let by_ratio = sent_bytes.saturating_mul(MAX_RATIO).max(FREE_BYTES);
    let limit_bytes = limits.max_decoded_bytes.min(by_ratio);
    // Reserved at once: growing would hold the old and the new copy. Memory that is not written
    // to is not resident.
    let mut out = Vec::with_capacity(limit_bytes + 1);
    reader
        .take(limit_bytes as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| DecodeError::Decompress {
            encoding,
            reason: error.to_string(),
        })?;
    if out.len() > limit_bytes {
        return Err(DecodeError::TooLarge {
            what: "decompressed request body",
            actual_bytes: out.len() as u64,
            limit_bytes,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bodies_come_back_from_every_encoding() {
        let limits = IngestLimits::default();
        let plain = b"hello hello hello";
        let zstd = zstd::encode_all(plain.as_slice(), 3).unwrap();
        let snappy = remote_write::compress(plain);
        for (encoding, body) in [
            (None, plain.to_vec()),
            (Some("identity"), plain.to_vec()),
            (Some("GZIP"), gzip(plain)),
            (Some("zstd"), zstd),
            (Some("snappy"), snappy),
        ] {
            let out = decompress_body(encoding, &body, &limits).unwrap();
            assert_eq!(out.as_ref(), plain, "{encoding:?}");
        }
        let error = decompress_body(Some("br"), plain, &limits).unwrap_err();
        assert_eq!(error.status(), 415);
        assert_eq!(
            decompress_body(Some("gzip"), plain, &limits)
                .unwrap_err()
                .status(),
            400
        );
    }

    #[test]
    fn bombs_are_stopped_by_ratio_and_by_size() {
        let zeros = vec![0_u8; 8 << 20];
        let limits = IngestLimits::default();
        for (encoding, body) in [
            ("gzip", gzip(&zeros)),
            ("zstd", zstd::encode_all(zeros.as_slice(), 3).unwrap()),
        ] {
            let error = decompress_body(Some(encoding), &body, &limits).unwrap_err();
            assert_eq!(error.status(), 413, "{encoding}: {error}");
        }
    }
}
