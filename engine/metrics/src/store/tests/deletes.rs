//! Deleting, at every point of a sample's life.

use std::sync::atomic::Ordering;

use obsq_model::{
    CounterResetHint, Exemplar, HistogramValue, IntHistogram, Labels, MatchOp, Matcher, Sample,
    SampleValue, Tenant, TimeRange,
};
use obsq_source::{MetricSource as _, SeriesBatch};

use super::bench::{Bench, NOW_MS, everything, floats, labels};

const HOUR_MS: i64 = 3_600_000;

fn times(bench: &Bench, series: &str) -> Vec<i64> {
    let samples = bench.samples(series);
    samples.iter().map(|sample| sample.ts_ms).collect()
}

fn write(bench: &Bench, series: &str, times: impl Iterator<Item = i64>, value: f64) {
    let samples: Vec<_> = times.map(|ts_ms| (ts_ms, value)).collect();
    let (_accepted, rejected) = bench.write(vec![floats(series, &samples)]).unwrap();
    assert_eq!(rejected, 0);
}

/// Blocks, full chunks, the open chunk and late samples of series `a` and `b`, a sample per second.
fn filled() -> Bench {
    let bench = Bench::new();
    bench.clock.advance_ms(2_000_000);
    for series in ["a", "b"] {
        write(&bench, series, (0..1000).map(|i| NOW_MS + i * 1000), 1.0);
    }
    bench.store().flush().unwrap();
    for series in ["a", "b"] {
        write(&bench, series, (1000..2000).map(|i| NOW_MS + i * 1000), 1.0);
        let late = (-500..0).rev().map(|i| NOW_MS + i * 1000);
        write(&bench, series, late, 1.0);
    }
    bench
}

fn seconds(range: std::ops::Range<i64>) -> impl Iterator<Item = i64> {
    range.map(|second| NOW_MS + second * 1000)
}

#[test]
fn what_is_deleted_is_gone_everywhere_and_stays_gone() {
    let mut bench = filled();
    let range = TimeRange::new(NOW_MS - 100_000, NOW_MS + 1_899_999);
    bench.delete("n", MatchOp::Equal, "a", range).unwrap();
    let left: Vec<i64> = seconds(-500..-100).chain(seconds(1900..2000)).collect();
    let all: Vec<i64> = seconds(-500..2000).collect();
    let check = |bench: &Bench| {
        assert!(times(bench, "a") == left);
        assert!(times(bench, "b") == all);
    };
    check(&bench);
    bench.crash();
    check(&bench);
    bench.store().checkpoint_now();
    bench.crash();
    check(&bench);
    bench.store().flush().unwrap();
    bench.crash();
    check(&bench);
    bench
        .store()
        .clean_tombstones(&Tenant::anonymous())
        .unwrap();
    check(&bench);
    bench.store().tick().unwrap();
    bench.restart();
    check(&bench);
}

#[test]
fn what_is_written_afterwards_is_there_and_the_first_of_it_wins() {
    let mut bench = filled();
    bench
        .delete("n", MatchOp::Regex, "a|b", TimeRange::ALL)
        .unwrap();
    assert!(times(&bench, "a").is_empty());
    let series = |bench: &Bench| {
        let found = bench.store();
        let found = found.series(&Tenant::anonymous(), &everything(), &bench.context());
        found.unwrap().len()
    };
    assert_eq!(series(&bench), 0);
    write(&bench, "a", seconds(100..110), 2.0);
    let again = bench.append(vec![floats("a", &[(NOW_MS + 105_000, 3.0)])]);
    assert_eq!(again.rejected, 1);
    again.durable.wait_blocking().unwrap();
    for _round in 0..2 {
        assert_eq!(times(&bench, "a"), seconds(100..110).collect::<Vec<_>>());
        let samples = bench.samples("a").into_iter();
        let values = samples.map(|sample| sample.value).collect::<Vec<_>>();
        assert!(values.iter().all(|value| *value == SampleValue::Float(2.0)));
        bench.crash();
        assert_eq!(series(&bench), 1);
        bench.store().flush().unwrap();
        bench.store().tick().unwrap();
    }
}

#[test]
fn a_block_of_which_nothing_is_left_goes_when_tombstones_are_cleaned() {
    let bench = filled();
    bench.store().flush().unwrap();
    let before = bench.store().stats();
    bench
        .delete("n", MatchOp::Equal, "a", TimeRange::ALL)
        .unwrap();
    assert_eq!(bench.store().stats().deletions, 1);
    let tenant = Tenant::anonymous();
    assert_eq!(
        bench.store().clean_tombstones(&tenant).unwrap() as u64,
        before.blocks
    );
    let after = bench.store().stats();
    assert!(after.block_bytes < before.block_bytes);
    assert_eq!(after.blocks, before.blocks);
    assert_eq!(bench.store().clean_tombstones(&tenant).unwrap(), 0);
    bench
        .delete("n", MatchOp::Equal, "b", TimeRange::ALL)
        .unwrap();
    bench.store().clean_tombstones(&tenant).unwrap();
    assert_eq!(bench.store().stats().blocks, 0);
}

