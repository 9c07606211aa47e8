//! Values of one metric of one process, and how they move from tick to tick.

use std::collections::BTreeMap;

use crate::demo::TICK_MS;
use crate::demo::noise::{bits, lognormal_share, unit};

/// Upper bounds of all classic histograms, without +Inf. None is a whole number, because those are
/// written differently by the ways in (`1` and `1.0`).
pub(crate) const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.5, 2.5, 7.5];

/// Resolution of native histograms: bucket bounds are powers of 2^(1/8).
pub(crate) const SCHEMA: i32 = 3;

/// What a process lives through at one tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The time.
    pub(crate) ts_ms: i64,
    /// Customers, as a multiple of the average.
    pub(crate) traffic: f64,
    /// Share of requests that fail.
    pub(crate) errors: f64,
    /// By how much answers are slower than usual.
    pub(crate) slowness: f64,
    /// A random number from -1 to 1 that changes slowly.
    pub(crate) wobble: f64,
    /// Seconds since the process was started.
    pub(crate) uptime_s: f64,
}

/// How something goes up and down with the moment.
pub(crate) type Course = fn(&Moment) -> f64;

/// A quantity that depends on the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    /// The course of it.
    pub(crate) of: Course,
    /// What it is multiplied by.
    pub(crate) times: f64,
}

impl Amount {
    fn at(self, moment: &Moment) -> f64 {
        (self.of)(moment) * self.times
    }
}

/// How a metric moves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Whole events per second.
    Events(Amount),
    /// Something per second.
    Flow(Amount),
    /// A level.
    Level(Amount),
    /// Durations of events per second, spread around a median in seconds.
    Timing {
        /// Events per second.
        events: Amount,
        /// The median.
        median: Amount,
    },
}

/// How far durations spread around their median.
const SPREAD: f64 = 0.55;

/// An observation that stands for others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sighting {
    /// The duration in seconds.
    pub(crate) value: f64,
    /// Which trace it belongs to.
    pub(crate) trace: u64,
    /// When.
    pub(crate) ts_ms: i64,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// A counter or gauge.
    Number(f64),
    /// A classic histogram.
    Classic {
        /// Observations per bucket, the last one above all bounds; not cumulative.
        counts: [u64; BOUNDS.len() + 1],
        /// Sum of the observations.
        sum: f64,
        /// The latest exemplar.
        exemplar: Option<Sighting>,
    },
    /// A native histogram.
    Native {
        /// Observations per bucket index: bucket i covers `(base^(i-1), base^i]`.
        counts: BTreeMap<i32, u64>,
        /// Sum of the observations.
        sum: f64,
        /// The latest exemplar.
        exemplar: Option<Sighting>,
    },
}

impl Cell {
    /// Moves the value by one tick. `place` tells metrics apart.
    pub(crate) fn advance(&mut self, rule: Rule, moment: &Moment, seed: u64, place: u64) {
        let seconds = TICK_MS as f64 / 1e3;
        let tick = moment.ts_ms.div_euclid(TICK_MS) as u64;
        // Rounded up or down by chance, so that small rates come out right on average.
        let whole = |rate: f64| (rate.max(0.0) * seconds + unit(seed, place, tick)).floor();
        match (self, rule) {
            (Self::Number(value), Rule::Events(rate)) => *value += whole(rate.at(moment)),
            (Self::Number(value), Rule::Flow(rate)) => *value += rate.at(moment).max(0.0) * seconds,
            (Self::Number(value), Rule::Level(level)) => *value = level.at(moment),
            (
                Self::Classic {
                    counts,
                    sum,
                    exemplar,
                },
                Rule::Timing { events, median },
            ) => {
                let (count, median) = (whole(events.at(moment)), median.at(moment));
                spread_classic(counts, count, median);
                *sum += count * mean(median);
                *exemplar = sight(moment, median, seed, place).or(*exemplar);
            }
            (
                Self::Native {
                    counts,
                    sum,
                    exemplar,
                },
                Rule::Timing { events, median },
            ) => {
                let (count, median) = (whole(events.at(moment)), median.at(moment));
                spread_native(counts, count, median);
                *sum += count * mean(median);
                *exemplar = sight(moment, median, seed, place).or(*exemplar);
            }
            (Self::Classic { .. } | Self::Native { .. }, _)
            | (Self::Number(_), Rule::Timing { .. }) => {}
        }
    }
}

