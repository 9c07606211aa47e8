//! Why the server did not start or ended.

use std::path::PathBuf;

/// Why `obsq serve` could not start, or what ended it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on: it is busy, not ours, or not an address.
    #[error("cannot listen on `{address}` (`{flag}`)")]
    Listen {
        /// The flag that names the address.
        flag: &'static str,
        /// The address as given.
        address: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A flag's value is not usable.
    #[error("`{flag}`: {problem}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The configuration cannot be read or holds what is not served; the text names file and line.
    #[error("cannot use the configuration{}{problem}", lead(problem))]
    Config {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it, one finding per line, each with its place.
        problem: String,
    },
    /// The stores in the data directory cannot be opened.
    #[error("cannot open the data directory `{}`", path.display())]
    Open {
        /// The data directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The async runtime or a signal handler cannot be set up.
    #[error("cannot set up {what}")]
    Setup {
        /// What was being set up.
        what: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl ServeError {
    /// Says whether flags or configuration are to blame, for which the command line has an exit
    /// code of its own.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Listen { .. } | Self::Flag { .. } | Self::Config { .. }
        )
    }
}

/// One finding stands behind the message, several stand below it.
fn lead(problem: &str) -> &'static str {
    if problem.contains('\n') { ":\n" } else { ": " }
}
