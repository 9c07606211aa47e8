//! Seals, checkpoints, compactions, retention.

use std::path::Path;
use std::sync::atomic::Ordering;

use obsq_model::{
    Clock as _, Exemplar, HistogramValue, IntHistogram, Labels, MetricMetadata, Sample,
    SampleValue, Tenant,
};
use obsq_source::{MetricAppender as _, MetricBatch, MetricSource as _, SeriesBatch};

use super::bench::{Bench, NOW_MS, everything, floats, labels};
use crate::Retention;

const HOUR_MS: i64 = 3_600_000;

fn values(bench: &Bench, series: &str) -> Vec<(i64, f64)> {
    let value = |sample: Sample| match sample.value {
        SampleValue::Float(value) => (sample.ts_ms, value),
        SampleValue::Histogram(histogram) => (sample.ts_ms, histogram.sum()),
    };
    bench.samples(series).into_iter().map(value).collect()
}

/// Moves the clock to a time after the start and does what is due.
fn tick_at(bench: &Bench, after_ms: i64) {
    bench.clock.set_ms(NOW_MS + after_ms);
    bench.store().tick().unwrap();
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_window_is_sealed_half_an_hour_after_its_end() {
    let mut bench = Bench::new();
    let written: Vec<_> = (0..400).map(|i| (NOW_MS + i * 20_000, i as f64)).collect();
    for chunk in written.chunks(100) {
        bench.clock.set_ms(chunk[99].0);
        bench.write(vec![floats("a", chunk)]).unwrap();
    }
    tick_at(&bench, 150 * 60_000 - 1);
    assert_eq!(bench.store().stats().blocks, 0);
    tick_at(&bench, 150 * 60_000);
    let stats = bench.store().stats();
    assert_eq!(
        (stats.blocks, stats.seals, stats.checkpoints > 0),
        (1, 1, true)
    );
    assert_eq!(values(&bench, "a"), written);
    let meta = bench.meta_of_first_block();
    assert_eq!(
        (meta.min_time, meta.max_time),
        (NOW_MS, NOW_MS + 2 * HOUR_MS)
    );
    assert_eq!(meta.stats.num_samples, 360);
    for _round in 0..2 {
        bench.crash();
        assert_eq!(values(&bench, "a"), written);
        assert_eq!(bench.store().stats().replayed_records, 0);
    }
}

#[test]
fn late_samples_are_sealed_after_two_hours_into_blocks_of_their_own_time() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    tick_at(&bench, 3 * HOUR_MS);
    let late = [(NOW_MS + 5, 2.0), (0, 3.0), (NOW_MS - 50 * HOUR_MS, 4.0)];
    bench.write(vec![floats("a", &late)]).unwrap();
    let mut expected = vec![(NOW_MS, 1.0)];
    expected.extend(late);
    expected.sort_by_key(|sample| sample.0);
    tick_at(&bench, 3 * HOUR_MS + 1);
    assert_eq!(bench.store().stats().blocks, 1);
    assert_eq!(values(&bench, "a"), expected);
    tick_at(&bench, 5 * HOUR_MS + 1);
    let stats = bench.store().stats();
    assert_eq!(
        (stats.seals, stats.late_bytes, stats.head_chunks),
        (4, 0, 0)
    );
    assert_eq!(values(&bench, "a"), expected);
    bench.crash();
    assert_eq!(values(&bench, "a"), expected);
    assert_eq!(bench.store().stats().blocks, 3, "overlaps are merged");
}

#[test]
fn the_first_value_wins_through_seal_compaction_and_restart() {
    let mut bench = Bench::new();
    bench
        .write(vec![floats("a", &[(NOW_MS, 1.0), (NOW_MS + 1, 1.0)])])
        .unwrap();
    bench.store().flush().unwrap();
    // The head does not see what is in a block: the second value is taken, and loses.
    let second = [(NOW_MS, 2.0), (NOW_MS + 2, 2.0)];
    assert_eq!(bench.write(vec![floats("a", &second)]).unwrap(), (2, 0));
    let expected = [(NOW_MS, 1.0), (NOW_MS + 1, 1.0), (NOW_MS + 2, 2.0)];
    assert_eq!(values(&bench, "a"), expected);
    bench.store().flush().unwrap();
    assert_eq!(values(&bench, "a"), expected);
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 3.0), (NOW_MS + 2, 3.0)])])
        .unwrap();
    bench.crash();
    assert_eq!(values(&bench, "a"), expected);
    bench.store().flush().unwrap();
    bench.store().tick().unwrap();
    assert!(bench.store().stats().compactions > 0);
    assert_eq!(bench.store().stats().blocks, 1);
    bench.restart();
    assert_eq!(values(&bench, "a"), expected);
}

