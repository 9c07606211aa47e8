//! `obsq cardinality`

mod report;

use crate::api::{Answer, Api, Call, Reply};
use crate::args::{Format, ListingArgs, OutputArgs, RangeArgs, SourceArgs};
use crate::commands::cardinality::report::Report;
use crate::commands::shared::{Listing, Look, show_body, show_sheet};
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};

/// Show where series come from: metrics, labels and label pairs with the most series
///
/// Without `--match` and without a flag of time a server is asked what its head holds; otherwise
/// the series are listed and counted here.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CardinalityArgs {
    /// Only series that match this selector; may be repeated
    #[arg(short, long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    #[command(flatten)]
    listing: ListingArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq cardinality                              what the server's head holds
  obsq cardinality --match '{job=\"api\"}' --limit 5
  obsq cardinality --data /var/lib/prometheus --since 1d -o csv";

/// Names shown of each kind when nothing is said.
const TOP: usize = 10;

impl CardinalityArgs {
    /// Returns the arguments that look through all of a directory.
    pub(crate) fn of_directory(
        dir: &std::path::Path,
        selectors: Vec<String>,
        limit: usize,
    ) -> Self {
        let listing = ListingArgs {
            times: RangeArgs::everything(),
            source: SourceArgs {
                data: Some(dir.to_owned()),
                ..SourceArgs::default()
            },
            output: OutputArgs {
                limit: Some(limit),
                ..OutputArgs::default()
            },
            ..ListingArgs::default()
        };
        Self { selectors, listing }
    }
}

/// Asks, counts and shows.
pub(crate) fn cardinality(args: &CardinalityArgs, session: &mut Session) -> Result<Exit, Failure> {
    let Listing {
        opened,
        mut look,
        range,
    } = Listing::open(&args.listing, session)?;
    let top = match args.listing.output.limit.unwrap_or(TOP) {
        0 => usize::MAX,
        limit => limit,
    };
    // What is shown is the top of each kind, which is no truncation.
    look.limit = 0;
    let api = opened.api.as_ref();
    if args.selectors.is_empty()
        && range.is_none()
        && let Some(reply) = ask_status(api, top)?
    {
        let answer = Answer::read(&reply, &api.name())?;
        let report = Report::of_status(answer.data)?;
        return show(&report, top, &answer, &look, session);
    }
    let selectors = match args.selectors.as_slice() {
        [] => vec!["{__name__=~\".+\"}".to_owned()],
        given => given.to_vec(),
    };
    let call = Call::Series {
        selectors: selectors.clone(),
        range,
        limit: 0,
    };
    let reply = block_on(api.ask(&call))?;
    let answer = Answer::read(&reply, &api.name())
        .map_err(|failure| crate::commands::shared::underline(failure, &reply, &selectors))?;
    let report = Report::of_series(&answer.label_sets()?);
    show(&report, top, &answer, &look, session)
}

/// Asks a server about its head; `None` where nobody can say.
fn ask_status(api: &dyn Api, top: usize) -> Result<Option<Reply>, Failure> {
    let call = Call::TsdbStatus {
        limit: top.min(10_000),
    };
    let reply = block_on(api.ask(&call))?;
    Ok((reply.status != 404).then_some(reply))
}

fn show(
    report: &Report,
    top: usize,
    answer: &Answer<'_>,
    look: &Look,
    session: &mut Session,
) -> Result<Exit, Failure> {
    match look.format {
        Format::Json => show_body(report.json(top).to_string().as_bytes(), session)?,
        Format::Table => {
            let paint = session.console.facts.out_paint();
            let pager = session.pager.clone();
            let text = report.text(top, paint);
            session
                .console
                .answer(&pager, |out| out.write_all(text.as_bytes()))?;
        }
        _ => show_sheet(report.sheet(top), look, session)?,
    }
    Ok(look.conclude(answer, false, report.series, session))
}
