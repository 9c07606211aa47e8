//! `obsq query`

mod missing;

use std::path::PathBuf;
use std::time::Duration;

use obsq_model::TimeRange;
use obsq_query_lang::promql::parse;

use crate::api::{Answer, Call, QueryAnswer, QueryParameters, Reply};
use crate::args::{Format, OutputArgs, RangeArgs, SourceArgs, ZoneArgs};
use crate::chart::{Chart, MAX_LINES};
use crate::commands::query::missing::missing;
use crate::commands::shared::{
    Look, Opened, frame, moment, open, range, read_stdin, show_body, show_sheet, wrong,
};
use crate::exit::{Exit, Failure};
use crate::render::{chart_lines, query_jsonl, query_promql, query_raw, query_sheet};
use crate::session::{Session, block_on};
use crate::times::{Edge, Frame, auto_step_ms, parse_step};

/// Evaluate a PromQL query, at one time or over a range
///
/// Without any flag of time the query is evaluated now. `--since`, `--from`, `--to`, `--step` and
/// `-o graph` make it a range query.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryArgs {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY", required_unless_present = "file")]
    query: Option<String>,
    /// Read the query from a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    file: Option<PathBuf>,
    /// Evaluate at this time [default: now]
    #[arg(long, alias = "time", value_name = "TIME", allow_hyphen_values = true)]
    #[arg(help_heading = "When", conflicts_with_all = ["since", "from", "to", "step", "range"])]
    at: Option<String>,
    #[command(flatten)]
    times: RangeArgs,
    /// Distance of the points: a duration, seconds, or `auto` for at most 250 points
    #[arg(long, value_name = "DURATION", help_heading = "When")]
    step: Option<String>,
    /// Evaluate over a range even without a flag of time
    #[arg(long, help_heading = "When", hide_short_help = true)]
    range: bool,
    #[command(flatten)]
    zone: ZoneArgs,
    /// How far back an instant selector looks
    #[arg(long, value_name = "DURATION", hide_short_help = true)]
    #[arg(help_heading = "How it is evaluated")]
    lookback_delta: Option<String>,
    /// Print one line of JSON with times and sizes to standard error
    #[arg(long, help_heading = "How it is evaluated")]
    stats: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq query 'sum by (job) (up)'
  obsq query 'rate(http_requests_total[5m])' --since 3h -o graph
  obsq query 'up == 0' --at 2026-01-31T15:04:00Z -o json | jq .
  obsq query 'count(up == 0)' -o raw --exit-status
  curl -s localhost:9100/metrics | obsq query --stdin 'node_load1'";

/// Asks and shows.
pub(crate) fn query(args: &QueryArgs, session: &mut Session) -> Result<Exit, Failure> {
    let text = query_text(args, session)?;
    let opened = open(&args.source, session)?;
    let look = Look::new(&args.output, &opened.config);
    let frame = frame(&args.zone, &opened.config, session)?;
    let call = make_call(args, &text, &opened, &look, &frame)?;
    let clock = std::sync::Arc::clone(&session.clock);
    let started = clock.monotonic();
    let reply = block_on(opened.api.ask(&call))?;
    let elapsed = clock.monotonic().saturating_sub(started);
    let answer = Answer::read(&reply, &opened.api.name())
        .map_err(|failure| underline(failure, reply.status, text.trim()))?;
    let mut result = answer.query()?;
    if args.stats {
        session
            .console
            .stats(&stats_line(&reply, &answer, &result, elapsed));
    }
    let (cut, count) = cut(&mut result, look.limit);
    show(&reply, &result, &look, &call, &frame, session)?;
    let exit = look.conclude(&answer, cut, count, session);
    if count == 0
        && !session.console.facts.quiet
        && let Some(hint) = missing(&text, opened.api)
    {
        session.console.note(&format!("hint: {hint}"));
    }
    Ok(exit)
}

/// Shows where a refused query is wrong, when our own parser finds it wrong as well. Another server
/// may speak another dialect, so it is asked first.
fn underline(failure: Failure, status: u16, text: &str) -> Failure {
    if status != 400 {
        return failure;
    }
    match parse(text).into_result() {
        Ok(_) => failure,
        Err(diagnostics) => Failure::query(text, diagnostics),
    }
}

fn query_text(args: &QueryArgs, session: &Session) -> Result<String, Failure> {
    match (&args.file, args.query.as_deref()) {
        (Some(path), _) => std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read `{}`", path.display())).because(&error)
        }),
        (None, Some("-")) if args.source.stdin => Err(Failure::usage(
            "standard input cannot hold both the query and the samples",
        )),
        (None, Some("-")) => read_stdin(session),
        (None, query) => Ok(query.unwrap_or_default().to_owned()),
    }
}

