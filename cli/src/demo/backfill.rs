//! Writing history by remote write, newest first.

use std::collections::BTreeMap;
use std::time::Duration;

use obsq_ingest::prompb::{snappy, write_request_v2};
use obsq_model::MetricMetadata;
use obsq_source::{MetricBatch, SeriesBatch};
use tokio::sync::mpsc;

use crate::api::{HttpApi, Reply};
use crate::demo::history::{Extent, WINDOW_MS, Windows, deployment};
use crate::demo::process::{Place, Process};
use crate::demo::world::World;
use crate::exit::Failure;

/// Samples per request: large enough to be cheap, small enough to be answered soon.
const SAMPLES_PER_REQUEST: usize = 10_000;
/// Requests on their way at the same time.
const CONCURRENCY: usize = 3;
/// How often a request that the server could not take now is sent again.
const ATTEMPTS: u32 = 8;
/// The part of history with twice as many samples.
const RECENT_MS: i64 = 24 * 3_600_000;
/// The part of history with exemplars.
const EXEMPLARS_MS: i64 = 6 * 3_600_000;

/// History to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backfill {
    /// The shop.
    pub(crate) world: World,
    /// The present.
    pub(crate) now_ms: i64,
}

/// A window that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Its first time.
    pub(crate) start_ms: i64,
    /// Its last time.
    pub(crate) end_ms: i64,
    /// Samples in it.
    pub(crate) samples: usize,
}

/// A window ready to be sent.
struct Packed {
    filled: Filled,
    bodies: Vec<Vec<u8>>,
}

impl Backfill {
    /// Writes the times of `gaps`, which are newest first, and tells each window that is there.
    pub(crate) async fn run(
        self,
        gaps: Vec<(i64, i64)>,
        server: &HttpApi,
        mut told: impl FnMut(Filled),
    ) -> Result<(), Failure> {
        // One window is made while another one is sent.
        let (sender, mut packed) = mpsc::channel(1);
        let making = tokio::task::spawn_blocking(move || {
            for (start_ms, end_ms) in gaps {
                if !self.make(start_ms, end_ms, &sender) {
                    break;
                }
            }
        });
        while let Some(window) = packed.recv().await {
            send(window.bodies, server).await?;
            told(window.filled);
        }
        drop(making.await);
        Ok(())
    }

    /// Makes the windows of one gap, newest first. Returns whether anyone still wants them.
    fn make(self, start_ms: i64, end_ms: i64, sender: &mpsc::Sender<Packed>) -> bool {
        let extent = Extent {
            start: start_ms,
            end: end_ms,
            recent: self.now_ms - RECENT_MS,
            exemplars: self.now_ms - EXEMPLARS_MS,
        };
        let places = Place::all();
        let mut makers: Vec<Maker> = places
            .into_iter()
            .map(|place| Maker::new(place, self.world, extent))
            .collect();
        let mut metadata = all_metadata(self.world, end_ms);
        let mut window_ms = end_ms.div_euclid(WINDOW_MS) * WINDOW_MS;
        while window_ms + WINDOW_MS > start_ms {
            let series: Vec<SeriesBatch> = makers
                .iter_mut()
                .flat_map(|maker| maker.window(window_ms))
                .collect();
            let filled = Filled {
                start_ms: window_ms.max(start_ms),
                end_ms: (window_ms + WINDOW_MS - 1).min(end_ms),
                samples: series.iter().map(|batch| batch.samples.len()).sum(),
            };
            let bodies = pack(series, std::mem::take(&mut metadata));
            if sender.blocking_send(Packed { filled, bodies }).is_err() {
                return false;
            }
            window_ms -= WINDOW_MS;
        }
        true
    }
}

/// Makes the windows of one place, from deployment to deployment backwards.
struct Maker {
    place: Place,
    world: World,
    extent: Extent,
    /// The earliest deployment that was made.
    made_from_ms: i64,
    ready: Windows,
}

impl Maker {
    fn new(place: Place, world: World, extent: Extent) -> Self {
        let deployed_ms = place.deployed_ms(extent.end, world);
        let ready = deployment(place, deployed_ms, world, extent);
        Self {
            place,
            world,
            extent,
            made_from_ms: deployed_ms,
            ready,
        }
    }

    fn window(&mut self, window_ms: i64) -> Vec<SeriesBatch> {
        let needed_ms = window_ms.max(self.extent.start);
        while self.made_from_ms > needed_ms {
            let before = self.place.deployed_ms(self.made_from_ms - 1, self.world);
            let windows = deployment(self.place, before, self.world, self.extent);
            for (start, mut series) in windows {
                series.append(self.ready.entry(start).or_default());
                self.ready.insert(start, series);
            }
            self.made_from_ms = before;
        }
        let mut series = self.ready.remove(&window_ms).unwrap_or_default();
        series.retain(|batch| !batch.samples.is_empty());
        series
    }
}

