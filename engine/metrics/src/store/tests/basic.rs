use std::sync::atomic::Ordering;

use obsq_model::{
    BucketSpan, Exemplar, HistogramValue, IntHistogram, Labels, Matcher, MetricMetadata, Sample,
    SampleColumns, Tenant, TimeRange, is_stale_nan, stale_nan,
};
use obsq_source::{
    Error, MetricAppender as _, MetricBatch, MetricSource as _, RejectReason, SeriesBatch,
};

use super::bench::{Bench, NOW_MS, everything, floats, labels};

fn values(samples: &[Sample]) -> Vec<(i64, f64)> {
    let value = |sample: &Sample| match &sample.value {
        obsq_model::SampleValue::Float(value) => (sample.ts_ms, *value),
        obsq_model::SampleValue::Histogram(h) => (sample.ts_ms, h.sum()),
    };
    samples.iter().map(value).collect()
}

#[test]
fn what_was_written_is_read_before_and_after_a_crash() {
    let mut bench = Bench::new();
    let written: Vec<_> = (0..500).map(|i| (NOW_MS + i * 1000, i as f64)).collect();
    bench
        .write(vec![floats("a", &written), floats("b", &[(NOW_MS, 7.0)])])
        .unwrap();
    for _round in 0..3 {
        assert_eq!(values(&bench.samples("a")), written);
        assert_eq!(values(&bench.samples("b")), [(NOW_MS, 7.0)]);
        bench.crash();
    }
    assert_eq!(bench.store().stats().replayed_records, 1);
    bench.restart();
    assert_eq!(values(&bench.samples("a")), written);
}

#[test]
fn the_first_value_wins_and_a_repeat_is_accepted() {
    let mut bench = Bench::new();
    let written: Vec<_> = (0..300).map(|i| (NOW_MS + i, i as f64)).collect();
    assert_eq!(bench.write(vec![floats("a", &written)]).unwrap(), (300, 0));
    assert_eq!(bench.write(vec![floats("a", &written)]).unwrap(), (300, 0));
    for at in [0, 5, 299] {
        let appended = bench.append(vec![floats("a", &[(NOW_MS + at, -1.0)])]);
        assert_eq!((appended.samples, appended.rejected), (0, 1), "{at}");
        assert_eq!(appended.rejections[0].reason, RejectReason::DuplicateSample);
        appended.durable.wait_blocking().unwrap();
    }
    assert_eq!(values(&bench.samples("a")), written);
    bench.crash();
    assert_eq!(values(&bench.samples("a")), written);
}

#[test]
fn of_two_values_in_one_batch_the_first_stays() {
    let mut bench = Bench::new();
    let batch = || floats("a", &[(NOW_MS, 1.0), (NOW_MS, 2.0), (NOW_MS, 1.0)]);
    assert_eq!(bench.write(vec![batch()]).unwrap(), (2, 1));
    bench.crash();
    assert_eq!(values(&bench.samples("a")), [(NOW_MS, 1.0)]);
}

#[test]
fn late_samples_of_any_age_are_there_at_once_and_survive() {
    let mut bench = Bench::new();
    let times = [NOW_MS, 0, -1_000_000, NOW_MS - 5, 5, -62_135_596_800_000];
    for (index, ts_ms) in times.iter().enumerate() {
        bench
            .write(vec![floats("a", &[(*ts_ms, index as f64)])])
            .unwrap();
    }
    let mut expected: Vec<_> = times
        .iter()
        .enumerate()
        .map(|(i, ts)| (*ts, i as f64))
        .collect();
    expected.sort_by_key(|sample| sample.0);
    assert_eq!(values(&bench.samples("a")), expected);
    let appended = bench.append(vec![floats("a", &[(0, 9.0)])]);
    assert_eq!(appended.rejected, 1);
    bench.crash();
    assert_eq!(values(&bench.samples("a")), expected);
}

#[test]
fn times_outside_what_can_be_kept_are_refused_and_the_rest_is_stored() {
    let bench = Bench::with(|options| options.retention.time_ms = Some(1000));
    let ahead = NOW_MS + 600_000;
    let tried = [
        NOW_MS - 1001,
        NOW_MS - 1000,
        ahead,
        ahead + 1,
        i64::MIN,
        i64::MAX,
    ];
    let tried: Vec<_> = tried.iter().map(|ts| (*ts, 1.0)).collect();
    let appended = bench.append(vec![floats("a", &tried)]);
    assert_eq!((appended.samples, appended.rejected), (2, 4));
    let reasons: Vec<_> = appended
        .rejections
        .iter()
        .map(|r| r.reason.clone())
        .collect();
    let expected = [
        RejectReason::BeforeRetention,
        RejectReason::TooFarInFuture,
        RejectReason::OutOfRange,
        RejectReason::OutOfRange,
    ];
    assert_eq!(reasons, expected);
    let rejected = bench.store().stats().rejected;
    assert_eq!((rejected.out_of_range, rejected.before_retention), (2, 1));
}

