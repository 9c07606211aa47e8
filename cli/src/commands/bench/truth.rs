//! What answers must be, computed from the generator instead of asked.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::commands::bench::fleet::{BOUNDS, Fleet, Series, host_series, service};
use crate::commands::bench::mix::LONG_HOSTS;

/// Most points that a query over all the time asks for.
const MAX_POINTS: usize = 10_000;
/// How far sums may be off that come from sums of the same floats in another order.
const EXACT: f64 = 1e-9;
/// How far sums may be off where servers extrapolate or interpolate in their own way.
const NEAR: f64 = 0.02;

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want {
    pub(super) series: usize,
    pub(super) points: usize,
    /// The sum of all values.
    pub(super) sum: Option<f64>,
    /// How far the sum may be off, relative.
    pub(super) tolerance: f64,
}

impl Want {
    pub(super) fn count(series: usize, points: usize) -> Self {
        Self {
            series,
            points,
            sum: None,
            tolerance: EXACT,
        }
    }

    pub(super) fn exact(series: usize, points: usize, sum: f64) -> Self {
        Self {
            sum: Some(sum),
            ..Self::count(series, points)
        }
    }

    pub(super) fn near(series: usize, points: usize, sum: f64) -> Self {
        Self {
            tolerance: NEAR,
            ..Self::exact(series, points, sum)
        }
    }
}

/// Which rounds queries look at. Every range selector holds `width` samples and lies within what
/// was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    pub(super) width: usize,
    last: usize,
    /// Rounds between the points of queries over all the time: at each sample, often, rarely.
    pub(super) strides: [usize; 3],
}

impl Windows {
    /// Returns the windows over so many rounds, at least 5.
    pub(super) fn of(samples: usize) -> Self {
        let last = samples.saturating_sub(1);
        let least = samples.div_ceil(MAX_POINTS);
        Self {
            width: (last / 2).clamp(2, 20),
            last,
            strides: [1, 4, 20].map(|stride: usize| stride.max(least)),
        }
    }

    /// The rounds of queries over the last minutes.
    pub(super) fn recent(self) -> RangeInclusive<usize> {
        self.width.max(self.last.saturating_sub(20))..=self.last
    }

    /// The rounds of a query over all the time.
    pub(super) fn long(self, first: usize, stride: usize) -> impl Iterator<Item = usize> {
        (first..=self.last).step_by(stride)
    }
}

/// Sums of the answers.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) first_load: f64,
    pub(super) load_recent: f64,
    pub(super) cpu_recent: f64,
    pub(super) failed_recent: f64,
    pub(super) idle_long: f64,
    pub(super) memory_long: f64,
    pub(super) disk_long: f64,
    pub(super) busy_long: f64,
    pub(super) load_long: f64,
    /// Bytes received a second, by host, at the end.
    received: Vec<f64>,
    /// Requests a second by service, round and bucket.
    buckets: BTreeMap<(&'static str, usize), [f64; BOUNDS.len() + 1]>,
}

impl Truth {
    pub(super) fn of(fleet: &Fleet, windows: Windows) -> Self {
        let mut truth = Self::default();
        for host in 0..fleet.hosts {
            let series = host_series(fleet.seed, host);
            let rounds = Rounds { fleet, windows };
            truth.received.push(0.0);
            for one in &series {
                truth.add_recent(&rounds, host, one);
            }
            if host < LONG_HOSTS {
                truth.add_long(&rounds, host, &series);
            }
        }
        truth
    }

    fn add_recent(&mut self, rounds: &Rounds<'_>, host: usize, series: &Series) {
        let recent = rounds.windows.recent();
        let last = *recent.end();
        let sum_of_rates = || recent.clone().map(|k| rounds.rate(series, k)).sum::<f64>();
        match series.label("__name__") {
            "bench_load1" => {
                self.load_recent += recent.clone().map(|k| rounds.value(series, k)).sum::<f64>();
                if host == 0 {
                    self.first_load = rounds.value(series, last);
                }
            }
            "bench_cpu_seconds_total" => self.cpu_recent += sum_of_rates(),
            "bench_network_receive_bytes_total" => {
                self.received[host] += rounds.rate(series, last);
            }
            "bench_request_duration_seconds_bucket" => {
                let bound = series.label("le");
                let known = BOUNDS.iter().position(|known| known.to_string() == bound);
                let bucket = known.unwrap_or(BOUNDS.len());
                for round in recent {
                    let counts = self.buckets.entry((service(host), round)).or_default();
                    counts[bucket] += rounds.rate(series, round);
                }
            }
            "bench_request_duration_seconds_count" => {
                let failed = !series.label("code").starts_with('2');
                if failed && series.label("route").starts_with("/api/") {
                    self.failed_recent += sum_of_rates();
                }
            }
            _ => {}
        }
    }

