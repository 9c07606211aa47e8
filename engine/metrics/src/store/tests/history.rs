//! Ten years that come in no order: few blocks, and right answers at every moment.

use obsq_model::{Sample, SampleValue, TimeRange};

use super::bench::{Bench, NOW_MS, floats};

const HOUR_MS: i64 = 3_600_000;
const YEARS_MS: i64 = 10 * 365 * 24 * HOUR_MS;
/// Samples in one write.
const BATCH: usize = 400;
/// Blocks that ten years may be in the end.
const MAX_BLOCKS: u64 = 500;

/// A generator of numbers that is the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

struct Size {
    series: usize,
    step_ms: i64,
    /// How often the clock moves on by three hours meanwhile.
    pauses: usize,
}

/// A sample an hour of a thousand series takes hours; by default there are fewer.
fn size() -> Size {
    if std::env::var("OBSQ_TORTURE").is_ok_and(|how| how == "full") {
        return Size {
            series: 1_000,
            step_ms: HOUR_MS,
            pauses: 200,
        };
    }
    Size {
        series: 2,
        step_ms: 61 * HOUR_MS,
        pauses: 5,
    }
}

fn value_of(series: usize, ts_ms: i64) -> f64 {
    (ts_ms / HOUR_MS) as f64 + series as f64 / 8.0
}

/// Checks every sample of one series, of which those before `written` in `order` are there.
fn check(bench: &Bench, series: usize, written: &[(usize, i64)]) {
    let mut expected: Vec<i64> = written
        .iter()
        .filter(|(of, _ts_ms)| *of == series)
        .map(|(_of, ts_ms)| *ts_ms)
        .collect();
    expected.sort_unstable();
    let samples = bench.samples(&series.to_string());
    assert_eq!(samples.len(), expected.len(), "series {series}");
    let right = |(sample, ts_ms): (&Sample, &i64)| {
        let value = SampleValue::Float(value_of(series, *ts_ms));
        sample.ts_ms == *ts_ms && sample.value == value
    };
    assert!(samples.iter().zip(&expected).all(right), "series {series}");
}

#[test]
fn ten_years_in_random_order_become_few_blocks() {
    let Size {
        series,
        step_ms,
        pauses,
    } = size();
    let mut bench = Bench::new();
    let times = (NOW_MS - YEARS_MS..NOW_MS).step_by(step_ms as usize);
    let mut order: Vec<(usize, i64)> = times
        .flat_map(|ts_ms| (0..series).map(move |series| (series, ts_ms)))
        .collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    let batches = order.len().div_ceil(BATCH);
    let mut most_blocks = 0;
    for (number, batch) in order.chunks(BATCH).enumerate() {
        let mut by_series = vec![Vec::new(); series];
        for (series, ts_ms) in batch {
            by_series[*series].push((*ts_ms, value_of(*series, *ts_ms)));
        }
        let filled = by_series.iter().enumerate();
        let filled = filled.filter(|(_series, samples)| !samples.is_empty());
        let batches_of = filled.map(|(series, samples)| floats(&series.to_string(), samples));
        let (_accepted, rejected) = bench.write(batches_of.collect()).unwrap();
        assert_eq!(rejected, 0);
        if number % (batches / pauses).max(1) == 0 {
            let written = &order[..((number + 1) * BATCH).min(order.len())];
            check(&bench, random.below(series), written);
            bench.clock.advance_ms(3 * HOUR_MS);
            bench.store().tick().unwrap();
            most_blocks = most_blocks.max(bench.store().stats().blocks);
            check(&bench, random.below(series), written);
        }
    }
    bench.store().flush().unwrap();
    for series in 0..series.min(20) {
        check(&bench, series, &order);
    }
    bench.clock.advance_ms(24 * HOUR_MS);
    bench.store().tick().unwrap();
    let blocks = bench.store().stats().blocks;
    eprintln!(
        "{} samples: {blocks} blocks, at most {most_blocks}",
        order.len()
    );
    assert!(blocks <= MAX_BLOCKS, "{blocks} blocks");
    bench.crash();
    for series in 0..series.min(20) {
        check(&bench, series, &order);
    }
    let set = bench.select(Vec::new(), TimeRange::ALL);
    assert_eq!(set.len(), series);
}
