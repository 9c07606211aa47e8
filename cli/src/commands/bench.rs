//! `obsq bench`

mod ask;
mod fleet;
mod latency;
mod mix;
mod process;
mod report;
mod servers;
mod threshold;
mod truth;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use obsq_model::Clock;

use crate::api::WriteVersion;
use crate::commands::bench::ask::{find_run, wait_until_seen, when};
use crate::commands::bench::fleet::{Fleet, SERIES_PER_HOST};
use crate::commands::bench::mix::{Question, from_file, mix, mix_ids};
use crate::commands::bench::process::{Memory, Process};
use crate::commands::bench::report::{Named, Report, WriteReport};
use crate::commands::bench::servers::{Server, ServersArgs};
use crate::commands::bench::threshold::{Side, Threshold};
use crate::commands::bench::write::Load;
use crate::commands::shared::{show_body, wrong};
use crate::console::Progress;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::times::{parse_duration, parse_step};

/// Measure servers: send samples by remote write, then ask queries and check the answers
///
/// Works with every server that has the Prometheus API and takes remote write. Each run writes
/// series of its own, told apart by the label `bench_run`, that end a minute before now. With
/// several servers each gets the same samples, one after the other, and then the same queries in turn.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// What to measure; `query` asks about the newest run that the server holds
    #[arg(value_name = "PART", value_enum, default_value_t)]
    part: Part,
    #[command(flatten)]
    servers: ServersArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    queries: QueriesArgs,
    /// Format of the report
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(help_heading = "What is reported")]
    output: BenchFormat,
    /// Exit with 1 when a measure of the first server is above: `M02.p95=50ms`, `query.p95=1s`,
    /// `write.p99=20ms`, `write.cpu=2`, `write.peak=300`; may be repeated
    #[arg(long, value_name = "MEASURE=VALUE", help_heading = "What is reported")]
    fail_above: Vec<String>,
    /// Exit with 1 when a measure of the first server is below: `write.rate=100000`
    #[arg(long, value_name = "MEASURE=VALUE", help_heading = "What is reported")]
    fail_below: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  obsq bench                                          both parts, against http://127.0.0.1:4600
  obsq bench --server new=127.0.0.1:4600 --server old=127.0.0.1:9090   side by side
  obsq bench write --series 100000 --connections 16 --duration 30s
  obsq bench query --rounds 50 --fail-above M02.p95=50ms -o json
  obsq bench query --queries dashboards.promql --since 6h
  obsq bench --write-url http://127.0.0.1:8428/api/v1/write --server http://127.0.0.1:8428

Exit code 1 means a wrong answer, a refused sample or a threshold that was not kept.";

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Part {
    /// Write, then query
    #[default]
    Both,
    /// Write only
    Write,
    /// Query only
    Query,
}

/// `-o`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum BenchFormat {
    /// Aligned columns
    #[default]
    Table,
    /// One JSON object
    Json,
    /// Tables in Markdown
    Markdown,
}

