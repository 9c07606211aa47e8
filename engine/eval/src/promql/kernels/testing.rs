//! Samples for tests.

use std::sync::Arc;

use obsq_model::{BucketSpan, CounterResetHint, FloatHistogram, SampleColumns};

use super::{Edges, Samples, Value, Window};

/// Columns of floats at `interval_ms`, the first one at that time.
pub(crate) fn floats(interval_ms: i64, values: &[f64]) -> SampleColumns {
    SampleColumns {
        float_ts: (1..=values.len() as i64)
            .map(|index| index * interval_ms)
            .collect(),
        floats: values.to_vec(),
        ..SampleColumns::default()
    }
}

/// Columns of histograms at `interval_ms`, the first one at that time.
pub(crate) fn histograms(interval_ms: i64, values: Vec<FloatHistogram>) -> SampleColumns {
    SampleColumns {
        histogram_ts: (1..=values.len() as i64)
            .map(|index| index * interval_ms)
            .collect(),
        histograms: values.into_iter().map(Arc::new).collect(),
        ..SampleColumns::default()
    }
}

/// A histogram with buckets (0.5,1], (1,2], .. whose sum is its count.
pub(crate) fn histogram(counts: &[f64]) -> FloatHistogram {
    let count = counts.iter().sum();
    FloatHistogram {
        count,
        sum: count,
        positive_spans: vec![BucketSpan {
            offset: 0,
            length: counts.len() as u32,
        }],
        positive_buckets: counts.to_vec(),
        ..FloatHistogram::default()
    }
}

/// The same as a gauge.
pub(crate) fn gauge(counts: &[f64]) -> FloatHistogram {
    FloatHistogram {
        counter_reset_hint: CounterResetHint::Gauge,
        ..histogram(counts)
    }
}

/// A histogram with custom bounds.
pub(crate) fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
    FloatHistogram {
        schema: obsq_model::histogram::CUSTOM_BUCKETS_SCHEMA,
        custom_values: bounds.into(),
        ..histogram(counts)
    }
}

/// The window `(start_ms, end_ms]` over all of `columns`.
pub(crate) fn window(columns: &SampleColumns, start_ms: i64, end_ms: i64) -> Window<'_> {
    Window {
        samples: Samples::new(columns),
        start_ms,
        end_ms,
        step_ms: end_ms,
        edges: Edges::Plain,
    }
}

pub(crate) fn float(value: Option<Value>) -> f64 {
    match value {
        Some(Value::Float(value)) => value,
        other => panic!("expected a float, got {other:?}"),
    }
}

pub(crate) fn histogram_of(value: Option<Value>) -> FloatHistogram {
    match value {
        Some(Value::Histogram(histogram)) => (*histogram).clone(),
        other => panic!("expected a histogram, got {other:?}"),
    }
}
