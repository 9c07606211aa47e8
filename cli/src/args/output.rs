//! How answers look.

/// `-o`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// The API's body, byte for byte
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// Tab-separated values with a header
    Tsv,
    /// Values alone, one per line
    Raw,
    /// A chart in braille; asks for a range
    Graph,
    /// A table in Markdown
    Markdown,
    /// What promtool prints
    #[value(hide = true)]
    Promql,
}

/// How answers look.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "How the answer looks")]
pub(crate) struct OutputArgs {
    /// Format of the answer [default: table]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Only these columns, in this order
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// Most series or names to show; 0 for all [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Exit with 5 when the answer was truncated
    #[arg(long)]
    pub(crate) fail_on_truncation: bool,
    /// Exit with 5 when the answer is partial or truncated
    #[arg(long)]
    pub(crate) strict: bool,
    /// Exit with 10 when nothing matched
    #[arg(long)]
    pub(crate) exit_status: bool,
    /// Draw charts with ASCII only
    #[arg(long)]
    pub(crate) ascii: bool,
}
