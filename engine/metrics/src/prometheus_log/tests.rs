//! Logs made by hand; that those of a real Prometheus are understood `tests/interchange.rs` shows.

use std::fs;

use obsq_encoding::{put_uvarint, put_varint};
use tempfile::TempDir;

use super::*;

const PAGE: usize = 32 << 10;

/// Writes records as Prometheus does: cut at pages, which end in zeros.
fn pages(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for (flags, record) in records {
        let (mut rest, mut first) = (record.as_slice(), true);
        while first || !rest.is_empty() {
            let mut room = PAGE - out.len() % PAGE;
            if room <= 7 {
                out.resize(out.len() + room, 0);
                room = PAGE;
            }
            let (now, later) = rest.split_at(rest.len().min(room - 7));
            let kind = match (first, later.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            out.push(flags | kind);
            out.extend_from_slice(&(now.len() as u16).to_be_bytes());
            out.extend_from_slice(&crc32c::crc32c(now).to_be_bytes());
            out.extend_from_slice(now);
            (rest, first) = (later, false);
        }
    }
    out
}

fn series(reference: u64, name: &str) -> (u8, Vec<u8>) {
    let mut record = vec![1];
    record.extend_from_slice(&reference.to_be_bytes());
    put_uvarint(&mut record, 1);
    for text in ["__name__", name] {
        put_uvarint(&mut record, text.len() as u64);
        record.extend_from_slice(text.as_bytes());
    }
    (0, record)
}

fn samples(reference: u64, times: impl Iterator<Item = i64>) -> (u8, Vec<u8>) {
    let mut record = vec![2];
    record.extend_from_slice(&reference.to_be_bytes());
    record.extend_from_slice(&0_u64.to_be_bytes());
    for ts_ms in times {
        put_varint(&mut record, 0);
        put_varint(&mut record, ts_ms);
        record.extend_from_slice(&(ts_ms as f64).to_bits().to_be_bytes());
    }
    (0, record)
}

fn deleted(reference: u64, start_ms: i64, end_ms: i64) -> (u8, Vec<u8>) {
    let mut record = vec![3];
    record.extend_from_slice(&reference.to_be_bytes());
    put_varint(&mut record, start_ms);
    put_varint(&mut record, end_ms);
    (0, record)
}

fn write(folder: &TempDir, path: &str, records: &[(u8, Vec<u8>)]) -> PathBuf {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, pages(records)).unwrap();
    path
}

fn read(folder: &TempDir) -> PrometheusLog {
    PrometheusLog::read(folder.path(), &[]).unwrap()
}

fn times(log: &PrometheusLog, name: &str) -> Vec<i64> {
    let batch = log
        .batch(&Labels::from_pairs(&[("__name__", name)]))
        .unwrap();
    batch.samples.iter().map(|sample| sample.ts_ms).collect()
}

