//! Logging to standard error: logfmt, or JSON for machines.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use obsq_model::Clock;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::environment::Environment;
use crate::times::rfc3339_ms;

/// `--log-format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// `key=value` pairs
    #[default]
    Logfmt,
    /// One JSON object per line
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// `-q`: errors only.
    Quiet,
    /// Warnings and errors.
    Normal,
    /// What a server says about itself, or `-v`.
    Verbose,
    /// `-vv`: everything obsq says, and the libraries' own information.
    Debug,
}

impl Verbosity {
    /// Returns the filter that `OBSQ_LOG` replaces when it is set.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Normal => "warn",
            Self::Verbose => {
                "warn,obsq=info,obsq_serve=info,obsq_metrics=info,obsq_wal=info,obsq_ingest=info,obsq_eval=info"
            }
            Self::Debug => {
                "info,obsq=trace,obsq_serve=trace,obsq_metrics=trace,obsq_wal=trace,obsq_ingest=trace,obsq_eval=trace"
            }
        }
    }
}

/// Starts logging. An `OBSQ_LOG` that cannot be understood is returned as a warning.
pub(crate) fn start_log(
    verbosity: Verbosity,
    format: LogFormat,
    environment: &Environment,
    clock: Arc<dyn Clock>,
) -> Option<String> {
    let wanted = environment.get("OBSQ_LOG");
    let (filter, problem) = match wanted.map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (
            EnvFilter::new(verbosity.filter()),
            Some(format!("ignoring `OBSQ_LOG`: {error}")),
        ),
        None => (EnvFilter::new(verbosity.filter()), None),
    };
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second start, which only tests make, keeps the first subscriber.
    let started = match format {
        LogFormat::Logfmt => base.event_format(Logfmt { clock }).try_init(),
        LogFormat::Json => base.json().flatten_event(true).try_init(),
    };
    drop(started);
    problem
}

/// Writes `ts=... level=... msg="..." key=value` lines.
struct Logfmt {
    clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_lowercase();
        let mut fields = Pairs::default();
        event.record(&mut fields);
        write!(
            writer,
            "ts={} level={level} target={}",
            rfc3339_ms(self.clock.now_ms()),
            metadata.target()
        )?;
        if !fields.message.is_empty() {
            write!(writer, " msg={}", Value(&fields.message))?;
        }
        writeln!(writer, "{}", fields.rest)
    }
}

/// Collects an event's fields, the message apart.
#[derive(Default)]
struct Pairs {
    message: String,
    rest: String,
}

impl Pairs {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            let _infallible = write!(self.rest, " {}={}", field.name(), Value(&value));
        }
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// A logfmt value: quoted only when it must be.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Captured;
    use obsq_model::ManualClock;

    #[test]
    fn a_line_is_logfmt_with_values_quoted_where_they_must_be() {
        let captured = Captured::default();
        let writer = captured.clone();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_700_000_000_123));
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(Logfmt { clock })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(block = %"01ABC", error = "no \"room\"", n = 3, "cannot open block");
        });
        let text = captured.text();
        let expected = "ts=2023-11-14T22:13:20.123Z level=warn target=obsq::console::log::tests msg=\"cannot open block\" block=01ABC error=\"no \\\"room\\\"\" n=3\n";
        assert_eq!(text, expected);
    }
}