#[test]
fn a_crash_between_seal_and_checkpoint_doubles_nothing() {
    let mut bench = Bench::new();
    let written: Vec<_> = (0..400).map(|i| (NOW_MS + i, i as f64)).collect();
    bench.write(vec![floats("a", &written[..300])]).unwrap();
    bench.write(vec![floats("a", &[(5, 5.0)])]).unwrap();
    bench.store().checkpoint_now();
    bench.write(vec![floats("a", &written[300..])]).unwrap();
    let wal = bench.directory.path().join("data/wal");
    let saved = bench.directory.path().join("saved");
    copy_tree(&wal, &saved);
    bench.store().flush().unwrap();
    bench.stop();
    std::fs::remove_dir_all(&wal).unwrap();
    copy_tree(&saved, &wal);
    bench.crash();
    let mut expected = vec![(5, 5.0)];
    expected.extend(&written);
    assert_eq!(values(&bench, "a"), expected);
    let stats = bench.store().stats();
    assert_eq!((stats.head_chunks, stats.replayed_records), (0, 1));
}

#[test]
fn a_lost_log_lets_later_values_lose_all_the_same() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.store().flush().unwrap();
    bench.stop();
    std::fs::remove_dir_all(bench.directory.path().join("data/wal")).unwrap();
    bench.crash();
    bench
        .write(vec![floats("a", &[(NOW_MS, 2.0), (NOW_MS + 1, 2.0)])])
        .unwrap();
    for _round in 0..2 {
        assert_eq!(values(&bench, "a"), [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]);
        bench.crash();
    }
    bench.store().flush().unwrap();
    bench.store().tick().unwrap();
    assert_eq!(values(&bench, "a"), [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]);
}

#[test]
fn a_failed_seal_loses_nothing_and_is_made_up_for() {
    let mut bench = Bench::new();
    bench
        .write(vec![floats("a", &[(NOW_MS, 1.0), (NOW_MS + 10, 2.0)])])
        .unwrap();
    bench
        .write(vec![floats("a", &[(NOW_MS + 5, 1.5)])])
        .unwrap();
    bench.faults.full.store(true, Ordering::SeqCst);
    bench.store().flush().unwrap_err();
    bench.faults.full.store(false, Ordering::SeqCst);
    assert!(bench.store().stats().blocks == 0);
    bench
        .write(vec![floats("a", &[(NOW_MS + 7, 1.7), (NOW_MS + 20, 3.0)])])
        .unwrap();
    let expected = [
        (NOW_MS, 1.0),
        (NOW_MS + 5, 1.5),
        (NOW_MS + 7, 1.7),
        (NOW_MS + 10, 2.0),
        (NOW_MS + 20, 3.0),
    ];
    for _round in 0..2 {
        assert_eq!(values(&bench, "a"), expected);
        bench.crash();
    }
    tick_at(&bench, 3 * HOUR_MS);
    assert_eq!(values(&bench, "a"), expected);
    bench.crash();
    assert_eq!(values(&bench, "a"), expected);
}

