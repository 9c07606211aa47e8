//! Scraping targets.
//!
//! A [`Scraper`] runs one pool per job of the configuration. A pool follows its service
//! discoveries, turns what they find into targets and runs a loop per target; a loop scrapes at
//! turns that are spread over the interval by the target's identity. What one answer means is
//! decided in [`SeriesMemory::store`], which knows no network and no time.
//!
//! Source of the behaviour: Prometheus 3 `scrape` and `discovery`.

mod discovery;
mod environment;
mod fetch;
mod groups;
mod outcome;
mod pool;
mod scraper;
mod snapshot;
mod target;
mod target_loop;
#[cfg(test)]
mod testing;

pub use outcome::{Attempt, Outcome, SampleRules, SeriesMemory};
pub use scraper::{Scraper, ScraperOptions};
pub use snapshot::{DroppedTarget, PoolSnapshot, TargetHealth, TargetMetadata, TargetSnapshot};
