//! Reading what was written, in the order in which it was, for whoever passes it on.

use std::fmt::Debug;

use obsq_model::Tenant;

use crate::{Error, MetricBatch};

/// A store whose writes can be followed.
///
/// Each reader has a name, under which the store keeps on disk how far it has come. What a reader
/// still has to read is kept for it, within a limit of size that the store has.
pub trait MetricLog: Debug + Send + Sync {
    /// Returns a reader that goes on behind what was committed under `name`; a new name begins
    /// with what is written next. Blocks on the disk. Fails while the store is starting.
    fn follow(&self, name: &str) -> Result<Box<dyn LogFollower>, Error>;

    /// Forgets every reader but those named, so that nothing is kept for the others.
    fn forget_followers_but(&self, names: &[String]) -> Result<(), Error>;
}

/// A reader of the writes to a store.
pub trait LogFollower: Debug + Send {
    /// Says whether there may be something to read; cheap.
    fn has_more(&self) -> bool;

    /// Returns the next batch that is on disk, as it was acknowledged but for samples that were
    /// refused then, or `None` when there is none yet. Blocks on the disk.
    fn next(&mut self) -> Result<Option<LogBatch>, Error>;

    /// Notes, durably, that everything up to the batch of this number need not be read again.
    fn commit(&mut self, through_seq: u64) -> Result<(), Error>;

    /// Returns how many batches are gone unread: damaged, or removed because too much waited.
    fn lost_batches(&self) -> u64;
}

/// A batch as it was written.
#[derive(Debug, Clone)]
pub struct LogBatch {
    /// Its number, which rises from batch to batch, with gaps.
    pub seq: u64,
    /// Whose it is.
    pub tenant: Tenant,
    /// What was written. A label set occurs once.
    pub batch: MetricBatch,
}
