//! Followers of the log.

use obsq_model::{Exemplar, MetricMetadata, MetricType, Tenant};
use obsq_source::{LogFollower, MetricAppender as _, MetricLog as _};

use super::bench::*;

/// Returns what there is to read: tenant, series and times, and the number of the last batch.
fn read(follower: &mut dyn LogFollower) -> (Vec<String>, u64) {
    let (mut lines, mut last_seq) = (Vec::new(), 0);
    while let Some(read) = follower.next().unwrap() {
        last_seq = read.seq;
        for series in &read.batch.series {
            let times: Vec<i64> = series.samples.iter().map(|s| s.ts_ms - NOW_MS).collect();
            let exemplars = series.exemplars.len();
            let name = series.labels.value("n");
            lines.push(format!("{} {name} {times:?} {exemplars}", read.tenant));
        }
        for (family, metadata) in &read.batch.metadata {
            lines.push(format!("{} {family}: {}", read.tenant, metadata.help));
        }
    }
    (lines, last_seq)
}

fn at(offset_ms: i64) -> (i64, f64) {
    (NOW_MS + offset_ms, 1.0)
}

#[test]
fn a_follower_reads_what_was_written_since_it_is_known() {
    let bench = Bench::new();
    bench.write(vec![floats("early", &[at(1)])]).unwrap();
    let mut follower = bench.store().follow("a").unwrap();
    assert!(!follower.has_more());
    bench
        .write(vec![floats("x", &[at(1), at(2)]), floats("y", &[at(1)])])
        .unwrap();
    let mut with_exemplar = floats("x", &[at(3)]);
    with_exemplar.exemplars.push(Exemplar {
        labels: obsq_model::Labels::from_pairs(&[("trace_id", "t")]),
        value: 1.0,
        ts_ms: NOW_MS + 3,
    });
    let metadata = MetricMetadata {
        metric_type: MetricType::Gauge,
        unit: String::new(),
        help: "help".into(),
    };
    let batch = obsq_source::MetricBatch {
        series: vec![with_exemplar],
        metadata: vec![("m".into(), metadata)],
    };
    let everything = obsq_model::TimeRange::ALL;
    bench
        .delete("n", obsq_model::MatchOp::Equal, "early", everything)
        .unwrap();
    let team = Tenant::parse("team").unwrap();
    let appended = bench.store().append(&team, batch).unwrap();
    appended.durable.wait_blocking().unwrap();
    assert!(follower.has_more());
    let expected = [
        "anonymous x [1, 2] 0",
        "anonymous y [1] 0",
        "team x [3] 1",
        "team m: help",
    ];
    assert_eq!(read(follower.as_mut()).0, expected);
    assert!(!follower.has_more());
    assert_eq!(follower.lost_batches(), 0);
}

#[test]
fn what_was_not_committed_is_read_again_after_a_crash_past_seals_and_checkpoints() {
    let mut bench = Bench::new();
    let mut follower = bench.store().follow("a").unwrap();
    bench.write(vec![floats("x", &[at(1)])]).unwrap();
    let (_, done) = read(follower.as_mut());
    follower.commit(done).unwrap();
    bench.write(vec![floats("x", &[at(2)])]).unwrap();
    bench.store().flush().unwrap();
    bench.write(vec![floats("y", &[at(3)])]).unwrap();
    assert_eq!(read(follower.as_mut()).0.len(), 2);
    drop(follower);
    for round in 0..3 {
        match round {
            0 => bench.crash(),
            1 => bench.restart(),
            _ => bench.store().flush().unwrap(),
        }
        let mut follower = bench.store().follow("a").unwrap();
        let expected = ["anonymous x [2] 0", "anonymous y [3] 0"];
        assert_eq!(read(follower.as_mut()).0, expected, "round {round}");
        assert_eq!(follower.lost_batches(), 0);
    }
    assert_eq!(bench.samples("x").len(), 2);
    // Nobody needs it any more: the next checkpoint removes it.
    let held = bench.store().stats().wal.held_bytes;
    assert!(held > 0);
    bench.store().forget_followers_but(&[]).unwrap();
    bench.write(vec![floats("x", &[at(4)])]).unwrap();
    bench.store().flush().unwrap();
    let stats = bench.store().stats().wal;
    assert!(stats.segments <= 2, "{stats:?}");
}

#[test]
fn too_much_that_waits_is_dropped_and_counted() {
    let mut bench = Bench::with(|options| options.held_log_bytes = 0);
    let mut follower = bench.store().follow("a").unwrap();
    bench.write(vec![floats("x", &[at(1)])]).unwrap();
    bench.write(vec![floats("x", &[at(2)])]).unwrap();
    bench.store().flush().unwrap();
    bench.write(vec![floats("x", &[at(3)])]).unwrap();
    assert_eq!(read(follower.as_mut()).0, ["anonymous x [3] 0"]);
    assert_eq!(follower.lost_batches(), 2);
    drop(follower);
    bench.crash();
    assert_eq!(bench.samples("x").len(), 3);
}
