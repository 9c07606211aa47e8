//! The simulated shop of `obsq demo`.
//!
//! Everything that happens in the shop is a function of the seed and the time, in ticks of fifteen
//! seconds. A process counts from its last deployment on, which is never long ago, so any part of
//! the history can be made without the parts before it: history is written newest first, and the
//! live shop goes on where it ends. What is live really travels: some processes are scraped, others
//! push OTLP, both over loopback.

mod backfill;
mod cell;
mod expose;
mod family;
mod history;
mod live;
mod noise;
mod process;
mod push;
mod record;
mod shop;
mod world;

pub(crate) use backfill::{Backfill, Filled};
pub(crate) use live::{Live, scrape_config};
pub(crate) use noise::{bits as noise_bits, unit as noise_unit};
pub(crate) use record::Record;
pub(crate) use world::World;

/// Distance of two states of the shop in milliseconds.
const TICK_MS: i64 = 15_000;