fn all_metadata(world: World, ts_ms: i64) -> Vec<(String, MetricMetadata)> {
    let mut all = BTreeMap::new();
    for place in Place::all() {
        let process = Process::start(place, place.deployed_ms(ts_ms, world), world);
        all.extend(
            process
                .metrics
                .iter()
                .map(|metric| metric.family.metadata()),
        );
    }
    all.into_iter().collect()
}

/// Returns compressed write requests of about equal size.
fn pack(series: Vec<SeriesBatch>, metadata: Vec<(String, MetricMetadata)>) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut batch = MetricBatch {
        series: Vec::new(),
        metadata,
    };
    let mut samples = 0;
    for one in series {
        samples += one.samples.len();
        batch.series.push(one);
        if samples >= SAMPLES_PER_REQUEST {
            bodies.push(snappy(&write_request_v2(&batch)));
            batch = MetricBatch::default();
            samples = 0;
        }
    }
    if !batch.series.is_empty() {
        bodies.push(snappy(&write_request_v2(&batch)));
    }
    bodies
}

/// Sends the requests of one window, a few at a time.
async fn send(bodies: Vec<Vec<u8>>, server: &HttpApi) -> Result<(), Failure> {
    use futures_util::stream::{StreamExt as _, TryStreamExt as _};
    let sending = bodies.into_iter().map(|body| deliver(body, server));
    futures_util::stream::iter(sending)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
}

async fn deliver(body: Vec<u8>, server: &HttpApi) -> Result<(), Failure> {
    let headers = [
        (
            "content-type",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        ),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "2.0.0"),
    ];
    for attempt in 0..ATTEMPTS {
        let Reply { status, body, .. } =
            server.post("/api/v1/write", &headers, body.clone()).await?;
        match status {
            200..300 => return Ok(()),
            // A few samples were refused; the rest is there.
            400 => {
                let reason = String::from_utf8_lossy(&body);
                tracing::warn!(reason = reason.trim(), "some history was refused");
                return Ok(());
            }
            429 | 503 => tokio::time::sleep(Duration::from_millis(100 << attempt)).await,
            _ => {
                let reason = String::from_utf8_lossy(&body);
                let text = format!(
                    "history was refused with status {status}: {}",
                    reason.trim()
                );
                return Err(Failure::failed(text));
            }
        }
    }
    Err(Failure::failed("the server cannot take the history now"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const WORLD: World = World { seed: 1 };
    const NOW: i64 = 1_795_172_400_000;

    /// Makes the history of some hours, seen from days later so that none of it is recent.
    fn windows(start_ms: i64) -> Vec<Filled> {
        let backfill = Backfill {
            world: WORLD,
            now_ms: NOW + 2 * RECENT_MS,
        };
        let (sender, mut packed) = mpsc::channel(1_000);
        assert!(backfill.make(start_ms, NOW, &sender));
        drop(sender);
        std::iter::from_fn(|| packed.blocking_recv())
            .map(|one| one.filled)
            .collect()
    }

    #[test]
    fn windows_come_newest_first_without_gap_and_a_week_has_a_few_million_samples() {
        let start_ms = NOW - 5 * 3_600_000;
        let windows = windows(start_ms);
        assert_eq!(windows[0].end_ms, NOW);
        for pair in windows.windows(2) {
            assert_eq!(pair[1].end_ms + 1, pair[0].start_ms);
        }
        assert_eq!(windows.last().unwrap().start_ms, start_ms);
        assert!(windows.iter().all(|window| window.samples > 0));
        let samples: usize = windows.iter().map(|window| window.samples).sum();
        let week = samples * 7 * 24 / 5;
        assert!((4_000_000..8_000_000).contains(&week), "{week}");
    }

    #[test]
    fn every_tick_of_every_process_is_there_across_deployments() {
        let place = Place::all()[0];
        let extent = Extent {
            start: NOW - 40 * 3_600_000,
            end: NOW,
            recent: NOW,
            exemplars: NOW,
        };
        let mut maker = Maker::new(place, WORLD, extent);
        let mut seen = BTreeSet::new();
        for back in 0..21 {
            let window = NOW.div_euclid(WINDOW_MS) * WINDOW_MS - back * WINDOW_MS;
            let ups = maker
                .window(window)
                .into_iter()
                .filter(|b| b.labels.metric_name() == "up");
            seen.extend(
                ups.flat_map(|batch| batch.samples)
                    .map(|sample| sample.ts_ms),
            );
        }
        let every_minute = 40 * 60;
        // At a deployment the tick of the start itself has no sample.
        assert!(
            (every_minute - 6..=every_minute + 1).contains(&seen.len()),
            "{}",
            seen.len()
        );
    }
}