#[test]
fn a_stale_marker_behind_a_histogram_becomes_a_stale_histogram() {
    let mut bench = Bench::new();
    let histogram = HistogramValue::Int(IntHistogram {
        count: 3,
        zero_count: 3,
        ..IntHistogram::default()
    });
    let batch = SeriesBatch {
        labels: labels("h"),
        samples: vec![
            Sample::float(NOW_MS - 1, 1.0),
            Sample::histogram(NOW_MS, histogram),
            Sample::float(NOW_MS + 1, stale_nan()),
        ]
        .into(),
        exemplars: Vec::new(),
    };
    bench.write(vec![batch.clone()]).unwrap();
    assert_eq!(bench.write(vec![batch]).unwrap(), (3, 0));
    for _round in 0..2 {
        let set = bench.select(vec![], TimeRange::ALL);
        let mut columns = SampleColumns::default();
        set.read(0, TimeRange::ALL, &mut columns).unwrap();
        assert_eq!(columns.float_ts, [NOW_MS - 1]);
        assert_eq!(columns.histogram_ts, [NOW_MS, NOW_MS + 1]);
        assert!(is_stale_nan(columns.histograms[1].sum));
        drop(set);
        bench.crash();
    }
}

#[test]
fn start_timestamps_exemplars_and_metadata_survive() {
    let mut bench = Bench::new();
    let mut series = floats("a", &[(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]);
    series.samples[1].start_ts_ms = NOW_MS - 50;
    series.exemplars.push(Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "x")]),
        value: 0.5,
        ts_ms: NOW_MS,
    });
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
    assert_eq!(appended.exemplars, 1);
    appended.durable.wait_blocking().unwrap();
    for _round in 0..2 {
        assert_eq!(bench.samples("a")[1].start_ts_ms, NOW_MS - 50);
        let mut columns = SampleColumns::default();
        let set = bench.select(vec![], TimeRange::ALL);
        set.read(0, TimeRange::ALL, &mut columns).unwrap();
        assert_eq!(columns.float_start_ts, [0, NOW_MS - 50]);
        let store = bench.store();
        let exemplars = store
            .exemplars(&tenant, &everything(), &bench.context())
            .unwrap();
        assert_eq!(exemplars[0].exemplars[0].value, 0.5);
        assert_eq!(
            store.metadata(&tenant, Some("m")).unwrap()[0].metadata,
            metadata
        );
        bench.crash();
    }
}

#[test]
fn tenants_are_apart() {
    let mut bench = Bench::new();
    let tenant = |n: usize| Tenant::parse(&format!("team-{n}")).unwrap();
    for n in 0..5 {
        let batch = MetricBatch {
            series: vec![floats("a", &[(NOW_MS, n as f64)])],
            metadata: Vec::new(),
        };
        let appended = bench.store().append(&tenant(n), batch).unwrap();
        appended.durable.wait_blocking().unwrap();
    }
    bench.crash();
    for n in 0..5 {
        let series = bench
            .store()
            .series(&tenant(n), &everything(), &bench.context());
        assert_eq!(series.unwrap(), [labels("a")]);
    }
    assert_eq!(bench.store().tenants().len(), 5);
    let nobody = Tenant::anonymous();
    let none = bench
        .store()
        .label_names(&nobody, &everything(), &bench.context());
    assert!(none.unwrap().is_empty());
}

#[test]
fn labels_are_listed_by_range_and_selector() {
    let bench = Bench::new();
    bench
        .write(vec![
            floats("a", &[(NOW_MS, 1.0)]),
            floats("b", &[(1000, 1.0)]),
        ])
        .unwrap();
    let tenant = Tenant::anonymous();
    let mut request = everything();
    let names = bench
        .store()
        .label_names(&tenant, &request, &bench.context())
        .unwrap();
    assert_eq!(names, ["__name__", "n"]);
    let all = bench
        .store()
        .label_values(&tenant, "n", &request, &bench.context())
        .unwrap();
    assert_eq!(all, ["a", "b"]);
    request.range = TimeRange::new(0, 2000);
    let old = bench
        .store()
        .label_values(&tenant, "n", &request, &bench.context())
        .unwrap();
    assert_eq!(old, ["b"]);
    request.range = TimeRange::ALL;
    request.selectors = vec![
        vec![Matcher::equal("n", "a")],
        vec![Matcher::equal("n", "c")],
    ];
    let series = bench
        .store()
        .series(&tenant, &request, &bench.context())
        .unwrap();
    assert_eq!(series, [labels("a")]);
    request.selectors.clear();
    request.limit = 1;
    assert_eq!(
        bench
            .store()
            .series(&tenant, &request, &bench.context())
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    let bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.faults.short.store(true, Ordering::SeqCst);
    let batch = MetricBatch::default();
    let refused = bench.store().append(&Tenant::anonymous(), batch);
    assert!(matches!(refused, Err(Error::DiskFull { .. })));
    assert_eq!(bench.samples("a").len(), 1);
}

#[test]
fn a_repeat_after_a_failed_write_is_made_durable() {
    let mut bench = Bench::new();
    bench.write(vec![floats("a", &[(NOW_MS, 1.0)])]).unwrap();
    bench.faults.full.store(true, Ordering::SeqCst);
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 2.0)])])
        .unwrap_err();
    bench.faults.full.store(false, Ordering::SeqCst);
    bench
        .write(vec![floats("a", &[(NOW_MS + 1, 2.0)])])
        .unwrap();
    bench.crash();
    assert_eq!(
        values(&bench.samples("a")),
        [(NOW_MS, 1.0), (NOW_MS + 1, 2.0)]
    );
}

