//! Metrics about the server itself.
//!
//! Every name stands in one enum, [`Metric`], with its type and help; `docs/metrics.md` lists the
//! same, and a snapshot test holds the names.

mod exposition;
mod metric;
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obsq_metrics::StoreStats;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::app::App;
use crate::doors::DoorCounts;
use exposition::Exposition;
use metric::Metric;

pub(crate) use exposition::push_label_value;

/// Upper bounds of the buckets of request durations, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0];

/// By which way samples came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    RemoteWriteV1,
    RemoteWriteV2,
    Otlp,
    Scrape,
}

impl Protocol {
    const ALL: [Self; 4] = [
        Self::RemoteWriteV1,
        Self::RemoteWriteV2,
        Self::Otlp,
        Self::Scrape,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::RemoteWriteV1 => "remote_write_1",
            Self::RemoteWriteV2 => "remote_write_2",
            Self::Otlp => "otlp",
            Self::Scrape => "scrape",
        }
    }
}

/// What became of the samples of one protocol.
#[derive(Debug, Default)]
struct Received {
    samples: AtomicU64,
    histograms: AtomicU64,
    exemplars: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default, Clone)]
struct Durations {
    by_bucket: [u64; BUCKETS.len()],
    count: u64,
    sum_seconds: f64,
}

#[derive(Debug, Default)]
struct Requests {
    by_code: FxHashMap<(Arc<str>, u16), u64>,
    durations: FxHashMap<Arc<str>, Durations>,
}

/// Counters of the server.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    requests: Mutex<Requests>,
    received: [Received; Protocol::ALL.len()],
    pub(crate) panics: AtomicU64,
}