#[test]
fn a_seal_that_fails_is_tried_again_ever_more_rarely() {
    let bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    let due_ms = 150 * 60_000;
    let tries_in = |after_ms: std::ops::Range<i64>| {
        bench.faults.failing_rename.store(1, Ordering::SeqCst);
        after_ms
            .step_by(1000)
            .filter(|at| {
                bench.clock.set_ms(NOW_MS + due_ms + at);
                let failed = bench.store().tick().is_err();
                bench.faults.failing_rename.store(1, Ordering::SeqCst);
                failed
            })
            .count()
    };
    // At 0, 1, 3, 7, 15, 31, 63, 127, 255 and 511 seconds, then every 5 minutes.
    assert_eq!(tries_in(0..600_000), 10);
    assert_eq!(bench.store().stats().failing.seals, 1);
    assert_eq!(tries_in(600_000..3_600_000), 10);
    bench.faults.failing_rename.store(0, Ordering::SeqCst);
    bench.store().flush().unwrap();
    let stats = bench.store().stats();
    assert_eq!((stats.failing.seals, stats.blocks), (0, 1));
}

#[test]
fn a_checkpoint_lets_the_log_go_whatever_waits_for_a_seal() {
    let mut bench = Bench::new();
    let mut expected = Vec::new();
    for round in 0..10 {
        let at = NOW_MS + round * 1000;
        bench
            .write(vec![floats("a", &[(at, 1.0), (round, 2.0)])])
            .unwrap();
        expected.extend([(at, 1.0), (round, 2.0)]);
        bench.clock.advance_ms(6 * 60_000);
        bench.store().tick().unwrap();
    }
    expected.sort_by_key(|sample| sample.0);
    let stats = bench.store().stats();
    assert_eq!(
        (stats.checkpoints, stats.blocks, stats.wal.segments),
        (10, 0, 1)
    );
    bench.crash();
    assert_eq!(bench.store().stats().replayed_records, 0);
    assert_eq!(values(&bench, "a"), expected);
}

#[test]
fn a_graceful_stop_needs_no_replay() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.restart();
    assert_eq!(bench.store().stats().replayed_records, 0);
    assert_eq!(values(&bench, "a"), [(NOW_MS, 1.0)]);
}

#[test]
fn a_clock_that_jumps_makes_nothing_late_that_was_not() {
    let bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    tick_at(&bench, 365 * 24 * HOUR_MS);
    bench.clock.set_ms(NOW_MS + 2 * HOUR_MS);
    bench
        .write(vec![floats("a", &[(NOW_MS + 2 * HOUR_MS, 2.0)])])
        .unwrap();
    assert_eq!(bench.store().stats().late_bytes, 0);
    bench.clock.set_ms(NOW_MS - 24 * HOUR_MS);
    bench.store().tick().unwrap();
    assert_eq!(bench.store().stats().blocks, 1);
    assert_eq!(values(&bench, "a").len(), 2);
}

#[test]
fn blocks_go_when_they_are_wholly_older_than_the_retention() {
    let bench = Bench::with(|options| options.retention.time_ms = Some(24 * HOUR_MS));
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    tick_at(&bench, 3 * HOUR_MS);
    tick_at(&bench, 26 * HOUR_MS - 1);
    assert_eq!(bench.store().stats().blocks, 1);
    tick_at(&bench, 26 * HOUR_MS);
    assert_eq!(bench.store().stats().blocks, 0);
    let blocks = bench
        .directory
        .path()
        .join("data/tenants/anonymous/metrics/blocks");
    assert_eq!(std::fs::read_dir(blocks).unwrap().count(), 0);
}

#[test]
fn the_oldest_blocks_go_when_there_are_too_many_bytes() {
    let bench = Bench::with(|options| options.retention.bytes = Some(6_000));
    for round in 0..4 {
        let start = NOW_MS + round * 2 * HOUR_MS;
        let noise = |i: i64| (start + i * 7001, (i * i) as f64 / 3.0);
        bench.clock.set_ms(start + 2 * HOUR_MS - 1);
        let samples: Vec<_> = (0..400).map(noise).collect();
        bench.write(vec![floats("a", &samples)]).unwrap();
        tick_at(&bench, (round + 1) * 2 * HOUR_MS + HOUR_MS);
    }
    assert!((1..3).contains(&bench.store().stats().blocks));
    assert!(values(&bench, "a")[0].0 >= NOW_MS + 4 * HOUR_MS);
}