/// What is written.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What is written")]
struct LoadArgs {
    /// Series, rounded up to hosts of 100
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    series: u64,
    /// Samples of each series
    #[arg(long, value_name = "N", default_value_t = 40)]
    #[arg(value_parser = clap::value_parser!(u64).range(5..=100_000))]
    samples: u64,
    /// Time between the samples of a series, 1s to 2m
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    interval: String,
    /// Connections; each sends whole hosts, in order of time
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Samples in one request
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Stop after this long, although not everything was sent
    #[arg(long, value_name = "DURATION")]
    duration: Option<String>,
    /// Send at most so many samples a second [default: as many as the server takes]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Version of remote write
    #[arg(long, value_name = "VERSION", value_enum, default_value_t)]
    protocol: WriteVersion,
    /// What the values depend on
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Value of the label `bench_run` [default: of the present time; with `query`: the newest]
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What is asked")]
struct QueriesArgs {
    /// Queries of your own instead of the fixed mix: one a line, `#` for remarks
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Ask those over this long up to now, 250 points at most, instead of at one time
    #[arg(long, value_name = "DURATION", requires = "queries")]
    since: Option<String>,
    /// How often each query is asked, after once to warm up
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
}

/// How long before now what is written ends: some servers do not show the last seconds.
const LAG_MS: i64 = 60_000;

/// Writes, asks and reports.
pub(crate) fn bench(args: &BenchArgs, session: &mut Session) -> Result<Exit, Failure> {
    let writes = args.part != Part::Query;
    let bench = Bench::new(args, session)?;
    let servers = args.servers.open(writes, session)?;
    let mut report = Report {
        servers: servers.iter().map(named).collect(),
        ..Report::default()
    };
    block_on(bench.run(args, &servers, &mut report, session))?;
    let measures = report.measures();
    let violations = bench
        .thresholds
        .iter()
        .filter_map(|one| one.violation(&measures));
    report.violations.extend(violations);
    show(args.output, &report, session)?;
    let problems = report.problems();
    for problem in &problems {
        session.console.warn(problem);
    }
    if problems.is_empty() {
        Ok(Exit::Success)
    } else {
        Err(Failure::silent(Exit::Failed))
    }
}

fn named(server: &Server) -> Named {
    Named {
        name: server.name.clone(),
        url: server.url(),
        pid: server.process.map(|process| process.pid),
    }
}

/// What was asked for, checked.
#[derive(Debug)]
struct Bench {
    now_ms: i64,
    interval_ms: i64,
    load: Load,
    /// Queries of a file.
    own: Option<Vec<Question>>,
    thresholds: Vec<Threshold>,
}

impl Bench {
    fn new(args: &BenchArgs, session: &Session) -> Result<Self, Failure> {
        let now_ms = session.clock.now_ms();
        let load = &args.load;
        let interval_ms =
            parse_step(&load.interval).map_err(|error| wrong("--interval", &error))?;
        if !(1_000..=120_000).contains(&interval_ms) {
            return Err(Failure::usage("`--interval` must be between 1s and 2m"));
        }
        if load.run.as_ref().is_some_and(|run| !is_plain(run)) {
            return Err(Failure::usage(
                "`--run` must be letters, digits, `-`, `_` and `.`",
            ));
        }
        let duration = load.duration.as_deref().map(parse_step).transpose();
        let duration = duration.map_err(|error| wrong("--duration", &error))?;
        let own = own_queries(&args.queries, now_ms)?;
        let ids = match (&own, args.part) {
            (_, Part::Write) => Vec::new(),
            (Some(own), _) => own.iter().map(|one| one.id.clone()).collect(),
            (None, _) => mix_ids(),
        };
        let writes = args.part != Part::Query;
        let parse = |texts: &[String], side| -> Result<Vec<Threshold>, Failure> {
            let one = |text: &String| Threshold::parse(text, side, writes, &ids);
            texts.iter().map(one).collect()
        };
        let mut thresholds = parse(&args.fail_above, Side::Above)?;
        thresholds.extend(parse(&args.fail_below, Side::Below)?);
        Ok(Self {
            now_ms,
            interval_ms,
            load: Load {
                connections: usize::from(load.connections),
                batch: load.batch as usize,
                version: load.protocol,
                duration: duration.map(|ms| Duration::from_millis(ms as u64)),
                rate: load.rate.map(|rate| rate as f64),
            },
            own,
            thresholds,
        })
    }

    /// Returns what is to be written.
    fn fleet(&self, args: &LoadArgs) -> Fleet {
        let samples = args.samples as usize;
        // On the grid of subqueries.
        let end_ms = (self.now_ms - LAG_MS).div_euclid(self.interval_ms) * self.interval_ms;
        Fleet {
            run: args
                .run
                .clone()
                .unwrap_or_else(|| format!("{:x}", self.now_ms)),
            seed: args.seed,
            hosts: (args.series as usize).div_ceil(SERIES_PER_HOST),
            samples,
            start_ms: end_ms - (samples as i64 - 1) * self.interval_ms,
            interval_ms: self.interval_ms,
        }
    }

