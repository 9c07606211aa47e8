//! `obsq serve` from the command line.

use std::io::Write as _;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{ServeError, ServeOptions, Server};

/// Stack of the threads that compute; parsing and evaluating need little, generous all the same.
const STACK_BYTES: usize = 4 << 20;

/// How long threads that compute may take to notice the end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then drains and returns. Prints the address it listens on to
/// standard output, which matters for port 0. SIGHUP loads the configuration again.
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(setup("the async runtime"))?;
    let served = runtime.block_on(serve(options));
    // Queries that nobody waits for any more must not hold up the end.
    runtime.shutdown_timeout(LAST_WAIT);
    served
}

async fn serve(options: ServeOptions) -> Result<(), ServeError> {
    let mut signals = Signals::install().map_err(setup("signal handlers"))?;
    let server = Server::start(options).await?;
    announce(&server);
    loop {
        match signals.next().await {
            Asked::Stop => break,
            Asked::Reload => {
                if let Err(error) = server.reload().await {
                    tell(&error);
                }
            }
        }
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

fn announce(server: &Server) {
    let mut out = std::io::stdout().lock();
    let address = server.http_address();
    // Nobody reading the line is no reason to stop.
    drop(writeln!(out, "listening on {}", server.url()));
    drop(out.flush());
    for address in server.open_addresses() {
        tracing::warn!(
            %address,
            "open to other machines: whoever reaches it can read and write; \
             `--web.config.file` names users and tokens"
        );
    }
    tracing::info!(%address, "ready to accept connections");
}

/// Logs why the configuration could not be loaded again, each finding for itself.
fn tell(error: &ServeError) {
    if let ServeError::Config { problem, .. } = error {
        for problem in problem.lines() {
            tracing::error!(problem, "the configuration is wrong");
        }
        tracing::error!("cannot load the configuration; the old one stays");
    } else {
        tracing::error!(%error, "cannot load the configuration; the old one stays");
    }
}

fn setup(what: &'static str) -> impl Fn(std::io::Error) -> ServeError {
    move |source| ServeError::Setup { what, source }
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