#[test]
fn the_largest_tenant_gives_way_and_a_new_retention_takes_effect() {
    let bench = Bench::new();
    let small = Tenant::parse("small").unwrap();
    let write = |tenant: &Tenant, round: i64, count: i64| {
        let start = NOW_MS + round * 2 * HOUR_MS;
        let noise = |i: i64| (start + i * 7001, (i * i) as f64 / 3.0);
        let samples: Vec<_> = (0..count).map(noise).collect();
        let batch = MetricBatch {
            series: vec![floats("a", &samples)],
            metadata: Vec::new(),
        };
        let appended = bench.store().append(tenant, batch).unwrap();
        appended.durable.wait_blocking().unwrap();
    };
    for round in 0..3 {
        bench.clock.set_ms(NOW_MS + (round + 1) * 2 * HOUR_MS - 1);
        write(&Tenant::anonymous(), round, 900);
        // Older than most of the other tenant.
        if round == 0 {
            write(&small, round, 50);
        }
        tick_at(&bench, (round + 1) * 2 * HOUR_MS + HOUR_MS);
    }
    let blocks = |tenant: &Tenant| {
        let tenant = bench.store().shared.tenant(tenant).unwrap();
        tenant.blocks.snapshot().len()
    };
    let before = bench.store().stats().block_bytes;
    bench.store().set_retention(Retention {
        bytes: Some(before / 2),
        ..Retention::default()
    });
    bench.store().tick().unwrap();
    assert!(bench.store().stats().block_bytes <= before / 2);
    assert_eq!(blocks(&small), 1);
    assert!((1..3).contains(&blocks(&Tenant::anonymous())));
    // Of no disk are nought percent so much.
    bench.store().set_retention(Retention {
        percentage: Some(1e-9),
        bytes: Some(u64::MAX),
        ..Retention::default()
    });
    bench.store().tick().unwrap();
    assert_eq!(bench.store().stats().blocks, 0);
}

#[test]
fn what_blocks_cannot_hold_survives_flush_and_restart() {
    let mut bench = Bench::new();
    let histogram = HistogramValue::Int(IntHistogram {
        count: 4,
        zero_count: 4,
        sum: 2.5,
        ..IntHistogram::default()
    });
    let mut sample = Sample::histogram(NOW_MS, histogram);
    sample.start_ts_ms = NOW_MS - 99;
    let series = SeriesBatch {
        labels: labels("h"),
        samples: [sample.clone()].into(),
        exemplars: vec![Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "x")]),
            value: 0.5,
            ts_ms: NOW_MS,
        }],
    };
    let metadata = MetricMetadata {
        help: "Help".into(),
        ..MetricMetadata::default()
    };
    let batch = MetricBatch {
        series: vec![series],
        metadata: vec![("m".into(), metadata.clone())],
    };
    let tenant = Tenant::anonymous();
    let appended = bench.store().append(&tenant, batch).unwrap();
    appended.durable.wait_blocking().unwrap();
    bench.store().flush().unwrap();
    for _round in 0..2 {
        assert_eq!(bench.store().stats().blocks, 1);
        assert_eq!(bench.store().stats().head_chunks, 0);
        let samples = bench.samples("h");
        assert_eq!(samples[0].start_ts_ms, NOW_MS - 99);
        assert!(samples[0].same_value(&sample));
        let store = bench.store();
        let exemplars = store
            .exemplars(&tenant, &everything(), &bench.context())
            .unwrap();
        assert_eq!(exemplars[0].exemplars[0].value, 0.5);
        assert_eq!(store.metadata(&tenant, None).unwrap()[0].metadata, metadata);
        let names = store
            .label_names(&tenant, &everything(), &bench.context())
            .unwrap();
        assert_eq!(names, ["__name__", "n"]);
        bench.restart();
    }
}

#[test]
fn idle_series_leave_the_head_and_come_back() {
    let mut bench = Bench::new();
    bench
        .write(vec![
            floats("a", &[(NOW_MS, 1.0)]),
            floats("b", &[(NOW_MS, 1.0)]),
        ])
        .unwrap();
    bench.clock.advance_ms(2 * HOUR_MS);
    bench
        .write(vec![floats("b", &[(bench.clock.now_ms(), 2.0)])])
        .unwrap();
    tick_at(&bench, 3 * HOUR_MS);
    assert_eq!(bench.store().stats().head_series, 1);
    let back = NOW_MS + 2 * HOUR_MS + 5;
    bench.write(vec![floats("a", &[(back, 3.0)])]).unwrap();
    bench.crash();
    assert_eq!(values(&bench, "a"), [(NOW_MS, 1.0), (back, 3.0)]);
    bench.store().flush().unwrap();
    assert_eq!(values(&bench, "a"), [(NOW_MS, 1.0), (back, 3.0)]);
}

