//! The store against a map, over any history of writes, crashes and restarts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use obsq_model::{Clock as _, MatchOp, SampleColumns, SampleValue, Tenant, TimeRange};
use proptest::prelude::*;

use super::bench::{Bench, NOW_MS, floats};

#[derive(Debug, Clone)]
enum Step {
    /// Appends to a series: times relative to now, each with a value.
    Append(u8, Vec<(i64, u8)>),
    Crash,
    Restart,
    Tear(Vec<u8>),
    Flush,
    /// Deletes from the series of a number and above: times relative to now.
    Delete(u8, i64, i64),
    Clean,
    Tick(i64),
    DiskFull,
}

fn step() -> impl Strategy<Value = Step> {
    let recent = (-200_i64..200, 0_u8..4);
    let old = (-20_000_000_i64..200, 0_u8..4);
    let ancient = prop_oneof![Just(-NOW_MS), Just(-NOW_MS - 1), -NOW_MS * 2..0];
    let ancient = (ancient, 0_u8..4);
    prop_oneof![
        6 => (0_u8..4, proptest::collection::vec(recent, 1..40))
            .prop_map(|(series, samples)| Step::Append(series, samples)),
        3 => (0_u8..4, proptest::collection::vec(old, 1..200))
            .prop_map(|(series, samples)| Step::Append(series, samples)),
        1 => (0_u8..4, proptest::collection::vec(ancient, 1..10))
            .prop_map(|(series, samples)| Step::Append(series, samples)),
        2 => Just(Step::Crash),
        1 => Just(Step::Restart),
        1 => proptest::collection::vec(any::<u8>(), 1..200).prop_map(Step::Tear),
        1 => Just(Step::Flush),
        2 => (0_u8..4, -20_000_000_i64..200, 0_i64..5_000_000)
            .prop_map(|(series, start, length)| Step::Delete(series, start, length)),
        1 => (0_u8..4, -300_i64..200, 0_i64..200)
            .prop_map(|(series, start, length)| Step::Delete(series, start, length)),
        1 => Just(Step::Clean),
        2 => (0_i64..9_000_000).prop_map(Step::Tick),
        1 => Just(Step::DiskFull),
    ]
}

/// Appends garbage, zeros or a piece of the file itself to the newest segment.
fn tear(bench: &Bench, bytes: &[u8]) {
    let directory = bench.directory.path().join("data/wal/metrics");
    let entries = std::fs::read_dir(&directory).unwrap();
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with('0'))
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let Some(newest) = paths.filter(is_segment).max() else {
        return;
    };
    let mut content = std::fs::read(&newest).unwrap();
    match bytes[0] % 3 {
        0 => content.extend_from_slice(bytes),
        1 => content.resize(content.len() + bytes.len(), 0),
        _ => {
            let from = content.len().saturating_sub(bytes.len() * 8);
            content.extend_from_within(from..);
        }
    }
    std::fs::write(&newest, content).unwrap();
}

type Model = BTreeMap<u8, BTreeMap<i64, u64>>;

fn check(bench: &Bench, model: &Model) {
    for (series, samples) in model {
        let stored: Vec<(i64, u64)> = bench
            .samples(&series.to_string())
            .into_iter()
            .map(|sample| match sample.value {
                SampleValue::Float(value) => (sample.ts_ms, value.to_bits()),
                SampleValue::Histogram(_) => panic!("no histograms here"),
            })
            .collect();
        let expected: Vec<_> = samples.iter().map(|(ts, bits)| (*ts, *bits)).collect();
        assert_eq!(stored, expected, "series {series}");
    }
    let set = bench.select(vec![], TimeRange::ALL);
    let filled = model.values().filter(|samples| !samples.is_empty());
    assert!(set.len() >= filled.count());
    let range = TimeRange::new(NOW_MS - 100, NOW_MS + 100);
    let mut columns = SampleColumns::default();
    let mut counted = 0;
    for index in 0..set.len() {
        set.read(index, range, &mut columns).unwrap();
        assert!(columns.float_ts.iter().all(|ts| range.contains(*ts)));
        counted += columns.len();
    }
    let within = model
        .values()
        .flat_map(BTreeMap::keys)
        .filter(|ts| range.contains(**ts));
    assert_eq!(counted, within.count());
}

fn run(steps: Vec<Step>) {
    let mut bench = Bench::new();
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Append(series, samples) => {
                let now_ms = bench.clock.now_ms();
                let samples: Vec<_> = samples
                    .into_iter()
                    .map(|(at, value)| (now_ms + at, f64::from(value)))
                    .collect();
                let batch = vec![floats(&series.to_string(), &samples)];
                let (accepted, rejected) = bench.write(batch).unwrap();
                assert_eq!(accepted + rejected, samples.len());
                let known = model.entry(series).or_default();
                for (ts_ms, value) in samples {
                    known.entry(ts_ms).or_insert(value.to_bits());
                }
            }
            Step::Crash => bench.crash(),
            Step::Restart => bench.restart(),
            Step::Tear(bytes) => {
                tear(&bench, &bytes);
                bench.crash();
            }
            Step::Flush => bench.store().flush().unwrap(),
            Step::Delete(series, start, length) => {
                let start_ms = bench.clock.now_ms() + start;
                let range = TimeRange::new(start_ms, start_ms + length);
                let regex = format!("[{series}-9]");
                bench.delete("n", MatchOp::Regex, &regex, range).unwrap();
                for (_number, samples) in model.range_mut(series..) {
                    samples.retain(|ts_ms, _value| !range.contains(*ts_ms));
                }
            }
            Step::Clean => {
                bench
                    .store()
                    .clean_tombstones(&Tenant::anonymous())
                    .unwrap();
            }
            Step::Tick(passed) => {
                bench.clock.advance_ms(passed);
                bench.store().tick().unwrap();
            }
            Step::DiskFull => {
                bench.faults.full.store(true, Ordering::SeqCst);
                bench
                    .write(vec![floats("9", &[(NOW_MS, 1.0)])])
                    .unwrap_err();
                bench.faults.full.store(false, Ordering::SeqCst);
                // It was visible, and the repeat makes it durable.
                bench.write(vec![floats("9", &[(NOW_MS, 1.0)])]).unwrap();
                model.entry(9).or_default().insert(NOW_MS, 1_f64.to_bits());
            }
        }
        check(&bench, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_acknowledged_sample_is_there_exactly_once(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        run(steps);
    }
}
