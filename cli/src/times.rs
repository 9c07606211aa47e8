//! Times and durations as people write them on a command line.
//!
//! Every entry point takes the present and the time zone as arguments; nothing here asks a clock.

mod duration;
mod moment;
mod print;
mod step;
mod zone;

pub(crate) use duration::{parse_duration, parse_step};
pub(crate) use moment::{Edge, Frame, parse_moment};
pub(crate) use print::{format_seconds, format_time, rfc3339_ms};
pub(crate) use step::auto_step_ms;
pub(crate) use zone::parse_zone;

/// What is wrong with a time, a duration or a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeError {
    /// The text is no time.
    #[error("`{0}` is not a time")]
    Moment(String),
    /// The text is no duration.
    #[error("`{0}` is not a duration")]
    Duration(String),
    /// The text names no time zone.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// The time lies outside of what can be stored.
    #[error("`{0}` lies outside of year 1 to 9999")]
    OutOfRange(String),
}

impl TimeError {
    /// Returns what would be understood.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Moment(_) | Self::OutOfRange(_) => {
                "write `now-1h`, `now-1d/d`, `-30m`, `yesterday`, `15:04`, `2026-01-31`, RFC 3339, or unix time in s, ms or ns"
            }
            Self::Duration(_) => "write `90s`, `5m`, `1h30m`, `7d` or a number of seconds",
            Self::Zone(_) => {
                "write `UTC`, `local`, an IANA name such as `Europe/Berlin`, or `+02:00`"
            }
        }
    }
}