fn make_call(
    args: &QueryArgs,
    text: &str,
    opened: &Opened,
    look: &Look,
    frame: &Frame,
) -> Result<Call, Failure> {
    let parameters = QueryParameters {
        query: text.trim().to_owned(),
        lookback_delta: args.lookback_delta.clone(),
        limit: look.limit,
        stats: args.stats,
        timeout_ms: Some(opened.target.timeout.as_millis() as u64),
    };
    let graph = look.format == Format::Graph && args.at.is_none();
    if !(args.times.is_given() || args.step.is_some() || args.range || graph) {
        let time_ms = match &args.at {
            Some(text) => moment("--at", text, Edge::Start, frame)?,
            None => frame.now_ms,
        };
        return Ok(Call::Query {
            parameters,
            time_ms,
        });
    }
    let range = range(&args.times, &opened.config, frame)?;
    let step_ms = match args.step.as_deref() {
        None | Some("auto") => auto_step_ms(range.end_ms - range.start_ms),
        Some(step) => parse_step(step).map_err(|error| wrong("--step", &error))?,
    };
    Ok(Call::QueryRange {
        parameters,
        range,
        step_ms,
    })
}

/// Leaves out what is above the limit, which servers of old ignore. Returns whether something was
/// left out, and how many series there were.
fn cut(result: &mut QueryAnswer<'_>, limit: usize) -> (bool, usize) {
    match result {
        QueryAnswer::Scalar(_) | QueryAnswer::Text(_) => (false, 1),
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => {
            let count = series.len();
            if limit > 0 {
                series.truncate(limit);
            }
            (series.len() < count, count)
        }
    }
}

fn show(
    reply: &Reply,
    result: &QueryAnswer<'_>,
    look: &Look,
    call: &Call,
    frame: &Frame,
    session: &mut Session,
) -> Result<(), Failure> {
    let pager = session.pager.clone();
    match look.format {
        Format::Json => show_body(&reply.body, session),
        Format::Graph => show_chart(result, look, call, frame, session),
        Format::Jsonl => session
            .console
            .answer(&pager, |out| query_jsonl(result, out)),
        Format::Raw => session.console.answer(&pager, |out| query_raw(result, out)),
        Format::Promql => session
            .console
            .answer(&pager, |out| query_promql(result, out)),
        Format::Table | Format::Csv | Format::Tsv | Format::Markdown => {
            let short = matches!(look.format, Format::Table | Format::Markdown);
            show_sheet(query_sheet(result, &frame.zone, short), look, session)
        }
    }
}

fn show_chart(
    result: &QueryAnswer<'_>,
    look: &Look,
    call: &Call,
    frame: &Frame,
    session: &mut Session,
) -> Result<(), Failure> {
    let (mut lines, histograms) = chart_lines(result);
    if histograms > 0 {
        session.console.warn("native histograms are not drawn");
        session
            .console
            .note("hint: ask for `histogram_quantile(0.9, ...)` or `histogram_avg(...)`");
    }
    lines.retain(|line| !line.points.is_empty());
    if lines.len() > MAX_LINES {
        let text = format!("{} of {} series are drawn", MAX_LINES, lines.len());
        session.console.warn(&text);
        lines.truncate(MAX_LINES);
    }
    if lines.is_empty() {
        return Ok(());
    }
    let (range, step_ms) = extent(call, &lines);
    let facts = &session.console.facts;
    let (width, rows) = facts.tty.size;
    let chart = Chart {
        lines,
        start_ms: range.start_ms,
        end_ms: range.end_ms,
        step_ms,
        width: width.min(200),
        height: (rows / 2).clamp(8, 20),
        unicode: facts.unicode && !look.ascii,
        paint: facts.out_paint(),
        zone: frame.zone.clone(),
    };
    let text = chart.draw();
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| out.write_all(text.as_bytes()))
}

/// Returns the edges of the chart and the distance of its points.
fn extent(call: &Call, lines: &[crate::chart::Line]) -> (TimeRange, i64) {
    if let Call::QueryRange { range, step_ms, .. } = call {
        return (*range, *step_ms);
    }
    let times = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().map(|point| point.0))
    };
    let start_ms = times().min().unwrap_or(0);
    let end_ms = times().max().unwrap_or(0);
    // A range selector gives samples as they were stored: nothing says how far apart they belong.
    (TimeRange::new(start_ms, end_ms), (end_ms - start_ms).max(1))
}

fn stats_line(
    reply: &Reply,
    answer: &Answer<'_>,
    result: &QueryAnswer<'_>,
    elapsed: Duration,
) -> String {
    let (series, points) = match result {
        QueryAnswer::Scalar(_) | QueryAnswer::Text(_) => (1, 1),
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => (
            series.len(),
            series.iter().map(|one| one.points.len()).sum(),
        ),
    };
    let server: Option<serde_json::Value> = answer.stats();
    serde_json::json!({
        "elapsed_ms": (elapsed.as_secs_f64() * 1e6).round() / 1e3,
        "bytes": reply.body.len(),
        "series": series,
        "points": points,
        "server": server,
    })
    .to_string()
}
