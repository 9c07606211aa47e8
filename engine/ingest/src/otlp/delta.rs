//! Summing up delta temporality to cumulative.
//!
//! The store and PromQL know cumulative values only, so the sum since the first data point is kept
//! per tenant and series, in memory, as the `deltatocumulative` processor of the OpenTelemetry
//! Collector and with it Prometheus 3 do. After a restart, or when it was idle for too long, a series
//! starts anew from zero with a start timestamp that lies at or behind its last stored sample:
//! `rate`, `increase` and their like take it for a counter reset even when the new sum is larger than
//! the old one, so that nothing is lost or counted twice. A data point that is older than the last
//! one is refused, one of the same time is taken for a repeat and not added twice; only what a client
//! repeats across a restart is not known for a repeat.

mod states;
mod total;

pub(super) use states::DeltaPoint;
pub use states::{DeltaLimits, DeltaStates};
pub(super) use total::{DenseBuckets, ExplicitTotal, ExponentialTotal, Total};