impl Telemetry {
    /// Counts an answered request; `route` is the pattern that matched, never a path as sent.
    pub(crate) fn request(&self, route: &str, code: u16, took: Duration) {
        let mut requests = self.requests.lock();
        let route = match requests.durations.get_key_value(route) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(route),
        };
        let durations = requests.durations.entry(Arc::clone(&route)).or_default();
        let seconds = took.as_secs_f64();
        for (bound, count) in BUCKETS.iter().zip(&mut durations.by_bucket) {
            *count += u64::from(seconds <= *bound);
        }
        durations.count += 1;
        durations.sum_seconds += seconds;
        *requests.by_code.entry((route, code)).or_default() += 1;
    }

    /// Counts what a request that writes brought.
    pub(crate) fn received(
        &self,
        protocol: Protocol,
        samples: usize,
        histograms: usize,
        exemplars: usize,
        refused: usize,
    ) {
        let received = &self.received[protocol as usize];
        for (counter, count) in [
            (&received.samples, samples),
            (&received.histograms, histograms),
            (&received.exemplars, exemplars),
            (&received.refused, refused),
        ] {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Returns the page in the text format of Prometheus.
    pub(crate) fn page(&self, app: &App) -> String {
        let (mut page, stats) = (Exposition::default(), app.stores.stats());
        for metric in Metric::ALL {
            page.head(*metric);
            self.write(*metric, app, &stats, &mut page);
        }
        page.into_text()
    }

    fn write(&self, metric: Metric, app: &App, stats: &StoreStats, page: &mut Exposition) {
        let value = match metric {
            Metric::BuildInfo => {
                page.sample(metric, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
                return;
            }
            Metric::HttpRequests => return self.write_requests(page),
            Metric::HttpRequestDuration => return self.write_durations(page),
            Metric::IngestSamples | Metric::IngestExemplars | Metric::IngestRefused => {
                return self.write_received(metric, page);
            }
            Metric::StoreRefused => return write_refused(page, stats),
            Metric::StoreFailing => return write_failing(page, stats),
            Metric::DoorRefused => return write_door_refused(page, &app.doors.counts),
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
            Metric::StoreBlockBytes => stats.block_bytes as f64,
            Metric::StoreBlocks => stats.blocks as f64,
            Metric::StoreCheckpoints => stats.checkpoints as f64,
            Metric::StoreCompactions => stats.compactions as f64,
            Metric::StoreDeletions => stats.deletions as f64,
            Metric::StoreHeadChunks => stats.head_chunks as f64,
            Metric::StoreHeadBytes => stats.head_file_bytes as f64,
            Metric::StoreHeadSeries => stats.head_series as f64,
            Metric::StoreLateBytes => stats.late_bytes as f64,
            Metric::StoreMaintenanceFailures => stats.maintenance_failures as f64,
            Metric::StoreSeals => stats.seals as f64,
            Metric::StoreTenants => stats.tenants as f64,
            Metric::WalBytes => stats.wal.bytes as f64,
            Metric::WalCorruptions => stats.corruptions as f64,
            Metric::WalQuarantinedBytes => stats.wal.quarantined_bytes as f64,
            Metric::WalQuarantinedSegments => stats.wal.quarantined_segments as f64,
            Metric::WalFailures => stats.wal.failures as f64,
            Metric::WalMissingRecords => stats.missing_records as f64,
            Metric::WalQueuedBytes => stats.wal.queued_bytes as f64,
            Metric::WalRecords => stats.wal.records as f64,
            Metric::WalReplayedRecords => stats.replayed_records as f64,
            Metric::WalSegments => stats.wal.segments as f64,
            Metric::WalSyncTime => stats.wal.sync_time.as_secs_f64(),
            Metric::WalSyncs => stats.wal.syncs as f64,
        };
        page.sample(metric, &[], value);
    }

    fn write_requests(&self, page: &mut Exposition) {
        let requests = self.requests.lock();
        let mut counts: Vec<_> = requests.by_code.iter().collect();
        counts.sort();
        for ((route, code), count) in counts {
            let labels = [("route", &**route), ("code", &*code.to_string())];
            page.sample(Metric::HttpRequests, &labels, *count as f64);
        }
    }

    fn write_durations(&self, page: &mut Exposition) {
        let requests = self.requests.lock();
        let mut routes: Vec<_> = requests.durations.iter().collect();
        routes.sort_by_key(|(route, _)| Arc::clone(route));
        for (route, durations) in routes {
            page.histogram(
                Metric::HttpRequestDuration,
                &[("route", route)],
                &BUCKETS,
                &durations.by_bucket,
                (durations.count, durations.sum_seconds),
            );
        }
    }

    fn write_received(&self, metric: Metric, page: &mut Exposition) {
        for protocol in Protocol::ALL {
            let received = &self.received[protocol as usize];
            let by = ("protocol", protocol.as_str());
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
            match metric {
                Metric::IngestExemplars => page.sample(metric, &[by], load(&received.exemplars)),
                Metric::IngestRefused => page.sample(metric, &[by], load(&received.refused)),
                _ => {
                    page.sample(metric, &[by, ("type", "float")], load(&received.samples));
                    page.sample(
                        metric,
                        &[by, ("type", "histogram")],
                        load(&received.histograms),
                    );
                }
            }
        }
    }
}

fn write_failing(page: &mut Exposition, stats: &StoreStats) {
    let failing = &stats.failing;
    for (task, count) in [
        ("checkpoint", failing.checkpoints),
        ("compaction", failing.compactions),
        ("seal", failing.seals),
    ] {
        page.sample(Metric::StoreFailing, &[("task", task)], count as f64);
    }
}

fn write_door_refused(page: &mut Exposition, counts: &DoorCounts) {
    for (reason, count) in [
        ("busy", &counts.busy),
        ("credentials", &counts.credentials),
        ("rate_limit", &counts.pace),
        ("tls_handshake", &counts.handshakes),
    ] {
        let count = count.load(Ordering::Relaxed) as f64;
        page.sample(Metric::DoorRefused, &[("reason", reason)], count);
    }
}

fn write_refused(page: &mut Exposition, stats: &StoreStats) {
    let refused = &stats.rejected;
    for (reason, count) in [
        ("before_retention", refused.before_retention),
        ("duplicate_sample", refused.duplicate_sample),
        ("invalid", refused.invalid),
        ("out_of_range", refused.out_of_range),
        ("too_far_in_future", refused.too_far_in_future),
        ("too_many_series", refused.too_many_series),
    ] {
        page.sample(Metric::StoreRefused, &[("reason", reason)], count as f64);
    }
}
