//! From bytes to a request.

use prost::Message as _;

use super::collector::ExportMetricsServiceRequest;
use super::{json, prescan};
use crate::error::DecodeError;
use crate::limits::IngestLimits;

const MESSAGE: &str = "ExportMetricsServiceRequest";

/// Bytes of memory that one JSON object takes at most when decoded.
const OBJECT_BYTES: usize = 224;

/// Decodes a decompressed Protocol Buffers body.
pub fn decode_protobuf(
    body: &[u8],
    limits: &IngestLimits,
) -> Result<ExportMetricsServiceRequest, DecodeError> {
    prescan::check(body, limits.max_expanded_bytes)?;
    ExportMetricsServiceRequest::decode(body).map_err(|source| DecodeError::Prost {
        message: MESSAGE,
        source,
    })
}

/// Decodes a decompressed JSON body.
///
/// Integers may be numbers or strings, enumerations numbers or names, ids are hexadecimal, fields
/// that are not known and `null` are ignored, nesting ends at 128 levels.
pub fn decode_json(
    body: &[u8],
    limits: &IngestLimits,
) -> Result<ExportMetricsServiceRequest, DecodeError> {
    let objects = memchr::memchr_iter(b'{', body).count();
    if objects.saturating_mul(OBJECT_BYTES) > limits.max_expanded_bytes {
        return Err(DecodeError::Expanded {
            limit_bytes: limits.max_expanded_bytes,
        });
    }
    let fault = |source| DecodeError::Json {
        message: MESSAGE,
        source,
    };
    // serde would take a list for a structure's fields in order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(fault(serde::de::Error::custom(
            "an object is expected, not a list",
        )));
    }
    let request: json::Request = serde_json::from_slice(body).map_err(fault)?;
    Ok(request.into())
}