    async fn run(
        &self,
        args: &BenchArgs,
        servers: &[Server],
        report: &mut Report,
        session: &mut Session,
    ) -> Result<(), Failure> {
        if args.part != Part::Query {
            let mut fleet = self.fleet(&args.load);
            for server in servers {
                report
                    .writes
                    .push(self.write(server, &fleet, session).await?);
            }
            // A server that was stopped early has fewer rounds; all have what that one has.
            let rounds = report.writes.iter().map(|write| write.written.rounds);
            fleet.samples = rounds.min().unwrap_or(0);
            report.fleet = Some(fleet);
        }
        if args.part == Part::Write {
            return Ok(());
        }
        let questions = self
            .questions(args, servers, report, &session.clock)
            .await?;
        let rounds = args.queries.rounds as usize;
        let total = questions.len() * servers.len() * (rounds + 1);
        let progress = progress(session, "asking queries", total);
        let shift_ms = if self.own.is_some() {
            0
        } else {
            self.interval_ms
        };
        let clock = &session.clock;
        let timings = ask::ask(servers, &questions, rounds, shift_ms, clock, progress).await;
        report.queries = questions.into_iter().zip(timings).collect();
        Ok(())
    }

    async fn write(
        &self,
        server: &Server,
        fleet: &Fleet,
        session: &Session,
    ) -> Result<WriteReport, Failure> {
        let what = format!("writing samples to {}", server.name);
        let progress = progress(session, &what, fleet.series() * fleet.samples);
        let (writer, path) = server.writer();
        let cpu = || server.process.and_then(Process::cpu);
        let (cpu_before, own_before) = (cpu(), Process::own().cpu());
        let clock = &session.clock;
        let written = write::write(writer, path, fleet, &self.load, clock, progress).await?;
        let since = |after: Option<Duration>, before: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        let memory = |what| server.process.and_then(|process| process.memory(what));
        Ok(WriteReport {
            written,
            server_cpu: since(cpu(), cpu_before),
            own_cpu: since(Process::own().cpu(), own_before),
            peak_bytes: memory(Memory::Peak),
            resident_bytes: memory(Memory::Resident),
        })
    }

    /// Returns the queries, once every server shows what was written.
    async fn questions(
        &self,
        args: &BenchArgs,
        servers: &[Server],
        report: &mut Report,
        clock: &Arc<dyn Clock>,
    ) -> Result<Vec<Question>, Failure> {
        if let Some(own) = &self.own {
            return Ok(own.clone());
        }
        let fleet = match &report.fleet {
            Some(fleet) => fleet.clone(),
            None => find_run(&servers[0], args.load.run.as_deref(), self.now_ms).await?,
        };
        report.fleet = Some(fleet.clone());
        if fleet.samples < 5 {
            // What the writes have shown is worth telling all the same.
            let text = "fewer than 5 samples of each series were written, too few for the queries";
            report.violations.push(text.to_owned());
            return Ok(Vec::new());
        }
        if !report.writes.is_empty() {
            for server in servers {
                wait_until_seen(server, &fleet, clock).await?;
            }
        }
        Ok(mix(&fleet))
    }
}

fn progress(session: &Session, what: &str, total: usize) -> Progress {
    let clock = Arc::clone(&session.clock);
    Progress::new(&session.console.facts, clock, what, total as u64)
}

fn own_queries(args: &QueriesArgs, now_ms: i64) -> Result<Option<Vec<Question>>, Failure> {
    let Some(path) = &args.queries else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read `{}`", path.display())).because(&error)
    })?;
    let since = args.since.as_deref().map(parse_duration).transpose();
    let since_ms = since.map_err(|error| wrong("--since", &error))?;
    let questions = from_file(&text, when(since_ms, now_ms));
    if questions.is_empty() {
        return Err(Failure::usage(format!(
            "`{}` holds no query",
            path.display()
        )));
    }
    Ok(Some(questions))
}

/// Says whether a run's name needs no escapes in a query.
fn is_plain(run: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !run.is_empty() && run.len() <= 100 && run.chars().all(plain)
}

fn show(format: BenchFormat, report: &Report, session: &mut Session) -> Result<(), Failure> {
    let paint = session.console.facts.out_paint();
    let pager = session.pager.clone();
    match format {
        BenchFormat::Json => show_body(report.json().to_string().as_bytes(), session),
        BenchFormat::Table => session
            .console
            .answer(&pager, |out| report.table(out, paint)),
        BenchFormat::Markdown => session.console.answer(&pager, |out| report.markdown(out)),
    }
}
