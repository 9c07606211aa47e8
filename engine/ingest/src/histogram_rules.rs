//! The rules for native histograms from outside.

use std::sync::Arc;

use obsq_model::HistogramValue;

/// Checks a histogram, or says why it is refused.
pub(crate) fn admit(histogram: &mut Arc<HistogramValue>) -> Result<(), String> {
    let (spans, buckets) = match &**histogram {
        HistogramValue::Int(h) => (
            [&h.positive_spans, &h.negative_spans],
            [h.positive_deltas.len(), h.negative_deltas.len()],
        ),
        HistogramValue::Float(h) => (
            [&h.positive_spans, &h.negative_spans],
            [h.positive_buckets.len(), h.negative_buckets.len()],
        ),
    };
    for (spans, have) in spans.into_iter().zip(buckets) {
        let need: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if need != have as u64 {
            return Err(format!("spans need {need} buckets, have {have} buckets"));
        }
    }
    Ok(())
}
