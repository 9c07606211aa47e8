//! The values of all metrics at one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use obsq_metrics::StoreStats;

use super::exposition::{Family, Histogram};
use super::metric::Metric;
use super::{BUCKETS, DoorCounts, Protocol, Telemetry, process, remote};
use crate::app::App;
use crate::limits::Limit;

impl Telemetry {
    /// Returns every metric with its samples, sorted by name.
    pub(crate) fn families(&self, app: &App) -> Vec<Family> {
        let stats = app.stores.stats();
        let metrics = Metric::ALL.iter();
        metrics
            .map(|metric| self.family(*metric, app, &stats))
            .collect()
    }

    fn family(&self, metric: Metric, app: &App, stats: &StoreStats) -> Family {
        let mut family = Family::new(metric);
        match metric {
            Metric::BuildInfo => {
                family.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
            }
            Metric::HttpRequests => self.write_requests(&mut family),
            Metric::HttpRequestDuration => self.write_durations(&mut family),
            Metric::IngestSamples | Metric::IngestExemplars | Metric::IngestRefused => {
                self.write_received(&mut family);
            }
            Metric::StoreRefused => write_refused(&mut family, stats),
            Metric::LimitRefused => write_limits(&mut family, app, stats),
            Metric::StoreFailing => write_failing(&mut family, stats),
            Metric::DoorRefused => write_door_refused(&mut family, &app.doors.counts),
            _ if remote::is_about_remotes(metric) => {
                remote::write(&mut family, &app.forwarder.stats());
            }
            _ => {
                let value = self.server_value(metric, app);
                if let Some(value) = value.or_else(|| store_value(metric, stats)) {
                    family.sample(&[], value);
                }
            }
        }
        family
    }

    /// Returns the value of a metric of the server that has one value only.
    fn server_value(&self, metric: Metric, app: &App) -> Option<f64> {
        Some(match metric {
            Metric::DoorsCurrent => f64::from(u8::from(app.doors.is_current())),
            Metric::StartTime => app.start_ms as f64 / 1000.0,
            Metric::Ready => f64::from(u8::from(app.is_ready())),
            Metric::Panics => self.panics.load(Ordering::Relaxed) as f64,
            Metric::HttpConnections => app.connections.open() as f64,
            Metric::HttpBodyBytes => app.bodies.held_bytes() as f64,
            Metric::HttpUnsentBytes => app.backlog.bytes() as f64,
            Metric::QueriesRunning => app.queries.running() as f64,
            Metric::QueriesWaiting => app.queries.waiting() as f64,
            Metric::QueriesRefused => app.queries.refused() as f64,
            Metric::QueryMemory => app.prom.memory_used_bytes() as f64,
            Metric::WritesRunning => app.writes.running() as f64,
            Metric::WritesWaiting => app.writes.waiting() as f64,
            Metric::WritesRefused => app.writes.refused() as f64,
            Metric::ConfigReloadSuccess => f64::from(u8::from(app.last_reload().success)),
            Metric::ConfigReloadTime => app.last_reload().time_ms as f64 / 1000.0,
            Metric::ProcessMemory => process::resident_bytes(),
            Metric::ProcessCpu => process::cpu_seconds(),
            Metric::ProcessOpenFiles => process::open_files(),
            _ => return None,
        })
    }

    fn write_requests(&self, family: &mut Family) {
        let requests = self.requests.lock();
        let mut counts: Vec<_> = requests.by_code.iter().collect();
        counts.sort();
        for ((route, code), count) in counts {
            let labels = [("route", &**route), ("code", &*code.to_string())];
            family.sample(&labels, *count as f64);
        }
    }

    fn write_durations(&self, family: &mut Family) {
        let requests = self.requests.lock();
        let mut routes: Vec<_> = requests.durations.iter().collect();
        routes.sort_by_key(|(route, _)| Arc::clone(route));
        for (route, durations) in routes {
            let histogram = Histogram {
                bounds: &BUCKETS,
                by_bucket: durations.by_bucket.to_vec(),
                count: durations.count,
                sum: durations.sum_seconds,
            };
            family.histogram(&[("route", route)], histogram);
        }
    }

    fn write_received(&self, family: &mut Family) {
        for protocol in Protocol::ALL {
            let received = &self.received[protocol as usize];
            let by = ("protocol", protocol.as_str());
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
            match family.metric {
                Metric::IngestExemplars => family.sample(&[by], load(&received.exemplars)),
                Metric::IngestRefused => family.sample(&[by], load(&received.refused)),
                _ => {
                    family.sample(&[by, ("type", "float")], load(&received.samples));
                    family.sample(&[by, ("type", "histogram")], load(&received.histograms));
                }
            }
        }
    }
}

