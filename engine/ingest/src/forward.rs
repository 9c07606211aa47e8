//! Passing on what is written: outgoing remote write.
//!
//! A [`Forwarder`] runs one remote per entry of the configuration. A remote reads the log of the
//! store, turns batches into requests and sends them, several at once but each series in order. It
//! notes in the store how far the receiver has acknowledged; after a crash it goes on there, so
//! that nothing is lost and some things are sent twice.
//!
//! ```text
//! log ─► read ─► label, relabel, share out ─► lane 1 ─► request, retried until it is answered
//!                                         └─► lane 2 ─► ...
//! ```
//!
//! Source of the behaviour: Prometheus 3 `storage/remote` and the remote write specifications.

mod backoff;
mod counters;
mod forwarder;
mod lane;
mod lanes;
mod metadata;
mod part;
mod prepare;
mod reader;
mod remote;
mod sender;
#[cfg(test)]
mod testing;
mod tracker;

pub use counters::RemoteStats;
pub use forwarder::Forwarder;
