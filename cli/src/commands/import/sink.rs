//! Where imported samples go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use obsq_ingest::prompb::snappy;
use obsq_metrics::{MetricStore, StoreOptions};
use obsq_model::{Clock, Tenant};
use obsq_source::{MetricAppender as _, MetricBatch};

use crate::api::{HttpApi, Reply, WriteVersion};
use crate::exit::{Exit, Failure};
use crate::settings::Target;

/// How often a batch that the server could not take now is sent again.
const ATTEMPTS: u32 = 8;

/// A store or a server.
#[derive(Debug)]
pub(crate) enum Sink {
    /// The store in a data directory.
    Store(Arc<MetricStore>, Tenant),
    /// A server by remote write.
    Server {
        /// The server.
        api: Box<HttpApi>,
        /// Remote write 2.0, which keeps start timestamps; falls back when it is not understood.
        second_version: bool,
    },
}

/// What became of batches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Samples accepted.
    pub(crate) samples: usize,
    /// Samples refused.
    pub(crate) rejected: usize,
    /// Why the first one was.
    pub(crate) first_reason: Option<String>,
}

impl Taken {
    /// Adds what became of another batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.rejected += other.rejected;
        self.first_reason = self.first_reason.take().or(other.first_reason);
    }
}

impl Sink {
    /// Opens the store in `dir`, which is made when missing.
    pub(crate) fn store(
        dir: &Path,
        tenant: Tenant,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let store =
            MetricStore::open(StoreOptions::new(dir.to_owned(), clock)).map_err(|error| {
                Failure::failed(format!("cannot open `{}`", dir.display()))
                    .because(&error)
                    .hint("when a server holds the directory, write to it with `--server`")
            })?;
        Ok(Self::Store(Arc::new(store), tenant))
    }

    /// Prepares to write to a server.
    pub(crate) fn server(url: &str, target: &Target) -> Result<Self, Failure> {
        let api = HttpApi::new(url, &target.access, target.timeout)?;
        Ok(Self::Server {
            api: Box::new(api),
            second_version: true,
        })
    }

    /// Writes a batch and waits until it is acknowledged.
    pub(crate) async fn take(&mut self, batch: MetricBatch) -> Result<Taken, Failure> {
        match self {
            Self::Store(store, tenant) => {
                let (store, tenant) = (Arc::clone(store), tenant.clone());
                let working = tokio::task::spawn_blocking(move || append(&store, &tenant, batch));
                working.await.map_err(|error| {
                    Failure::failed("the import ended in a panic, which is a bug of obsq")
                        .because(&error)
                })?
            }
            Self::Server {
                api,
                second_version,
            } => send(api, second_version, &batch).await,
        }
    }

    /// Makes blocks of everything, so that the directory can be read by others at once.
    pub(crate) async fn finish(&self) -> Result<(), Failure> {
        let Self::Store(store, _) = self else {
            return Ok(());
        };
        let store = Arc::clone(store);
        let sealing = tokio::task::spawn_blocking(move || {
            let sealed = store.flush();
            store.close();
            sealed
        });
        let sealed = sealing.await.map_err(|error| {
            Failure::failed("sealing ended in a panic, which is a bug of obsq").because(&error)
        })?;
        sealed.map_err(|error| Failure::failed("cannot seal what was imported").because(&error))
    }
}

fn append(store: &MetricStore, tenant: &Tenant, batch: MetricBatch) -> Result<Taken, Failure> {
    let cannot =
        |error: &dyn std::error::Error| Failure::failed("cannot write to the store").because(error);
    let appended = store
        .append(tenant, batch)
        .map_err(|error| cannot(&error))?;
    let first_reason = appended.rejections.first().map(|rejection| {
        format!(
            "{} at {}: {}",
            rejection.labels, rejection.ts_ms, rejection.reason
        )
    });
    let taken = Taken {
        samples: appended.samples + appended.histograms,
        rejected: appended.rejected,
        first_reason,
    };
    appended
        .durable
        .wait_blocking()
        .map_err(|error| cannot(&error))?;
    Ok(taken)
}

async fn send(
    api: &HttpApi,
    second_version: &mut bool,
    batch: &MetricBatch,
) -> Result<Taken, Failure> {
    for attempt in 0..ATTEMPTS {
        let Reply {
            status,
            body,
            written,
        } = post(api, *second_version, batch).await?;
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        let samples: usize = batch.series.iter().map(|series| series.samples.len()).sum();
        match status {
            // Receivers that know the second version count what they took; older ones find no
            // sample in it and accept that.
            200..300 if *second_version && written.is_none() => *second_version = false,
            200..300 => {
                return Ok(Taken {
                    samples,
                    ..Taken::default()
                });
            }
            // An older receiver does not know the second version.
            415 if *second_version => *second_version = false,
            429 | 503 => tokio::time::sleep(Duration::from_millis(100 << attempt)).await,
            // The good samples of the batch are stored; who does not count them refused one at least.
            400 => {
                let stored = written.unwrap_or(samples.saturating_sub(1)).min(samples);
                return Ok(Taken {
                    samples: stored,
                    rejected: samples - stored,
                    first_reason: Some(text),
                });
            }
            401 | 403 => {
                let refused = format!("{} does not let us write: {text}", api.url("/"));
                return Err(Failure::new(Exit::Denied, refused));
            }
            404 => {
                let missing = format!("{} takes no remote write", api.url("/"));
                return Err(Failure::failed(missing)
                    .hint("Prometheus needs `--web.enable-remote-write-receiver`"));
            }
            _ => return Err(Failure::failed(format!("status {status}: {text}"))),
        }
    }
    Err(Failure::new(
        Exit::Unreachable,
        "the server cannot take samples now",
    ))
}

async fn post(api: &HttpApi, second_version: bool, batch: &MetricBatch) -> Result<Reply, Failure> {
    let version = if second_version {
        WriteVersion::Second
    } else {
        WriteVersion::First
    };
    let body = snappy(&version.encode(batch));
    api.post("/api/v1/write", &version.headers(), body).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::{Labels, ManualClock, Sample};
    use obsq_source::SeriesBatch;

    #[tokio::test]
    async fn a_store_takes_samples_and_tells_the_refused_ones() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(1_000_000));
        let mut sink = Sink::store(folder.path(), Tenant::anonymous(), clock).unwrap();
        let batch = |value| MetricBatch {
            series: vec![SeriesBatch {
                labels: Labels::from_pairs(&[("__name__", "a")]),
                samples: [Sample::float(1, value)].into(),
                exemplars: Vec::new(),
            }],
            metadata: Vec::new(),
        };
        let first = sink.take(batch(1.0)).await.unwrap();
        assert_eq!((first.samples, first.rejected), (1, 0));
        let repeated = sink.take(batch(1.0)).await.unwrap();
        assert_eq!((repeated.samples, repeated.rejected), (1, 0));
        let other = sink.take(batch(2.0)).await.unwrap();
        assert_eq!((other.samples, other.rejected), (0, 1));
        assert!(other.first_reason.unwrap().contains("duplicate sample"));
        sink.finish().await.unwrap();
    }
}
