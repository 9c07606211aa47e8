//! Integration tests: they spawn the real binary and use it as its users do.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod bench;
mod cli_complete;
mod cli_data;
mod cli_demo;
mod cli_help;
mod cli_output;
mod cli_promtool;
mod clients;
mod config;
mod differential;
mod doors;
mod durability;
mod forward;
mod interchange;
mod life;
mod prom_api;
mod slow_clients;
mod structure;
mod testkit;
mod write;
