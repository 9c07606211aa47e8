use super::*;
use crate::block::BlockCache;
use crate::block::tests::{Model, disk, floats, labels, open, read_all, spec, write};
use obsq_encoding::{Encoding, encode_chunks};
use obsq_model::{FloatHistogram, HistogramValue, Matcher, Sample};
use obsq_wal::DiskVfs;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tempfile::TempDir;

fn keep_on() -> bool {
    false
}

/// Writes the models as blocks, the first of which wins, and merges them.
fn merged(models: &[Model]) -> (TempDir, Option<BlockMeta>) {
    let directory = TempDir::new().unwrap();
    let mut blocks = Vec::new();
    for (number, model) in (1..).zip(models) {
        let spec = BlockSpec {
            first_seq: number as u64 * 10,
            ..spec(1000 - number)
        };
        let meta = write(directory.path(), model, spec);
        blocks.push(Arc::new(open(directory.path(), &meta)));
    }
    blocks.reverse();
    let vfs = disk();
    let meta = compact(&vfs, directory.path(), &blocks, Ulid(5000), &keep_on).unwrap();
    (directory, meta)
}

fn naive(models: &[Model]) -> Model {
    let mut all: BTreeMap<Labels, BTreeMap<i64, Sample>> = BTreeMap::new();
    for (labels, samples) in models.iter().rev().flatten() {
        let by_time = all.entry(labels.clone()).or_default();
        by_time.extend(samples.iter().map(|sample| (sample.ts_ms, sample.clone())));
    }
    let flat = |(labels, samples): (Labels, BTreeMap<i64, Sample>)| {
        (labels, samples.into_values().collect::<Vec<_>>())
    };
    all.into_iter()
        .map(flat)
        .filter(|(_, samples)| !samples.is_empty())
        .collect()
}

fn check(models: &[Model]) -> BlockMeta {
    let (directory, meta) = merged(models);
    let meta = meta.unwrap();
    let block = open(directory.path(), &meta);
    block.verify().unwrap();
    assert_eq!(read_all(&block, &[], TimeRange::ALL), naive(models));
    meta
}

fn job(name: &str) -> Labels {
    labels(&[("__name__", "m"), ("job", name)])
}

#[test]
fn neighbours_are_joined_and_their_ancestry_kept() {
    let first = Model::from([
        (job("a"), floats(0..1000, 5)),
        (job("b"), floats(0..1000, 5)),
    ]);
    let second = Model::from([
        (job("a"), floats(1000..2000, 5)),
        (job("c"), floats(1000..2000, 5)),
    ]);
    let meta = check(&[first, second]);
    assert_eq!((meta.min_time, meta.max_time), (0, 1996));
    assert_eq!(meta.compaction.level, 2);
    assert_eq!(meta.compaction.sources, [Ulid(998), Ulid(999)]);
    let parents: Vec<_> = meta
        .compaction
        .parents
        .iter()
        .map(|parent| parent.ulid)
        .collect();
    assert_eq!(parents, [Ulid(999), Ulid(998)]);
    assert_eq!(meta.first_seq(), 10);
    // 200 samples per series and block are two chunks each, which stay.
    assert_eq!(meta.stats.num_chunks, 8);
}

#[test]
fn of_two_values_that_of_the_lower_sequence_number_stays() {
    let value = |value: f64| {
        let samples = (0..300).map(|i| Sample::float(i * 1000, value)).collect();
        Model::from([(job("a"), samples)])
    };
    let models = [value(1.0), value(2.0), value(3.0)];
    let (directory, meta) = merged(&models);
    let block = open(directory.path(), &meta.unwrap());
    assert_eq!(read_all(&block, &[], TimeRange::ALL), models[0]);
}

#[test]
fn interleaved_samples_are_merged_one_by_one() {
    let even = Model::from([(job("a"), floats(0..10_000, 10))]);
    let odd = Model::from([(job("a"), floats(5..10_000, 10))]);
    let sparse = Model::from([(job("a"), floats(3..10_000, 1000))]);
    let meta = check(&[even, odd, sparse]);
    assert_eq!(meta.stats.num_samples, 2010);
}

#[test]
fn deleted_samples_are_left_out_for_good() {
    let directory = TempDir::new().unwrap();
    let model = Model::from([
        (job("a"), floats(0..1000, 5)),
        (job("b"), floats(0..1000, 5)),
    ]);
    let meta = write(directory.path(), &model, spec(1));
    let block = Arc::new(open(directory.path(), &meta));
    let (a, b) = ([Matcher::equal("job", "a")], [Matcher::equal("job", "b")]);
    block.delete(&a, TimeRange::new(100, 10_000)).unwrap();
    block.delete(&b, TimeRange::ALL).unwrap();
    let blocks = [Arc::clone(&block)];
    let vfs = disk();
    let merged = compact(&vfs, directory.path(), &blocks, Ulid(2), &keep_on)
        .unwrap()
        .unwrap();
    let merged = open(directory.path(), &merged);
    assert!(!merged.has_tombstones());
    let expected = Model::from([(job("a"), floats(0..100, 5))]);
    assert_eq!(read_all(&merged, &[], TimeRange::ALL), expected);

    block.delete(&a, TimeRange::ALL).unwrap();
    let nothing = compact(&vfs, directory.path(), &blocks, Ulid(3), &keep_on).unwrap();
    assert_eq!(nothing, None);
    let names = vfs.list(directory.path()).unwrap();
    assert_eq!(names, [Ulid(1).to_string(), Ulid(2).to_string()]);
}

