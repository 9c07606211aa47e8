//! Metrics about the server itself.
//!
//! Every name stands in one enum, [`metric::Metric`], with its type and help; `docs/metrics.md` lists the
//! same, and a snapshot test holds the names.

mod exposition;
mod metric;
mod process;
mod remote;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::doors::DoorCounts;

pub(crate) use exposition::{families_to_json, families_to_text, push_label_value};

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
}
