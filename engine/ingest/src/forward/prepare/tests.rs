use std::path::Path;

use obsq_source::MetricBatch;

use super::*;
use crate::config::load;
use crate::forward::testing::{FakeSource, batch, series};

fn preparer(keys: &str) -> Preparer {
    let text = format!("remote_write:\n- url: http://x/\n{keys}");
    let config = load(Path::new("obsq.yml"), &text).unwrap();
    let labels = Labels::from_pairs(&[("cluster", "eu"), ("job", "external")]);
    Preparer::new(
        Arc::new(config.remote_write[0].clone()),
        labels,
        Arc::default(),
        Arc::new(FakeSource),
    )
}

fn prepare(preparer: &mut Preparer, batch: MetricBatch, lanes: usize) -> Vec<Share> {
    let read = LogBatch {
        seq: 1,
        tenant: Tenant::anonymous(),
        batch,
    };
    preparer.prepare(read, lanes, 1_000_000)
}

#[test]
fn external_labels_join_and_rules_see_them() {
    let mut preparer = preparer(
        "  write_relabel_configs:\n  - {source_labels: [cluster, n], regex: 'eu;drop', action: drop}\n  \
         - {regex: n, action: labeldrop}\n",
    );
    let with = |n: &str| SeriesBatch {
        labels: Labels::from_pairs(&[("__name__", "a"), ("job", "own"), ("n", n)]),
        ..series("a", &[1])
    };
    for _again in 0..2 {
        let shares = prepare(&mut preparer, batch(vec![with("keep"), with("drop")]), 1);
        assert_eq!(shares.len(), 1);
        let labels = &shares[0].series[0].labels;
        assert_eq!(
            labels.to_string(),
            r#"{__name__="a", cluster="eu", job="own"}"#
        );
    }
    let counters = preparer.counters.snapshot("", "");
    assert_eq!(counters.relabelled_away, 2);
}

#[test]
fn what_is_too_old_is_not_sent() {
    let mut preparer = preparer("  queue_config: {sample_age_limit: 10s}\n");
    let all = batch(vec![series("a", &[1, 989_999, 990_000]), series("b", &[2])]);
    let shares = prepare(&mut preparer, all, 1);
    assert_eq!((shares.len(), shares[0].weight), (1, 1));
    assert_eq!(preparer.counters.snapshot("", "").too_old, 3);
}

#[test]
fn a_series_stays_in_its_lane_and_no_share_is_larger_than_a_request() {
    let mut preparer = preparer("  queue_config: {max_samples_per_send: 3}\n");
    let times: Vec<i64> = (0..10).collect();
    let all = |count: usize| (0..count).map(|n| series(&n.to_string(), &times)).collect();
    let shares = prepare(&mut preparer, batch(all(8)), 4);
    assert!(shares.iter().all(|share| share.weight <= 3));
    let mut lanes = FxHashMap::default();
    let mut total = 0;
    for share in shares {
        total += share.weight;
        for series in share.series {
            let lane = *lanes.entry(series.labels).or_insert(share.lane);
            assert_eq!(lane, share.lane);
        }
    }
    assert_eq!(total, 80);
}
