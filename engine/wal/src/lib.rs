//! The write-ahead log, and the files and orders that make what stores write survive a crash.
//!
//! Nothing here knows a signal's types: payloads are bytes. The parts:
//!
//! - [`Wal`]: segments `NNNNNNNN` in one directory, written by one thread with group commit.
//! - [`replay`] and [`RecordReader`]: reading back past damage, counting what is missing.
//! - [`WalFollower`]: reading on while the log is written, for whoever passes records on.
//! - [`FramedWriter`] and [`read_framed`]: whole files of records (checkpoints, companions) that
//!   appear at once by the seal order.
//! - [`Vfs`]: the seam to the file system; [`DirectoryLock`]: one process per data directory.
//! - [`abort_on_panic`]: threads that must not die alone.
//!
//! The bytes are described in `docs/formats/wal.md`. Deliberately absent: retries of a failed sync,
//! appending to a segment of an earlier run, any buffer without a limit.

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        reason = "tests look at the disk past the seam"
    )
)]

mod abort;
mod error;
mod follow;
mod framed;
mod lock;
mod quarantine;
mod queue;
mod reader;
mod record;
mod segment;
mod stats;
mod vfs;
mod wal;
mod writer;

pub use abort::abort_on_panic;
pub use error::Error;
pub use follow::{Followed, WalFollower};
pub use framed::{FramedWriter, read_framed};
pub use lock::DirectoryLock;
pub use queue::{Done, Epoch, Refused};
pub use reader::{Damage, Gap, RecordReader};
pub use record::{FileKind, MAX_PAYLOAD_BYTES, MAX_SEQ, Record};
pub use stats::WalStats;
pub use vfs::{
    DiskSpace, DiskVfs, ReadOnlyVfs, Vfs, VfsFile, VfsLock, read_file, remove_unfinished,
};
#[cfg(any(test, feature = "fault"))]
pub use vfs::{FaultKind, FaultVfs, Faults, PlannedFault, SimImage, SimRng, SimVfs};
pub use wal::{Replayed, Wal, WalOptions, replay};
