//! `obsq series`

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Answer, Call};
use crate::args::{Format, ListingArgs};
use crate::commands::shared::{Listing, show_body, show_sheet, underline};
use crate::exit::{Exit, Failure};
use crate::render::{Sheet, labels_text};
use crate::session::{Session, block_on};

/// List the series that match selectors
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SeriesArgs {
    /// Selectors; a series that any of them matches is listed
    #[arg(value_name = "SELECTOR", required_unless_present = "selectors")]
    words: Vec<String>,
    /// promtool's way to name a selector
    #[arg(long = "match", value_name = "SELECTOR", hide = true)]
    selectors: Vec<String>,
    #[command(flatten)]
    listing: ListingArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq series up
  obsq series '{job=\"api\"}' --since 7d -o jsonl
  obsq series 'node_.+' --fields __name__,instance";

/// Asks for label sets and lists them.
pub(crate) fn series(args: &SeriesArgs, session: &mut Session) -> Result<Exit, Failure> {
    let Listing {
        opened,
        look,
        range,
    } = Listing::open(&args.listing, session)?;
    let selectors = [args.words.clone(), args.selectors.clone()].concat();
    let call = Call::Series {
        selectors: selectors.clone(),
        range,
        limit: look.limit,
    };
    let reply = block_on(opened.api.ask(&call))?;
    let answer = Answer::read(&reply, &opened.api.name())
        .map_err(|failure| underline(failure, &reply, &selectors))?;
    let mut sets = answer.label_sets()?;
    let count = sets.len();
    if look.limit > 0 {
        sets.truncate(look.limit);
    }
    let cut = sets.len() < count;
    match look.format {
        Format::Json => show_body(&reply.body, session)?,
        Format::Raw | Format::Promql => {
            let lines: String = sets.iter().map(|set| labels_text(set) + "\n").collect();
            let pager = session.pager.clone();
            session
                .console
                .answer(&pager, |out| out.write_all(lines.as_bytes()))?;
        }
        _ => show_sheet(sets_sheet(&sets), &look, session)?,
    }
    Ok(look.conclude(&answer, cut, count, session))
}

fn sets_sheet(sets: &[BTreeMap<String, String>]) -> Sheet {
    let names: BTreeSet<&str> = sets
        .iter()
        .flat_map(|set| set.keys().map(String::as_str))
        .collect();
    let columns: Vec<&str> = names.iter().copied().collect();
    let mut sheet = Sheet::new(&columns);
    for set in sets {
        let cell = |name: &&str| set.get(*name).cloned().unwrap_or_default();
        sheet.rows.push(columns.iter().map(cell).collect());
    }
    sheet
}
