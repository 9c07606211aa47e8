//! Ranges of milliseconds since the Unix epoch.

/// The earliest time obsq accepts and prints: the start of year 1.
pub const MIN_TIME_MS: i64 = -62_135_596_800_000;
/// The latest time obsq accepts and prints: the end of year 9999.
pub const MAX_TIME_MS: i64 = 253_402_300_799_999;

/// A range of times in milliseconds; both ends are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First millisecond in the range.
    pub start_ms: i64,
    /// Last millisecond in the range.
    pub end_ms: i64,
}

impl TimeRange {
    /// Everything that can be stored.
    pub const ALL: Self = Self {
        start_ms: i64::MIN,
        end_ms: i64::MAX,
    };

    /// Returns the range from `start_ms` to `end_ms`, both inclusive.
    pub fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// Says whether no millisecond lies in the range.
    pub fn is_empty(self) -> bool {
        self.start_ms > self.end_ms
    }

    /// Says whether `time_ms` lies in the range.
    pub fn contains(self, time_ms: i64) -> bool {
        self.start_ms <= time_ms && time_ms <= self.end_ms
    }

    /// Says whether the two ranges share a millisecond.
    pub fn overlaps(self, other: Self) -> bool {
        self.start_ms <= other.end_ms && other.start_ms <= self.end_ms
    }
}
