//! Speed of appending, recovering and selecting from the head:
//! `cargo bench -p obsq-metrics --bench store`.

use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use obsq_metrics::{MetricStore, StoreOptions};
use obsq_model::{Clock, Labels, ManualClock, Matcher, Sample, SampleColumns, Tenant, TimeRange};
use obsq_source::{
    MemoryBudget, MetricAppender as _, MetricBatch, MetricSource as _, QueryContext, SelectRequest,
    SeriesBatch,
};

const SERIES: usize = 10_000;
const SERIES_PER_BATCH: usize = 1000;
const SCRAPES: i64 = 50;
const START_MS: i64 = 1_767_225_600_000;

fn labels() -> Vec<Labels> {
    let labels = |number: usize| {
        Labels::from_pairs(&[
            ("__name__", format!("metric_{}_total", number % 50)),
            ("instance", format!("host-{:04}:9100", number / 50)),
            ("job", format!("job-{}", number % 5)),
            ("environment", "production".to_owned()),
        ])
    };
    (0..SERIES).map(labels).collect()
}

fn batch(labels: &[Labels], ts_ms: i64) -> MetricBatch {
    let series = |(number, labels): (usize, &Labels)| SeriesBatch {
        labels: labels.clone(),
        samples: [Sample::float(ts_ms, (ts_ms % 1000) as f64 * number as f64)].into(),
        exemplars: Vec::new(),
    };
    MetricBatch {
        series: labels.iter().enumerate().map(series).collect(),
        metadata: Vec::new(),
    }
}

fn open(directory: &Path, clock: &Arc<ManualClock>) -> MetricStore {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let mut options = StoreOptions::new(directory.to_owned(), clock);
    options.maintenance = false;
    MetricStore::open(options).expect("the directory is new")
}

/// Appends one sample of every series and waits for the disk.
fn scrape(store: &MetricStore, labels: &[Labels], ts_ms: i64) {
    let mut last = None;
    for labels in labels.chunks(SERIES_PER_BATCH) {
        let appended = store.append(&Tenant::anonymous(), batch(labels, ts_ms));
        last = Some(appended.expect("the disk has room").durable);
    }
    let durable = last.map(obsq_source::Durable::wait_blocking);
    durable.transpose().expect("the disk has room");
}

#[divan::bench]
fn append(bencher: Bencher<'_, '_>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::at(START_MS));
    let (store, labels) = (open(directory.path(), &clock), labels());
    bencher.counter(ItemsCount::new(SERIES)).bench_local(|| {
        clock.advance_ms(15_000);
        scrape(&store, &labels, clock.now_ms());
    });
}

#[divan::bench(sample_count = 10)]
fn recover(bencher: Bencher<'_, '_>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::at(START_MS));
    let (store, labels) = (open(directory.path(), &clock), labels());
    for index in 0..SCRAPES {
        scrape(&store, &labels, START_MS + index * 15_000);
    }
    drop(store);
    bencher
        .counter(ItemsCount::new(SERIES * SCRAPES as usize))
        .bench_local(|| drop(open(directory.path(), &clock)));
}

#[divan::bench]
fn select_and_read(bencher: Bencher<'_, '_>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::at(START_MS));
    let (store, labels) = (open(directory.path(), &clock), labels());
    for index in 0..SCRAPES {
        scrape(&store, &labels, START_MS + index * 15_000);
    }
    let request = SelectRequest {
        range: TimeRange::ALL,
        matchers: vec![Matcher::equal("environment", "production")],
    };
    let clock: Arc<dyn Clock> = clock;
    let mut columns = SampleColumns::default();
    bencher
        .counter(ItemsCount::new(SERIES * SCRAPES as usize))
        .bench_local(|| {
            let context = QueryContext::new(Arc::clone(&clock), None, MemoryBudget::new(1 << 30));
            let set = store.select(&Tenant::anonymous(), &request, &context);
            let set = set.expect("within the limits");
            for index in 0..set.len() {
                let read = set.read(index, TimeRange::ALL, &mut columns);
                read.expect("nothing is damaged");
            }
        });
}

fn main() {
    divan::main();
}
