//! Blocks written and read again, against a model that is a map.

mod damage;
mod interchange;
mod model;
mod prometheus;
mod seal_order;
mod version1;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use obsq_encoding::encode_chunks;
use obsq_model::{LabelPattern, Labels, Matcher, Sample, SampleColumns, TimeRange};
use obsq_wal::{DiskVfs, Vfs};
use tempfile::TempDir;

use super::*;

/// Samples by series, which is what a block is.
pub(crate) type Model = BTreeMap<Labels, Vec<Sample>>;

pub(crate) fn disk() -> Arc<dyn Vfs> {
    Arc::new(DiskVfs)
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs)
}

pub(crate) fn floats(range: std::ops::Range<i64>, step: i64) -> Vec<Sample> {
    let times = range.step_by(step as usize);
    times.map(|ts| Sample::float(ts, ts as f64 / 8.0)).collect()
}

/// Writes the model as a block and returns its meta.
pub(crate) fn write(parent: &Path, model: &Model, spec: BlockSpec) -> BlockMeta {
    let mut writer = BlockWriter::create(&disk(), parent, spec).unwrap();
    for (labels, samples) in model {
        writer.add_series(labels, &encode_chunks(samples)).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn open(parent: &Path, meta: &BlockMeta) -> Block {
    let cache = Arc::new(BlockCache::new(1 << 20));
    Block::open(&disk(), &parent.join(meta.ulid.to_string()), &cache).unwrap()
}

pub(crate) fn spec(number: u128) -> BlockSpec {
    BlockSpec {
        ulid: ulid::Ulid(number),
        first_seq: 1,
        ..BlockSpec::default()
    }
}

/// Reads all samples of the series that the matchers select.
pub(crate) fn read_all(block: &Block, matchers: &[Matcher], range: TimeRange) -> Model {
    let mut found = Model::new();
    for series in block.select(matchers, range).unwrap() {
        let mut samples = Vec::new();
        block.read_exact(&series, range, &mut samples).unwrap();
        found.insert(series.labels, samples);
    }
    found
}

/// A pattern that offers the shortcuts it is told to.
#[derive(Debug)]
struct TestPattern {
    literals: Option<Vec<String>>,
    prefix: String,
    contains: String,
}

impl LabelPattern for TestPattern {
    fn is_match(&self, value: &str) -> bool {
        match &self.literals {
            Some(literals) => literals.iter().any(|literal| literal == value),
            None => value.starts_with(&self.prefix) && value.contains(&self.contains),
        }
    }

    fn literals(&self) -> Option<&[String]> {
        self.literals.as_deref()
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }
}

fn set_matcher(name: &str, literals: &[&str], negative: bool) -> Matcher {
    let mut literals: Vec<_> = literals.iter().map(|text| (*text).to_owned()).collect();
    literals.sort();
    let text = literals.join("|");
    let pattern = TestPattern {
        literals: Some(literals),
        prefix: String::new(),
        contains: String::new(),
    };
    Matcher::regex(name, &text, negative, Arc::new(pattern))
}

fn prefix_matcher(name: &str, prefix: &str, contains: &str, negative: bool) -> Matcher {
    let pattern = TestPattern {
        literals: None,
        prefix: prefix.to_owned(),
        contains: contains.to_owned(),
    };
    let text = format!("{prefix}.*{contains}.*");
    Matcher::regex(name, &text, negative, Arc::new(pattern))
}

pub(crate) fn small_model() -> Model {
    Model::from([
        (
            labels(&[("__name__", "up"), ("job", "a")]),
            floats(0..3000, 10),
        ),
        (
            labels(&[("__name__", "up"), ("job", "b")]),
            floats(1000..1100, 10),
        ),
        (labels(&[("__name__", "down")]), floats(5000..5100, 50)),
    ])
}

#[test]
fn a_block_has_the_files_of_the_format_and_no_others() {
    let directory = TempDir::new().unwrap();
    let meta = write(directory.path(), &small_model(), spec(1));
    assert_eq!(
        DiskVfs.list(directory.path()).unwrap(),
        [meta.ulid.to_string()]
    );
    let block = directory.path().join(meta.ulid.to_string());
    let names = DiskVfs.list(&block).unwrap();
    assert_eq!(names, ["chunks", "index", "meta.json", "tombstones"]);
    assert_eq!(DiskVfs.list(&block.join("chunks")).unwrap(), ["000001"]);
    assert_eq!((meta.min_time, meta.max_time), (0, 5051));
    let stats = meta.stats;
    assert_eq!(
        (stats.num_series, stats.num_samples, stats.num_chunks),
        (3, 312, 5)
    );
    assert_eq!(BlockMeta::read(&DiskVfs, &block).unwrap(), meta);
    for file in meta.obsq.unwrap().files {
        let bytes = std::fs::read(block.join(&file.path)).unwrap();
        let found = (bytes.len() as u64, obsq_encoding::crc32c(&bytes));
        assert_eq!(found, (file.size, file.crc32c), "{}", file.path);
    }
}

#[test]
fn an_unfinished_block_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let mut writer = BlockWriter::create(&disk(), directory.path(), spec(1)).unwrap();
    let chunks = encode_chunks(&floats(0..100, 10));
    writer.add_series(&labels(&[("a", "b")]), &chunks).unwrap();
    drop(writer);
    assert!(DiskVfs.list(directory.path()).unwrap().is_empty());
}

#[test]
fn series_out_of_order_and_overlapping_chunks_are_refused() {
    let directory = TempDir::new().unwrap();
    let mut writer = BlockWriter::create(&disk(), directory.path(), spec(1)).unwrap();
    let chunks = encode_chunks(&floats(0..3000, 10));
    writer.add_series(&labels(&[("a", "b")]), &chunks).unwrap();
    let error = writer
        .add_series(&labels(&[("a", "a")]), &chunks)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"series {a="a"} does not follow {a="b"}"#
    );
    let twice = [chunks[0].clone(), chunks[0].clone()];
    let error = writer
        .add_series(&labels(&[("a", "c")]), &twice)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"chunks of series {a="c"} overlap at 0"#
    );
}

