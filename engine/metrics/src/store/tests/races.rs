//! Writes that meet a seal or a checkpoint, and crashes at the worst time after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use obsq_model::{Exemplar, Labels, MetricMetadata, Tenant};
use obsq_source::{MetricAppender as _, MetricBatch, MetricSource as _};

use super::bench::{Bench, NOW_MS, everything, floats, labels};
use crate::head::{AppendLimits, CheckedBatch, LogTarget, Outcome, Series, hash_of};
use crate::tenant::TenantStore;

const HOUR_MS: i64 = 3_600_000;

fn tenant(bench: &Bench) -> Arc<TenantStore> {
    bench.store().shared.tenant(&Tenant::anonymous()).unwrap()
}

fn series(tenant: &TenantStore, value: &str) -> Arc<Series> {
    let labels = labels(value);
    let index = tenant.head.index.read();
    Arc::clone(index.get(hash_of(&labels), &labels).unwrap())
}

fn times(bench: &Bench, value: &str) -> Vec<i64> {
    let samples = bench.samples(value);
    samples.iter().map(|sample| sample.ts_ms - NOW_MS).collect()
}

fn wal_directory(bench: &Bench) -> PathBuf {
    bench.directory.path().join("data/wal/metrics")
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Runs `work` on another thread, which stops at series `a`; calls `meanwhile` once `begun` holds.
fn meet(
    bench: &Bench,
    work: impl FnOnce() + Send,
    begun: impl Fn() -> bool,
    meanwhile: impl FnOnce(),
) {
    let held = series(&tenant(bench), "a");
    std::thread::scope(|scope| {
        let guard = held.state.lock();
        scope.spawn(work);
        while !begun() {
            std::thread::yield_now();
        }
        meanwhile();
        drop(guard);
    });
}

#[test]
fn samples_that_meet_a_flush_survive_a_crash_before_its_checkpoint() {
    let mut bench = Bench::new();
    let write = |bench: &Bench, n: &str, at: &[i64]| {
        let samples: Vec<_> = at.iter().map(|at| (NOW_MS + at, 1.0)).collect();
        bench.write(vec![floats(n, &samples)]).unwrap();
    };
    write(&bench, "a", &[100]);
    write(&bench, "b", &[10]);
    write(&bench, "b", &[100]);
    write(&bench, "b", &[30]);
    let saved = bench.directory.path().join("saved");
    let head_tenant = tenant(&bench);
    let before = head_tenant.head.horizon();
    meet(
        &bench,
        || bench.store().flush().unwrap(),
        || head_tenant.head.horizon() != before,
        || {
            write(&bench, "b", &[200]);
            write(&bench, "b", &[40, 150]);
            copy_files(&wal_directory(&bench), &saved);
        },
    );
    drop(head_tenant);
    let expected = [10, 30, 40, 100, 150, 200];
    assert_eq!(times(&bench, "b"), expected);
    bench.stop();
    std::fs::remove_dir_all(wal_directory(&bench)).unwrap();
    copy_files(&saved, &wal_directory(&bench));
    bench.crash();
    assert_eq!(times(&bench, "b"), expected);
    bench.store().flush().unwrap();
    bench.crash();
    assert_eq!(times(&bench, "b"), expected);
}

#[test]
fn late_samples_that_meet_the_checkpoint_after_a_seal_survive_a_crash() {
    let mut bench = Bench::new();
    for n in ["a", "b"] {
        bench
            .write(vec![floats(n, &[(NOW_MS + 100, 1.0)])])
            .unwrap();
    }
    bench.store().flush().unwrap();
    let unfinished = wal_directory(&bench).join("checkpoint.tmp");
    meet(
        &bench,
        || bench.store().checkpoint_now(),
        || unfinished.try_exists().unwrap(),
        || {
            for at in [10, 20] {
                bench
                    .write(vec![floats("b", &[(NOW_MS + at, 1.0)])])
                    .unwrap();
            }
        },
    );
    bench.crash();
    assert_eq!(times(&bench, "b"), [10, 20, 100]);
}

#[test]
fn exemplars_and_metadata_survive_a_crash_right_after_the_checkpoint() {
    let mut bench = Bench::new();
    let mut series = floats("a", &[(NOW_MS, 1.0)]);
    series.exemplars = vec![Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "x")]),
        value: 0.5,
        ts_ms: NOW_MS,
    }];
    let batch = MetricBatch {
        series: vec![series],
        metadata: vec![("m".into(), MetricMetadata::default())],
    };
    let anonymous = Tenant::anonymous();
    let appended = bench.store().append(&anonymous, batch).unwrap();
    appended.durable.wait_blocking().unwrap();
    // The companions cannot be written, as if the crash came before them.
    for name in ["exemplars.tmp", "metadata.tmp"] {
        let directory = bench
            .directory
            .path()
            .join("data/tenants/anonymous/metrics");
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    bench.store().flush().unwrap_err();
    bench.crash();
    let store = bench.store();
    let exemplars = store.exemplars(&anonymous, &everything(), &bench.context());
    assert_eq!(exemplars.unwrap().len(), 1);
    assert_eq!(store.metadata(&anonymous, None).unwrap().len(), 1);
}

