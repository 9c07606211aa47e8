//! Remote read answers as a stream of frames with encoded chunks.

use obsq_model::Labels;
use obsq_source::RawChunk;

use super::write::write_labels;
use crate::wire::{Writer, push_varint};

/// Some chunks of one series; a series may be spread over several frames.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkedSeries<'a> {
    /// Labels of the series, repeated in each frame.
    pub labels: &'a Labels,
    /// Chunks in time order.
    pub chunks: &'a [RawChunk],
}

/// Returns one frame of a streamed answer to query number `query_index`: the message's length as
/// varint, its CRC-32C as four bytes big endian, then a `prometheus.ChunkedReadResponse`.
pub fn chunked_frame(query_index: usize, series: &[ChunkedSeries<'_>]) -> Vec<u8> {
    let mut writer = Writer::default();
    for one in series {
        writer.message(1, |w| write_series(w, one));
    }
    writer.varint(2, query_index as u64);
    let message = writer.into_bytes();
    let mut frame = Vec::with_capacity(message.len() + 14);
    push_varint(&mut frame, message.len() as u64);
    frame.extend_from_slice(&crc32c::crc32c(&message).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

fn write_series(writer: &mut Writer, series: &ChunkedSeries<'_>) {
    write_labels(writer, series.labels);
    for chunk in series.chunks {
        writer.message(2, |w| {
            w.int(1, chunk.min_ts_ms)
                .int(2, chunk.max_ts_ms)
                .varint(3, u64::from(chunk.encoding))
                .bytes(4, &chunk.bytes);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_length_checksum_and_message() {
        let labels = Labels::from_pairs(&[("a", "b")]);
        let chunks = [RawChunk {
            encoding: 1,
            min_ts_ms: 5,
            max_ts_ms: 6,
            bytes: vec![0xAB],
        }];
        let series = ChunkedSeries {
            labels: &labels,
            chunks: &chunks,
        };
        let frame = chunked_frame(1, &[series]);
        let message = [
            0x0a, 0x13, // chunked_series
            0x0a, 0x06, 0x0a, 0x01, b'a', 0x12, 0x01, b'b', // labels
            0x12, 0x09, 0x08, 5, 0x10, 6, 0x18, 1, 0x22, 1, 0xAB, // chunks
            0x10, 0x01, // query_index
        ];
        assert_eq!(frame[0] as usize, message.len());
        assert_eq!(frame[1..5], crc32c::crc32c(&message).to_be_bytes());
        assert_eq!(frame[5..], message);
    }
}
