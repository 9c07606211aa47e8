//! Samples, exemplars and metric metadata.

use std::sync::Arc;

use crate::histogram::HistogramValue;
use crate::labels::Labels;

/// Bits of the NaN that marks a series as stale, as Prometheus defines it.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Returns the staleness marker as a float.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Says whether `value` is the staleness marker; an ordinary NaN is not.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// The value of one sample.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A float, staleness markers and NaN payloads included.
    Float(f64),
    /// A native histogram; a stale one has the staleness marker as its sum.
    Histogram(Arc<HistogramValue>),
}

/// One value of a series at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub ts_ms: i64,
    /// Start timestamp (created timestamp) in milliseconds; 0 when unknown.
    pub start_ts_ms: i64,
    /// The value.
    pub value: SampleValue,
}

impl Sample {
    /// Returns a float sample without a start timestamp.
    pub fn float(ts_ms: i64, value: f64) -> Self {
        Self {
            ts_ms,
            start_ts_ms: 0,
            value: SampleValue::Float(value),
        }
    }

    /// Returns a histogram sample without a start timestamp.
    pub fn histogram(ts_ms: i64, value: HistogramValue) -> Self {
        Self {
            ts_ms,
            start_ts_ms: 0,
            value: SampleValue::Histogram(Arc::new(value)),
        }
    }

    /// Says whether the sample marks its series as stale.
    pub fn is_stale(&self) -> bool {
        match &self.value {
            SampleValue::Float(value) => is_stale_nan(*value),
            SampleValue::Histogram(histogram) => is_stale_nan(histogram.sum()),
        }
    }

    /// Says whether the two values are the same, floats compared by their bits.
    pub fn same_value(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (SampleValue::Float(a), SampleValue::Float(b)) => a.to_bits() == b.to_bits(),
            (SampleValue::Histogram(a), SampleValue::Histogram(b)) => a.same_bits(b),
            _ => false,
        }
    }
}

/// A sample of a trace (or other labels) that stands for one observation of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Labels of the exemplar itself, such as `trace_id`.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub ts_ms: i64,
}

/// The type of a metric family, named as in OpenMetrics and the Prometheus API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum MetricType {
    /// Not known.
    #[default]
    Unknown,
    /// A value that only rises, but for resets.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// A classic or native histogram of a counter kind.
    Histogram,
    /// A histogram whose buckets go up and down.
    GaugeHistogram,
    /// Quantiles, a sum and a count.
    Summary,
    /// A constant 1 with labels that inform.
    Info,
    /// One of a set of states.
    StateSet,
}

impl MetricType {
    /// Every type, in the order of the enum.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
    ];

    /// Returns the name used in exposition formats and in `/api/v1/metadata`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// Returns the type with that name, `untyped` being the old name of `unknown`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "untyped" {
            return Some(Self::Unknown);
        }
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What is known of a metric family besides its samples.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct MetricMetadata {
    /// The type.
    pub metric_type: MetricType,
    /// The unit, empty when none was given.
    pub unit: String,
    /// The help text, empty when none was given.
    pub help: String,
}
