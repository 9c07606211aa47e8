//! Reading a directory that another store holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use obsq_model::{Matcher, Sample, Tenant, TimeRange};
use obsq_source::{MetricAppender as _, MetricBatch, MetricSource as _, SelectRequest};

use super::bench::{Bench, NOW_MS, floats};
use crate::MetricStore;

/// Every file with its bytes and the time of its last change.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
        }
    }
    files
}

fn times(bench: &Bench, store: &MetricStore, series: &str) -> Vec<i64> {
    let request = SelectRequest {
        range: TimeRange::ALL,
        matchers: vec![Matcher::equal("n", series)],
    };
    let set = store
        .select(&Tenant::anonymous(), &request, &bench.context())
        .unwrap();
    assert_eq!(set.warnings(), Vec::<String>::new());
    let mut samples = Vec::new();
    if !set.is_empty() {
        set.read_exact(0, TimeRange::ALL, &mut samples).unwrap();
    }
    samples.iter().map(|sample: &Sample| sample.ts_ms).collect()
}

fn run(from: i64, count: i64) -> Vec<(i64, f64)> {
    (from..from + count)
        .map(|i| (NOW_MS + i * 15_000, i as f64))
        .collect()
}

/// Blocks, a checkpoint, files of the head and a log behind it, all at once.
fn full() -> (Bench, Vec<i64>) {
    let bench = Bench::new();
    let samples = run(0, 1_000);
    bench.clock.set_ms(NOW_MS + 75 * 60_000);
    bench.write(vec![floats("a", &samples[..300])]).unwrap();
    bench.clock.set_ms(NOW_MS + 250 * 60_000);
    bench.store().tick().unwrap();
    bench.write(vec![floats("a", &samples[300..700])]).unwrap();
    bench.store().checkpoint_now();
    bench.write(vec![floats("a", &samples[700..])]).unwrap();
    (bench, samples.iter().map(|sample| sample.0).collect())
}

#[test]
fn everything_acknowledged_is_seen_while_another_holds_the_directory() {
    let (bench, expected) = full();
    let reader = MetricStore::open_read_only(bench.options()).unwrap();
    assert!(times(&bench, &reader, "a") == expected);
}

#[test]
fn reading_changes_no_file() {
    let (mut bench, expected) = full();
    bench.stop();
    let data = bench.options().data_dir;
    // What a crash may leave is the next writer's business.
    std::fs::write(data.join("wal/metrics/checkpoint.tmp"), "half").unwrap();
    std::fs::create_dir(data.join("tenants/anonymous/metrics/blocks/x.tmp")).unwrap();
    let before = tree(&data);
    let reader = MetricStore::open_read_only(bench.options()).unwrap();
    assert!(times(&bench, &reader, "a") == expected);
    let sample = MetricBatch {
        series: vec![floats("b", &[(NOW_MS, 1.0)])],
        metadata: Vec::new(),
    };
    assert!(reader.append(&Tenant::anonymous(), sample).is_err());
    assert!(reader.flush().is_err());
    reader.close();
    drop(reader);
    assert!(tree(&data) == before);
    assert!(data.join("tenants/anonymous/metrics/blocks/x.tmp").is_dir());
}

#[test]
fn what_was_opened_stays_readable_when_the_writer_removes_it() {
    let (bench, expected) = full();
    let reader = MetricStore::open_read_only(bench.options()).unwrap();
    for hours in 4..40 {
        bench.clock.set_ms(NOW_MS + hours * 3_600_000);
        bench.store().tick().unwrap();
    }
    bench.store().flush().unwrap();
    assert!(times(&bench, &reader, "a") == expected);
    let later = MetricStore::open_read_only(bench.options()).unwrap();
    assert!(times(&bench, &later, "a") == expected);
}

#[test]
fn a_reader_misses_nothing_while_seals_and_checkpoints_go_on() {
    let bench = Bench::new();
    let mut written = Vec::new();
    std::thread::scope(|scope| {
        let (sender, acknowledged) = std::sync::mpsc::sync_channel(1);
        let reading = scope.spawn({
            let bench = &bench;
            move || {
                let mut opened = 0;
                while let Ok(last_ms) = acknowledged.recv() {
                    let reader = MetricStore::open_read_only(bench.options()).unwrap();
                    let seen = times(bench, &reader, "a");
                    let due: Vec<i64> = (NOW_MS..=last_ms).step_by(60_000).collect();
                    assert!(seen.starts_with(&due), "{} of {}", seen.len(), due.len());
                    opened += 1;
                }
                opened
            }
        });
        for i in 0..600 {
            let at_ms = NOW_MS + i * 60_000;
            bench.clock.set_ms(at_ms);
            bench.write(vec![floats("a", &[(at_ms, 1.0)])]).unwrap();
            written.push(at_ms);
            // Full means that the reader is at work.
            let _busy = sender.try_send(at_ms);
            if i % 7 == 0 {
                bench.store().tick().unwrap();
            }
            if i % 50 == 0 {
                bench.store().checkpoint_now();
            }
        }
        drop(sender);
        assert!(reading.join().unwrap() > 0);
    });
    assert_eq!(written.len(), 600);
}
