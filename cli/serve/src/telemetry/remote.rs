//! What outgoing remote write counts.

use obsq_ingest::forward::RemoteStats;

use super::exposition::Family;
use super::metric::Metric;

/// Says whether every remote has samples of that metric.
pub(super) fn is_about_remotes(metric: Metric) -> bool {
    metric == Metric::RemoteDropped || value(metric, &RemoteStats::default()).is_some()
}

/// Writes one metric of all remotes.
pub(super) fn write(family: &mut Family, remotes: &[RemoteStats]) {
    for remote in remotes {
        let by = [
            ("remote_name", remote.name.as_str()),
            ("url", remote.url.as_str()),
        ];
        if family.metric == Metric::RemoteDropped {
            write_dropped(remote, by, family);
        } else if let Some(value) = value(family.metric, remote) {
            family.sample(&by, value);
        }
    }
}

fn value(metric: Metric, remote: &RemoteStats) -> Option<f64> {
    Some(match metric {
        Metric::RemoteBytes => remote.bytes as f64,
        Metric::RemoteExemplars => remote.exemplars as f64,
        Metric::RemoteFailing => f64::from(u8::from(remote.is_failing)),
        Metric::RemoteHistograms => remote.histograms as f64,
        Metric::RemoteLost => remote.lost_batches as f64,
        Metric::RemoteMetadata => remote.metadata as f64,
        Metric::RemoteHighestSent => remote.newest_sent_ms as f64 / 1000.0,
        Metric::RemoteHighestRead => remote.newest_read_ms as f64 / 1000.0,
        Metric::RemoteRetries => remote.retries as f64,
        Metric::RemoteFailed => remote.refused as f64,
        Metric::RemotePending => remote.pending as f64,
        Metric::RemoteSamples => remote.samples as f64,
        Metric::RemoteShards => remote.shards as f64,
        _ => return None,
    })
}

fn write_dropped(
    remote: &RemoteStats,
    [name, url]: [(&'static str, &str); 2],
    family: &mut Family,
) {
    for (reason, count) in [
        ("histogram", remote.not_sendable),
        ("relabelled", remote.relabelled_away),
        ("too_old", remote.too_old),
    ] {
        let labels = [("reason", reason), name, url];
        family.sample(&labels, count as f64);
    }
}