#[test]
fn exemplars_go_with_their_series() {
    let mut bench = Bench::new();
    let batch = |series: &str| SeriesBatch {
        labels: labels(series),
        samples: [Sample::float(NOW_MS, 1.0)].into(),
        exemplars: vec![Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "t")]),
            value: 1.0,
            ts_ms: NOW_MS,
        }],
    };
    bench.write(vec![batch("a"), batch("b")]).unwrap();
    bench.store().checkpoint_now();
    bench
        .delete("n", MatchOp::Equal, "a", TimeRange::ALL)
        .unwrap();
    for _round in 0..2 {
        let store = bench.store();
        let found = store.exemplars(&Tenant::anonymous(), &everything(), &bench.context());
        let found = found.unwrap();
        let of: Vec<_> = found
            .iter()
            .map(|series| series.labels.value("n"))
            .collect();
        assert_eq!(of, ["b"]);
        bench.crash();
    }
}

#[test]
fn a_histogram_behind_a_gap_does_not_say_that_nothing_was_reset() {
    let bench = Bench::new();
    bench.clock.advance_ms(HOUR_MS);
    let histogram = |i: i64| {
        let count = if i < 100 { 1_000 + i } else { i } as u64;
        Sample::histogram(
            NOW_MS + i * 1000,
            HistogramValue::Int(IntHistogram {
                count,
                zero_count: count,
                ..IntHistogram::default()
            }),
        )
    };
    let batch = SeriesBatch {
        labels: labels("h"),
        samples: (0..300).map(histogram).collect(),
        exemplars: Vec::new(),
    };
    bench.write(vec![batch]).unwrap();
    let hint = |bench: &Bench| {
        let sample = bench.samples("h").remove(50);
        assert_eq!(sample.ts_ms, NOW_MS + 250_000);
        match sample.value {
            SampleValue::Histogram(histogram) => match histogram.as_ref() {
                HistogramValue::Int(histogram) => histogram.counter_reset_hint,
                HistogramValue::Float(_) => panic!("an integer histogram was written"),
            },
            SampleValue::Float(_) => panic!("a histogram was written"),
        }
    };
    // The reset at 100 goes, and what follows must not claim to go on from what lies before.
    let range = TimeRange::new(NOW_MS + 50_000, NOW_MS + 249_999);
    bench.store().flush().unwrap();
    bench.delete("n", MatchOp::Equal, "h", range).unwrap();
    assert_eq!(hint(&bench), CounterResetHint::Unknown);
    bench
        .store()
        .clean_tombstones(&Tenant::anonymous())
        .unwrap();
    assert_eq!(hint(&bench), CounterResetHint::Unknown);
}

#[test]
fn a_deletion_that_meets_seals_and_compactions_misses_nothing() {
    let mut bench = Bench::new();
    bench.clock.advance_ms(HOUR_MS);
    for round in 0..12 {
        let from_ms = NOW_MS + round * 2 * HOUR_MS;
        write(&bench, "a", (0..240).map(|i| from_ms + i * 1000), 1.0);
        write(&bench, "b", (0..240).map(|i| from_ms + i * 1000), 1.0);
        bench.clock.advance_ms(2 * HOUR_MS);
        bench.store().flush().unwrap();
    }
    std::thread::scope(|scope| {
        let store = bench.store();
        scope.spawn(|| store.tick().unwrap());
        scope.spawn(|| store.flush().unwrap());
        for round in 0..12 {
            let from_ms = NOW_MS + round * 2 * HOUR_MS;
            let range = TimeRange::new(from_ms, from_ms + 119_999);
            bench.delete("n", MatchOp::Equal, "a", range).unwrap();
        }
    });
    for _round in 0..2 {
        assert_eq!(bench.samples("a").len(), 12 * 120);
        assert_eq!(bench.samples("b").len(), 12 * 240);
        bench.crash();
        bench.store().tick().unwrap();
    }
}

#[test]
fn a_deletion_that_fails_half_way_shows_no_value_that_had_lost() {
    for failing in 1..=2 {
        let mut bench = Bench::new();
        for value in [1.0, 2.0] {
            write(&bench, "a", seconds(0..1), value);
            bench.store().flush().unwrap();
        }
        // One rename for the tombstones of each block.
        bench.faults.failing_rename.store(failing, Ordering::SeqCst);
        let all = vec![vec![Matcher::equal("n", "a")]];
        let deleted = bench
            .store()
            .delete_series(&Tenant::anonymous(), all, TimeRange::ALL);
        deleted.unwrap_err();
        for _round in 0..2 {
            let samples = bench.samples("a");
            assert!(
                samples
                    .iter()
                    .all(|sample| sample.same_value(&Sample::float(0, 1.0)))
            );
            bench.crash();
        }
    }
}
