//! OTLP metrics.

use std::sync::Arc;

use obsq_ingest::IngestLimits;
use obsq_ingest::otlp::{DeltaLimits, DeltaStates, OtlpOptions, TranslationStrategy};
use obsq_ingest::otlp::{decode_json, decode_protobuf, translate};
use obsq_model::{ManualClock, Tenant};

use super::{assert_ordered, choose};

/// A request is translated or refused; no translated series has a label twice.
pub fn otlp(input: &[u8]) {
    let Some((choice, body)) = choose(input) else {
        return;
    };
    let limits = IngestLimits {
        max_expanded_bytes: 8 << 20,
        ..IngestLimits::default()
    };
    let request = if choice & 1 == 0 {
        decode_protobuf(body, &limits)
    } else {
        decode_json(body, &limits)
    };
    let Ok(request) = request else {
        return;
    };
    let strategies = TranslationStrategy::ALL;
    let options = OtlpOptions {
        limits,
        strategy: strategies[usize::from(choice >> 1) % strategies.len()],
        ..OtlpOptions::default()
    };
    let deltas = DeltaStates::new(DeltaLimits::default(), Arc::new(ManualClock::at(0)));
    let Ok(translated) = translate(&request, &Tenant::anonymous(), &options, &deltas) else {
        return;
    };
    for series in &translated.batch.series {
        assert_ordered(&series.labels);
    }
}
