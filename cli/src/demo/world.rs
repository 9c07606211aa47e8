//! What all of the shop feels: customers come and go, and payments fail every few minutes.

use crate::demo::noise::{smooth, unit};

/// A fault lies somewhere in every slot of this length.
const SLOT_MS: i64 = 12 * 60_000;
/// How long a fault takes to build up and to fade.
const RAMP_MS: i64 = 30_000;

/// Places of the noise, so that nothing moves in step by accident.
const CUSTOMERS: u64 = 1;
const FAULTS: u64 = 2;

/// The surroundings of the shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    /// The seed of everything.
    pub(crate) seed: u64,
}

impl World {
    /// Returns how many customers there are, as a multiple of the average: more by day, fewer at
    /// the weekend.
    pub(crate) fn traffic(self, ts_ms: i64) -> f64 {
        let day = ts_ms.rem_euclid(86_400_000) as f64 / 86_400_000.0;
        let by_day = 1.0 - 0.45 * (std::f64::consts::TAU * (day - 0.1)).cos();
        // The epoch was a Thursday.
        let weekday = (ts_ms.div_euclid(86_400_000) + 3).rem_euclid(7);
        let by_week = if weekday >= 5 { 0.75 } else { 1.05 };
        let gusts = 0.10 * smooth(self.seed, CUSTOMERS, ts_ms, 300_000)
            + 0.04 * smooth(self.seed, CUSTOMERS + 100, ts_ms, 45_000);
        by_day * by_week * (1.0 + gusts)
    }

    /// Returns how badly payments are in trouble, from 0 to 1.
    pub(crate) fn fault(self, ts_ms: i64) -> f64 {
        let slot = ts_ms.div_euclid(SLOT_MS);
        let dice = |place: u64| unit(self.seed, FAULTS + place * 1_000, slot as u64);
        let start = slot * SLOT_MS + 60_000 + (dice(1) * 300_000.0) as i64;
        let end = start + 120_000 + (dice(2) * 120_000.0) as i64;
        let severity = 0.45 + 0.55 * dice(3);
        let inside = (ts_ms - start).min(end - ts_ms);
        (inside as f64 / RAMP_MS as f64).clamp(0.0, 1.0) * severity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: World = World { seed: 1 };

    #[test]
    fn every_quarter_of_an_hour_has_a_fault_and_an_hour_without() {
        for quarter in 0..200 {
            let start = 1_790_000_000_000 + quarter * 15 * 60_000;
            let ticks = (0..60).map(|tick| WORLD.fault(start + tick * 15_000));
            let worst = ticks.clone().fold(0.0, f64::max);
            let quiet = ticks.filter(|fault| *fault == 0.0).count();
            assert!(worst > 0.4, "{quarter}: {worst}");
            assert!(quiet > 20, "{quarter}: {quiet}");
        }
    }

    #[test]
    fn there_is_more_traffic_by_day_than_by_night() {
        // A Wednesday.
        let midnight = 1_795_046_400_000;
        let noon = midnight + 14 * 3_600_000;
        assert!(WORLD.traffic(noon) > 1.5 * WORLD.traffic(midnight + 2 * 3_600_000));
    }
}
