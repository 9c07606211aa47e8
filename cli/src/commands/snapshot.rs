//! `obsq snapshot` and `obsq restore`

use std::path::PathBuf;

use obsq_metrics::restore as restore_snapshot;
use serde_json::Value;

use crate::api::tenant;
use crate::commands::place::{Changeable, PlaceArgs, call_admin, store_options};
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};

/// Make a snapshot of what is stored, to copy away or to open elsewhere
///
/// A snapshot is a directory of blocks below `snapshots/` of the data directory. Prometheus opens it
/// as it is, `obsq query --data` reads it, and `obsq restore` makes a data directory of it. Blocks
/// are linked, so it takes no room until they are compacted or deleted. It is of one tenant.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SnapshotArgs {
    /// Leave out what is in no block yet
    #[arg(long)]
    skip_head: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq snapshot --server http://127.0.0.1:4600      prints the name below `snapshots/`
  obsq snapshot --data /var/lib/obsq                prints the directory
  rsync -a /var/lib/obsq/snapshots/20260131T120000Z-6f2c9b1e4d7a8053 backup:/obsq/";

/// Makes a snapshot and prints what it is called.
pub(crate) fn snapshot(args: &SnapshotArgs, session: &mut Session) -> Result<Exit, Failure> {
    let name = match args.place.open(session)? {
        Changeable::Store(store, tenant) => {
            let made = store.snapshot(&tenant, args.skip_head);
            store.close();
            let made =
                made.map_err(|error| Failure::failed("cannot make a snapshot").because(&error))?;
            made.display().to_string()
        }
        Changeable::Server(api) => {
            let pairs = [("skip_head", args.skip_head.to_string())];
            let path = "/api/v1/admin/tsdb/snapshot";
            name_in(&block_on(call_admin(&api, path, &pairs))?)?
        }
    };
    print_line(&name, session)
}

fn print_line(line: &str, session: &mut Session) -> Result<Exit, Failure> {
    let line = format!("{line}\n");
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| out.write_all(line.as_bytes()))?;
    Ok(Exit::Success)
}

/// Returns the name in the answer of a server.
fn name_in(body: &[u8]) -> Result<String, Failure> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = answer.pointer("/data/name").and_then(Value::as_str);
    name.map(str::to_owned)
        .ok_or_else(|| Failure::failed("the server made a snapshot but does not say its name"))
}

/// Make the samples of a tenant from a snapshot of obsq or Prometheus
///
/// The tenant must have nothing in the data directory yet. Files are linked where that is possible,
/// else copied; the snapshot stays as it is.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// The snapshot: a directory of blocks
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// The data directory, which no server may hold; made when missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The tenant whose samples they become
    #[arg(long, value_name = "TENANT")]
    org_id: Option<String>,
}

const RESTORE_EXAMPLES: &str = "\
Examples:
  obsq restore /backup/20260131T120000Z-6f2c9b1e4d7a8053 --data /var/lib/obsq
  obsq restore /var/lib/prometheus/snapshots/20260131T120000Z-4d7a80536f2c9b1e --data ./new --org-id team-a";

/// Restores.
pub(crate) fn restore(args: &RestoreArgs, session: &mut Session) -> Result<Exit, Failure> {
    let tenant = tenant(args.org_id.as_deref())?;
    let options = store_options(&args.data, session);
    let blocks = restore_snapshot(&options, &tenant, &args.snapshot).map_err(|error| {
        let text = format!("cannot restore `{}`", args.snapshot.display());
        Failure::failed(text).because(&error)
    })?;
    let s = if blocks == 1 { "" } else { "s" };
    session.console.note(&format!("restored {blocks} block{s}"));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_taken_from_the_answer() {
        let body = br#"{"status":"success","data":{"name":"x-1"}}"#;
        assert_eq!(name_in(body).unwrap(), "x-1");
        assert!(name_in(b"<html>").is_err());
    }
}
