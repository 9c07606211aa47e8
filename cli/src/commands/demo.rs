//! `obsq demo`

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use obsq_serve::{DEFAULT_HTTP, ServeError, ServeOptions, Server};

use crate::api::HttpApi;
use crate::commands::serve::explain;
use crate::commands::shared::wrong;
use crate::console::Progress;
use crate::demo::{Backfill, Filled, Live, Record, World, scrape_config};
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::settings::Access;
use crate::times::parse_duration;

/// Try obsq: a server with a simulated shop and a week of history
///
/// Several services on several hosts send OTLP and are scraped, all over loopback. Payments fail
/// every few minutes. History is written newest first and can be queried while it grows; it is kept
/// for the next start.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Address of the server [default: `127.0.0.1:4600`, or a free port when that one is taken]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where the data lies [default: `$XDG_DATA_HOME/obsq/demo`]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Remove what an earlier demo left and start anew
    #[arg(long)]
    reset: bool,
    /// What the history and all chance derive from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How much history to have
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    history: String,
    /// End as soon as the history is there, for measuring
    #[arg(long, hide = true)]
    until_filled: bool,
}

const EXAMPLES: &str = "\
Examples:
  obsq demo                        start, or go on with the history of the last time
  obsq demo --reset                start anew
  obsq demo --data ./shop --http 127.0.0.1:4700 --history 1d";

/// How often the record of what was written is brought up to date.
const RECORD_EVERY: Duration = Duration::from_secs(30);

