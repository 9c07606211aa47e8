//! Damaged files: everything else stays.

use std::path::PathBuf;

use super::bench::{Bench, NOW_MS, floats};

fn files(bench: &Bench, under: &str) -> Vec<PathBuf> {
    let directory = bench.directory.path().join("data").join(under);
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn flip(path: &PathBuf, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// Returns where the first byte of every record of a segment lies.
fn records(path: &PathBuf) -> Vec<usize> {
    let bytes = std::fs::read(path).unwrap();
    let magic = b"\xFFoq\xFE";
    (0..bytes.len() - 4)
        .filter(|at| bytes[*at..].starts_with(magic))
        .collect()
}

#[test]
fn a_damaged_record_costs_only_its_own_samples() {
    for victim in 0..4 {
        let mut bench = Bench::new();
        for index in 0..4 {
            let batch = ["a", "b"].map(|n| floats(n, &[(NOW_MS + index, 1.0)]));
            bench.write(batch.to_vec()).unwrap();
        }
        bench.stop();
        let segment = &files(&bench, "wal/metrics")[0];
        flip(segment, records(segment)[victim] + 30);
        bench.crash();
        assert!(bench.store().stats().corruptions > 0);
        for series in ["a", "b"] {
            let times: Vec<_> = bench
                .samples(series)
                .iter()
                .map(|s| s.ts_ms - NOW_MS)
                .collect();
            let expected: Vec<_> = (0..4).filter(|index| *index != victim as i64).collect();
            assert_eq!(times, expected, "record {victim}");
        }
    }
}

#[test]
fn a_damaged_checkpoint_costs_only_what_it_touches() {
    let mut bench = Bench::new();
    let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for name in &names {
        bench.write(vec![floats(name, &[(NOW_MS, 1.0)])]).unwrap();
    }
    bench.store().checkpoint_now();
    bench
        .write(vec![floats("after", &[(NOW_MS, 1.0)])])
        .unwrap();
    bench.stop();
    let checkpoint = bench.directory.path().join("data/wal/metrics/checkpoint");
    let at = records(&checkpoint)[3] + 100;
    flip(&checkpoint, at);
    bench.crash();
    let found = names
        .iter()
        .filter(|name| bench.samples(name).len() == 1)
        .count();
    assert_eq!(found, 200 - 64);
    assert_eq!(bench.samples("after").len(), 1);
    bench
        .write(vec![floats("0", &[(NOW_MS + 1, 1.0)])])
        .unwrap();
}

#[test]
fn a_damaged_tenant_in_a_checkpoint_costs_only_the_series_behind_it() {
    let mut bench = Bench::new();
    let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let batch = names.iter().map(|name| floats(name, &[(NOW_MS, 1.0)]));
    bench.write(batch.collect()).unwrap();
    bench.store().close();
    bench.stop();
    let checkpoint = bench.directory.path().join("data/wal/metrics/checkpoint");
    flip(&checkpoint, records(&checkpoint)[1] + 30);
    bench.crash();
    let is_there = |name: &&String| bench.samples(name).len() == 1;
    assert_eq!(names.iter().filter(is_there).count(), 200 - 64);
}

#[test]
fn new_records_count_on_from_those_that_a_damaged_checkpoint_knows() {
    let mut bench = Bench::new();
    for at in 0..5 {
        bench
            .write(vec![floats("a", &[(NOW_MS + at, 1.0)])])
            .unwrap();
    }
    bench.store().close();
    bench.stop();
    let checkpoint = bench.directory.path().join("data/wal/metrics/checkpoint");
    let first = records(&checkpoint)[0];
    flip(&checkpoint, first + 25);
    bench.crash();
    bench
        .write(vec![floats("a", &[(NOW_MS + 5, 1.0)])])
        .unwrap();
    bench.crash();
    assert_eq!(bench.samples("a").len(), 6);
}

#[test]
fn a_damaged_chunk_of_the_head_is_reported_and_keeps_nothing_from_being_sealed() {
    let mut bench = Bench::new();
    let samples: Vec<_> = (0..1000).map(|i| (NOW_MS + i, (i * i) as f64)).collect();
    bench
        .write(vec![floats("a", &samples), floats("b", &samples)])
        .unwrap();
    bench.store().checkpoint_now();
    bench.stop();
    let file = &files(&bench, "tenants/anonymous/metrics/head")[0];
    flip(file, 20);
    bench.crash();
    let set = bench.select(vec![], obsq_model::TimeRange::ALL);
    let mut columns = obsq_model::SampleColumns::default();
    set.read(0, obsq_model::TimeRange::ALL, &mut columns)
        .unwrap();
    assert!((800..1000).contains(&columns.len()), "{}", columns.len());
    let said = "the head is damaged: samples of 1 series are missing";
    assert_eq!(set.warnings(), [said]);
    drop(set);
    bench.store().flush().unwrap();
    let set = bench.select(vec![], obsq_model::TimeRange::ALL);
    assert_eq!(
        set.warnings(),
        ["the head was damaged: 1 chunks of it are lost"]
    );
    assert_eq!(bench.store().stats().lost_chunks, 1);
    drop(set);
    assert_eq!(bench.samples("b").len(), 1000);
    let left = bench.samples("a").len();
    assert!((800..1000).contains(&left), "{left}");
}

#[test]
fn a_damaged_chunk_of_a_block_costs_only_its_own_samples() {
    let bench = Bench::new();
    let samples: Vec<_> = (0..1000).map(|i| (NOW_MS + i, (i * i) as f64)).collect();
    bench
        .write(vec![floats("a", &samples), floats("b", &samples)])
        .unwrap();
    bench.store().flush().unwrap();
    let block = &files(&bench, "tenants/anonymous/metrics/blocks")[0];
    flip(&block.join("chunks/000001"), 400);
    let range = obsq_model::TimeRange::ALL;
    let set = bench.select(vec![], range);
    assert_eq!(set.warnings(), Vec::<String>::new());
    let mut columns = obsq_model::SampleColumns::default();
    let mut exact = Vec::new();
    for (index, expected) in [(0, 880), (1, 1000)] {
        set.read(index, range, &mut columns).unwrap();
        assert_eq!(columns.len(), expected);
        assert!(columns.float_ts.is_sorted());
        exact.clear();
        set.read_exact(index, range, &mut exact).unwrap();
        assert_eq!(exact.len(), expected);
        let chunks = set.chunks(index).unwrap();
        assert!(chunks.is_sorted_by_key(|chunk| chunk.min_ts_ms));
    }
    let name = block.file_name().unwrap().to_str().unwrap();
    let said = format!("block {name} is damaged: samples of 1 series are missing");
    assert_eq!(set.warnings(), [said]);
    assert_eq!(bench.store().stats().damaged_blocks, 1);
}

#[test]
fn a_block_that_cannot_be_opened_is_left_alone() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.store().flush().unwrap();
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 1.0)])])
        .unwrap();
    bench.stop();
    let block = &files(&bench, "tenants/anonymous/metrics/blocks")[0];
    std::fs::write(block.join("meta.json"), "{").unwrap();
    bench.crash();
    assert_eq!(bench.store().stats().broken_blocks, 1);
    let warnings = bench.select(vec![], obsq_model::TimeRange::ALL).warnings();
    let name = block.file_name().unwrap().to_str().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains(name), "{warnings:?}");
    assert_eq!(bench.samples("a").len(), 1);
    assert!(block.try_exists().unwrap());
}

#[test]
fn empty_files_keep_nothing_from_starting() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.store().flush().unwrap();
    bench.stop();
    let data = bench.directory.path().join("data");
    for name in [
        "wal/metrics/00000099",
        "wal/metrics/checkpoint",
        "tenants/anonymous/metrics/exemplars",
    ] {
        std::fs::write(data.join(name), "").unwrap();
    }
    bench.crash();
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 1.0)])])
        .unwrap();
    bench.crash();
    assert_eq!(bench.samples("a").len(), 2);
}
