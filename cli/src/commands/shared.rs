//! What several commands do alike: finding the source, the time frame, the form of the answer.

use std::io::Read as _;
use std::sync::Arc;

use clap::ValueEnum as _;
use jiff::tz::TimeZone;
use obsq_metrics::BlockSet;
use obsq_model::{Clock, TimeRange};
use obsq_query_lang::promql::parse_selector;
use obsq_source::MetricSource;

use crate::api::{Answer, Api, HttpApi, LocalApi, Reply, open_directory, read_exposition, tenant};
use crate::args::{Format, ListingArgs, OutputArgs, RangeArgs, SourceArgs, ZoneArgs};
use crate::exit::{Exit, Failure};
use crate::render::Sheet;
use crate::session::Session;
use crate::settings::{ClientConfig, Place, Target, load, resolve};
use crate::times::{Edge, Frame, TimeError, parse_duration, parse_moment, parse_zone};

/// Most series or names shown when nothing is said.
const LIMIT: usize = 1_000;

/// The range taken when one is needed and none is given.
const SINCE: &str = "1h";

/// The configuration and the place that a command reads from.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The client's configuration.
    pub(crate) config: ClientConfig,
    /// The place.
    pub(crate) target: Target,
    /// Who answers.
    pub(crate) api: Box<dyn Api>,
}

/// Reads the configuration and prepares to ask.
pub(crate) fn open(args: &SourceArgs, session: &mut Session) -> Result<Opened, Failure> {
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let target = resolve(args, &config)?;
    let api = who_answers(&target, session)?;
    Ok(Opened {
        config,
        target,
        api,
    })
}

fn who_answers(target: &Target, session: &Session) -> Result<Box<dyn Api>, Failure> {
    if target.place != Place::Stdin {
        return connect(target, &session.clock);
    }
    let mut set = BlockSet::default();
    let text = read_stdin(session)?;
    set.add_samples(read_exposition(&text, session.clock.now_ms())?);
    local(
        Arc::new(set),
        "standard input".into(),
        target,
        &session.clock,
    )
}

/// Prepares to ask a server or a directory. Standard input, which can be read once, is no such
/// place: it is an empty one.
pub(crate) fn connect(target: &Target, clock: &Arc<dyn Clock>) -> Result<Box<dyn Api>, Failure> {
    match &target.place {
        Place::Server(url) => Ok(Box::new(HttpApi::new(url, &target.access, target.timeout)?)),
        Place::Data(dir) => {
            let source = open_directory(dir, Arc::clone(clock))?;
            local(source, dir.display().to_string(), target, clock)
        }
        Place::Stdin => {
            let empty = Arc::new(BlockSet::default());
            local(empty, "standard input".into(), target, clock)
        }
    }
}

