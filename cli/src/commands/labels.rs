//! `obsq labels`

use crate::api::{Answer, Call};
use crate::args::{Format, ListingArgs};
use crate::commands::shared::{Listing, show_body, show_sheet, underline};
use crate::exit::{Exit, Failure};
use crate::render::Sheet;
use crate::session::{Session, block_on};

/// List the names of labels, or the values of one label
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LabelsArgs {
    /// Show the values of this label instead of the names of all
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only series that match this selector; may be repeated
    #[arg(short, long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    #[command(flatten)]
    listing: ListingArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq labels                               names of all labels
  obsq labels job                           values of the label `job`
  obsq labels __name__ --match '{job=\"api\"}'  metrics of one job";

/// Asks for names or values and lists them.
pub(crate) fn labels(args: &LabelsArgs, session: &mut Session) -> Result<Exit, Failure> {
    let Listing {
        opened,
        look,
        range,
    } = Listing::open(&args.listing, session)?;
    let (selectors, limit) = (args.selectors.clone(), look.limit);
    let call = match args.name.clone() {
        Some(name) => Call::LabelValues {
            name,
            selectors,
            range,
            limit,
        },
        None => Call::Labels {
            selectors,
            range,
            limit,
        },
    };
    let reply = block_on(opened.api.ask(&call))?;
    let answer = Answer::read(&reply, &opened.api.name())
        .map_err(|failure| underline(failure, &reply, &args.selectors))?;
    let mut names = answer.names()?;
    let count = names.len();
    if look.limit > 0 {
        names.truncate(look.limit);
    }
    let cut = names.len() < count;
    if look.format == Format::Json {
        show_body(&reply.body, session)?;
    } else {
        let mut sheet = Sheet::new(&[args.name.as_deref().unwrap_or("name")]);
        sheet.rows = names.into_iter().map(|name| vec![name]).collect();
        show_sheet(sheet, &look, session)?;
    }
    Ok(look.conclude(&answer, cut, count, session))
}
