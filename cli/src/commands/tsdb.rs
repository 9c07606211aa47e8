//! promtool's `tsdb`: lists, analyses, dumps and makes blocks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use jiff::tz::TimeZone;
use obsq_metrics::Block;

use crate::api::{Layout, layout, open_blocks};
use crate::commands::cardinality::{CardinalityArgs, cardinality};
use crate::commands::export::{ExportArgs, blocks_of_text, export};
use crate::commands::shared::show_body;
use crate::exit::{Exit, Failure};
use crate::render::Sheet;
use crate::session::Session;
use crate::times::format_time;

/// Look into blocks, in the words of promtool
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TsdbArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// List the blocks of a directory
    List {
        /// The directory
        #[arg(value_name = "DIR", default_value = "data")]
        dir: PathBuf,
        /// Format of the list
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
        output: ListFormat,
        /// Accepted and without effect: times are always readable
        #[arg(short = 'r', long, hide = true)]
        human_readable: bool,
    },
    /// Make blocks of text
    #[command(subcommand)]
    CreateBlocksFrom(CreateFrom),
    /// Show which metrics, labels and label pairs of a directory have the most series
    Analyze {
        /// The directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Only this block of it
        #[arg(value_name = "BLOCK")]
        block: Option<String>,
        /// Names to show of each kind
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only series that match this selector; may be repeated
        #[arg(long = "match", value_name = "SELECTOR")]
        selectors: Vec<String>,
    },
    /// Print the samples of a directory as OpenMetrics
    #[command(alias = "dump-openmetrics")]
    Dump {
        /// The directory
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Only series that match this selector; may be repeated
        #[arg(long = "match", value_name = "SELECTOR")]
        selectors: Vec<String>,
        /// First time, in milliseconds
        #[arg(long, value_name = "MS", allow_hyphen_values = true)]
        min_time: Option<i64>,
        /// Last time, in milliseconds
        #[arg(long, value_name = "MS", allow_hyphen_values = true)]
        max_time: Option<i64>,
    },
}

/// How the list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum ListFormat {
    /// Aligned columns
    #[default]
    Table,
    /// An array of objects
    Json,
}

#[derive(Debug, Clone, Subcommand)]
enum CreateFrom {
    /// From OpenMetrics, or exposition text with times
    Openmetrics {
        /// The text; `-` is standard input
        #[arg(value_name = "FILE")]
        input: PathBuf,
        /// Where the blocks go
        #[arg(value_name = "DIR", default_value = "data")]
        output: PathBuf,
    },
}

/// Lists or dumps.
pub(crate) fn tsdb(args: &TsdbArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.what {
        What::List { dir, output, .. } => list(dir, *output, session),
        What::CreateBlocksFrom(CreateFrom::Openmetrics { input, output }) => {
            blocks_of_text(input, output, session)
        }
        What::Analyze {
            dir,
            block,
            limit,
            selectors,
        } => {
            let dir = block.as_ref().map_or(dir.clone(), |block| dir.join(block));
            let args = CardinalityArgs::of_directory(&dir, selectors.clone(), *limit);
            cardinality(&args, session)
        }
        What::Dump {
            dir,
            selectors,
            min_time,
            max_time,
        } => {
            let args = ExportArgs::of_directory(dir, selectors.clone(), *min_time, *max_time);
            export(&args, session)
        }
    }
}

fn list(dir: &Path, format: ListFormat, session: &mut Session) -> Result<Exit, Failure> {
    let directories = match layout(dir)? {
        Layout::Block => vec![dir.to_owned()],
        Layout::Blocks(blocks) | Layout::Prometheus(blocks) => blocks,
        Layout::Store => return list_tenants(dir, format, session),
    };
    show(&directories, format, session)
}

/// The blocks of all tenants of obsq's own data directory.
fn list_tenants(dir: &Path, format: ListFormat, session: &mut Session) -> Result<Exit, Failure> {
    let mut directories = Vec::new();
    let tenants = std::fs::read_dir(dir.join("tenants"));
    for tenant in tenants.into_iter().flatten().filter_map(Result::ok) {
        let blocks = tenant.path().join("metrics").join("blocks");
        if let Ok(Layout::Blocks(found)) = layout(&blocks) {
            directories.extend(found);
        }
    }
    show(&directories, format, session)
}

fn show(
    directories: &[PathBuf],
    format: ListFormat,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let set = open_blocks(directories)?;
    let mut blocks: Vec<&Arc<Block>> = set.blocks().iter().collect();
    blocks.sort_by_key(|block| block.range().start_ms);
    if format == ListFormat::Json {
        return show_json(&blocks, session);
    }
    let columns = [
        "block", "from", "to", "level", "samples", "chunks", "series", "bytes",
    ];
    let mut sheet = Sheet::new(&columns);
    for block in blocks {
        let meta = block.meta();
        sheet.rows.push(vec![
            meta.ulid.to_string(),
            format_time(meta.min_time, &TimeZone::UTC),
            format_time(meta.max_time, &TimeZone::UTC),
            meta.compaction.level.to_string(),
            meta.stats.num_samples.to_string(),
            meta.stats.num_chunks.to_string(),
            meta.stats.num_series.to_string(),
            block.size_bytes().to_string(),
        ]);
    }
    let paint = session.console.facts.out_paint();
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| sheet.table(out, paint))?;
    Ok(Exit::Success)
}

fn show_json(blocks: &[&Arc<Block>], session: &mut Session) -> Result<Exit, Failure> {
    let object = |block: &&Arc<Block>| {
        let meta = block.meta();
        serde_json::json!({
            "ulid": meta.ulid.to_string(),
            "minTime": meta.min_time,
            "maxTime": meta.max_time,
            "level": meta.compaction.level,
            "numSamples": meta.stats.num_samples,
            "numChunks": meta.stats.num_chunks,
            "numSeries": meta.stats.num_series,
            "sizeBytes": block.size_bytes(),
            "directory": block.directory().display().to_string(),
        })
    };
    let all: Vec<serde_json::Value> = blocks.iter().map(object).collect();
    show_body(
        serde_json::Value::Array(all).to_string().as_bytes(),
        session,
    )?;
    Ok(Exit::Success)
}
