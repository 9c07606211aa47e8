//! The sums of all tenants, bounded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use obsq_model::{Clock, Labels, Tenant};
use rustc_hash::FxHashMap;

use super::total::Total;

/// Times are stored in milliseconds.
const NS_PER_MS: u64 = 1_000_000;

/// How much is remembered of delta series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaLimits {
    /// Most series per tenant.
    pub max_series_per_tenant: usize,
    /// Most series of all tenants together.
    pub max_series: usize,
    /// Milliseconds after which a series without data points is forgotten.
    pub max_idle_ms: i64,
}

impl Default for DeltaLimits {
    fn default() -> Self {
        Self {
            max_series_per_tenant: 100_000,
            max_series: 200_000,
            max_idle_ms: 3_600_000,
        }
    }
}

/// Sums of delta series by tenant.
#[derive(Debug)]
pub struct DeltaStates {
    limits: DeltaLimits,
    clock: Arc<dyn Clock>,
    series: AtomicUsize,
    tenants: Mutex<FxHashMap<Tenant, Arc<TenantDeltas>>>,
}

/// Sums of one tenant's delta series.
#[derive(Debug, Default)]
struct TenantDeltas {
    state: Mutex<TenantState>,
}

#[derive(Debug, Default)]
struct TenantState {
    series: FxHashMap<Labels, DeltaSeries>,
    swept_ms: i64,
}

#[derive(Debug)]
struct DeltaSeries {
    start_ns: u64,
    last_ns: u64,
    seen_ms: i64,
    total: Total,
}

/// A data point to add.
#[derive(Debug)]
pub(in crate::otlp) struct DeltaPoint {
    pub(in crate::otlp) start_ns: u64,
    pub(in crate::otlp) time_ns: u64,
    pub(in crate::otlp) value: Total,
}

/// The sum after a data point was added, and when it began.
#[derive(Debug, PartialEq)]
pub(in crate::otlp) struct Accumulated {
    pub(in crate::otlp) start_ns: u64,
    pub(in crate::otlp) total: Total,
}

impl DeltaStates {
    /// Returns an empty state.
    pub fn new(limits: DeltaLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            limits,
            clock,
            series: AtomicUsize::new(0),
            tenants: Mutex::default(),
        }
    }

    /// Returns the number of series of all tenants that are remembered.
    pub fn series(&self) -> usize {
        self.series.load(Ordering::Relaxed)
    }

    /// Adds a data point to its series' sum, or says why it cannot be added.
    pub(in crate::otlp) fn add(
        &self,
        tenant: &Tenant,
        labels: &Labels,
        point: DeltaPoint,
    ) -> Result<Accumulated, String> {
        let deltas = self.tenant(tenant);
        let mut state = deltas.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        if let Some(series) = state.series.get_mut(labels) {
            return series.add(point, now_ms);
        }
        self.sweep(&mut state, now_ms);
        self.check_room(&state)?;
        self.series.fetch_add(1, Ordering::Relaxed);
        let start_ns = known_start(&point);
        let accumulated = Accumulated {
            start_ns,
            total: point.value.clone(),
        };
        let series = DeltaSeries {
            start_ns,
            last_ns: point.time_ns,
            seen_ms: now_ms,
            total: point.value,
        };
        state.series.insert(labels.clone(), series);
        Ok(accumulated)
    }

    fn tenant(&self, tenant: &Tenant) -> Arc<TenantDeltas> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(tenant.clone()).or_default())
    }

    fn check_room(&self, state: &TenantState) -> Result<(), String> {
        let limit = self.limits.max_series_per_tenant;
        if state.series.len() >= limit {
            return Err(format!(
                "too many series with delta temporality: the limit is {limit}"
            ));
        }
        let limit = self.limits.max_series;
        if self.series() >= limit {
            return Err(format!(
                "too many series with delta temporality in all tenants: the limit is {limit}"
            ));
        }
        Ok(())
    }

    /// Forgets idle series, at most once a minute.
    fn sweep(&self, state: &mut TenantState, now_ms: i64) {
        if now_ms.saturating_sub(state.swept_ms) < 60_000 {
            return;
        }
        state.swept_ms = now_ms;
        let before = state.series.len();
        let oldest_ms = now_ms.saturating_sub(self.limits.max_idle_ms);
        state.series.retain(|_, series| series.seen_ms >= oldest_ms);
        let gone = before - state.series.len();
        self.series.fetch_sub(gone, Ordering::Relaxed);
    }
}

