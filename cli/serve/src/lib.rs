//! The server: one port for the HTTP and gRPC APIs of Prometheus and OTLP.
//!
//! Layers, from the outside in: listeners and connections, handlers per API family, services that
//! know no transport. A handler reads and limits the body, finds the tenant, parses parameters and
//! hands structs to a service; services run on the CPU pool, never on an async worker.

#![warn(missing_docs)]

pub mod prom;

mod app;
mod config;
mod doors;
mod error;
mod http;
mod ingest;
mod limits;
mod options;
mod otlp;
mod own;
mod router;
mod run;
mod server;
mod stores;
mod telemetry;
#[cfg(test)]
mod testing;

pub use doors::check_web_config;
pub use error::ServeError;
pub use options::{
    DEFAULT_HELD_LOG_BYTES, DEFAULT_HTTP, DEFAULT_OTLP_GRPC, DEFAULT_OTLP_HTTP, Listener,
    QueryOptions, ServeOptions,
};
pub use run::run;
pub use server::Server;