/// The mean of the lognormal distribution.
fn mean(median: f64) -> f64 {
    median * (SPREAD * SPREAD / 2.0).exp()
}

fn spread_classic(counts: &mut [u64; BOUNDS.len() + 1], count: f64, median: f64) {
    let mut below = 0.0;
    for (bound, bucket) in BOUNDS.iter().zip(counts.iter_mut()) {
        let up_to = (count * lognormal_share(*bound, median, SPREAD)).round();
        *bucket += (up_to - below) as u64;
        below = up_to;
    }
    counts[BOUNDS.len()] += (count - below) as u64;
}

fn spread_native(counts: &mut BTreeMap<i32, u64>, count: f64, median: f64) {
    let steps = f64::from(1 << SCHEMA);
    let middle = (median.log2() * steps) as i32;
    let mut below = 0.0;
    for index in middle - 24..=middle + 24 {
        let bound = (f64::from(index) / steps).exp2();
        let is_last = index == middle + 24;
        let share = if is_last {
            1.0
        } else {
            lognormal_share(bound, median, SPREAD)
        };
        let up_to = (count * share).round();
        if up_to > below {
            *counts.entry(index).or_default() += (up_to - below) as u64;
            below = up_to;
        }
    }
}

/// Now and then, an observation with its trace.
fn sight(moment: &Moment, median: f64, seed: u64, place: u64) -> Option<Sighting> {
    let tick = moment.ts_ms.div_euclid(TICK_MS) as u64;
    let dice = unit(seed, place ^ 0xE8E8, tick);
    if dice > 0.25 {
        return None;
    }
    Some(Sighting {
        value: median * (0.5 + dice * 12.0),
        trace: bits(seed, place ^ 0x7ACE, tick),
        ts_ms: moment.ts_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Amount = Amount {
        of: |_| 1.0,
        times: 10.0,
    };

    fn moment(tick: i64) -> Moment {
        Moment {
            ts_ms: tick * TICK_MS,
            traffic: 1.0,
            errors: 0.0,
            slowness: 1.0,
            wobble: 0.0,
            uptime_s: 0.0,
        }
    }

    #[test]
    fn small_rates_come_out_right_on_average() {
        let rate = Amount {
            of: |_| 1.0,
            times: 0.01,
        };
        let mut cell = Cell::Number(0.0);
        for tick in 0..4_000 {
            cell.advance(Rule::Events(rate), &moment(tick), 1, 1);
        }
        let Cell::Number(value) = cell else {
            panic!("a number");
        };
        assert!((value - 600.0).abs() < 60.0, "{value}");
        assert_eq!(value.fract(), 0.0);
    }

    #[test]
    fn every_observation_is_in_exactly_one_bucket() {
        let median = Amount {
            of: |_| 1.0,
            times: 0.08,
        };
        let rule = Rule::Timing {
            events: STEADY,
            median,
        };
        let mut classic = Cell::Classic {
            counts: [0; BOUNDS.len() + 1],
            sum: 0.0,
            exemplar: None,
        };
        let mut native = Cell::Native {
            counts: BTreeMap::new(),
            sum: 0.0,
            exemplar: None,
        };
        for tick in 0..100 {
            classic.advance(rule, &moment(tick), 1, 1);
            native.advance(rule, &moment(tick), 1, 1);
        }
        let (
            Cell::Classic {
                counts,
                sum,
                exemplar,
            },
            Cell::Native { counts: sparse, .. },
        ) = (classic, native)
        else {
            panic!("histograms");
        };
        assert_eq!(counts.iter().sum::<u64>(), sparse.values().sum::<u64>());
        let mean = sum / counts.iter().sum::<u64>() as f64;
        assert!((0.08..0.11).contains(&mean), "{mean}");
        assert!(exemplar.is_some());
    }
}