#[test]
fn a_checkpoint_takes_the_place_of_the_segments_before_it() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        "wal/00000001",
        &[series(9, "gone"), samples(9, 0..5)],
    );
    write(
        &folder,
        "wal/checkpoint.00000001/00000000",
        &[series(1, "a"), samples(1, 5..8)],
    );
    write(
        &folder,
        "wal/checkpoint.00000000/00000000",
        &[series(8, "old"), samples(8, 0..5)],
    );
    write(&folder, "wal/00000002", &[samples(1, 8..10)]);
    write(
        &folder,
        "wal/00000003",
        &[samples(1, 10..12), series(2, "b"), samples(2, 3..4)],
    );
    let log = read(&folder);
    assert_eq!(log.series().len(), 2);
    assert_eq!(times(&log, "a"), [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(times(&log, "b"), [3]);
    assert_eq!((log.samples(), log.damaged()), (8, 0));
    assert_eq!(log.range(), Some(TimeRange::new(3, 11)));
}

#[test]
fn records_span_pages_and_may_be_packed() {
    let folder = TempDir::new().unwrap();
    let (_flags, plain) = samples(1, 10_000..30_000);
    let snappy = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    let (_flags, plain) = samples(1, 30_000..50_000);
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    let all = [
        series(1, "a"),
        samples(1, 0..10_000),
        (0x08, snappy),
        (0x10, zstd),
    ];
    write(&folder, "wal/00000000", &all);
    let log = read(&folder);
    assert!(times(&log, "a") == (0..50_000).collect::<Vec<_>>());
    assert_eq!(log.damaged(), 0);
}

#[test]
fn a_delete_hides_what_is_written_into_its_time_later() {
    let folder = TempDir::new().unwrap();
    let all = [
        series(1, "a"),
        samples(1, 0..20),
        deleted(1, 10, 24),
        samples(1, 20..30),
    ];
    write(&folder, "wal/00000000", &all);
    write(&folder, "wbl/00000000", &[samples(1, [15].into_iter())]);
    let expected: Vec<i64> = (0..10).chain(25..30).collect();
    assert_eq!(times(&read(&folder), "a"), expected);
}

#[test]
fn a_delete_of_all_times_holds_for_what_came_before() {
    let folder = TempDir::new().unwrap();
    let all = [
        series(1, "a"),
        samples(1, 0..20),
        deleted(1, 15, 40),
        deleted(1, i64::MIN, i64::MAX),
        series(2, "a"),
        samples(2, 30..32),
    ];
    write(&folder, "wal/00000000", &all);
    assert_eq!(times(&read(&folder), "a"), [30, 31]);
}

#[test]
fn a_log_that_takes_too_much_memory_is_refused() {
    let folder = TempDir::new().unwrap();
    let all: Vec<_> = (0..50).map(|n| series(n, &format!("s{n}"))).collect();
    write(&folder, "wal/00000000", &all);
    let read = |limit| Replay::run(folder.path(), i64::MIN, limit);
    assert!(read(100_000).is_ok());
    let error = read(1_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn histograms_finer_than_any_that_is_stored_are_reduced() {
    let folder = TempDir::new().unwrap();
    let histogram = |schema: i64, buckets: u64| {
        let mut record = vec![7];
        record.extend_from_slice(&1_u64.to_be_bytes());
        record.extend_from_slice(&(schema as u64).to_be_bytes());
        for _reference_and_time in 0..2 {
            put_varint(&mut record, 0);
        }
        record.push(0);
        put_varint(&mut record, schema);
        record.extend_from_slice(&0_u64.to_be_bytes());
        for count in [0, 3] {
            put_uvarint(&mut record, count);
        }
        record.extend_from_slice(&6.0_f64.to_bits().to_be_bytes());
        put_uvarint(&mut record, 1);
        put_varint(&mut record, 1);
        put_uvarint(&mut record, buckets);
        put_uvarint(&mut record, 0);
        put_uvarint(&mut record, 2);
        for delta in [1, 1] {
            put_varint(&mut record, delta);
        }
        put_uvarint(&mut record, 0);
        (0, record)
    };
    let all = [
        series(1, "a"),
        histogram(9, 2),
        // Unknown, and one whose spans are wrong.
        histogram(60, 2),
        histogram(12, 5),
    ];
    write(&folder, "wal/00000000", &all);
    let log = read(&folder);
    assert_eq!((log.samples(), log.damaged()), (1, 2));
    let batch = log
        .batch(&Labels::from_pairs(&[("__name__", "a")]))
        .unwrap();
    let SampleValue::Histogram(histogram) = &batch.samples.first().unwrap().value else {
        panic!("a float");
    };
    let HistogramValue::Int(histogram) = histogram.as_ref() else {
        panic!("of floats");
    };
    assert_eq!((histogram.schema, histogram.count), (8, 3));
    // Two buckets of 1 and 2 became one.
    assert_eq!(histogram.positive_deltas, [3]);
}

#[test]
fn what_came_out_of_order_lies_between() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        "wal/00000000",
        &[series(1, "a"), samples(1, (0..10).map(|i| i * 10))],
    );
    write(
        &folder,
        "wbl/00000000",
        &[samples(1, [55, 15, 20].into_iter())],
    );
    let expected = [0, 10, 15, 20, 30, 40, 50, 55, 60, 70, 80, 90];
    assert_eq!(times(&read(&folder), "a"), expected);
}

#[test]
fn damage_loses_no_more_than_its_page() {
    let folder = TempDir::new().unwrap();
    let mut all = vec![series(1, "a")];
    all.extend((0..4_000).map(|i| samples(1, i * 10..i * 10 + 10)));
    let path = write(&folder, "wal/00000000", &all);
    write(&folder, "wal/00000001", &[samples(1, 40_000..40_010)]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[PAGE * 3 + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let log = read(&folder);
    let seen = times(&log, "a");
    assert!(seen.len() > 37_000 && seen.len() < 40_010, "{}", seen.len());
    assert_eq!(seen.last(), Some(&40_009));
    assert_eq!(log.damaged(), 1);
}

#[test]
fn a_torn_end_is_no_damage() {
    let folder = TempDir::new().unwrap();
    let path = write(
        &folder,
        "wal/00000000",
        &[series(1, "a"), samples(1, 0..5), samples(1, 5..9)],
    );
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    let log = read(&folder);
    assert_eq!(times(&log, "a"), [0, 1, 2, 3, 4]);
    assert_eq!(log.damaged(), 0);
}

#[test]
fn no_log_is_an_empty_one() {
    let folder = TempDir::new().unwrap();
    let log = read(&folder);
    assert_eq!((log.samples(), log.range()), (0, None));
}