#[test]
fn chunks_go_on_in_the_next_segment() {
    let directory = TempDir::new().unwrap();
    let mut writer = BlockWriter::create(&disk(), directory.path(), spec(1)).unwrap();
    writer.set_max_segment_bytes(2000);
    let mut model = Model::new();
    for job in ["a", "b", "c"] {
        model.insert(labels(&[("job", job)]), floats(0..8000, 7));
    }
    for (labels, samples) in &model {
        writer.add_series(labels, &encode_chunks(samples)).unwrap();
    }
    let meta = writer.finish().unwrap();
    assert!(meta.obsq.as_ref().unwrap().files.len() > 3);
    let block = open(directory.path(), &meta);
    assert_eq!(read_all(&block, &[], TimeRange::ALL), model);
    block.verify().unwrap();
}

#[test]
fn reads_are_cut_to_the_range() {
    let directory = TempDir::new().unwrap();
    let meta = write(directory.path(), &small_model(), spec(1));
    let block = open(directory.path(), &meta);
    let range = TimeRange::new(1195, 1215);
    let series = block.select(&[], range).unwrap();
    assert_eq!(series.len(), 1, "the other series have no chunk there");
    let mut columns = SampleColumns::default();
    block.read(&series[0], range, &mut columns).unwrap();
    assert_eq!(columns.float_ts, [1200, 1210]);
    assert_eq!(columns.floats, [150.0, 151.25]);
    let chunks = block.read_chunks(&series[0], range).unwrap();
    assert_eq!(
        (chunks.len(), chunks[0].min_ts_ms, chunks[0].samples),
        (1, 1200, 120)
    );
    assert!(
        block
            .select(&[], TimeRange::new(6000, 7000))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn matchers_select_as_label_sets_say() {
    let directory = TempDir::new().unwrap();
    let mut model = Model::new();
    for number in 0..200 {
        let value = format!("host-{number:03}");
        let mut pairs = vec![("__name__", "m"), ("instance", value.as_str())];
        if number % 3 == 0 {
            pairs.push(("zone", if number % 2 == 0 { "east" } else { "west" }));
        }
        model.insert(labels(&pairs), floats(0..100, 50));
    }
    let meta = write(directory.path(), &model, spec(1));
    let block = open(directory.path(), &meta);
    let cases = [
        vec![Matcher::equal("instance", "host-007")],
        vec![Matcher::equal("instance", "host-7")],
        vec![Matcher::equal("zone", "")],
        vec![Matcher::not_equal("zone", "")],
        vec![Matcher::not_equal("zone", "east")],
        vec![Matcher::equal("none", ""), Matcher::equal("zone", "west")],
        vec![
            Matcher::not_equal("none", "x"),
            Matcher::equal("zone", "west"),
        ],
        vec![set_matcher(
            "instance",
            &["host-001", "host-150", "x"],
            false,
        )],
        vec![set_matcher("zone", &["", "east"], false)],
        vec![set_matcher("zone", &["", "east"], true)],
        vec![set_matcher("zone", &["east"], true)],
        vec![prefix_matcher("instance", "host-0", "5", false)],
        vec![prefix_matcher("instance", "host-1", "", true)],
        vec![prefix_matcher("zone", "", "", false)],
        vec![prefix_matcher("zone", "", "", true)],
        vec![
            Matcher::equal("__name__", "m"),
            prefix_matcher("instance", "host-0", "", false),
            Matcher::not_equal("zone", "west"),
        ],
        vec![],
    ];
    for matchers in cases {
        let fits = |labels: &Labels| {
            matchers
                .iter()
                .all(|matcher| matcher.matches(labels.value(matcher.name())))
        };
        let expected: Vec<_> = model
            .keys()
            .filter(|labels| fits(labels))
            .cloned()
            .collect();
        let found = block.select(&matchers, TimeRange::ALL).unwrap();
        let found: Vec<_> = found.into_iter().map(|series| series.labels).collect();
        assert_eq!(found, expected, "{matchers:?}");
    }
    let zones = block.label_values("zone", &[], TimeRange::ALL).unwrap();
    assert_eq!(zones, ["east", "west"]);
    let instances = block.label_values("instance", &[], TimeRange::ALL).unwrap();
    assert_eq!(instances.len(), 200);
    let host = [Matcher::equal("instance", "host-001")];
    let names = block.label_names(&host, TimeRange::ALL).unwrap();
    assert_eq!(names, ["__name__", "instance"]);
    assert!(
        block
            .label_values("zone", &host, TimeRange::ALL)
            .unwrap()
            .is_empty()
    );
    let names = block.label_names(&[], TimeRange::ALL).unwrap();
    assert_eq!(names, ["__name__", "instance", "zone"]);
}

#[test]
fn deleted_samples_are_gone_at_once_and_after_opening_again() {
    let directory = TempDir::new().unwrap();
    let meta = write(directory.path(), &small_model(), spec(1));
    let block = open(directory.path(), &meta);
    let job_a = [Matcher::equal("job", "a")];
    assert_eq!(block.delete(&job_a, TimeRange::new(100, 2889)).unwrap(), 1);
    let down = [Matcher::equal("__name__", "down")];
    assert_eq!(block.delete(&down, TimeRange::ALL).unwrap(), 1);
    assert_eq!(block.delete(&down, TimeRange::ALL).unwrap(), 0);

    let mut expected = small_model();
    expected.remove(&labels(&[("__name__", "down")]));
    let samples = expected
        .get_mut(&labels(&[("__name__", "up"), ("job", "a")]))
        .unwrap();
    samples.retain(|sample| !(100..=2889).contains(&sample.ts_ms));
    for block in [&block, &open(directory.path(), &meta)] {
        assert!(block.has_tombstones());
        assert_eq!(read_all(block, &[], TimeRange::ALL), expected);
        let series = &block.select(&job_a, TimeRange::ALL).unwrap()[0];
        let mut columns = SampleColumns::default();
        block.read(series, TimeRange::ALL, &mut columns).unwrap();
        let times: Vec<_> = (0..100)
            .step_by(10)
            .chain((2890..3000).step_by(10))
            .collect();
        assert_eq!(columns.float_ts, times);
        let chunks = block.read_chunks(series, TimeRange::ALL).unwrap();
        let samples: u16 = chunks.iter().map(|chunk| chunk.samples).sum();
        assert_eq!(usize::from(samples), times.len());
    }
}

#[test]
fn a_small_cache_serves_many_blocks() {
    let directory = TempDir::new().unwrap();
    let cache = Arc::new(BlockCache::new(200 << 10));
    let blocks: Vec<_> = (1..20)
        .map(|number| {
            let meta = write(directory.path(), &small_model(), spec(number));
            let path = directory.path().join(meta.ulid.to_string());
            Block::open(&disk(), &path, &cache).unwrap()
        })
        .collect();
    for block in blocks.iter().chain(&blocks) {
        assert_eq!(read_all(block, &[], TimeRange::ALL), small_model());
        assert!(cache.size_bytes() <= 200 << 10);
    }
}
