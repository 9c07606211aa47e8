//! Remote read answers with all samples in one message.

use obsq_source::SeriesBatch;

use super::write::time_series;
use crate::error::DecodeError;
use crate::limits::IngestLimits;
use crate::remote_write::{Decoded, decode_v1};
use crate::wire::{Reader, Writer};

/// Returns a `prometheus.ReadResponse`, not compressed: one result for each query, in their order.
/// Each series occurs once and has its samples in time order.
pub fn read_response(results: &[Vec<SeriesBatch>]) -> Vec<u8> {
    let mut writer = Writer::default();
    for result in results {
        writer.message(1, |w| {
            for series in result {
                w.message(1, |w| time_series(w, series));
            }
        });
    }
    writer.into_bytes()
}

/// Decodes a decompressed `prometheus.ReadResponse`: the series of each query's result.
pub fn decode_read_response(
    body: &[u8],
    limits: &IngestLimits,
) -> Result<Vec<Vec<SeriesBatch>>, DecodeError> {
    let fault = DecodeError::proto("ReadResponse");
    let mut results = Vec::new();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.next().map_err(&fault)? {
        if field == 1 {
            // A query result and a write request have their series in the same field.
            let Decoded { batch, .. } = decode_v1(value.bytes(field).map_err(&fault)?, limits)?;
            results.push(batch.series);
        }
    }
    Ok(results)
}
