//! The series that the queries are about.
//!
//! Times of samples never fall on a whole second, and all times of queries, ranges, offsets and steps do: whether an
//! edge belongs to a window is one of the rules that changed with Prometheus 3. Gauges are multiples of 1/4 and counters
//! integers, so that sums are exact in any order.

use obsq_model::{Sample, stale_nan};
use obsq_source::{MetricBatch, SeriesBatch};

use super::random::Random;
use crate::prom_api::series;

/// 2025-08-21 12:00 UTC; the first sample is just after it.
pub(super) const BASE_S: i64 = 1_755_777_600;
/// How long the series last; well below what a head of Prometheus holds.
pub(super) const LENGTH_S: i64 = 9_000;
const SCRAPE_MS: i64 = 15_000;
const SLICE_MS: i64 = 600_000;

/// Label values that need quoting or are unusual otherwise.
pub(super) const ODD_VALUES: [&str; 7] = [
    "plain",
    "with space",
    "q\"uote",
    "back\\slash",
    "line\nbreak",
    "größe",
    "a.b*c",
];

/// Returns the data set, cut into requests whose samples follow each other in time.
pub(super) fn requests(random: &mut Random) -> Vec<MetricBatch> {
    let all = all_series(random);
    let end_ms = (BASE_S + LENGTH_S) * 1000;
    let starts = (BASE_S * 1000..end_ms).step_by(SLICE_MS as usize);
    let slice = |start: i64| {
        let inside = |sample: &&Sample| (start..start + SLICE_MS).contains(&sample.ts_ms);
        let cut = |one: &SeriesBatch| SeriesBatch {
            labels: one.labels.clone(),
            samples: one.samples.iter().filter(inside).cloned().collect(),
            exemplars: Vec::new(),
        };
        let series = all.iter().map(cut).filter(|one| !one.samples.is_empty());
        MetricBatch {
            series: series.collect(),
            metadata: Vec::new(),
        }
    };
    starts.map(slice).collect()
}

fn all_series(random: &mut Random) -> Vec<SeriesBatch> {
    let mut all = Vec::new();
    for job in ["api", "web", "db"] {
        for instance in ["i0", "i1", "i2"] {
            let target = [("job", job), ("instance", instance)];
            for code in ["200", "404", "500"] {
                let labels = [&target[..], &[("code", code)]].concat();
                all.push(named("requests_total", &labels, counter(random, 3_000)));
            }
            all.push(named("errors_total", &target, counter(random, 300_000)));
            all.push(named("temperature", &target, gauge(random)));
            all.push(named("sparse", &target, sparse(random)));
            all.push(named("flapping", &target, flapping(random)));
            let version = random.pick(&["1.0", "1.1", "2.0"]);
            let labels = [&target[..], &[("version", version)]].concat();
            all.push(named("build_info", &labels, at_scrapes(random, |_, _| 1.0)));
            if instance != "i2" {
                all.extend(histogram(random, &target));
            }
        }
    }
    for (index, value) in ODD_VALUES.into_iter().enumerate() {
        let labels = [
            ("odd", value),
            ("job", if index < 4 { "api" } else { "web" }),
        ];
        all.push(named("labelled", &labels, gauge(random)));
    }
    for kind in ["nan", "inf", "mixed", "zero"] {
        all.push(named("special", &[("kind", kind)], special(random, kind)));
    }
    all
}

fn named(name: &str, labels: &[(&str, &str)], samples: Vec<Sample>) -> SeriesBatch {
    series(&[&[("__name__", name)], labels].concat(), samples)
}

/// Returns a sample per scrape, a little early or late, never on a whole second.
fn at_scrapes(random: &mut Random, mut value: impl FnMut(&mut Random, i64) -> f64) -> Vec<Sample> {
    let phase_ms = random.between(0, 14) * 1000;
    let times = (0..LENGTH_S * 1000 / SCRAPE_MS).map(|scrape| scrape * SCRAPE_MS + phase_ms);
    times
        .map(|time| {
            let ts_ms = BASE_S * 1000 + time + random.between(300, 700);
            Sample::float(ts_ms, value(random, time))
        })
        .collect()
}

/// Returns a counter that starts again about every `reset` seconds, never near 0.
fn counter(random: &mut Random, reset: u64) -> Vec<Sample> {
    let start = random.between(50_000, 90_000) as f64;
    let (mut total, fast) = (start, random.between(1, 40));
    at_scrapes(random, |random, _| {
        total += random.between(0, fast) as f64;
        if random.below(reset / 15) == 0 {
            total = start / 2.0;
        }
        total
    })
}

fn gauge(random: &mut Random) -> Vec<Sample> {
    let mut value = random.between(-200, 200);
    at_scrapes(random, |random, _| {
        value += random.between(-8, 8);
        value as f64 / 4.0
    })
}

/// Returns samples minutes apart from each other, some of them longer than the lookback.
fn sparse(random: &mut Random) -> Vec<Sample> {
    let (mut second, mut samples) = (0, Vec::new());
    loop {
        second += random.between(40, 500);
        if second >= LENGTH_S {
            return samples;
        }
        let ts_ms = (BASE_S + second) * 1000 + random.between(1, 999);
        samples.push(Sample::float(ts_ms, random.between(-50, 50) as f64));
    }
}

/// Returns a gauge that goes and comes, with staleness markers at most ends.
fn flapping(random: &mut Random) -> Vec<Sample> {
    let (mut left, mut present) = (random.between(5, 60), true);
    let mut samples = Vec::new();
    for sample in gauge(random) {
        left -= 1;
        if left == 0 {
            (left, present) = (random.between(5, 60), !present);
            if !present && random.chance(75) {
                samples.push(Sample::float(sample.ts_ms, stale_nan()));
                continue;
            }
        }
        if present {
            samples.push(sample);
        }
    }
    samples
}

fn special(random: &mut Random, kind: &str) -> Vec<Sample> {
    at_scrapes(random, |random, _| {
        let odd = match kind {
            "nan" => f64::NAN,
            "inf" => f64::INFINITY,
            "zero" => -0.0,
            _ => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0][random.below(4) as usize],
        };
        match kind {
            "zero" => odd,
            _ if random.chance(30) => odd,
            _ => random.between(-40, 40) as f64 / 4.0,
        }
    })
}

/// Returns the buckets, the count and the sum of a classic histogram.
fn histogram(random: &mut Random, target: &[(&str, &str)]) -> Vec<SeriesBatch> {
    const BOUNDS: [&str; 6] = ["0.1", "0.5", "1", "2.5", "10", "+Inf"];
    let mut totals = [20_000.0; BOUNDS.len()];
    let mut columns = vec![Vec::new(); BOUNDS.len()];
    let times = at_scrapes(random, |_, _| 0.0);
    for time in &times {
        let mut below = 0;
        for (total, column) in totals.iter_mut().zip(&mut columns) {
            below += random.between(0, 6);
            *total += below as f64;
            column.push(Sample::float(time.ts_ms, *total));
        }
    }
    let count = columns[BOUNDS.len() - 1].clone();
    let mut all: Vec<_> = BOUNDS
        .into_iter()
        .zip(columns)
        .map(|(le, samples)| named("latency_bucket", &[target, &[("le", le)]].concat(), samples))
        .collect();
    all.push(named("latency_count", target, count));
    all.push(named("latency_sum", target, counter(random, 300_000)));
    all
}