    fn add_long(&mut self, rounds: &Rounds<'_>, host: usize, series: &[Series]) {
        let windows = rounds.windows;
        let [every, sparse, rare] = windows.strides;
        let width = windows.width;
        let named = |name: &'static str| series.iter().filter(move |s| s.label("__name__") == name);
        let first = |name| named(name).next().expect("invariant: every host has it");
        let is_last = host + 1 == rounds.fleet.hosts.min(LONG_HOSTS);
        for one in named("bench_cpu_seconds_total") {
            let is_idle = one.label("mode") == "idle";
            if !is_idle {
                self.busy_long += windows
                    .long(width, sparse)
                    .map(|k| rounds.rate(one, k))
                    .sum::<f64>();
            }
            if is_idle && is_last && one.label("cpu") == "2" {
                self.idle_long = windows
                    .long(width, every)
                    .map(|k| rounds.rate(one, k))
                    .sum();
            }
        }
        let available = first("bench_memory_available_bytes");
        let total = first("bench_memory_total_bytes");
        let share = |k| rounds.value(available, k) / rounds.value(total, k);
        self.memory_long += windows.long(width, sparse).map(share).sum::<f64>();
        let written = first("bench_disk_written_bytes_total");
        let peak = |k| {
            rounds
                .window(k)
                .map(|k| rounds.rate(written, k))
                .fold(0.0, f64::max)
        };
        self.disk_long += windows.long(2 * width, rare).map(peak).sum::<f64>();
        let load = first("bench_load1");
        let quantile = |k| {
            quantile(
                0.95,
                rounds.window(k).map(|k| rounds.value(load, k)).collect(),
            )
        };
        self.load_long += windows.long(width, rare).map(quantile).sum::<f64>();
    }

    /// Returns the sum over the `count` hosts that received most.
    pub(super) fn busiest(&self, count: usize) -> f64 {
        let mut received = self.received.clone();
        received.sort_by(|a, b| b.total_cmp(a));
        received.iter().take(count).sum()
    }

    /// Returns the sum of the 0.99 quantiles of all services and rounds.
    pub(super) fn quantiles(&self) -> f64 {
        self.buckets
            .values()
            .map(|counts| bucket_quantile(0.99, counts))
            .sum()
    }
}

/// Values and rates of a fleet.
struct Rounds<'a> {
    fleet: &'a Fleet,
    windows: Windows,
}

impl Rounds<'_> {
    fn value(&self, series: &Series, round: usize) -> f64 {
        self.fleet.value(series, round)
    }

    /// The rounds whose samples a range selector holds; it leaves out its start.
    fn window(&self, round: usize) -> RangeInclusive<usize> {
        round + 1 - self.windows.width..=round
    }

    /// What `rate` gives at a round: the slope between first and last sample of the window, which
    /// extrapolation to its edges does not change.
    fn rate(&self, series: &Series, round: usize) -> f64 {
        let first = *self.window(round).start();
        let seconds = (round - first) as f64 * self.fleet.interval_ms as f64 / 1e3;
        (self.value(series, round) - self.value(series, first)) / seconds
    }
}

/// Returns a quantile of values as `quantile_over_time` has it.
fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = q * (values.len() - 1) as f64;
    let (low, share) = (rank.floor() as usize, rank.fract());
    let high = (low + 1).min(values.len() - 1);
    values[low] * (1.0 - share) + values[high] * share
}

/// Returns a quantile of cumulative buckets as `histogram_quantile` has it.
fn bucket_quantile(q: f64, counts: &[f64; BOUNDS.len() + 1]) -> f64 {
    let rank = q * counts[BOUNDS.len()];
    let found = counts.iter().position(|count| *count >= rank);
    let bucket = found.unwrap_or(BOUNDS.len());
    if bucket == BOUNDS.len() {
        return BOUNDS[bucket - 1];
    }
    let (lower, below) = match bucket {
        0 => (0.0, 0.0),
        _ => (BOUNDS[bucket - 1], counts[bucket - 1]),
    };
    lower + (BOUNDS[bucket] - lower) * (rank - below) / (counts[bucket] - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_within_what_was_written() {
        for samples in [5, 6, 7, 40, 41, 42, 400, 100_000] {
            let windows = Windows::of(samples);
            let recent = windows.recent();
            assert!(*recent.start() >= windows.width && *recent.end() == samples - 1);
            assert!(windows.width >= 2 && 2 * windows.width < samples);
            for stride in windows.strides {
                let points = windows.long(windows.width, stride).count();
                assert!((1..=MAX_POINTS).contains(&points), "{samples} {points}");
            }
        }
        assert_eq!(Windows::of(40).recent(), 19..=39);
    }

    #[test]
    fn quantiles_are_those_of_promql() {
        assert_eq!(quantile(0.95, vec![3.0, 1.0, 2.0]), 2.9);
        assert_eq!(quantile(0.5, vec![4.0]), 4.0);
        let mut counts = [10.0; 12];
        counts[..3].copy_from_slice(&[0.0, 0.0, 9.0]);
        let expected = 0.025 + (0.05 - 0.025) * 0.9;
        assert!((bucket_quantile(0.99, &counts) - expected).abs() < 1e-12);
        let mut open = [1.0; 12];
        open[11] = 1000.0;
        assert_eq!(bucket_quantile(0.99, &open), 10.0);
        assert_eq!(bucket_quantile(0.001, &[1000.0; 12]), 0.005 * 0.001);
    }
}