#[test]
fn a_stopped_compaction_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let model = Model::from([(job("a"), floats(0..1000, 5))]);
    let meta = write(directory.path(), &model, spec(1));
    let blocks = [Arc::new(open(directory.path(), &meta))];
    let stopped = compact(&disk(), directory.path(), &blocks, Ulid(2), &|| true);
    assert!(matches!(stopped, Err(Error::Stopped)));
    assert_eq!(
        DiskVfs.list(directory.path()).unwrap(),
        [Ulid(1).to_string()]
    );
}

#[test]
fn a_histogram_chunk_with_a_new_neighbour_forgets_what_lay_before() {
    let histogram = |ts, count: f64| {
        let value = FloatHistogram {
            count,
            zero_count: count,
            ..FloatHistogram::default()
        };
        Sample::histogram(ts, HistogramValue::Float(value))
    };
    let rising: Vec<_> = (0..240).map(|i| histogram(i * 1000, i as f64)).collect();
    let chunks = encode_chunks(&rising);
    assert_eq!(
        chunks[1].bytes[2], 0b0100_0000,
        "no reset before the second chunk"
    );
    // Between the two chunks lies a sample of another block.
    let between = encode_chunks(&[histogram(119_500, 1000.0)]);
    let merged = merge_chunks(vec![chunks, between]).unwrap();
    assert_eq!(merged.len(), 3);
    assert_eq!(merged[2].encoding, Encoding::FloatHistogram);
    assert_eq!(merged[2].bytes[2], 0);
}

fn any_models() -> impl Strategy<Value = Vec<Model>> {
    let samples = (0_i64..3000, vec((1_i64..20, 0_u8..3), 0..200)).prop_map(|(start, steps)| {
        let mut ts_ms = start;
        let samples = steps.into_iter().map(|(step, value)| {
            ts_ms += step;
            Sample::float(ts_ms, f64::from(value))
        });
        samples.collect::<Vec<_>>()
    });
    let model = btree_map("[a-d]", samples, 1..4).prop_map(|series| {
        series
            .into_iter()
            .map(|(name, samples)| (job(&name), samples))
            .collect()
    });
    vec(model, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_blocks_merge_like_maps(models in any_models()) {
        let expected = naive(&models);
        let (directory, meta) = merged(&models);
        prop_assert_eq!(meta.is_none(), expected.is_empty());
        if let Some(meta) = meta {
            let block = open(directory.path(), &meta);
            prop_assert_eq!(read_all(&block, &[], TimeRange::ALL), expected);
        }
    }

    #[test]
    fn merging_in_two_steps_is_merging_in_one(models in any_models()) {
        let encoded = |models: &[Model]| -> Vec<Vec<EncodedChunk>> {
            models
                .iter()
                .map(|model| encode_chunks(model.values().next().map_or(&[], Vec::as_slice)))
                .collect()
        };
        let decoded = |chunks: Vec<EncodedChunk>| -> Vec<Sample> {
            chunks
                .iter()
                .flat_map(|chunk| obsq_encoding::decode_samples(chunk.encoding, &chunk.bytes).unwrap())
                .collect()
        };
        let once = merge_chunks(encoded(&models)).unwrap();
        let (head, tail) = models.split_at(models.len() / 2);
        let halves = vec![
            merge_chunks(encoded(head)).unwrap(),
            merge_chunks(encoded(tail)).unwrap(),
        ];
        prop_assert_eq!(decoded(once), decoded(merge_chunks(halves).unwrap()));
    }
}

#[test]
fn the_cache_is_shared_without_mixing_blocks() {
    let directory = TempDir::new().unwrap();
    let cache = Arc::new(BlockCache::new(1 << 20));
    let open = |number: u128, name: &str| {
        let model = Model::from([(job(name), floats(0..100, 5))]);
        let meta = write(directory.path(), &model, spec(number));
        let path = directory.path().join(meta.ulid.to_string());
        Arc::new(Block::open(&disk(), &path, &cache).unwrap())
    };
    let blocks = [open(1, "a"), open(2, "b")];
    let meta = compact(&disk(), directory.path(), &blocks, Ulid(3), &keep_on)
        .unwrap()
        .unwrap();
    assert_eq!(meta.stats.num_series, 2);
}
