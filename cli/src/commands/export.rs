//! `obsq export`

mod blocks;
mod text;
mod whence;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_model::TimeRange;

use crate::args::{RangeArgs, SourceArgs, ZoneArgs};
use crate::commands::export::blocks::write_blocks;
use crate::commands::export::text::{Writer, write_series};
use crate::commands::export::whence::Whence;
use crate::commands::shared::{frame, range, read_stdin};
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::settings::{load, resolve};
use crate::times::format_time;

/// Take samples out as they are stored: OpenMetrics, JSON lines, CSV, or Prometheus blocks
///
/// From a server they come by remote read, with the server's external labels on every series.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Selectors of the series to export [default: all series]
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// Format of the answer
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: ExportFormat,
    /// Write Prometheus blocks into this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    blocks: Option<PathBuf>,
    #[command(flatten)]
    times: RangeArgs,
    #[command(flatten)]
    zone: ZoneArgs,
    #[command(flatten)]
    source: SourceArgs,
}

impl ExportArgs {
    /// Returns the arguments that export a directory as OpenMetrics; all of it without times.
    pub(crate) fn of_directory(
        dir: &Path,
        selectors: Vec<String>,
        min_ms: Option<i64>,
        max_ms: Option<i64>,
    ) -> Self {
        Self {
            selectors,
            output: ExportFormat::Openmetrics,
            blocks: None,
            times: RangeArgs::between(min_ms, max_ms),
            zone: ZoneArgs::default(),
            source: SourceArgs {
                data: Some(dir.to_owned()),
                ..SourceArgs::default()
            },
        }
    }
}

/// `-o`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ExportFormat {
    /// OpenMetrics text with times; native histograms and staleness marks have no place in it
    #[default]
    Openmetrics,
    /// One JSON object per series
    Jsonl,
    /// One line per sample: series, time, value
    Csv,
}

const EXAMPLES: &str = "\
Examples:
  obsq export '{job=\"api\"}' --since 1d > api.om
  obsq export --data ./history --from 2026-01-01 -o jsonl | gzip > january.jsonl.gz
  obsq export --server http://prometheus:9090 --since 7d --blocks ./blocks";

/// Reads series by series and writes them.
pub(crate) fn export(args: &ExportArgs, session: &mut Session) -> Result<Exit, Failure> {
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let target = resolve(&args.source, &config)?;
    let frame = frame(&args.zone, &config, session)?;
    let range = range(&args.times, &config, &frame)?;
    let whence = Whence::open(&target, &args.selectors, session)?;
    if let Some(folder) = &args.blocks {
        return export_blocks(&whence, range, folder, session);
    }
    let mut writer = Writer::new(args.output, frame.zone);
    let out = session.console.out();
    writer.begin(out)?;
    whence.each_series(range, &mut |labels, samples| {
        write_series(&mut writer, out, labels, samples)
    })?;
    writer.end(out)?;
    out.flush()?;
    if writer.left_out > 0 {
        let text = format!("{} samples have no place in this format", writer.left_out);
        session.console.warn(&text);
        session
            .console
            .note("hint: `-o jsonl` and `--blocks` keep native histograms and staleness marks");
    }
    let end = format_time(range.end_ms, &writer.zone);
    let start = format_time(range.start_ms, &writer.zone);
    let text = format!("exported {} samples from {start} to {end}", writer.written);
    session.console.note(&text);
    Ok(Exit::Success)
}

fn export_blocks(
    whence: &Whence,
    range: TimeRange,
    folder: &Path,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let clock = Arc::clone(&session.clock);
    let written = write_blocks(whence, range, folder, clock.as_ref())?;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    session.console.note(&format!(
        "wrote {} block{} with {} sample{}",
        written.blocks,
        plural(written.blocks),
        written.samples,
        plural(written.samples)
    ));
    Ok(Exit::Success)
}

/// Writes blocks with all samples of a text.
pub(crate) fn blocks_of_text(
    file: &Path,
    folder: &Path,
    session: &mut Session,
) -> Result<Exit, Failure> {
    let text = if file.as_os_str() == "-" {
        read_stdin(session)?
    } else {
        std::fs::read_to_string(file).map_err(|error| {
            Failure::usage(format!("cannot read `{}`", file.display())).because(&error)
        })?
    };
    match Whence::of_text(&text, session)? {
        (whence, Some(range)) => export_blocks(&whence, range, folder, session),
        (_whence, None) => Err(Failure::failed("there is no sample in the text")),
    }
}