#[test]
fn reads_are_served_while_the_log_is_replayed() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.store().flush().unwrap();
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 2.0)])])
        .unwrap();
    bench.open_early();
    assert_eq!(values(&bench, "a")[0], (NOW_MS, 1.0));
    bench.store().wait_until_ready();
    assert_eq!(values(&bench, "a").len(), 2);
    bench
        .write(vec![floats("a", &[(NOW_MS + 2, 3.0)])])
        .unwrap();
    bench.open_early();
    bench.store().close();
    bench.crash();
    assert_eq!(values(&bench, "a").len(), 3);
}

#[test]
fn a_tenant_that_only_its_directory_tells_of_gets_a_number_of_its_own() {
    let mut bench = Bench::new();
    let write = |bench: &Bench, tenant: &str, value: f64| {
        let batch = MetricBatch {
            series: vec![floats("a", &[(NOW_MS, value)])],
            metadata: Vec::new(),
        };
        let tenant = Tenant::parse(tenant).unwrap();
        let appended = bench.store().append(&tenant, batch).unwrap();
        appended.durable.wait_blocking().unwrap();
    };
    write(&bench, "first", 1.0);
    write(&bench, "second", 2.0);
    bench.store().flush().unwrap();
    bench.stop();
    std::fs::remove_dir_all(bench.directory.path().join("data/wal")).unwrap();
    bench.crash();
    write(&bench, "third", 3.0);
    for _round in 0..2 {
        let tenants = bench.store().tenants();
        let names: Vec<_> = tenants.iter().map(Tenant::as_str).collect();
        assert_eq!(names, ["first", "second", "third"]);
        for tenant in &tenants {
            let series = bench
                .store()
                .series(tenant, &everything(), &bench.context());
            assert_eq!(series.unwrap(), [labels("a")]);
        }
        bench.crash();
    }
}

#[test]
fn a_backfill_is_late_and_grows_chunks_as_if_it_were_in_order() {
    let mut bench = Bench::new();
    let day = NOW_MS - 24 * HOUR_MS;
    let written: Vec<_> = (0..1000).map(|i| (day + i * 15_000, i as f64)).collect();
    for part in written.chunks(7) {
        bench.write(vec![floats("a", part)]).unwrap();
        bench.store().tick().unwrap();
    }
    let stats = bench.store().stats();
    assert_eq!(
        (stats.blocks, stats.late_bytes, stats.head_chunks),
        (0, 16_000, 9)
    );
    assert_eq!(values(&bench, "a"), written);
    bench.crash();
    assert_eq!(values(&bench, "a"), written);
    tick_at(&bench, 0);
    tick_at(&bench, 2 * HOUR_MS);
    assert_eq!(
        bench.store().stats().seals,
        3,
        "4 h and 10 min, three windows"
    );
    assert_eq!(values(&bench, "a"), written);
}

#[test]
fn a_batch_out_of_order_makes_nothing_late() {
    let bench = Bench::new();
    let reversed: Vec<_> = (0..100).rev().map(|i| (NOW_MS + i, i as f64)).collect();
    bench.write(vec![floats("a", &reversed)]).unwrap();
    assert_eq!(bench.store().stats().late_bytes, 0);
    let sorted: Vec<_> = reversed.into_iter().rev().collect();
    assert_eq!(values(&bench, "a"), sorted);
}

#[test]
fn a_clock_that_goes_back_does_not_let_a_second_value_win() {
    let bench = Bench::new();
    bench.clock.advance_ms(24 * HOUR_MS);
    bench
        .write(vec![floats("a", &[(NOW_MS + 5, 1.0)])])
        .unwrap();
    bench.clock.set_ms(NOW_MS);
    let second = [(NOW_MS + 4, 2.0), (NOW_MS + 5, 2.0), (NOW_MS + 6, 2.0)];
    assert_eq!(bench.write(vec![floats("a", &second)]).unwrap(), (2, 1));
    let expected = [(NOW_MS + 4, 2.0), (NOW_MS + 5, 1.0), (NOW_MS + 6, 2.0)];
    assert_eq!(values(&bench, "a"), expected);
}