#[test]
fn a_tenant_has_no_more_series_than_allowed() {
    let bench = Bench::with(|options| options.max_series = 2);
    let series = ["a", "b", "c", "a"].map(|n| floats(n, &[(NOW_MS, 1.0)]));
    let appended = bench.append(series.to_vec());
    assert_eq!((appended.samples, appended.rejected), (3, 1));
    let reason = &appended.rejections[0].reason;
    assert_eq!(*reason, RejectReason::TooManySeries { limit: 2 });
}

#[test]
fn exemplars_of_a_series_beyond_the_limit_are_refused_with_it() {
    let mut bench = Bench::with(|options| options.max_series = 1);
    let exemplar = Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "x")]),
        value: 0.5,
        ts_ms: NOW_MS,
    };
    let with_exemplar = |n| SeriesBatch {
        exemplars: vec![exemplar.clone()],
        ..floats(n, &[(NOW_MS, 1.0)])
    };
    let appended = bench.append(vec![with_exemplar("a"), with_exemplar("b")]);
    assert_eq!(
        (appended.samples, appended.exemplars, appended.rejected),
        (1, 1, 2)
    );
    appended.durable.wait_blocking().unwrap();
    let records = bench.store().stats().wal.records;
    let appended = bench.append(vec![with_exemplar("b")]);
    appended.durable.wait_blocking().unwrap();
    assert_eq!(bench.store().stats().wal.records, records, "nothing to log");
    assert_eq!(bench.store().stats().rejected.too_many_series, 4);
    assert_eq!(bench.store().stats().exemplars_appended, 1);
    for _round in 0..2 {
        let anonymous = Tenant::anonymous();
        let store = bench.store();
        let found = store.exemplars(&anonymous, &everything(), &bench.context());
        let found: Vec<_> = found.unwrap().into_iter().map(|s| s.labels).collect();
        assert_eq!(found, [labels("a")]);
        bench.crash();
    }
}

#[test]
fn remote_read_gets_plain_chunks_that_do_not_overlap() {
    let bench = Bench::new();
    let written: Vec<_> = (0..300).map(|i| (NOW_MS + i * 10, i as f64)).collect();
    let mut series = floats("a", &written);
    series.samples[250].start_ts_ms = NOW_MS;
    bench.write(vec![series]).unwrap();
    bench
        .write(vec![floats("a", &[(NOW_MS + 15, 0.5)])])
        .unwrap();
    let set = bench.select(vec![], TimeRange::ALL);
    let chunks = set.chunks(0).unwrap();
    assert!(chunks.iter().all(|chunk| chunk.encoding == 1));
    assert!(
        chunks
            .windows(2)
            .all(|pair| pair[0].max_ts_ms < pair[1].min_ts_ms)
    );
    let count = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    assert_eq!(
        chunks
            .iter()
            .map(|chunk| count(&chunk.bytes))
            .sum::<usize>(),
        301
    );
}

#[test]
fn a_repeat_of_a_histogram_is_accepted_though_its_chunk_has_got_more_buckets() {
    let bench = Bench::new();
    let int = |length, deltas: &[i64], count| IntHistogram {
        count,
        positive_spans: vec![BucketSpan { offset: 0, length }],
        positive_deltas: deltas.to_vec(),
        ..IntHistogram::default()
    };
    let values = [int(1, &[1], 1), int(3, &[1, 0, 1], 4), int(1, &[1], 1)];
    for float in [false, true] {
        let sample = |(at, value): (i64, &IntHistogram)| {
            let value = if float {
                HistogramValue::Float(value.to_float())
            } else {
                HistogramValue::Int(value.clone())
            };
            Sample::histogram(NOW_MS + at, value)
        };
        let series = SeriesBatch {
            labels: labels(if float { "float" } else { "int" }),
            samples: (0..).zip(&values).map(sample).collect(),
            exemplars: Vec::new(),
        };
        assert_eq!(bench.write(vec![series.clone()]).unwrap(), (3, 0));
        assert_eq!(bench.write(vec![series.clone()]).unwrap(), (3, 0));
        let mut other = series;
        other.samples.truncate(1);
        other.samples[0] = sample((0, &int(2, &[0, 1], 1)));
        assert_eq!(bench.write(vec![other]).unwrap(), (0, 1));
    }
}
