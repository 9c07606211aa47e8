//! `obsq verify`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_metrics::verify_block;

use crate::api::{Layout, layout};
use crate::console::Progress;
use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Look through blocks for damage
///
/// Reads everything: meta, index, every chunk and sample, tombstones. Prints a line for each thing
/// that is wrong, with the file, and ends with exit code 1 when there is any. Changes nothing and
/// takes no lock, so a server may hold the directory.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Data directories of obsq or Prometheus, snapshots, or single blocks
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  obsq verify /var/lib/obsq
  obsq verify /backup/20260131T120000Z-6f2c9b1e4d7a8053";

/// Verifies all blocks and prints what is wrong.
pub(crate) fn verify(args: &VerifyArgs, session: &mut Session) -> Result<Exit, Failure> {
    let mut blocks = Vec::new();
    for path in &args.paths {
        blocks.extend(blocks_in(path)?);
    }
    let facts = &session.console.facts;
    let clock = Arc::clone(&session.clock);
    let mut progress = Progress::new(facts, clock, "verifying blocks", blocks.len() as u64);
    let (mut lines, mut damaged) = (String::new(), 0);
    for block in &blocks {
        let findings = verify_block(block);
        // A compaction of a running server may have removed it meanwhile.
        if !findings.is_empty() && block.try_exists().unwrap_or(true) {
            damaged += 1;
            for finding in findings {
                let path = finding.path.display();
                writeln!(lines, "{path}: {}", finding.what).unwrap_or_default();
            }
        }
        progress.add(1);
    }
    drop(progress);
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| out.write_all(lines.as_bytes()))?;
    let s = if blocks.len() == 1 { "" } else { "s" };
    let text = format!("{} block{s} verified, {damaged} damaged", blocks.len());
    session.console.note(&text);
    if damaged == 0 {
        return Ok(Exit::Success);
    }
    Err(Failure::silent(Exit::Failed))
}

/// Returns the directories of all blocks at or below a path.
fn blocks_in(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    match layout(path)? {
        Layout::Block => Ok(vec![path.to_owned()]),
        Layout::Blocks(blocks) | Layout::Prometheus(blocks) => Ok(blocks),
        Layout::Store => {
            let mut found = Vec::new();
            let tenants = std::fs::read_dir(path.join("tenants"));
            for tenant in tenants.into_iter().flatten().filter_map(Result::ok) {
                let blocks = tenant.path().join("metrics").join("blocks");
                let entries = std::fs::read_dir(blocks).into_iter().flatten();
                let entries = entries.filter_map(Result::ok).map(|entry| entry.path());
                found.extend(entries.filter(|path| path.extension().is_none()));
            }
            found.sort();
            Ok(found)
        }
    }
}
