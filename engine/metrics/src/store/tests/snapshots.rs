//! Snapshots and what is made of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use obsq_model::{
    Exemplar, Labels, MatchOp, MetricMetadata, MetricType, Sample, SampleValue, Tenant, TimeRange,
};
use obsq_source::{MetricAppender as _, MetricBatch, MetricSource as _, SeriesBatch};

use super::bench::{Bench, NOW_MS, everything, floats, labels};
use crate::StoreOptions;
use crate::store::restore;

type Samples = BTreeMap<String, Vec<(i64, u64)>>;

fn all_samples(bench: &Bench) -> Samples {
    let set = bench.select(Vec::new(), TimeRange::ALL);
    let mut all = Samples::new();
    for index in 0..set.len() {
        let mut samples = Vec::new();
        set.read_exact(index, TimeRange::ALL, &mut samples).unwrap();
        let bits = |sample: &Sample| match sample.value {
            SampleValue::Float(value) => (sample.ts_ms, value.to_bits()),
            SampleValue::Histogram(_) => panic!("only floats were written"),
        };
        let samples: Vec<_> = samples.iter().map(bits).collect();
        if !samples.is_empty() {
            all.insert(set.labels(index).value("n").to_owned(), samples);
        }
    }
    all
}

/// Blocks with a deletion, full and open chunks, late samples, exemplars and metadata.
fn filled() -> Bench {
    let bench = Bench::new();
    bench.clock.advance_ms(3_600_000);
    let write = |series: &str, seconds: std::ops::Range<i64>| {
        let samples: Vec<_> = seconds
            .map(|i| (NOW_MS + i * 1000, i as f64 / 3.0))
            .collect();
        bench.write(vec![floats(series, &samples)]).unwrap();
    };
    for series in ["a", "b", "c"] {
        write(series, 0..1000);
    }
    bench.store().flush().unwrap();
    let range = TimeRange::new(NOW_MS + 100_500, NOW_MS + 900_500);
    bench.delete("n", MatchOp::Equal, "b", range).unwrap();
    for series in ["a", "b"] {
        write(series, 1000..1500);
        write(series, -9_000_000..-8_999_900);
    }
    let batch = MetricBatch {
        series: vec![SeriesBatch {
            labels: labels("a"),
            exemplars: vec![Exemplar {
                labels: Labels::from_pairs(&[("trace_id", "t")]),
                value: 1.0,
                ts_ms: NOW_MS,
            }],
            ..SeriesBatch::default()
        }],
        metadata: vec![(
            "m".into(),
            MetricMetadata {
                metric_type: MetricType::Gauge,
                ..MetricMetadata::default()
            },
        )],
    };
    let appended = bench.store().append(&Tenant::anonymous(), batch).unwrap();
    appended.durable.wait_blocking().unwrap();
    bench
}

fn restored(bench: &Bench, snapshot: &Path, tenant: &Tenant) -> Bench {
    let mut other = Bench::new();
    other.clock.advance_ms(3_600_000);
    other.stop();
    let options = StoreOptions {
        data_dir: other.directory.path().join("data"),
        ..bench.options()
    };
    assert!(restore(&options, tenant, snapshot).unwrap() > 0);
    other.crash();
    other
}

#[test]
fn a_snapshot_holds_everything_and_changes_nothing() {
    let mut bench = filled();
    let before = all_samples(&bench);
    let stats = bench.store().stats();
    let snapshot = bench.store().snapshot(&Tenant::anonymous(), false).unwrap();
    assert_eq!(bench.store().stats().blocks, stats.blocks);
    assert!(all_samples(&bench) == before);
    // What happens afterwards is not in it.
    bench
        .delete("n", MatchOp::Equal, "a", TimeRange::ALL)
        .unwrap();
    bench
        .store()
        .clean_tombstones(&Tenant::anonymous())
        .unwrap();
    bench.write(vec![floats("z", &[(NOW_MS, 1.0)])]).unwrap();
    bench.crash();
    let other = restored(&bench, &snapshot, &Tenant::anonymous());
    assert!(all_samples(&other) == before);
    let (store, tenant) = (other.store(), Tenant::anonymous());
    let exemplars = store.exemplars(&tenant, &everything(), &other.context());
    assert_eq!(exemplars.unwrap().len(), 1);
    assert_eq!(store.metadata(&tenant, Some("m")).unwrap().len(), 1);
    // New records count on from those that the blocks know, so that the first value still wins.
    let (first, bits) = before["c"][0];
    let other_value = f64::from_bits(bits) + 1.0;
    other
        .write(vec![floats("c", &[(first, other_value)])])
        .unwrap();
    assert!(all_samples(&other) == before);
}

#[test]
fn a_snapshot_without_the_head_holds_the_blocks() {
    let bench = filled();
    let snapshot = bench.store().snapshot(&Tenant::anonymous(), true).unwrap();
    let other = restored(&bench, &snapshot, &Tenant::anonymous());
    let all = all_samples(&other);
    let counts: Vec<_> = all.values().map(Vec::len).collect();
    assert_eq!(counts, [1000, 200, 1000]);
}

#[test]
fn a_restore_puts_nothing_over_what_is_there() {
    let mut bench = filled();
    let snapshot = bench.store().snapshot(&Tenant::anonymous(), false).unwrap();
    bench.stop();
    let refused = restore(&bench.options(), &Tenant::anonymous(), &snapshot);
    assert!(refused.unwrap_err().to_string().contains("already"));
    let refused = restore(
        &bench.options(),
        &Tenant::anonymous(),
        bench.directory.path(),
    );
    assert!(refused.unwrap_err().to_string().contains("no block"));
    let other = Tenant::parse("other").unwrap();
    restore(&bench.options(), &other, &snapshot).unwrap();
    bench.crash();
    let names: Vec<_> = bench.store().tenants();
    assert_eq!(names.len(), 2);
}

#[test]
fn a_snapshot_that_fails_leaves_nothing() {
    let bench = filled();
    let snapshots = bench.directory.path().join("data/snapshots");
    std::fs::create_dir(&snapshots).unwrap();
    bench
        .faults
        .full
        .store(true, std::sync::atomic::Ordering::SeqCst);
    bench
        .store()
        .snapshot(&Tenant::anonymous(), false)
        .unwrap_err();
    assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 0);
}

#[test]
fn snapshots_half_made_are_removed_at_the_start() {
    let mut bench = filled();
    let half = bench.directory.path().join("data/snapshots/x.tmp");
    std::fs::create_dir_all(&half).unwrap();
    bench.crash();
    assert!(!half.try_exists().unwrap());
}

#[test]
fn promtool_finds_every_sample_of_a_snapshot() {
    let bench = filled();
    let expected: usize = all_samples(&bench).values().map(Vec::len).sum();
    let snapshot = bench.store().snapshot(&Tenant::anonymous(), false).unwrap();
    // promtool opens a data directory for reading, which has to have a log.
    std::fs::create_dir(snapshot.join("wal")).unwrap();
    let dump = Command::new("promtool")
        .args(["tsdb", "dump"])
        .arg(&snapshot)
        .output();
    let Ok(dump) = dump else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    let text = String::from_utf8(dump.stdout).unwrap();
    assert_eq!(
        text.lines().count(),
        expected,
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
}

#[test]
fn a_store_that_is_closed_takes_no_snapshot() {
    let bench = filled();
    bench.store().close();
    let refused = bench.store().snapshot(&Tenant::anonymous(), false);
    assert!(refused.is_err());
}
