//! Flags of the commands that list what there is.

use super::{OutputArgs, RangeArgs, SourceArgs, ZoneArgs};

/// Which time to look at, where to read from and how the list looks.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ListingArgs {
    /// Flags of the range.
    #[command(flatten)]
    pub(crate) times: RangeArgs,
    /// Flags of the zone.
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    /// Flags of the source.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Flags of the output.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
