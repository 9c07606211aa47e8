//! A small data directory to damage, and what is asked of it afterwards.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use obsq_metrics::{MetricStore, StoreOptions};
use obsq_model::{
    Exemplar, HistogramValue, IntHistogram, Labels, ManualClock, Matcher, MetricMetadata, Sample,
    SampleColumns, SampleValue, Tenant, TimeRange,
};
use obsq_source::{
    LabelRequest, MemoryBudget, MetricAppender as _, MetricBatch, MetricSource as _, QueryContext,
    SelectRequest, SeriesBatch,
};
use obsq_wal::{SimImage, SimVfs, Vfs};

const NOW_MS: i64 = 1_700_000_000_000;
const DATA: &str = "/data";
const EVER: TimeRange = TimeRange {
    start_ms: i64::MIN,
    end_ms: i64::MAX,
};

fn options(vfs: &SimVfs, now_ms: i64) -> StoreOptions {
    StoreOptions {
        vfs: Arc::new(vfs.clone()),
        maintenance: false,
        ..StoreOptions::new(PathBuf::from(DATA), Arc::new(ManualClock::at(now_ms)))
    }
}

/// A directory with a block, its companions, a checkpoint, late samples, and a log behind it.
pub(crate) fn image() -> &'static SimImage {
    static IMAGE: OnceLock<SimImage> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let vfs = SimVfs::new(1);
        vfs.create_dir_all(Path::new(DATA)).expect("created");
        let store = MetricStore::open(options(&vfs, NOW_MS)).expect("opened");
        write(&store, NOW_MS - 10_000_000);
        store.flush().expect("sealed");
        write(&store, NOW_MS - 20_000_000);
        write(&store, NOW_MS - 100_000);
        store.close();
        drop(store);
        let later = NOW_MS + 400_000;
        let store = MetricStore::open(options(&vfs, later)).expect("opened again");
        store.tick().expect("ticked");
        write(&store, NOW_MS + 100_000);
        store.close();
        vfs.image()
    })
}

fn write(store: &MetricStore, from_ms: i64) {
    let labels = |name, job| Labels::from_pairs(&[("__name__", name), ("job", job)]);
    let floats = (0..150).map(|at| Sample::float(from_ms + at * 500, at as f64));
    let histograms = (0..5).map(|at| Sample {
        ts_ms: from_ms + at * 500,
        start_ts_ms: from_ms,
        value: SampleValue::Histogram(Arc::new(HistogramValue::Int(IntHistogram {
            count: at as u64,
            zero_count: at as u64,
            ..IntHistogram::default()
        }))),
    });
    let exemplar = Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "abc")]),
        value: 0.5,
        ts_ms: from_ms,
    };
    let series = vec![
        SeriesBatch {
            labels: labels("up", "a"),
            samples: floats.collect(),
            exemplars: vec![exemplar],
        },
        SeriesBatch {
            labels: labels("sizes", "b"),
            samples: histograms.collect(),
            exemplars: Vec::new(),
        },
    ];
    let metadata = vec![("up".to_owned(), MetricMetadata::default())];
    let appended = store
        .append(&Tenant::anonymous(), MetricBatch { series, metadata })
        .expect("appended");
    appended.durable.wait_blocking().expect("synced");
}

/// Returns the files whose path ends with `suffix`, with their content.
pub(crate) fn files(suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = image().after_kill().files();
    let wanted = files.into_iter().filter(|(path, _)| path.ends_with(suffix));
    wanted.map(|(path, bytes)| (path.into(), bytes)).collect()
}

/// Puts `bytes` in place of a file.
pub(crate) fn put(vfs: &SimVfs, path: &Path, bytes: &[u8]) {
    let file = vfs.create(path).expect("created");
    file.write_all_at(bytes, 0).expect("written");
}

/// Opens the directory and asks everything of it. It may refuse to answer, not to open, and
/// what it answers is in order.
pub(crate) fn interrogate(vfs: &SimVfs) {
    let store = MetricStore::open_read_only(options(vfs, NOW_MS + 400_000))
        .expect("damage is never a reason not to start");
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let context = QueryContext::new(clock, None, MemoryBudget::new(64 << 20));
    for tenant in store.tenants() {
        for matchers in [
            vec![Matcher::not_equal("__name__", "")],
            vec![Matcher::equal("job", "a"), Matcher::not_equal("x", "y")],
        ] {
            let request = SelectRequest {
                range: EVER,
                matchers: matchers.clone(),
            };
            if let Ok(set) = store.select(&tenant, &request, &context) {
                for index in 0..set.len() {
                    let mut columns = SampleColumns::default();
                    if set.read(index, EVER, &mut columns).is_ok() {
                        assert!(columns.float_ts.windows(2).all(|pair| pair[0] < pair[1]));
                    }
                    drop(set.chunks(index));
                }
            }
            let request = LabelRequest {
                range: EVER,
                selectors: vec![matchers],
                limit: 0,
            };
            drop(store.label_names(&tenant, &request, &context));
            drop(store.label_values(&tenant, "job", &request, &context));
            drop(store.exemplars(&tenant, &request, &context));
        }
        drop(store.metadata(&tenant, None));
    }
}
