//! The rules for native histograms from outside.

use std::sync::Arc;

use obsq_model::{BucketSpan, HistogramValue};

/// The finest resolution that is stored.
const MAX_SCHEMA: i32 = 8;
/// Finer resolutions up to this are known and reduced; beyond it a schema means something else.
const MAX_REDUCED_SCHEMA: i32 = 52;

/// Checks a histogram, or says why it is refused. One of a resolution finer than what is stored is
/// reduced.
pub(crate) fn admit(histogram: &mut Arc<HistogramValue>) -> Result<(), String> {
    let (schema, spans, buckets) = match &**histogram {
        HistogramValue::Int(h) => (
            h.schema,
            [&h.positive_spans, &h.negative_spans],
            [h.positive_deltas.len(), h.negative_deltas.len()],
        ),
        HistogramValue::Float(h) => (
            h.schema,
            [&h.positive_spans, &h.negative_spans],
            [h.positive_buckets.len(), h.negative_buckets.len()],
        ),
    };
    for (side, (spans, buckets)) in ["positive", "negative"]
        .iter()
        .zip(spans.into_iter().zip(buckets))
    {
        check_spans(side, spans, buckets)?;
    }
    if (MAX_SCHEMA + 1..=MAX_REDUCED_SCHEMA).contains(&schema) {
        match Arc::make_mut(histogram) {
            HistogramValue::Int(h) => h.reduce_resolution(MAX_SCHEMA),
            HistogramValue::Float(h) => h.reduce_resolution(MAX_SCHEMA),
        }
    }
    let valid = match &**histogram {
        HistogramValue::Int(h) => h.validate(),
        HistogramValue::Float(h) => h.validate(),
    };
    valid.map_err(|error| error.to_string())
}

fn check_spans(side: &str, spans: &[BucketSpan], buckets: usize) -> Result<(), String> {
    let need: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if need != buckets as u64 {
        return Err(format!(
            "{side} side: spans need {need} buckets, have {buckets} buckets: histogram spans \
             specify different number of buckets than provided"
        ));
    }
    let mut index = 0_i64;
    for span in spans {
        index += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(index).is_err() {
            return Err(format!("{side} side: bucket index {index} is too large"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::IntHistogram;

    fn histogram(schema: i32, offset: i32, length: u32, deltas: Vec<i64>) -> Arc<HistogramValue> {
        let count = deltas
            .iter()
            .scan(0_i64, |count, delta| {
                *count += delta;
                Some(*count)
            })
            .sum::<i64>();
        Arc::new(HistogramValue::Int(IntHistogram {
            schema,
            count: count as u64,
            positive_spans: vec![BucketSpan { offset, length }],
            positive_deltas: deltas,
            ..IntHistogram::default()
        }))
    }

    #[test]
    fn contradictions_are_refused() {
        for (schema, offset, length, expected) in [
            (0, 0, 3, "spans need 3 buckets, have 2 buckets"),
            (9, 0, u32::MAX, "spans need 4294967295 buckets"),
            (9, i32::MAX, 2, "bucket index 2147483649 is too large"),
            (-5, 0, 2, "schema"),
            (53, 0, 2, "schema"),
        ] {
            let error = admit(&mut histogram(schema, offset, length, vec![1, 1])).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn finer_resolutions_are_reduced() {
        let mut fine = histogram(10, 1, 4, vec![1, 0, 0, 0]);
        admit(&mut fine).unwrap();
        let HistogramValue::Int(reduced) = &*fine else {
            panic!("{fine:?}");
        };
        assert_eq!(
            (reduced.schema, reduced.positive_deltas.as_slice()),
            (8, &[4][..])
        );
    }
}
