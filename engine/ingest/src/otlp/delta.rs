//! Summing up delta temporality to cumulative.
//!
//! The store and PromQL know cumulative values only, so the sum since the first data point is kept
//! per tenant and series, in memory: after a restart a series starts anew from zero with a new
//! start timestamp, which queries see as a counter reset. A data point that is older than the last
//! one is refused, one of the same time is taken for a repeat and not added twice.

mod states;
mod total;

pub(super) use states::DeltaPoint;
pub use states::{DeltaLimits, DeltaStates};
pub(super) use total::{DenseBuckets, ExplicitTotal, ExponentialTotal, Total};
