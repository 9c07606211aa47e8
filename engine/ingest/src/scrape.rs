//! Scraping targets.

mod outcome;

pub use outcome::{Attempt, Outcome, SampleRules, SeriesMemory};
