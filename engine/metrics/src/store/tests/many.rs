//! Many tenants, many threads.

use std::sync::atomic::{AtomicBool, Ordering};

use obsq_model::{Matcher, SampleColumns, Tenant, TimeRange};
use obsq_source::{MetricAppender as _, MetricBatch, MetricSource as _, SelectRequest};

use super::bench::{Bench, NOW_MS, floats};

#[test]
fn idle_tenants_hold_no_files_open() {
    let bench = Bench::new();
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    for n in 0..120 {
        let tenant = Tenant::parse(&format!("team-{n}")).unwrap();
        let samples: Vec<_> = (0..200).map(|i| (NOW_MS + i, i as f64)).collect();
        let batch = MetricBatch {
            series: vec![floats("a", &samples)],
            metadata: Vec::new(),
        };
        let appended = bench.store().append(&tenant, batch).unwrap();
        drop(appended.durable);
    }
    bench.store().flush().unwrap();
    assert_eq!(bench.store().stats().blocks, 120);
    // Other tests run beside this one.
    let opened = open_files().saturating_sub(before);
    assert!(opened < 100, "{opened} more files are open");
}

#[test]
fn writers_readers_and_seals_do_not_disturb_each_other() {
    const WRITERS: i64 = 3;
    const BATCHES: i64 = 150;
    let mut bench = Bench::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let bench = &bench;
                scope.spawn(move || {
                    for batch in 0..BATCHES {
                        let at = NOW_MS + batch * 10;
                        let own = floats(&writer.to_string(), &[(at, batch as f64)]);
                        let shared = floats("shared", &[(at + writer, writer as f64)]);
                        bench.write(vec![own, shared]).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut columns = SampleColumns::default();
            while !stop.load(Ordering::SeqCst) {
                let request = SelectRequest {
                    range: TimeRange::ALL,
                    matchers: vec![Matcher::equal("__name__", "m")],
                };
                let set = bench
                    .store()
                    .select(&Tenant::anonymous(), &request, &bench.context());
                let set = set.unwrap();
                for index in 0..set.len() {
                    set.read(index, TimeRange::ALL, &mut columns).unwrap();
                    assert!(columns.float_ts.is_sorted_by(|a, b| a < b));
                }
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                bench.store().flush().unwrap();
                bench.store().tick().unwrap();
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    for _round in 0..2 {
        for writer in 0..WRITERS {
            let samples = bench.samples(&writer.to_string());
            assert_eq!(samples.len() as i64, BATCHES, "writer {writer}");
        }
        assert_eq!(bench.samples("shared").len() as i64, WRITERS * BATCHES);
        bench.crash();
    }
}
