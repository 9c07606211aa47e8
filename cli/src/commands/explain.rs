//! `obsq explain`

mod outline;
mod reach;

use obsq_query_lang::promql::{Ast, ExprId, ExprKind, parse};
use serde_json::json;

use crate::api::{Answer, Api, Call, QueryAnswer, QueryParameters};
use crate::args::{RangeArgs, SourceArgs, ZoneArgs};
use crate::commands::explain::outline::{Node, outline};
use crate::commands::explain::reach::{Reach, reaches, selector_text};
use crate::commands::shared::{frame, open, range, read_stdin};
use crate::console::clean;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::settings::load;

/// Show how a query is understood: its parts, their types, and what each selects
///
/// With a source (`--server`, `--data`, `--stdin` or `--context`) every selector is asked there for
/// its series and samples.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY")]
    query: String,
    /// Format of the answer
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: ExplainFormat,
    #[command(flatten)]
    times: RangeArgs,
    #[command(flatten)]
    zone: ZoneArgs,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ExplainFormat {
    /// A tree
    Table,
    /// One JSON array
    Json,
}

const EXAMPLES: &str = "\
Examples:
  obsq explain 'sum by (job) (rate(http_requests_total[5m])) > 10'
  obsq explain --server http://localhost:9090 'topk(5, up)' --since 6h";

/// Parses, asks what is selected, and shows.
pub(crate) fn explain(args: &ExplainArgs, session: &mut Session) -> Result<Exit, Failure> {
    let text = match args.query.as_str() {
        "-" => read_stdin(session)?,
        query => query.to_owned(),
    };
    let text = text.trim();
    let ast = parse(text)
        .into_result()
        .map_err(|diagnostics| Failure::query(text, diagnostics))?;
    let mut nodes = outline(&ast, text);
    if has_source(&args.source) {
        estimate(&ast, &mut nodes, args, session)?;
    } else {
        session
            .console
            .note("hint: `--server`, `--data` or `--stdin` counts what each part selects");
    }
    let shown = match args.output {
        ExplainFormat::Table => tree(&nodes),
        ExplainFormat::Json => format!("{:#}\n", as_json(&nodes)),
    };
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| out.write_all(shown.as_bytes()))?;
    Ok(Exit::Success)
}

fn has_source(args: &SourceArgs) -> bool {
    args.stdin || args.server.is_some() || args.data.is_some() || args.context.is_some()
}

/// Asks the source what each selector selects.
fn estimate(
    ast: &Ast,
    nodes: &mut [Node],
    args: &ExplainArgs,
    session: &mut Session,
) -> Result<(), Failure> {
    let opened = open(&args.source, session)?;
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let frame = frame(&args.zone, &config, session)?;
    let asked = if args.times.is_given() {
        range(&args.times, &config, &frame)?
    } else {
        obsq_model::TimeRange::new(frame.now_ms, frame.now_ms)
    };
    let reaches = reaches(ast, asked);
    for node in nodes {
        let Some(reach) = selector_reach(ast, node.id, &reaches) else {
            continue;
        };
        let selector = selector_text(ast, node.id);
        let window = format!("{selector}[{}ms]", reach.window_ms.max(1));
        let series = format!("count(last_over_time({window}))");
        let samples = format!("sum(count_over_time({window}))");
        let end_ms = reach.end_ms;
        let api = opened.api.as_ref();
        node.series = Some(block_on(count(api, series, end_ms))?);
        node.samples = Some(block_on(count(api, samples, end_ms))?);
    }
    Ok(())
}

fn selector_reach(ast: &Ast, id: ExprId, reaches: &[Reach]) -> Option<Reach> {
    match ast.get(id).kind {
        ExprKind::Vector(_) | ExprKind::Matrix { .. } => Some(reaches[id.index()]),
        _ => None,
    }
}

/// Evaluates a query that gives one number, or nothing for zero.
async fn count(api: &dyn Api, query: String, time_ms: i64) -> Result<u64, Failure> {
    let parameters = QueryParameters {
        query,
        ..QueryParameters::default()
    };
    let call = Call::Query {
        parameters,
        time_ms,
    };
    let reply = api.ask(&call).await?;
    let answer = Answer::read(&reply, &api.name())?;
    Ok(match answer.query()? {
        QueryAnswer::Vector(series) => {
            let point = series.first().and_then(|one| one.points.first());
            point.map_or(0, |point| point.value.float() as u64)
        }
        _ => 0,
    })
}

/// Returns the nodes as a tree with their types in a column.
fn tree(nodes: &[Node]) -> String {
    let parts: Vec<String> = nodes
        .iter()
        .map(|node| format!("{}{}", node.branch, clean(&node.text).replace('\n', " ")))
        .collect();
    let width = parts
        .iter()
        .map(|part| part.chars().count())
        .max()
        .unwrap_or(0)
        .min(80);
    let mut lines = String::new();
    for (node, part) in nodes.iter().zip(&parts) {
        let fill = " ".repeat(width.saturating_sub(part.chars().count()));
        let mut line = format!("{part}{fill}  {}", node.kind);
        if let (Some(series), Some(samples)) = (node.series, node.samples) {
            line.push_str("  ");
            line.push_str(&amounts(series, samples));
        }
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

fn amounts(series: u64, samples: u64) -> String {
    let plural = if samples == 1 { "" } else { "s" };
    format!("{series} series, {samples} sample{plural}")
}

fn as_json(nodes: &[Node]) -> serde_json::Value {
    let one = |node: &Node| {
        let mut object = json!({ "depth": node.depth, "text": node.text, "type": node.kind });
        if let (Some(series), Some(samples)) = (node.series, node.samples) {
            object["series"] = series.into();
            object["samples"] = samples.into();
        }
        object
    };
    nodes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let ast = parse(text).into_result().unwrap();
        format!("# {text}\n{}", tree(&outline(&ast, text)))
    }

    #[test]
    fn a_query_is_shown_as_a_tree_with_types() {
        let _bound = obsq_snapshots::bind("cli");
        let queries = [
            "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) / on (job) group_left (team) sum(up) > bool 0.5",
            "max_over_time(rate(a[1m])[30m:1m] offset 5m)",
            "topk(3, -(a + b)) or vector(1)",
            "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")",
            "1 + 2",
        ];
        insta::assert_snapshot!("explain_trees", queries.map(shown).join("\n"));
    }

    #[test]
    fn a_chain_of_thousands_of_operators_stays_readable() {
        let text = vec!["a"; 5_000].join(" + ");
        let shown = shown(&text);
        let longest = shown
            .lines()
            .skip(1)
            .map(|line| line.chars().count())
            .max()
            .unwrap();
        assert!(longest < 300, "{longest}");
    }

    #[test]
    fn json_has_depth_text_and_type() {
        let ast = parse("-a").into_result().unwrap();
        let nodes = as_json(&outline(&ast, "-a"));
        assert_eq!(
            nodes[1],
            json!({ "depth": 1, "text": "a", "type": "instant vector" })
        );
    }
}