/// Returns the value of a metric of the stores that has one value only.
fn store_value(metric: Metric, stats: &StoreStats) -> Option<f64> {
    Some(match metric {
        Metric::StoreBlockBytes => stats.block_bytes as f64,
        Metric::StoreBlocks => stats.blocks as f64,
        Metric::StoreCheckpoints => stats.checkpoints as f64,
        Metric::StoreCompactions => stats.compactions as f64,
        Metric::StoreDamagedBlocks => stats.damaged_blocks as f64,
        Metric::StoreDeletions => stats.deletions as f64,
        Metric::StoreHeadChunks => stats.head_chunks as f64,
        Metric::StoreHeadBytes => stats.head_file_bytes as f64,
        Metric::StoreHeadSeries => stats.head_series as f64,
        Metric::StoreLateBytes => stats.late_bytes as f64,
        Metric::StoreLostChunks => stats.lost_chunks as f64,
        Metric::StoreMaintenanceFailures => stats.maintenance_failures as f64,
        Metric::StoreSeals => stats.seals as f64,
        Metric::StoreTenants => stats.tenants as f64,
        Metric::StoreUnreadableBlocks => stats.broken_blocks as f64,
        Metric::WalBytes => stats.wal.bytes as f64,
        Metric::WalCorruptions => stats.corruptions as f64,
        Metric::WalQuarantinedBytes => stats.wal.quarantined_bytes as f64,
        Metric::WalQuarantinedSegments => stats.wal.quarantined_segments as f64,
        Metric::WalFailures => stats.wal.failures as f64,
        Metric::WalHeld => stats.wal.held_bytes as f64,
        Metric::WalMissingRecords => stats.missing_records as f64,
        Metric::WalQueuedBytes => stats.wal.queued_bytes as f64,
        Metric::WalRecords => stats.wal.records as f64,
        Metric::WalReplayedRecords => stats.replayed_records as f64,
        Metric::WalSegments => stats.wal.segments as f64,
        Metric::WalSyncTime => stats.wal.sync_time.as_secs_f64(),
        Metric::WalSyncs => stats.wal.syncs as f64,
        _ => return None,
    })
}

fn write_failing(family: &mut Family, stats: &StoreStats) {
    let failing = &stats.failing;
    for (task, count) in [
        ("checkpoint", failing.checkpoints),
        ("compaction", failing.compactions),
        ("seal", failing.seals),
    ] {
        family.sample(&[("task", task)], count as f64);
    }
}

fn write_door_refused(family: &mut Family, counts: &DoorCounts) {
    for (reason, count) in [
        ("busy", &counts.busy),
        ("credentials", &counts.credentials),
        ("rate_limit", &counts.pace),
        ("tls_handshake", &counts.handshakes),
    ] {
        let count = count.load(Ordering::Relaxed) as f64;
        family.sample(&[("reason", reason)], count);
    }
}

fn write_limits(family: &mut Family, app: &App, stats: &StoreStats) {
    let series = ("max_series", stats.rejected.too_many_series);
    let others = Limit::ALL.map(|limit| (limit.name(), app.limits.refused(limit)));
    for (limit, count) in std::iter::once(series).chain(others) {
        family.sample(&[("limit", limit)], count as f64);
    }
}

fn write_refused(family: &mut Family, stats: &StoreStats) {
    let refused = &stats.rejected;
    for (reason, count) in [
        ("before_retention", refused.before_retention),
        ("duplicate_sample", refused.duplicate_sample),
        ("invalid", refused.invalid),
        ("out_of_range", refused.out_of_range),
        ("too_far_in_future", refused.too_far_in_future),
        ("too_many_series", refused.too_many_series),
    ] {
        family.sample(&[("reason", reason)], count as f64);
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::families_to_text;
    use crate::testing::TestServer;

    #[tokio::test]
    async fn every_metric_has_a_value_but_those_of_requests_to_come() {
        let server = TestServer::start().await;
        let text = families_to_text(&server.app.telemetry.families(&server.app));
        let lines: Vec<&str> = text.lines().collect();
        let empty: Vec<&str> = lines
            .iter()
            .zip(lines.iter().skip(1).chain([&"# HELP"]))
            .filter(|(line, next)| line.starts_with("# TYPE") && next.starts_with("# HELP"))
            .filter_map(|(line, _)| line.split(' ').nth(2))
            // Nothing is passed on here.
            .filter(|name| !name.starts_with("obsq_remote_storage_"))
            .collect();
        let expected = [
            "obsq_http_request_duration_seconds",
            "obsq_http_requests_total",
        ];
        assert_eq!(empty, expected);
    }
}