#[test]
fn a_seal_that_fails_half_way_leaves_no_blocks_behind() {
    let mut bench = Bench::new();
    let samples = [(NOW_MS - 3 * HOUR_MS, 1.0), (NOW_MS, 2.0)];
    bench.write(vec![floats("a", &samples)]).unwrap();
    // Three renames for each of two blocks: the last one fails.
    bench.faults.failing_rename.store(6, Ordering::SeqCst);
    bench.store().flush().unwrap_err();
    assert_eq!(bench.faults.failing_rename.load(Ordering::SeqCst), 0);
    let blocks = bench
        .directory
        .path()
        .join("data/tenants/anonymous/metrics/blocks");
    assert_eq!(std::fs::read_dir(blocks).unwrap().count(), 0);
    bench.store().flush().unwrap();
    assert_eq!(bench.store().stats().blocks, 2);
    bench.crash();
    assert_eq!(bench.store().stats().blocks, 2);
    assert_eq!(times(&bench, "a"), [-3 * HOUR_MS, 0]);
}

#[test]
fn metadata_whose_record_failed_is_logged_when_it_is_repeated() {
    let mut bench = Bench::new();
    let anonymous = Tenant::anonymous();
    let write = |bench: &Bench| {
        let batch = MetricBatch {
            series: vec![floats("a", &[(NOW_MS, 1.0)])],
            metadata: vec![("m".into(), MetricMetadata::default())],
        };
        let appended = bench.store().append(&anonymous, batch).unwrap();
        appended.durable.wait_blocking()
    };
    bench.faults.full.store(true, Ordering::SeqCst);
    write(&bench).unwrap_err();
    bench.faults.full.store(false, Ordering::SeqCst);
    write(&bench).unwrap();
    bench.crash();
    let store = bench.store();
    assert_eq!(store.metadata(&anonymous, None).unwrap().len(), 1);
}

#[test]
fn metadata_that_a_failing_write_takes_away_is_logged_with_the_next_record() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    let head_tenant = tenant(&bench);
    let wal = bench.store().shared.wal().unwrap();
    let asked = std::cell::Cell::new(0);
    // Known at first; then the record that held it is lost.
    let must_log = |_family: &str, _entry: &MetricMetadata| {
        asked.set(asked.get() + 1);
        if asked.get() == 1 {
            bench.faults.full.store(true, Ordering::SeqCst);
            let (told, outcome) = std::sync::mpsc::sync_channel(1);
            let done = Box::new(move |written: Result<_, _>| told.send(written.is_ok()).unwrap());
            let lost = obsq_wal::Record::default();
            wal.submit(lost, wal.epoch(), done).unwrap();
            assert!(!outcome.recv().unwrap());
            bench.faults.full.store(false, Ordering::SeqCst);
        }
        asked.get() > 1
    };
    let target = LogTarget {
        wal,
        number: head_tenant.number(),
        name: "anonymous",
        must_log: &must_log,
    };
    let mut batch = CheckedBatch {
        series: vec![(hash_of(&labels("a")), floats("a", &[(NOW_MS + 1, 2.0)]))],
        metadata: vec![("m".into(), MetricMetadata::default())],
    };
    let limits = AppendLimits {
        max_series: 10,
        late_before_ms: 0,
    };
    let (told, written) = std::sync::mpsc::sync_channel(1);
    let done = Box::new(move |outcome: Result<_, _>| told.send(outcome.is_ok()).unwrap());
    let mut outcome = Outcome::default();
    let appended = head_tenant
        .head
        .append(target, &mut batch, limits, done, &mut outcome);
    drop(appended.unwrap());
    assert!(written.recv().unwrap());
    assert_eq!(asked.get(), 2);
    drop(head_tenant);
    bench.crash();
    let metadata = bench.store().metadata(&Tenant::anonymous(), None);
    assert_eq!(metadata.unwrap().len(), 1);
}
