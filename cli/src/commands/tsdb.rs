//! promtool's `tsdb list`, `tsdb analyze` and `tsdb dump`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use jiff::tz::TimeZone;
use obsq_metrics::Block;

use crate::api::{Layout, layout, open_blocks};
use crate::commands::cardinality::{CardinalityArgs, cardinality};
use crate::commands::export::{ExportArgs, export};
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
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
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

/// Lists or dumps.
pub(crate) fn tsdb(args: &TsdbArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.what {
        What::List { dir } => list(dir, session),
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

fn list(dir: &Path, session: &mut Session) -> Result<Exit, Failure> {
    let directories = match layout(dir)? {
        Layout::Block => vec![dir.to_owned()],
        Layout::Blocks(blocks) | Layout::Prometheus(blocks) => blocks,
        Layout::Store => return list_tenants(dir, session),
    };
    show(&directories, session)
}

/// The blocks of all tenants of obsq's own data directory.
fn list_tenants(dir: &Path, session: &mut Session) -> Result<Exit, Failure> {
    let mut directories = Vec::new();
    let tenants = std::fs::read_dir(dir.join("tenants"));
    for tenant in tenants.into_iter().flatten().filter_map(Result::ok) {
        let blocks = tenant.path().join("metrics").join("blocks");
        if let Ok(Layout::Blocks(found)) = layout(&blocks) {
            directories.extend(found);
        }
    }
    show(&directories, session)
}

fn show(directories: &[PathBuf], session: &mut Session) -> Result<Exit, Failure> {
    let set = open_blocks(directories)?;
    let mut blocks: Vec<&Arc<Block>> = set.blocks().iter().collect();
    blocks.sort_by_key(|block| block.range().start_ms);
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
