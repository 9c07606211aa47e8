//! `obsq delete`

use obsq_model::{MAX_TIME_MS, MIN_TIME_MS, Matcher, TimeRange};
use obsq_query_lang::promql::parse_selector;
use obsq_source::compile_matchers;

use crate::api::{Answer, Call};
use crate::args::ZoneArgs;
use crate::commands::place::{Changeable, PlaceArgs, call_admin};
use crate::commands::shared::{frame, moment, open};
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::times::{Edge, Frame, format_seconds};

/// Delete samples of the series that match selectors, for good
///
/// Deletes what is stored now: what is written to the same series afterwards is visible again.
/// Exemplars go with their series. Without a time everything of the series is deleted.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeleteArgs {
    /// Selectors; samples of series that any of them matches are deleted
    #[arg(value_name = "SELECTOR", required = true)]
    selectors: Vec<String>,
    /// Only samples from this time on (see `obsq help times`)
    #[arg(long, alias = "start", value_name = "TIME", allow_hyphen_values = true)]
    #[arg(help_heading = "When")]
    from: Option<String>,
    /// Only samples up to this time
    #[arg(long, alias = "end", value_name = "TIME", allow_hyphen_values = true)]
    #[arg(help_heading = "When")]
    to: Option<String>,
    /// Say how many series would be concerned, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Free the room on disk at once, which writes every block concerned anew
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    zone: ZoneArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq delete 'up{instance=\"gone:9100\"}' --server http://127.0.0.1:4600
  obsq delete '{job=\"test\"}' --to 2026-01-31 --dry-run --data /var/lib/obsq
  obsq delete secret_metric --clean --data /var/lib/obsq";

/// Deletes, or says what would be deleted.
pub(crate) fn delete(args: &DeleteArgs, session: &mut Session) -> Result<Exit, Failure> {
    args.place.check_named()?;
    let selectors = compile(&args.selectors)?;
    if args.dry_run {
        return count(args, session);
    }
    let config = crate::settings::load(session.config_file.as_deref(), &session.environment)?;
    let range = args.range(&frame(&args.zone, &config, session)?)?;
    match args.place.open(session)? {
        Changeable::Store(store, tenant) => {
            let whole = range.unwrap_or(TimeRange::new(MIN_TIME_MS, MAX_TIME_MS));
            let deleted = store.delete_series(&tenant, selectors, whole);
            let cleaned = if args.clean {
                deleted.and_then(|()| store.clean_tombstones(&tenant).map(|_blocks| ()))
            } else {
                deleted
            };
            store.close();
            cleaned.map_err(|error| Failure::failed("cannot delete").because(&error))?;
        }
        Changeable::Server(api) => block_on(async {
            let mut pairs: Vec<_> = args
                .selectors
                .iter()
                .map(|text| ("match[]", text.clone()))
                .collect();
            if let Some(range) = range {
                pairs.push(("start", format_seconds(range.start_ms)));
                pairs.push(("end", format_seconds(range.end_ms)));
            }
            call_admin(&api, "/api/v1/admin/tsdb/delete_series", &pairs).await?;
            if args.clean {
                call_admin(&api, "/api/v1/admin/tsdb/clean_tombstones", &[]).await?;
            }
            Ok(())
        })?,
    }
    session.console.note("deleted");
    Ok(Exit::Success)
}

/// Says how many series there are.
fn count(args: &DeleteArgs, session: &mut Session) -> Result<Exit, Failure> {
    let opened = open(&args.place.source(), session)?;
    let range = args.range(&frame(&args.zone, &opened.config, session)?)?;
    let call = Call::Series {
        selectors: args.selectors.clone(),
        range: Some(range.unwrap_or(TimeRange::new(MIN_TIME_MS, MAX_TIME_MS))),
        limit: 0,
    };
    let reply = block_on(opened.api.ask(&call))?;
    let answer = Answer::read(&reply, &opened.api.name())?;
    let count = answer.label_sets()?.len();
    let text = format!(
        "samples of {count} series would be deleted from {}",
        opened.api.name()
    );
    session.console.note(&text);
    let line = format!("{count}\n");
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| out.write_all(line.as_bytes()))?;
    Ok(Exit::Success)
}

impl DeleteArgs {
    /// Returns the times; `None` for all.
    fn range(&self, frame: &Frame) -> Result<Option<TimeRange>, Failure> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let start = self.from.as_deref();
        let start = start.map(|text| moment("--from", text, Edge::Start, frame));
        let end = self.to.as_deref();
        let end = end.map(|text| moment("--to", text, Edge::End, frame));
        let range = TimeRange::new(
            start.transpose()?.unwrap_or(MIN_TIME_MS),
            end.transpose()?.unwrap_or(MAX_TIME_MS),
        );
        if range.is_empty() {
            return Err(Failure::usage("the range ends before it starts"));
        }
        Ok(Some(range))
    }
}

/// Returns the matchers of the selectors. One that selects everything is refused: nobody means it.
fn compile(texts: &[String]) -> Result<Vec<Vec<Matcher>>, Failure> {
    let mut selectors = Vec::with_capacity(texts.len());
    for text in texts {
        let written = parse_selector(text).map_err(|found| Failure::query(text, found))?;
        let matchers = compile_matchers(&written).map_err(|error| {
            Failure::failed(format!("cannot understand `{text}`")).because(&error)
        })?;
        if matchers.iter().all(Matcher::matches_absent) {
            let failure = Failure::usage(format!("`{text}` selects every series"));
            return Err(failure.hint("if that is meant, write `{__name__=~\".+\"}`"));
        }
        selectors.push(matchers);
    }
    Ok(selectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn args(from: Option<&str>, to: Option<&str>) -> DeleteArgs {
        DeleteArgs {
            selectors: vec!["up".into()],
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            dry_run: false,
            clean: false,
            zone: ZoneArgs::default(),
            place: PlaceArgs::default(),
        }
    }

    #[test]
    fn an_end_that_is_not_given_is_open() {
        let frame = Frame {
            now_ms: 10_000,
            zone: TimeZone::UTC,
        };
        let range = |from, to| args(from, to).range(&frame).map_err(|failure| failure.exit);
        assert_eq!(range(None, None), Ok(None));
        let open_start = TimeRange::new(MIN_TIME_MS, 10_000);
        assert_eq!(range(None, Some("now")), Ok(Some(open_start)));
        let open_end = TimeRange::new(5_000, MAX_TIME_MS);
        assert_eq!(range(Some("now-5s"), None), Ok(Some(open_end)));
        assert_eq!(range(Some("now"), Some("now-5s")), Err(Exit::Usage));
    }

    #[test]
    fn selectors_of_everything_are_refused() {
        let compile = |text: &str| compile(&[text.to_owned()]).map_err(|failure| failure.exit);
        assert_eq!(compile("up").unwrap().len(), 1);
        assert_eq!(compile("{}").unwrap_err(), Exit::Usage);
        assert_eq!(compile("{a=\"\"}").unwrap_err(), Exit::Usage);
        assert_eq!(compile("up{").unwrap_err(), Exit::Failed);
    }
}
