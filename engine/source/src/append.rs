//! Writing: batches, what was refused, and when the rest is on disk.

use std::fmt::{self, Debug};

use obsq_model::{Exemplar, Labels, MetricMetadata, Sample, Tenant};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::Error;

/// The samples of one series in one request. Most requests bring one sample a series, which takes
/// no allocation.
pub type Samples = SmallVec<[Sample; 1]>;

/// New samples and exemplars of one series.
#[derive(Debug, Clone, Default)]
pub struct SeriesBatch {
    /// Labels of the series, valid and not empty.
    pub labels: Labels,
    /// Samples in any order.
    pub samples: Samples,
    /// Exemplars in any order.
    pub exemplars: Vec<Exemplar>,
}

/// What one request brings for one tenant; accepted or lost as a whole, but for the samples that
/// are refused by rule.
#[derive(Debug, Clone, Default)]
pub struct MetricBatch {
    /// Series in the request's order; a label set may occur more than once.
    pub series: Vec<SeriesBatch>,
    /// Metadata by metric family.
    pub metadata: Vec<(String, MetricMetadata)>,
}

/// Why one sample or exemplar was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// Another value is stored for the same series and time.
    DuplicateSample,
    /// The time lies more than 10 minutes ahead of the clock.
    TooFarInFuture,
    /// The time lies before the retention.
    BeforeRetention,
    /// The time lies outside year 1 to year 9999.
    OutOfRange,
    /// The histogram contradicts itself; says how.
    InvalidHistogram(String),
    /// The labels break a rule or a limit; says which.
    InvalidLabels(String),
    /// The exemplar breaks a rule; says which.
    InvalidExemplar(String),
    /// The tenant has reached its number of active series.
    TooManySeries {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateSample => f.write_str("duplicate sample for timestamp"),
            Self::TooFarInFuture => f.write_str("out of bounds: more than 10m ahead of the clock"),
            Self::BeforeRetention => f.write_str("out of bounds: older than the retention"),
            Self::OutOfRange => f.write_str("out of bounds: outside of year 1 to 9999"),
            Self::InvalidHistogram(why) | Self::InvalidLabels(why) | Self::InvalidExemplar(why) => {
                f.write_str(why)
            }
            Self::TooManySeries { limit } => {
                write!(
                    f,
                    "too many active series: the tenant has {limit}, the limit `max_series` is {limit}"
                )
            }
        }
    }
}

/// One refused sample or exemplar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Labels of its series.
    pub labels: Labels,
    /// Its time in milliseconds.
    pub ts_ms: i64,
    /// Why.
    pub reason: RejectReason,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Appended {
    /// Float samples accepted, repeats of a stored value included.
    pub samples: usize,
    /// Histogram samples accepted, repeats of a stored value included.
    pub histograms: usize,
    /// Exemplars accepted.
    pub exemplars: usize,
    /// Number of refused samples and exemplars.
    pub rejected: usize,
    /// The first refusals, at most 16.
    pub rejections: Vec<Rejection>,
    /// Resolves when the accepted part is on disk.
    pub durable: Durable,
}

/// A promise that a batch is on disk. A success must not be answered before it is kept.
#[derive(Debug)]
pub struct Durable(oneshot::Receiver<Result<(), Error>>);

impl Durable {
    /// Returns a promise and the sender that keeps it; a dropped sender breaks it.
    pub fn pending() -> (oneshot::Sender<Result<(), Error>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Returns a promise that is kept already, for batches with nothing to write.
    pub fn done() -> Self {
        let (sender, durable) = Self::pending();
        drop(sender.send(Ok(())));
        durable
    }

    /// Waits until the batch is on disk or cannot get there.
    pub async fn wait(self) -> Result<(), Error> {
        self.0.await.unwrap_or_else(|_closed| Err(writer_gone()))
    }

    /// Like [`Self::wait`], for threads outside of any async runtime.
    pub fn wait_blocking(self) -> Result<(), Error> {
        self.0
            .blocking_recv()
            .unwrap_or_else(|_closed| Err(writer_gone()))
    }
}

fn writer_gone() -> Error {
    Error::Unavailable {
        what: "the write-ahead log (its writer has stopped)".into(),
        source: None,
    }
}

/// Anything that stores metric samples.
pub trait MetricAppender: Debug + Send + Sync {
    /// Accepts a batch. Blocks briefly on locks and computes; does not wait for the disk, which is
    /// what [`Appended::durable`] is for. The samples may be visible to queries before they are
    /// durable.
    fn append(&self, tenant: &Tenant, batch: MetricBatch) -> Result<Appended, Error>;
}
