//! Flags about time.

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
    /// Says whether any flag was given.
    pub(crate) fn is_given(&self) -> bool {
        self.since.is_some() || self.from.is_some() || self.to.is_some()
    }
}
