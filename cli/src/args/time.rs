//! Flags about time.

use jiff::tz::TimeZone;
use obsq_model::{MAX_TIME_MS, MIN_TIME_MS};

use crate::times::format_time;

/// The zone of times without one.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "When")]
pub(crate) struct ZoneArgs {
    /// Zone of times read and shown: UTC, local, an IANA name or an offset [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
}

/// A range of time.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "When")]
pub(crate) struct RangeArgs {
    /// From this long before the end, such as 1h or 7d
    #[arg(long, value_name = "DURATION", conflicts_with = "from")]
    pub(crate) since: Option<String>,
    /// From this time on (see `obsq help times`)
    #[arg(long, alias = "start", value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Up to this time [default: now]
    #[arg(long, alias = "end", value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
}

impl RangeArgs {
    /// Returns the range that holds every time.
    pub(crate) fn everything() -> Self {
        Self::between(None, None)
    }

    /// Returns the range of milliseconds; an open end reaches as far as times do.
    pub(crate) fn between(min_ms: Option<i64>, max_ms: Option<i64>) -> Self {
        // The calendar ends some hours before the year does.
        let last_ms = MAX_TIME_MS - 2 * 86_400_000;
        let text = |ms: i64| format_time(ms.clamp(MIN_TIME_MS, last_ms), &TimeZone::UTC);
        Self {
            since: None,
            from: Some(text(min_ms.unwrap_or(i64::MIN))),
            to: Some(text(max_ms.unwrap_or(i64::MAX))),
        }
    }

    /// Says whether any flag was given.
    pub(crate) fn is_given(&self) -> bool {
        self.since.is_some() || self.from.is_some() || self.to.is_some()
    }
}
