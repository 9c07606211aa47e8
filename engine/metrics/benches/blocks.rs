//! Speed of writing, selecting from, reading and compacting blocks:
//! `cargo bench -p obsq-metrics --bench blocks`.

use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use obsq_encoding::{EncodedChunk, encode_chunks};
use obsq_metrics::{Block, BlockCache, BlockSpec, BlockWriter, compact};
use obsq_model::{Labels, Matcher, Sample, SampleColumns, TimeRange};
use obsq_wal::{DiskVfs, Vfs};
use tempfile::TempDir;
use ulid::Ulid;

const SERIES: usize = 5000;
const SAMPLES: i64 = 1440;

fn disk() -> Arc<dyn Vfs> {
    Arc::new(DiskVfs)
}

fn series() -> Vec<(Labels, Vec<EncodedChunk>)> {
    let samples = |number: usize| -> Vec<Sample> {
        let value = |i: i64| (i * (number as i64 % 7) + i * i % 13) as f64;
        let sample = |i: i64| Sample::float(1_700_000_000_000 + i * 15_000, value(i));
        (0..SAMPLES).map(sample).collect()
    };
    let mut series: Vec<_> = (0..SERIES)
        .map(|number| {
            let labels = Labels::from_pairs(&[
                ("__name__", format!("metric_{}", number % 50)),
                ("instance", format!("host-{:04}:9100", number / 50)),
                ("job", format!("job-{}", number % 5)),
                ("environment", "production".to_owned()),
            ]);
            (labels, encode_chunks(&samples(number)))
        })
        .collect();
    series.sort_by(|a, b| a.0.cmp(&b.0));
    series
}

fn write(parent: &Path, ulid: u128, series: &[(Labels, Vec<EncodedChunk>)]) {
    let spec = BlockSpec {
        ulid: Ulid(ulid),
        ..BlockSpec::default()
    };
    let written = BlockWriter::create(&disk(), parent, spec).and_then(|mut writer| {
        for (labels, chunks) in series {
            writer.add_series(labels, chunks)?;
        }
        writer.finish()
    });
    assert!(written.is_ok(), "{written:?}");
}

/// A block in a directory that goes with it.
struct Fixture {
    directory: TempDir,
    block: Arc<Block>,
}

fn fixture() -> Option<Fixture> {
    let directory = TempDir::new().ok()?;
    write(directory.path(), 1, &series());
    let path = directory.path().join(Ulid(1).to_string());
    let cache = Arc::new(BlockCache::new(64 << 20));
    let block = Arc::new(Block::open(&disk(), &path, &cache).ok()?);
    Some(Fixture { directory, block })
}

#[divan::bench(sample_count = 10)]
fn write_block(bencher: Bencher<'_, '_>) {
    let series = series();
    let counter = ItemsCount::new(SERIES);
    bencher.counter(counter).bench_local(|| {
        let directory = TempDir::new();
        let parent = directory.as_ref().map_or(Path::new("."), TempDir::path);
        write(parent, 1, &series);
    });
}

#[divan::bench(args = ["one series", "one metric", "all series"])]
fn select(bencher: Bencher<'_, '_>, what: &str) {
    let Some(fixture) = fixture() else { return };
    let matchers = match what {
        "one series" => vec![
            Matcher::equal("__name__", "metric_7"),
            Matcher::equal("instance", "host-0042:9100"),
        ],
        "one metric" => vec![Matcher::equal("__name__", "metric_7")],
        _ => vec![],
    };
    bencher.bench_local(|| {
        let found = fixture.block.select(&matchers, TimeRange::ALL);
        found.map_or(0, |found| found.len())
    });
}

#[divan::bench(sample_count = 20)]
fn read_all_samples(bencher: Bencher<'_, '_>) {
    let Some(fixture) = fixture() else { return };
    let Ok(found) = fixture.block.select(&[], TimeRange::ALL) else {
        return;
    };
    let mut columns = SampleColumns::default();
    let counter = ItemsCount::new(SERIES * SAMPLES as usize);
    bencher.counter(counter).bench_local(|| {
        let mut read = 0;
        for series in &found {
            columns.clear();
            let result = fixture.block.read(series, TimeRange::ALL, &mut columns);
            assert!(result.is_ok(), "{result:?}");
            read += columns.len();
        }
        read
    });
}

#[divan::bench(sample_count = 10)]
fn compact_two_blocks(bencher: Bencher<'_, '_>) {
    let Some(fixture) = fixture() else { return };
    let blocks = [Arc::clone(&fixture.block), Arc::clone(&fixture.block)];
    let counter = ItemsCount::new(2 * SERIES * SAMPLES as usize);
    let mut ulid = 1;
    bencher.counter(counter).bench_local(|| {
        ulid += 1;
        let parent = fixture.directory.path();
        let merged = compact(&disk(), parent, &blocks, Ulid(ulid), &|| false);
        assert!(merged.is_ok(), "{merged:?}");
    });
}

fn main() {
    divan::main();
}
