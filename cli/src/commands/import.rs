//! `obsq import`

mod reader;
mod sink;

use std::path::PathBuf;
use std::sync::Arc;

use obsq_source::MetricBatch;

use crate::api::tenant;
use crate::args::{AccessArgs, SourceArgs};
use crate::commands::import::reader::{Input, inputs};
use crate::commands::import::sink::{Sink, Taken};
use crate::console::Progress;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on};
use crate::settings::{Place, load, resolve};

/// Bring samples in: Prometheus data directories, single blocks, OpenMetrics or exposition text
///
/// Samples that are there already are accepted once more without being stored twice, so an import
/// that was interrupted can be repeated.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// What to read: a data directory, a block, or a file; `-` is text on standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Write into obsq's data directory, which no server may hold
    #[arg(long, value_name = "DIR", help_heading = "Where to write")]
    data: Option<PathBuf>,
    /// Write to a server by remote write
    #[arg(long, value_name = "URL", help_heading = "Where to write")]
    server: Option<String>,
    /// Write to a context of the configuration
    #[arg(long, value_name = "NAME", help_heading = "Where to write")]
    context: Option<String>,
    /// Set this label, `name=value`, on every series; may be repeated
    #[arg(long = "label", value_name = "LABEL", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    access: AccessArgs,
}

const EXAMPLES: &str = "\
Examples:
  obsq import /var/lib/prometheus --data ./history
  obsq import metrics.om --server http://127.0.0.1:4600
  zcat old.om.gz | obsq import - --data ./history";

/// Samples per batch: large enough to be cheap, small enough for any server.
const SAMPLES_PER_BATCH: usize = 10_000;

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write `name=value`".to_owned()),
    }
}

/// Reads everything and writes it.
pub(crate) fn import(args: &ImportArgs, session: &mut Session) -> Result<Exit, Failure> {
    let inputs = inputs(&args.paths)?;
    let sink = open_sink(args, session)?;
    let now_ms = session.clock.now_ms();
    let total = inputs.iter().map(Input::samples).sum();
    let facts = &session.console.facts;
    let progress = Progress::new(
        facts,
        Arc::clone(&session.clock),
        "importing samples",
        total,
    );
    let mut run = Run {
        sink,
        progress,
        labels: args.labels.clone(),
        pending: MetricBatch::default(),
        pending_samples: 0,
        sum: Taken::default(),
    };
    let done = block_on(run.all(&inputs, now_ms));
    let Run { sum, progress, .. } = run;
    drop(progress);
    done?;
    conclude(&sum, session)
}

fn conclude(sum: &Taken, session: &mut Session) -> Result<Exit, Failure> {
    let text = format!("imported {}", samples(sum.samples));
    session.console.note(&text);
    if sum.rejected == 0 {
        return Ok(Exit::Success);
    }
    let first = sum.first_reason.clone().unwrap_or_default();
    let were = if sum.rejected == 1 { "was" } else { "were" };
    let refused = samples(sum.rejected);
    Err(Failure::failed(format!(
        "{refused} {were} refused; the first: {first}"
    )))
}

fn samples(count: usize) -> String {
    format!("{count} sample{}", if count == 1 { "" } else { "s" })
}

fn open_sink(args: &ImportArgs, session: &Session) -> Result<Sink, Failure> {
    if args.data.is_none() && args.server.is_none() && args.context.is_none() {
        return Err(Failure::usage("nothing says where to write")
            .hint("name a directory with `--data` or a server with `--server`"));
    }
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let source = SourceArgs {
        server: args.server.clone(),
        data: args.data.clone(),
        stdin: false,
        context: args.context.clone(),
        access: args.access.clone(),
    };
    let target = resolve(&source, &config)?;
    if target.read_only {
        let name = target.context.unwrap_or_default();
        let failure = Failure::new(Exit::Denied, format!("the context `{name}` is read-only"));
        return Err(failure.hint("`read_only` in `config.toml` says so"));
    }
    match &target.place {
        Place::Data(dir) => {
            let tenant = tenant(target.access.org_id.as_deref())?;
            Sink::store(dir, tenant, Arc::clone(&session.clock))
        }
        Place::Server(url) => Sink::server(url, &target),
        Place::Stdin => Err(Failure::usage("nothing can be written to standard input")),
    }
}

/// An import under way.
struct Run {
    sink: Sink,
    progress: Progress,
    labels: Vec<(String, String)>,
    pending: MetricBatch,
    pending_samples: usize,
    sum: Taken,
}

impl Run {
    async fn all(&mut self, inputs: &[Input], now_ms: i64) -> Result<(), Failure> {
        for input in inputs {
            let mut parts = input.open(now_ms)?;
            while let Some(batch) = parts.next_batch()? {
                self.add(batch).await?;
            }
        }
        self.flush().await?;
        self.sink.finish().await
    }

    async fn add(&mut self, batch: MetricBatch) -> Result<(), Failure> {
        for mut series in batch.series {
            if !self.labels.is_empty() {
                let mut labels = series.labels.to_builder();
                for (name, value) in &self.labels {
                    labels.set(name, value);
                }
                series.labels = labels.build();
            }
            self.pending_samples += series.samples.len();
            self.pending.series.push(series);
            if self.pending_samples >= SAMPLES_PER_BATCH {
                self.flush().await?;
            }
        }
        self.pending.metadata.extend(batch.metadata);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.pending);
        let samples = std::mem::take(&mut self.pending_samples);
        if batch.series.is_empty() && batch.metadata.is_empty() {
            return Ok(());
        }
        let taken = self.sink.take(batch).await?;
        self.sum.add(taken);
        self.progress.add(samples as u64);
        Ok(())
    }
}
