//! What every command works with.

use std::path::PathBuf;
use std::sync::Arc;

use obsq_model::Clock;

use crate::console::{Console, Pager};
use crate::environment::Environment;
use crate::exit::{Exit, Failure};

/// The surroundings of one run.
#[derive(Debug)]
pub(crate) struct Session {
    /// Where output goes.
    pub(crate) console: Console,
    /// Environment variables.
    pub(crate) environment: Environment,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What long answers go through.
    pub(crate) pager: Pager,
    /// The client's configuration file, when one was named.
    pub(crate) config_file: Option<PathBuf>,
}

/// Runs `work` to its end or until Ctrl-C, which drops it: a query is then cancelled at its source
/// as well.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted")),
        }
    });
    // Name resolution blocks a thread that would otherwise be waited for.
    runtime.shutdown_background();
    done
}
