//! The client's configuration: `config.toml` with defaults and contexts.
//!
//! What wins: the command line, then `OBSQ_*` variables (both are flags to the commands), then the
//! context's values, then `[defaults]`, then what is built in. A folder's own file is deliberately
//! not read: a checked-out repository must not choose where tokens are sent.

mod edit;
mod file;
mod schema;
mod target;

pub(crate) use edit::set_current_context;
pub(crate) use file::{ClientConfig, ContextConfig, config_path, load, parse};
pub(crate) use schema::json_schema;
pub(crate) use target::{Access, DEFAULT_SERVER, Place, Target, resolve};