fn local(
    source: Arc<dyn MetricSource>,
    name: String,
    target: &Target,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Api>, Failure> {
    let tenant = tenant(target.access.org_id.as_deref())?;
    let api = LocalApi::new(source, tenant, name, Arc::clone(clock), target.timeout)?;
    Ok(Box::new(api))
}

/// How the answer shall look.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug)]
pub(crate) struct Look {
    /// The format.
    pub(crate) format: Format,
    /// Columns to show; empty for all.
    pub(crate) fields: Vec<String>,
    /// Most series or names; 0 for all.
    pub(crate) limit: usize,
    /// Use ASCII only.
    pub(crate) ascii: bool,
    fail_on_truncation: bool,
    strict: bool,
    exit_status: bool,
}

impl Look {
    /// Decides from flags and configuration.
    pub(crate) fn new(args: &OutputArgs, config: &ClientConfig) -> Self {
        let configured = config.defaults.output.as_deref();
        // An unknown name was refused when the configuration was read.
        let configured = configured.and_then(|name| Format::from_str(name, false).ok());
        Self {
            format: args.output.or(configured).unwrap_or_default(),
            fields: args.fields.clone(),
            limit: args.limit.or(config.defaults.limit).unwrap_or(LIMIT),
            ascii: args.ascii,
            fail_on_truncation: args.fail_on_truncation,
            strict: args.strict,
            exit_status: args.exit_status,
        }
    }

    /// Tells the warnings of an answer, and what was cut off, and decides on the exit code.
    pub(crate) fn conclude(
        &self,
        answer: &Answer<'_>,
        cut: bool,
        count: usize,
        session: &mut Session,
    ) -> Exit {
        let console = &mut session.console;
        let truncated = cut || answer.is_truncated();
        for warning in answer.remarks() {
            console.warn(warning);
        }
        for info in &answer.infos {
            console.note(info);
        }
        if truncated {
            console.warn(&format!("results truncated at {}", self.limit));
            console.note("hint: `--limit 0` shows all");
        }
        if count == 0 {
            console.note("nothing matched");
        }
        if truncated && (self.fail_on_truncation || self.strict) {
            return Exit::Partial;
        }
        match count {
            _ if self.strict && answer.is_partial() => Exit::Partial,
            0 if self.exit_status => Exit::NoMatch,
            _ => Exit::Success,
        }
    }
}

/// Shows where a refused selector is wrong, when our own parser finds it wrong as well.
pub(crate) fn underline(failure: Failure, reply: &Reply, selectors: &[String]) -> Failure {
    if reply.status != 400 {
        return failure;
    }
    let wrong = selectors
        .iter()
        .find_map(|text| Some((text, parse_selector(text).err()?)));
    match wrong {
        Some((text, diagnostics)) => Failure::query(text, diagnostics),
        None => failure,
    }
}

/// Returns the present and the zone.
pub(crate) fn frame(
    zone: &ZoneArgs,
    config: &ClientConfig,
    session: &Session,
) -> Result<Frame, Failure> {
    let text = zone.tz.as_deref().or(config.defaults.tz.as_deref());
    let zone = match text {
        Some(text) => parse_zone(text).map_err(|error| wrong("--tz", &error))?,
        None => TimeZone::UTC,
    };
    Ok(Frame {
        now_ms: session.clock.now_ms(),
        zone,
    })
}

/// Returns the range of the flags, or the one of the configuration or one hour up to now.
pub(crate) fn range(
    args: &RangeArgs,
    config: &ClientConfig,
    frame: &Frame,
) -> Result<TimeRange, Failure> {
    let end_ms = match &args.to {
        Some(text) => moment("--to", text, Edge::End, frame)?,
        None => frame.now_ms,
    };
    let start_ms = if let Some(text) = &args.from {
        moment("--from", text, Edge::Start, frame)?
    } else {
        let since = args.since.as_deref().or(config.defaults.since.as_deref());
        let length = parse_duration(since.unwrap_or(SINCE));
        end_ms.saturating_sub(length.map_err(|error| wrong("--since", &error))?)
    };
    if start_ms > end_ms {
        return Err(Failure::usage("the range ends before it starts"));
    }
    Ok(TimeRange::new(start_ms, end_ms))
}

/// Returns the range of the flags, or nothing when there is no flag.
fn given_range(
    args: &RangeArgs,
    config: &ClientConfig,
    frame: &Frame,
) -> Result<Option<TimeRange>, Failure> {
    if args.is_given() {
        range(args, config, frame).map(Some)
    } else {
        Ok(None)
    }
}

/// What a command that lists works with.
pub(crate) struct Listing {
    /// Who answers.
    pub(crate) opened: Opened,
    /// The form of the answer.
    pub(crate) look: Look,
    /// The time to look at, if the flags name one.
    pub(crate) range: Option<TimeRange>,
}

impl Listing {
    /// Reads the flags and prepares to ask.
    pub(crate) fn open(args: &ListingArgs, session: &mut Session) -> Result<Self, Failure> {
        let opened = open(&args.source, session)?;
        let frame = frame(&args.zone, &opened.config, session)?;
        Ok(Self {
            look: Look::new(&args.output, &opened.config),
            range: given_range(&args.times, &opened.config, &frame)?,
            opened,
        })
    }
}

/// Parses the time of a flag.
pub(crate) fn moment(flag: &str, text: &str, edge: Edge, frame: &Frame) -> Result<i64, Failure> {
    parse_moment(text, edge, frame).map_err(|error| wrong(flag, &error))
}

/// Returns the failure of a flag about time.
pub(crate) fn wrong(flag: &str, error: &TimeError) -> Failure {
    Failure::usage(format!("`{flag}`: {error}")).hint(error.hint())
}

/// Reads all of standard input; on a terminal, where nobody expects to type, that is an error.
pub(crate) fn read_stdin(session: &Session) -> Result<String, Failure> {
    if session.console.facts.tty.input {
        let text = "standard input is a terminal";
        return Err(Failure::usage(text).hint("pipe something in, or name a file"));
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed("cannot read standard input").because(&error))?;
    Ok(text)
}

/// Writes rows in the format asked for.
pub(crate) fn show_sheet(sheet: Sheet, look: &Look, session: &mut Session) -> Result<(), Failure> {
    let sheet = sheet.select(&look.fields)?;
    let paint = session.console.facts.out_paint();
    let pager = session.pager.clone();
    session.console.answer(&pager, |out| match look.format {
        Format::Table | Format::Graph => sheet.table(out, paint),
        Format::Csv => sheet.csv(out),
        Format::Tsv => sheet.tsv(out),
        Format::Markdown => sheet.markdown(out),
        Format::Json | Format::Jsonl => sheet.jsonl(out),
        Format::Raw | Format::Promql => sheet.raw(out),
    })
}

/// Writes a body as it came, with a line break at its end.
pub(crate) fn show_body(body: &[u8], session: &mut Session) -> Result<(), Failure> {
    let pager = session.pager.clone();
    session.console.answer(&pager, |out| {
        out.write_all(body)?;
        if body.ends_with(b"\n") {
            return Ok(());
        }
        out.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::parse;

    fn frame() -> Frame {
        Frame {
            now_ms: 10 * 3_600_000,
            zone: TimeZone::UTC,
        }
    }

    #[test]
    fn a_range_is_an_hour_unless_flags_or_configuration_say_otherwise() {
        let config = ClientConfig::default();
        let hours = |range: TimeRange| (range.start_ms / 3_600_000, range.end_ms / 3_600_000);
        let get = |since: Option<&str>, from: Option<&str>, config: &ClientConfig| {
            let args = RangeArgs {
                since: since.map(str::to_owned),
                from: from.map(str::to_owned),
                to: None,
            };
            hours(range(&args, config, &frame()).unwrap())
        };
        assert_eq!(get(None, None, &config), (9, 10));
        assert_eq!(get(Some("3h"), None, &config), (7, 10));
        assert_eq!(get(None, Some("now-5h"), &config), (5, 10));
        let two = parse("[defaults]\nsince = \"2h\"").unwrap();
        assert_eq!(get(None, None, &two), (8, 10));
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_refused() {
        let args = RangeArgs {
            from: Some("now".into()),
            to: Some("now-1h".into()),
            since: None,
        };
        let failure = range(&args, &ClientConfig::default(), &frame()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
}
