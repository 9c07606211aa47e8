//! Chunks of every encoding.

use obsq_encoding::{
    AggrChunk, Aggregate, Encoding, decode, decode_samples, encode_chunks, sample_count,
};
use obsq_model::{SampleColumns, TimeRange};

use super::choose;

/// Damaged bytes are an error, never more samples than the chunk says; what decodes can be encoded
/// and decoded again to the same samples, and both ways of decoding agree.
pub fn chunks(input: &[u8]) {
    let Some((choice, bytes)) = choose(input) else {
        return;
    };
    let Ok(encoding) = Encoding::from_byte(choice & 0x7f) else {
        return;
    };
    if encoding == Encoding::Aggr {
        return aggregates(bytes);
    }
    let mut columns = SampleColumns::default();
    let all = TimeRange {
        start_ms: i64::MIN,
        end_ms: i64::MAX,
    };
    let decoded = decode(encoding, bytes, all, &mut columns);
    let samples = decode_samples(encoding, bytes);
    assert_eq!(decoded.is_ok(), samples.is_ok());
    let Ok(samples) = samples else {
        assert!(columns.float_ts.is_empty() && columns.histogram_ts.is_empty());
        return;
    };
    let count = sample_count(encoding, bytes).unwrap_or_default();
    assert_eq!(samples.len(), usize::from(count));
    assert_eq!(
        columns.float_ts.len() + columns.histogram_ts.len(),
        samples.len()
    );

    let mut again = Vec::new();
    for chunk in encode_chunks(&samples) {
        let part = decode_samples(chunk.encoding, &chunk.bytes);
        again.extend(part.expect("what was just encoded decodes"));
    }
    assert_eq!(again.len(), samples.len());
    for (one, other) in again.iter().zip(&samples) {
        assert_eq!(
            (one.ts_ms, one.start_ts_ms),
            (other.ts_ms, other.start_ts_ms)
        );
    }
}

fn aggregates(bytes: &[u8]) {
    let Ok(chunk) = AggrChunk::parse(bytes) else {
        return;
    };
    for aggregate in [
        Aggregate::Count,
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
    ] {
        if let Some((encoding, part)) = chunk.part(aggregate) {
            let _decoded = decode_samples(encoding, part);
        }
    }
}
