//! What can be told about targets at a moment.

use std::time::Duration;

use obsq_model::{Labels, MetricMetadata};

/// All targets of one job.
#[derive(Debug, Clone, Default)]
pub struct PoolSnapshot {
    /// The job's name.
    pub name: String,
    /// Targets that are scraped, by URL.
    pub active: Vec<TargetSnapshot>,
    /// Targets that rules dropped, as far as they are remembered.
    pub dropped: Vec<DroppedTarget>,
    /// Number of targets that rules dropped.
    pub dropped_count: usize,
}

/// One target that is scraped.
#[derive(Debug, Clone)]
pub struct TargetSnapshot {
    /// Labels before any rule.
    pub discovered_labels: Labels,
    /// Labels that are attached to the samples.
    pub labels: Labels,
    /// What is scraped.
    pub url: String,
    /// Why the last scrape failed.
    pub last_error: Option<String>,
    /// Time of the last scrape in ms.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration: Duration,
    /// What the last scrape says of the target.
    pub health: TargetHealth,
    /// Milliseconds between two scrapes.
    pub interval_ms: i64,
    /// Milliseconds after which a scrape is given up.
    pub timeout_ms: i64,
}

/// A target that a rule dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedTarget {
    /// Labels before any rule.
    pub discovered_labels: Labels,
}

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetHealth {
    /// Not yet scraped.
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// The last scrape failed.
    Down,
}

impl TargetHealth {
    /// Returns the word used in `/api/v1/targets`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Metadata of one target's families.
#[derive(Debug, Clone)]
pub struct TargetMetadata {
    /// The target's labels.
    pub labels: Labels,
    /// Metadata by family, sorted by name.
    pub families: Vec<(String, MetricMetadata)>,
}
