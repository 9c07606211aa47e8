//! Blocks that promtool and Prometheus read and write. Skipped, and said so, where the programs are
//! not installed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use obsq_model::histogram::IntHistogram;
use obsq_model::{BucketSpan, CounterResetHint, HistogramValue, SampleValue, stale_nan};
use serde_json::Value;
use tempfile::TempDir;

use super::prometheus::{Prometheus, is_installed};
use super::*;

/// 2023-11-14 22:00 UTC, the start of a two-hour range.
const START_MS: i64 = 1_699_999_200_000;

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn histogram(step: i64, hint: CounterResetHint) -> IntHistogram {
    let count = |n: i64| n * step;
    let deltas = [2, 3, -1, 4].map(count);
    IntHistogram {
        counter_reset_hint: hint,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: step as u64,
        // Buckets of 2, 5, 4, 8 and 1.
        count: 21 * step as u64,
        sum: step as f64 * 12.25,
        positive_spans: vec![
            BucketSpan {
                offset: -2,
                length: 2,
            },
            BucketSpan {
                offset: 3,
                length: 2,
            },
        ],
        negative_spans: vec![BucketSpan {
            offset: 0,
            length: 1,
        }],
        positive_deltas: deltas.to_vec(),
        negative_deltas: vec![step],
        ..IntHistogram::default()
    }
}

fn histograms(steps: &[i64], hint: CounterResetHint, float: bool) -> Vec<Sample> {
    let values = steps.iter().map(|step| {
        let value = histogram(*step, hint);
        if float {
            HistogramValue::Float(value.to_float())
        } else {
            HistogramValue::Int(value)
        }
    });
    let times = (START_MS..).step_by(15_000);
    times
        .zip(values)
        .map(|(ts, value)| Sample::histogram(ts, value))
        .collect()
}

/// Everything that Prometheus 2.42 understands.
fn rich_model() -> Model {
    let mut model = Model::new();
    let floats = |value: fn(i64) -> f64| -> Vec<Sample> {
        let sample = |i: i64| Sample::float(START_MS + i * 15_000 + i % 3, value(i));
        (0..480).map(sample).collect()
    };
    for job in ["a", "b", "с-кириллицей"] {
        let job = ("job", job);
        model.insert(
            labels(&[("__name__", "counter"), job]),
            floats(|i| (i * 7) as f64),
        );
        model.insert(
            labels(&[("__name__", "gauge"), job]),
            floats(|i| (i as f64).sin()),
        );
    }
    let mut stale = floats(|_| 1.0);
    stale[100].value = SampleValue::Float(stale_nan());
    stale[101].value = SampleValue::Float(f64::NAN);
    stale[102].value = SampleValue::Float(f64::NEG_INFINITY);
    model.insert(labels(&[("__name__", "holes")]), stale);
    let rising: Vec<i64> = (1..=200).collect();
    let resets = [1, 2, 3, 1, 2, 5, 4, 9];
    let unknown = CounterResetHint::Unknown;
    let named = |name| labels(&[("__name__", name)]);
    model.insert(named("int_histogram"), histograms(&rising, unknown, false));
    model.insert(named("int_resets"), histograms(&resets, unknown, false));
    model.insert(named("float_histogram"), histograms(&rising, unknown, true));
    model.insert(named("float_resets"), histograms(&resets, unknown, true));
    model.insert(
        named("int_gauge"),
        histograms(&resets, CounterResetHint::Gauge, false),
    );
    model.insert(
        named("float_gauge"),
        histograms(&resets, CounterResetHint::Gauge, true),
    );
    model
}

fn rich_block(directory: &Path) -> BlockMeta {
    let spec = BlockSpec {
        min_time_ms: START_MS,
        max_time_ms: START_MS + 7_200_000,
        ..spec(ulid::Ulid::from_parts(START_MS as u64, 7).0)
    };
    write(directory, &rich_model(), spec)
}

fn float_of(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        _ => text.parse().unwrap(),
    }
}