/// Runs the demo until told to stop.
pub(crate) fn demo(args: &DemoArgs, session: &mut Session) -> Result<Exit, Failure> {
    let history_ms = parse_duration(&args.history).map_err(|error| wrong("--history", &error))?;
    let folder = folder(args, session)?;
    let record = prepare(&folder, args)?;
    if record.is_begun() {
        session
            .console
            .note("going on with the history of an earlier demo; `--reset` starts anew");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(4 << 20)
        .build()
        .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?;
    let shop = Shop {
        folder,
        record,
        history_ms,
        until_filled: args.until_filled,
        live: Live::new(World { seed: args.seed }, Arc::clone(&session.clock)),
        world: World { seed: args.seed },
    };
    runtime.block_on(shop.run(args.http.as_deref(), session))
}

fn folder(args: &DemoArgs, session: &Session) -> Result<PathBuf, Failure> {
    let fallback = session.environment.data_dir().map(|dir| dir.join("demo"));
    args.data.clone().or(fallback).ok_or_else(|| {
        Failure::usage("there is no home directory to keep data in").hint("name one with `--data`")
    })
}

/// Makes the folder, emptied when asked, and returns what is known of its history.
fn prepare(folder: &Path, args: &DemoArgs) -> Result<Record, Failure> {
    let cannot = |error: &std::io::Error| {
        Failure::failed(format!("cannot use `{}`", folder.display())).because(error)
    };
    let known = Record::load(folder);
    let is_used = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_used && matches!(known, Ok(None)) {
        let text = format!("`{}` holds something else than a demo", folder.display());
        return Err(Failure::usage(text).hint("name an empty directory with `--data`"));
    }
    if args.reset && is_used {
        std::fs::remove_dir_all(folder).map_err(|error| cannot(&error))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| cannot(&error))?;
    let record = match known {
        _ if args.reset => Record::new(args.seed),
        Ok(Some(record)) if record.is_of(args.seed) => record,
        Ok(Some(record)) => {
            let seed = record.seed;
            let text = format!("`{}` holds another history (seed {seed})", folder.display());
            return Err(Failure::usage(text).hint("`--reset` removes it"));
        }
        Ok(None) => Record::new(args.seed),
        Err(failure) => return Err(failure),
    };
    record.save(folder)?;
    Ok(record)
}

/// Everything that runs.
struct Shop {
    folder: PathBuf,
    record: Record,
    history_ms: i64,
    until_filled: bool,
    live: Live,
    world: World,
}

impl Shop {
    async fn run(mut self, http: Option<&str>, session: &mut Session) -> Result<Exit, Failure> {
        let exposed = self.live.expose().await?;
        let server = self.start_server(http, exposed).await?;
        let url = format!("http://{}", server.http_address());
        self.announce(&url, session)?;
        let pushing = tokio::spawn(self.live.clone().push(url.clone()));
        let ended = self.fill_and_wait(&url, session).await;
        pushing.abort();
        server.stop().await;
        self.record.save(&self.folder)?;
        ended
    }

    /// Starts the server; when nobody asked for an address and the usual one is taken, on a free one.
    async fn start_server(
        &self,
        http: Option<&str>,
        exposed: SocketAddr,
    ) -> Result<Server, Failure> {
        let config = self.folder.join("obsq.yml");
        std::fs::write(&config, scrape_config(exposed)).map_err(|error| {
            Failure::failed(format!("cannot write `{}`", config.display())).because(&error)
        })?;
        let options = ServeOptions {
            http: http.unwrap_or(DEFAULT_HTTP).to_owned(),
            data_dir: self.folder.join("data"),
            config_file: Some(config),
            ..ServeOptions::default()
        };
        match Server::start(options.clone()).await {
            Err(ServeError::Listen { flag: "--http", .. }) if http.is_none() => {
                let elsewhere = ServeOptions {
                    http: "127.0.0.1:0".into(),
                    ..options
                };
                Server::start(elsewhere)
                    .await
                    .map_err(|error| explain(&error))
            }
            started => started.map_err(|error| explain(&error)),
        }
    }

    fn announce(&self, url: &str, session: &mut Session) -> Result<(), Failure> {
        let paint = session.console.facts.out_paint();
        let server = if url.ends_with(DEFAULT_HTTP) {
            String::new()
        } else {
            format!(" --server {url}")
        };
        let commands = WORTH_TRYING.map(|(about, command)| {
            // `explain` counts what is selected only where it is told to ask.
            let server = if command.starts_with("explain") {
                format!(" --server {url}")
            } else {
                server.clone()
            };
            let about = paint.dim(&format!("# {about}"));
            format!(
                "  {about}\n  obsq {}\n",
                command.replace("{server}", &server)
            )
        });
        let text = format!(
            "listening on {url}\ndata in {}\n\nfive commands worth trying, in another terminal:\n\n{}\nCtrl-C stops the demo; its history is kept for the next time.\n",
            self.folder.join("data").display(),
            commands.join("\n")
        );
        session.console.out().write_all(text.as_bytes())?;
        session.console.out().flush()?;
        Ok(())
    }

    /// Writes the history, then keeps the record up to date until a signal comes.
    async fn fill_and_wait(&mut self, url: &str, session: &mut Session) -> Result<Exit, Failure> {
        let mut stop = std::pin::pin!(stop_signal());
        let clock = Arc::clone(&session.clock);
        let live_from_ms = clock.now_ms();
        let filled = tokio::select! {
            filled = self.fill(url, live_from_ms, session) => Some(filled),
            () = &mut stop => None,
        };
        match filled {
            Some(Ok(())) => {}
            Some(Err(failure)) => return Err(failure),
            None => return Ok(Exit::Success),
        }
        if self.until_filled {
            return Ok(Exit::Success);
        }
        loop {
            self.record.add(live_from_ms, clock.now_ms());
            self.record.save(&self.folder)?;
            tokio::select! {
                () = tokio::time::sleep(RECORD_EVERY) => {}
                () = &mut stop => break,
            }
        }
        self.record.add(live_from_ms, clock.now_ms());
        Ok(Exit::Success)
    }

    async fn fill(&mut self, url: &str, now_ms: i64, session: &mut Session) -> Result<(), Failure> {
        let gaps = self.record.missing(now_ms - self.history_ms, now_ms);
        let total: i64 = gaps.iter().map(|(start, end)| end - start).sum();
        if total < 60_000 {
            return Ok(());
        }
        let server = HttpApi::new(url, &Access::default(), Duration::from_mins(1))?;
        let started = session.clock.monotonic();
        let (facts, clock) = (&session.console.facts, Arc::clone(&session.clock));
        let mut progress = Progress::new(
            facts,
            clock,
            "writing history, in seconds",
            total as u64 / 1_000,
        );
        let backfill = Backfill {
            world: self.world,
            now_ms,
        };
        let (record, folder) = (&mut self.record, &self.folder);
        let mut samples = 0;
        let told = |filled: Filled| {
            samples += filled.samples;
            record.add(filled.start_ms, filled.end_ms);
            progress.add((filled.end_ms - filled.start_ms) as u64 / 1_000);
            // The record is only there to save work; it is saved again soon.
            drop(record.save(folder));
        };
        backfill.run(gaps, &server, told).await?;
        drop(progress);
        let took = session.clock.monotonic().saturating_sub(started);
        let text = format!(
            "history is complete: {samples} samples in {:.1} s",
            took.as_secs_f64()
        );
        session.console.note(&text);
        Ok(())
    }
}

/// Commands that show what the shop is about; `{server}` names the server unless it is the usual one.
const WORTH_TRYING: [(&str, &str); 5] = [
    (
        "who serves how many requests",
        "query{server} 'sum by (service) (rate(http_requests_total[5m]))' --since 3h -o graph",
    ),
    (
        "which service fails, and when: payments, every few minutes",
        "query{server} 'sum by (service) (rate(http_requests_total{code=\"500\"}[2m])) / sum by (service) (rate(http_requests_total[2m]))' --since 1h -o graph",
    ),
    (
        "how slow the bank is, from a native histogram",
        "query{server} 'histogram_quantile(0.99, sum(rate(payment_duration_seconds[2m])))' --since 1h -o graph",
    ),
    (
        "a week of customers",
        "query{server} 'sum(rate(http_requests_total{service=\"frontend\"}[1h]))' --since 7d -o graph",
    ),
    (
        "what a query selects",
        "explain{server} 'topk(3, sum by (route) (rate(http_request_duration_seconds_sum[5m])))' --since 1h",
    ),
];

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_query_lang::promql::parse;

    fn args(folder: &Path, reset: bool, seed: u64) -> DemoArgs {
        DemoArgs {
            http: None,
            data: Some(folder.to_owned()),
            reset,
            seed,
            history: "7d".into(),
            until_filled: false,
        }
    }

    #[test]
    fn every_command_worth_trying_holds_a_query_that_parses() {
        for (_, command) in WORTH_TRYING {
            let query = command.split('\'').nth(1).unwrap();
            assert!(parse(query).into_result().is_ok(), "{query}");
        }
    }

    #[test]
    fn only_a_demos_directory_is_used_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        std::fs::write(&precious, "x").unwrap();
        for reset in [false, true] {
            let failure = prepare(folder.path(), &args(folder.path(), reset, 1)).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
        }
        assert!(precious.try_exists().unwrap());
    }

    #[test]
    fn another_seed_needs_a_reset() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = |reset, seed| prepare(folder.path(), &args(folder.path(), reset, seed));
        prepared(false, 1).unwrap();
        prepared(false, 1).unwrap();
        assert!(prepared(false, 2).is_err());
        assert!(prepared(true, 2).unwrap().is_of(2));
    }
}
