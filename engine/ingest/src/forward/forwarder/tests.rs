use std::path::Path;
use std::time::Duration;

use obsq_model::{Exemplar, HistogramValue, IntHistogram, ManualClock, Sample};

use super::*;
use crate::config::load;
use crate::forward::testing::{FakeLog, FakeSource, Receiver, batch, series};

const NOW_MS: i64 = 1_000_000;

struct Bench {
    log: FakeLog,
    forwarder: Forwarder,
}

impl Bench {
    fn new() -> Self {
        let log = FakeLog::default();
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let agent = "obsq/test".to_owned();
        let forwarder = Forwarder::new(Arc::new(log.clone()), Arc::new(FakeSource), clock, agent);
        Self { log, forwarder }
    }

    async fn apply(&self, keys: &str) {
        let text = format!("remote_write:\n{keys}");
        let config = load(Path::new("obsq.yml"), &text).unwrap();
        let labels = Labels::from_pairs(&[("cluster", "eu")]);
        self.forwarder.apply(&config.remote_write, &labels).await;
    }

    /// Returns the numbers of the only remote once `wanted` holds for them.
    async fn stats(&self, wanted: impl Fn(&RemoteStats) -> bool) -> RemoteStats {
        for _attempt in 0..2_000 {
            let stats = self.forwarder.stats().remove(0);
            if wanted(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", self.forwarder.stats());
    }
}

fn keys(receiver: &Receiver, more: &str) -> String {
    let queue = "batch_send_deadline: 10ms, min_backoff: 1ms, max_backoff: 2ms";
    format!(
        "- url: http://{}/write\n  queue_config: {{{queue}}}\n{more}",
        receiver.address
    )
}

#[tokio::test]
async fn a_request_is_repeated_until_it_is_stored_and_then_the_position_is_saved() {
    let answers = ["503 No\r\n", "429 No\r\nretry-after: 0\r\n", "500 No\r\n"];
    let receiver = Receiver::start(&answers).await;
    let bench = Bench::new();
    bench
        .log
        .push("anonymous", batch(vec![series("a", &[1, 2])]));
    bench.apply(&keys(&receiver, "")).await;
    let got = receiver.requests(4).await;
    for (attempt, got) in got.iter().enumerate() {
        let labels = Labels::from_pairs(&[("__name__", "a"), ("cluster", "eu")]);
        assert_eq!(got.batch.series[0].labels, labels);
        assert_eq!(got.batch.series[0].samples.len(), 2);
        let expected = (attempt > 0).then(|| attempt.to_string());
        assert_eq!(got.header("retry-attempt"), expected.as_deref());
        assert_eq!(got.header("user-agent"), Some("obsq/test"));
        assert_eq!(got.header("x-scope-orgid"), None);
    }
    let stats = bench.stats(|stats| stats.samples == 2).await;
    assert_eq!((stats.retries, stats.refused, stats.pending), (3, 0, 0));
    assert!(!stats.is_failing);
    bench.forwarder.shutdown().await;
    assert_eq!((bench.log.committed(), receiver.count()), (1, 4));
}

#[tokio::test]
async fn what_the_receiver_refuses_for_good_is_dropped_and_counted() {
    let receiver = Receiver::start(&["400 No\r\n"]).await;
    let bench = Bench::new();
    bench.apply(&keys(&receiver, "")).await;
    bench
        .log
        .push("anonymous", batch(vec![series("a", &[1, 2])]));
    receiver.requests(1).await;
    bench.log.push("anonymous", batch(vec![series("a", &[3])]));
    receiver.requests(2).await;
    let stats = bench.stats(|stats| stats.samples == 1).await;
    assert_eq!((stats.refused, stats.retries), (2, 0));
    bench.forwarder.shutdown().await;
    assert_eq!(bench.log.committed(), 2);
}

#[tokio::test]
async fn what_was_not_acknowledged_at_the_end_is_sent_after_the_next_start() {
    let bench = Bench::new();
    bench.log.push("anonymous", batch(vec![series("a", &[1])]));
    bench
        .apply(
            "- {url: 'http://127.0.0.1:1/', name: r, queue_config: {batch_send_deadline: 1ms}}\n",
        )
        .await;
    let stats = bench.stats(|stats| stats.retries > 1).await;
    assert!(stats.is_failing && stats.pending == 1);
    let receiver = Receiver::start(&[]).await;
    // A changed remote of the same name goes on where it was.
    bench.apply(&keys(&receiver, "  name: r\n")).await;
    let got = receiver.requests(1).await;
    assert_eq!(got[0].batch.series[0].samples[0].ts_ms, 1);
    bench.forwarder.shutdown().await;
    assert_eq!(bench.log.committed(), 1);
    bench.apply("  []\n").await;
    assert_eq!(bench.log.names(), [""; 0]);
}

#[tokio::test]
async fn tenants_are_named_and_each_has_requests_of_its_own() {
    let receiver = Receiver::start(&[]).await;
    let bench = Bench::new();
    bench.log.push("a", batch(vec![series("x", &[1])]));
    bench.log.push("b", batch(vec![series("x", &[1])]));
    bench.apply(&keys(&receiver, "")).await;
    let mut names: Vec<String> = receiver
        .requests(2)
        .await
        .iter()
        .map(|got| got.header("x-scope-orgid").unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "b"]);

    let receiver = Receiver::start(&[]).await;
    let bench = Bench::new();
    bench.log.push("a", batch(vec![series("x", &[1])]));
    bench.log.push("b", batch(vec![series("x", &[2])]));
    let more = "  tenant: b\n  headers: {X-Scope-OrgID: other}\n";
    bench.apply(&keys(&receiver, more)).await;
    let got = receiver.requests(1).await;
    assert_eq!(got[0].header("x-scope-orgid"), Some("other"));
    assert_eq!(got[0].batch.series[0].samples[0].ts_ms, 2);
    bench.stats(|stats| stats.samples == 1).await;
    bench.forwarder.shutdown().await;
    assert_eq!(bench.log.committed(), 2);
}

#[tokio::test]
async fn version_2_takes_histograms_and_metadata_along_and_version_1_what_it_is_told() {
    let histogram = HistogramValue::Int(IntHistogram::default());
    let mut known = series("known_bucket", &[5]);
    known.samples.push(Sample::histogram(6, histogram));
    known.exemplars.push(Exemplar {
        labels: Labels::empty(),
        value: 1.0,
        ts_ms: 5,
    });
    for (more, samples, exemplars, metadata) in [
        (
            "  protobuf_message: io.prometheus.write.v2.Request\n",
            2,
            0,
            1,
        ),
        ("  send_exemplars: true\n", 1, 1, 0),
        ("  send_native_histograms: true\n", 2, 0, 0),
    ] {
        let receiver = Receiver::start(&[]).await;
        let bench = Bench::new();
        bench.log.push("anonymous", batch(vec![known.clone()]));
        bench.apply(&keys(&receiver, more)).await;
        let got = &receiver.requests(1).await[0].batch;
        assert_eq!(got.series[0].samples.len(), samples, "{more}");
        assert_eq!(got.series[0].exemplars.len(), exemplars, "{more}");
        assert_eq!(got.metadata.len(), metadata, "{more}");
        bench.forwarder.shutdown().await;
    }
}

#[tokio::test]
async fn metadata_is_sent_by_itself_in_version_1() {
    let receiver = Receiver::start(&[]).await;
    let bench = Bench::new();
    bench.log.push("anonymous", batch(vec![series("x", &[1])]));
    let more = "  metadata_config: {send_interval: 20ms}\n";
    bench.apply(&keys(&receiver, more)).await;
    let got = receiver.requests(2).await;
    let metadata = got.iter().flat_map(|got| &got.batch.metadata);
    let helps: Vec<&str> = metadata
        .map(|(_, metadata)| metadata.help.as_str())
        .collect();
    assert_eq!(helps.first(), Some(&"of the store"));
}

#[tokio::test]
async fn many_batches_arrive_in_order_of_each_series() {
    let receiver = Receiver::start(&["503 No\r\n", "503 No\r\n"]).await;
    let bench = Bench::new();
    for time in 0..300 {
        let all = (0..7).map(|n| series(&format!("s{n}"), &[time]));
        bench.log.push("anonymous", batch(all.collect()));
    }
    let queue = "batch_send_deadline: 10ms, min_backoff: 1ms, max_backoff: 2ms, min_shards: 3, \
                 max_samples_per_send: 40, capacity: 100";
    let address = receiver.address;
    bench
        .apply(&format!(
            "- url: http://{address}/\n  queue_config: {{{queue}}}\n"
        ))
        .await;
    bench.stats(|stats| stats.samples == 2_100).await;
    bench.forwarder.shutdown().await;
    assert_eq!(bench.log.committed(), 300);
    let mut times = std::collections::BTreeMap::<String, Vec<i64>>::new();
    for got in receiver.requests(1).await {
        let count: usize = got.batch.series.iter().map(|s| s.samples.len()).sum();
        assert!(count <= 40);
        for series in got.batch.series {
            let times = times.entry(series.labels.to_string()).or_default();
            times.extend(series.samples.iter().map(|sample| sample.ts_ms));
        }
    }
    for times in times.values_mut() {
        // Two requests came twice.
        times.dedup();
        let before = times.len();
        times.sort_unstable();
        times.dedup();
        assert!(times.len() == 300 && before <= 380, "{times:?}");
    }
}