#[test]
fn promtool_lists_analyzes_and_dumps_our_blocks() {
    if !is_installed("promtool") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let meta = rich_block(directory.path());
    let path = directory.path().to_str().unwrap();
    let list = promtool(&["tsdb", "list", path]);
    let row = list
        .lines()
        .find(|line| line.contains(&meta.ulid.to_string()))
        .unwrap();
    let fields: Vec<_> = row.split_whitespace().collect();
    let stats = meta.stats;
    for number in [stats.num_samples, stats.num_chunks, stats.num_series] {
        assert!(
            fields.contains(&number.to_string().as_str()),
            "{number} in {row}"
        );
    }
    let analysis = promtool(&["tsdb", "analyze", path]);
    assert!(analysis.contains("\nSeries: 13\n"), "{analysis}");

    let mut expected = BTreeSet::new();
    for (labels, samples) in &rich_model() {
        for sample in samples {
            if let SampleValue::Float(value) = sample.value {
                expected.insert((labels.to_string(), sample.ts_ms, format!("{value}")));
            }
        }
    }
    // It insists on a log.
    fs::create_dir(directory.path().join("wal")).unwrap();
    let dump = promtool(&["tsdb", "dump", path]);
    let found: BTreeSet<_> = dump
        .lines()
        .map(|line| {
            let (rest, ts) = line.rsplit_once(' ').unwrap();
            let (labels, value) = rest.rsplit_once(' ').unwrap();
            let value = format!("{}", float_of(value));
            (labels.to_owned(), ts.parse().unwrap(), value)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn blocks_that_promtool_makes_are_read() {
    if !is_installed("promtool") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("metrics.txt");
    let mut metrics = String::from("# TYPE requests counter\n");
    let mut expected = Model::new();
    for job in ["a", "b", "c"] {
        let key = labels(&[("__name__", "requests_total"), ("job", job)]);
        for step in 0..700 {
            let (ts_ms, value) = (START_MS + step * 30_000, step as f64 * 1.5);
            let seconds = ts_ms / 1000;
            writeln!(metrics, "requests_total{{job=\"{job}\"}} {value} {seconds}").unwrap();
            expected
                .entry(key.clone())
                .or_default()
                .push(Sample::float(ts_ms, value));
        }
    }
    metrics.push_str("# EOF\n");
    fs::write(&text, metrics).unwrap();
    let blocks = directory.path().join("blocks");
    let (text, path) = (text.to_str().unwrap(), blocks.to_str().unwrap());
    promtool(&["tsdb", "create-blocks-from", "openmetrics", text, path]);

    let cache = Arc::new(BlockCache::new(1 << 20));
    let mut found = Model::new();
    let mut names = DiskVfs.list(&blocks).unwrap();
    names.retain(|name| ulid::Ulid::from_string(name).is_ok());
    assert!(names.len() > 1, "{names:?}");
    let mut opened: Vec<_> = names
        .iter()
        .map(|name| Block::open(&disk(), &blocks.join(name), &cache).unwrap())
        .collect();
    opened.sort_by_key(|block| block.meta().min_time);
    for block in &opened {
        block.verify().unwrap();
        assert_eq!(block.meta().first_seq(), 0);
        for (labels, samples) in read_all(block, &[Matcher::equal("job", "b")], TimeRange::ALL) {
            found.entry(labels).or_default().extend(samples);
        }
    }
    expected.retain(|labels, _| labels.value("job") == "b");
    assert_eq!(found, expected);
    for block in &opened {
        check_same_bytes(block);
    }
}

/// Writes the block's samples anew and compares the files: chunks wholly, the index up to the label
/// indices, which Prometheus does not write any more.
fn check_same_bytes(block: &Block) {
    let directory = TempDir::new().unwrap();
    let samples = read_all(block, &[], TimeRange::ALL);
    let meta = write(directory.path(), &samples, spec(1));
    let ours = directory.path().join(meta.ulid.to_string());
    let both =
        |name: &str| [block.directory(), &ours].map(|path| fs::read(path.join(name)).unwrap());
    let [theirs, ours_chunks] = both("chunks/000001");
    assert!(theirs == ours_chunks, "chunks differ");
    let [theirs, ours_index] = both("index");
    let toc = theirs.len() - 52;
    let end = u64::from_be_bytes(theirs[toc + 16..toc + 24].try_into().unwrap()) as usize;
    assert!(
        theirs[..end] == ours_index[..end],
        "symbols or series differ"
    );
}

/// Checks that the server's answer for each series holds the samples of the model. Staleness markers
/// are not in it.
///
/// The series are asked for one by one: with many histograms in one answer Prometheus 2.42 mixes them
/// up.
fn check_answers(server: &Prometheus, model: &Model) {
    let time = START_MS / 1000 + 7200;
    for (labels, samples) in model {
        let query = encode_query(&format!("{labels}[3h]"));
        let answer = server.get(&format!("/api/v1/query?query={query}&time={time}"));
        let series = &answer["data"]["result"][0];
        let points = series["values"]
            .as_array()
            .or(series["histograms"].as_array())
            .unwrap();
        let samples: Vec<_> = samples.iter().filter(|sample| !sample.is_stale()).collect();
        assert_eq!(points.len(), samples.len(), "{labels}");
        for (point, sample) in points.iter().zip(samples) {
            let seconds = point[0].as_f64().unwrap();
            assert_eq!((seconds * 1000.0).round() as i64, sample.ts_ms, "{labels}");
            check_value(&point[1], &sample.value);
        }
    }
}

fn encode_query(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        write!(encoded, "%{byte:02x}").unwrap();
    }
    encoded
}

fn check_value(point: &Value, value: &SampleValue) {
    let number = |value: &Value| float_of(value.as_str().unwrap());
    match value {
        SampleValue::Float(value) => {
            let point = number(point);
            assert!(point == *value || (point.is_nan() && value.is_nan()));
        }
        SampleValue::Histogram(histogram) => {
            let histogram = histogram.to_float();
            assert_eq!(number(&point["count"]), histogram.count, "{point}");
            assert_eq!(number(&point["sum"]), histogram.sum);
            let buckets = point["buckets"].as_array().unwrap().iter();
            let counts: Vec<f64> = buckets.map(|bucket| number(&bucket[3])).collect();
            let mut expected = histogram.negative_buckets.clone();
            expected.reverse();
            expected.push(histogram.zero_count);
            expected.extend(&histogram.positive_buckets);
            assert_eq!(counts, expected);
        }
    }
}

#[test]
fn prometheus_answers_from_our_blocks_and_we_from_those_it_rewrites() {
    let directory = TempDir::new().unwrap();
    let meta = rich_block(directory.path());
    let Some(server) = Prometheus::start(directory.path()) else {
        return;
    };
    check_answers(&server, &rich_model());
    // Deleting and cleaning makes Prometheus write the block anew. It cannot cut gauge histograms.
    let end = START_MS / 1000 + 60;
    let selector = encode_query(r#"{__name__!~".*_gauge"}"#);
    server.post(&format!(
        "/api/v1/admin/tsdb/delete_series?match[]={selector}&end={end}"
    ));
    let ours = directory.path().join(meta.ulid.to_string());
    let cache = Arc::new(BlockCache::new(1 << 20));
    let mut expected = rich_model();
    for (labels, samples) in &mut expected {
        if !labels.metric_name().ends_with("_gauge") {
            samples.retain(|sample| sample.ts_ms > end * 1000);
        }
    }
    let with_tombstones = Block::open(&disk(), &ours, &cache).unwrap();
    assert!(with_tombstones.has_tombstones());
    check_same(&read_all(&with_tombstones, &[], TimeRange::ALL), &expected);

    server.post("/api/v1/admin/tsdb/clean_tombstones");
    let mut names = DiskVfs.list(directory.path()).unwrap();
    names.retain(|name| ulid::Ulid::from_string(name).is_ok());
    assert_ne!(names, [meta.ulid.to_string()]);
    let theirs = Block::open(&disk(), &directory.path().join(&names[0]), &cache).unwrap();
    theirs.verify().unwrap();
    check_same(&read_all(&theirs, &[], TimeRange::ALL), &expected);
}

/// Compares values and times; counter reset hints are the business of chunks.
fn check_same(found: &Model, expected: &Model) {
    assert!(found.keys().eq(expected.keys()));
    for (labels, samples) in found {
        let others = &expected[labels];
        assert_eq!(samples.len(), others.len(), "{labels}");
        for (sample, other) in samples.iter().zip(others) {
            assert_eq!(sample.ts_ms, other.ts_ms, "{labels}");
            assert!(sample.same_value(other), "{labels}: {sample:?} {other:?}");
        }
    }
}