/// Returns when the sum that begins with `point` began. Where the point does not tell, as late as can
/// be: what was stored of the series before the sum was forgotten must lie before its start, for
/// otherwise a sum that has grown beyond the old one would pass for its continuation.
fn known_start(point: &DeltaPoint) -> u64 {
    match point.start_ns {
        0 => point.time_ns.saturating_sub(NS_PER_MS),
        start_ns => start_ns,
    }
}

impl DeltaSeries {
    fn add(&mut self, point: DeltaPoint, now_ms: i64) -> Result<Accumulated, String> {
        if point.time_ns < self.last_ns {
            return Err("data point with delta temporality is older than the last one".to_owned());
        }
        self.seen_ms = now_ms;
        if point.time_ns > self.last_ns {
            if self.total.add(&point.value).is_err() {
                // Other bucket bounds: the sum cannot go on, so it starts anew.
                self.start_ns = known_start(&point).max(self.last_ns);
                self.total = point.value;
            }
            self.last_ns = point.time_ns;
        }
        Ok(Accumulated {
            start_ns: self.start_ns,
            total: self.total.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    fn states(limits: DeltaLimits) -> (DeltaStates, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(0));
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        (DeltaStates::new(limits, shared), clock)
    }

    fn add(states: &DeltaStates, name: &str, time_ns: u64, value: f64) -> Result<f64, String> {
        let point = DeltaPoint {
            start_ns: 1,
            time_ns,
            value: Total::Number(value),
        };
        let labels = Labels::from_pairs(&[("__name__", name)]);
        match states.add(&Tenant::anonymous(), &labels, point)?.total {
            Total::Number(total) => Ok(total),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn points_add_up_and_repeats_count_once() {
        let (states, _clock) = states(DeltaLimits::default());
        assert_eq!(add(&states, "a", 10, 2.0), Ok(2.0));
        assert_eq!(add(&states, "a", 20, 3.0), Ok(5.0));
        assert_eq!(add(&states, "a", 20, 3.0), Ok(5.0));
        assert!(add(&states, "a", 15, 1.0).is_err());
        assert_eq!(add(&states, "b", 15, 1.0), Ok(1.0));
    }

    #[test]
    fn a_sum_without_a_start_begins_right_before_its_first_point() {
        let (states, _clock) = states(DeltaLimits::default());
        let labels = Labels::from_pairs(&[("__name__", "a")]);
        let start = |start_ns, time_ns| {
            let point = DeltaPoint {
                start_ns,
                time_ns,
                value: Total::Number(1.0),
            };
            let sum = states.add(&Tenant::anonymous(), &labels, point);
            sum.unwrap().start_ns
        };
        assert_eq!(start(0, 60_000_000_000), 59_999_000_000);
        assert_eq!(start(0, 70_000_000_000), 59_999_000_000);
        assert_eq!(start(65_000_000_000, 80_000_000_000), 59_999_000_000);
    }

    #[test]
    fn idle_series_make_room_for_new_ones() {
        let limits = DeltaLimits {
            max_series_per_tenant: 1,
            ..DeltaLimits::default()
        };
        let (states, clock) = states(limits);
        clock.set_ms(100_000);
        assert_eq!(add(&states, "a", 10, 2.0), Ok(2.0));
        assert!(add(&states, "b", 10, 2.0).is_err());
        clock.advance_ms(limits.max_idle_ms + 1);
        assert_eq!(add(&states, "b", 10, 2.0), Ok(2.0));
        assert_eq!(states.series(), 1);
    }
}