#[test]
fn samples_that_were_late_by_the_clock_alone_are_sealed() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.store().flush().unwrap();
    bench.clock.set_ms(NOW_MS + 20 * HOUR_MS);
    let late = [(NOW_MS + 5 * HOUR_MS, 2.0), (NOW_MS + 9 * HOUR_MS, 3.0)];
    bench.write(vec![floats("a", &late)]).unwrap();
    bench.crash();
    bench.store().flush().unwrap();
    assert_eq!(bench.store().stats().head_chunks, 0);
    let other = [(NOW_MS + 11 * HOUR_MS, 4.0)];
    bench.write(vec![floats("a", &other)]).unwrap();
    tick_at(&bench, 21 * HOUR_MS);
    tick_at(&bench, 24 * HOUR_MS);
    assert_eq!(bench.store().stats().head_chunks, 0);
    assert_eq!(values(&bench, "a").len(), 4);
}

#[test]
fn late_samples_in_no_order_leave_memory_early() {
    let mut bench = Bench::with(|options| options.late_memory_bytes = 16 << 10);
    let series: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let day = NOW_MS - 24 * HOUR_MS;
    for round in (0..90).rev() {
        let batch = series.iter().map(|n| floats(n, &[(day + round, 1.0)]));
        bench.write(batch.collect()).unwrap();
        let memory = late_memory(&bench);
        // The limit, and what a series may keep: seven samples, and the notes of where its chunks are.
        assert!(memory < (16 << 10) + 50 * 1500, "{memory} at {round}");
    }
    let unbounded = 50 * 89 * size_of::<Sample>() as u64;
    assert!(late_memory(&bench) < unbounded);
    bench.store().tick().unwrap();
    let stats = bench.store().stats();
    assert_eq!((stats.seals, stats.late_bytes), (1, 0), "sealed early");
    assert_eq!(late_memory(&bench), 0);
    assert_eq!(values(&bench, "7").len(), 90);
    bench.crash();
    assert_eq!(values(&bench, "7").len(), 90);
}

fn late_memory(bench: &Bench) -> u64 {
    let tenant = bench.store().shared.tenant(&Tenant::anonymous()).unwrap();
    tenant.head.late.memory_bytes()
}

#[test]
fn labels_of_a_whole_block_come_from_its_index_and_respect_range_and_deletes() {
    let bench = Bench::new();
    let later = NOW_MS + 60_000;
    bench
        .write(vec![
            floats("a", &[(NOW_MS, 1.0)]),
            floats("b", &[(later, 1.0)]),
        ])
        .unwrap();
    bench.store().flush().unwrap();
    let anonymous = Tenant::anonymous();
    let ask = |start_ms, end_ms| {
        let range = obsq_model::TimeRange::new(start_ms, end_ms);
        let request = obsq_source::LabelRequest {
            range,
            ..everything()
        };
        let store = bench.store();
        let names = store.label_names(&anonymous, &request, &bench.context());
        let values = store.label_values(&anonymous, "n", &request, &bench.context());
        (names.unwrap().join(","), values.unwrap().join(","))
    };
    let both = || ("__name__,n".to_owned(), "a,b".to_owned());
    let only = |n: &str| ("__name__,n".to_owned(), n.to_owned());
    assert_eq!(ask(i64::MIN, i64::MAX), both());
    assert_eq!(ask(NOW_MS, NOW_MS + 1), only("a"));
    let tenant = bench.store().shared.tenant(&anonymous).unwrap();
    let blocks = tenant.blocks.snapshot();
    let matchers = [obsq_model::Matcher::equal("n", "a")];
    blocks[0]
        .delete(&matchers, obsq_model::TimeRange::ALL)
        .unwrap();
    assert_eq!(ask(i64::MIN, i64::MAX), only("b"));
}
