//! The words every other crate speaks: labels, matchers, samples, native histograms, time ranges,
//! tenants, the clock and the kinds of error.
//!
//! This crate knows no file, no network and no query text. Everything in it is plain values; the
//! only trait objects are [`Clock`], so that no other code reads the wall clock, and
//! [`LabelPattern`], so that a matcher can carry a compiled regular expression without this crate
//! knowing the engine behind it.

mod civil;
mod clock;
mod columns;
mod error;
mod float_text;
pub mod histogram;
mod kahan;
mod labels;
mod matcher;
mod sample;
mod tenant;
mod time;

pub use civil::{Civil, days_from_civil, days_in_month, rfc3339};
pub use clock::{Clock, ManualClock, SystemClock};
pub use columns::SampleColumns;
pub use error::ErrorKind;
pub use float_text::{format_float_general, format_float_rounded};
pub use histogram::{BucketSpan, CounterResetHint, FloatHistogram, HistogramValue, IntHistogram};
pub use kahan::KahanSum;
pub use labels::{Label, Labels, LabelsBuilder, METRIC_NAME, TYPE_LABEL, UNIT_LABEL};
pub use matcher::{LabelPattern, MatchOp, Matcher};
pub use sample::{
    Exemplar, MetricMetadata, MetricType, STALE_NAN_BITS, Sample, SampleValue, is_stale_nan,
    stale_nan,
};
pub use tenant::{Tenant, TenantError};
pub use time::{MAX_TIME_MS, MIN_TIME_MS, TimeRange};
