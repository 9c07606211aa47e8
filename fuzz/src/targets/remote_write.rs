//! Remote write requests.

use obsq_ingest::IngestLimits;
use obsq_ingest::remote_write::{LabelCache, Message, decode, decompress};
use obsq_source::SeriesBatch;

use super::{assert_ordered, choose};

/// Small limits, so that a request that claims much is refused rather than built.
fn limits() -> IngestLimits {
    IngestLimits {
        max_wire_bytes: 1 << 20,
        max_decoded_bytes: 1 << 20,
        max_expanded_bytes: 8 << 20,
        ..IngestLimits::default()
    }
}

/// A request is decoded or refused, the same way when its label sets are known already; what is
/// decoded keeps the limits and the order of labels.
pub fn remote_write(input: &[u8]) {
    let Some((choice, body)) = choose(input) else {
        return;
    };
    let limits = limits();
    let message = if choice & 1 == 0 {
        Message::V1
    } else {
        Message::V2
    };
    let decompressed;
    let body = if choice & 2 == 0 {
        body
    } else {
        let Ok(bytes) = decompress(body, &limits) else {
            return;
        };
        assert!(bytes.len() <= limits.max_decoded_bytes);
        decompressed = bytes;
        &decompressed
    };
    let known = LabelCache::default();
    let first = decode(message, body, &limits, &known);
    let again = decode(message, body, &limits, &known);
    assert_eq!(first.is_ok(), again.is_ok());
    let (Ok(decoded), Ok(again)) = (first, again) else {
        return;
    };
    let labels = |series: &[SeriesBatch]| -> Vec<_> {
        series.iter().map(|series| series.labels.clone()).collect()
    };
    assert_eq!(labels(&decoded.batch.series), labels(&again.batch.series));
    for series in &decoded.batch.series {
        assert_ordered(&series.labels);
        assert!(series.labels.len() <= limits.max_label_names);
    }
}
