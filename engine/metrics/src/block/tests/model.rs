//! Any block reads as it was written.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn any_model() -> impl Strategy<Value = Model> {
    let value = prop_oneof![Just("x".to_owned()), "[a-c]{1,2}", "\\PC{1,6}"];
    let series = btree_map("[a-d]|\\PC{1,3}", value, 1..5);
    let samples = vec((1_i64..2_000_000, any::<f64>()), 1..300);
    vec((series, samples), 0..12).prop_map(|series| {
        series
            .into_iter()
            .map(|(pairs, steps)| {
                let pairs: Vec<_> = pairs.into_iter().collect();
                let mut ts_ms = -1_000_000;
                let samples = steps.into_iter().map(|(step, value)| {
                    ts_ms += step;
                    Sample::float(ts_ms, value)
                });
                (Labels::from_pairs(&pairs), samples.collect())
            })
            .collect()
    })
}

fn same(a: &Model, b: &Model) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((labels, samples), (other, others))| {
            labels == other
                && samples.len() == others.len()
                && samples
                    .iter()
                    .zip(others)
                    .all(|(sample, other)| sample.ts_ms == other.ts_ms && sample.same_value(other))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_block_reads_as_it_was_written(
        model in any_model(),
        name in "[a-d]",
        value in "[a-c]{0,2}|x",
        negative: bool,
        (start, length) in (-2_000_000_i64..50_000_000, 0_i64..50_000_000),
    ) {
        let directory = TempDir::new().unwrap();
        let meta = write(directory.path(), &model, spec(1));
        let block = open(directory.path(), &meta);
        prop_assert!(same(&read_all(&block, &[], TimeRange::ALL), &model));
        block.verify().unwrap();

        let matcher = if negative {
            Matcher::not_equal(&name, &value)
        } else {
            Matcher::equal(&name, &value)
        };
        let range = TimeRange::new(start, start + length);
        let mut expected = model.clone();
        expected.retain(|labels, samples| {
            samples.retain(|sample| range.contains(sample.ts_ms));
            matcher.matches(labels.value(&name)) && !samples.is_empty()
        });
        let mut found = read_all(&block, &[matcher], range);
        // A chunk may overlap the range without a sample in it.
        found.retain(|_, samples| !samples.is_empty());
        prop_assert!(same(&found, &expected));
    }
}
