//! Topics of `obsq help`: commands that are hidden and only explain.

use crate::exit::{Exit, Failure};
use crate::session::Session;

/// Exit codes of every command
#[derive(Debug, Clone, clap::Args)]
#[command(help_template = "{after-help}", after_help = Exit::table(), disable_help_flag = true)]
pub(crate) struct ExitCodesArgs {}

/// How times and durations are written
#[derive(Debug, Clone, clap::Args)]
#[command(help_template = "{after-help}", after_help = TIMES, disable_help_flag = true)]
pub(crate) struct TimesArgs {}

/// Variables that obsq reads
#[derive(Debug, Clone, clap::Args)]
#[command(help_template = "{after-help}", after_help = ENVIRONMENT, disable_help_flag = true)]
pub(crate) struct EnvironmentArgs {}

/// What can be written where a time is asked for.
pub(crate) const TIMES: &str = "\
Times, of `--at`, `--from` and `--to` (`--time`, `--start` and `--end` are the same flags):

  now, now-1h, now-1d+2h      before or after the present
  now-1h/h, now/d, now-1M/M   rounded: `--from` to the start of the unit, `--to` to its end
  -30m                        the same as now-30m
  today, yesterday            the same as now/d and now-1d/d
  15:04, 15:04:05             today, in the zone of `--tz`
  2026-01-31                  a day: `--from` its start, `--to` its end
  2026-01-31 15:04            in the zone of `--tz`
  2026-01-31T15:04:05+01:00   RFC 3339
  1700000000, 1700000000.5    unix seconds; milliseconds, microseconds and nanoseconds by size

Units: ms s m h d w M (months) Q (quarters) y. Weeks start on Monday.

Durations, of `--since`, `--step` and `--timeout`: 90s, 5m, 1h30m, 7d, 2w, 1y.
`--step` and `--timeout` also take plain seconds.

`--tz` takes UTC, local, an IANA name such as Europe/Berlin, or an offset such as +02:00.
";

/// What obsq reads from the environment.
pub(crate) const ENVIRONMENT: &str = "\
Every flag that is not about one call has a variable: `--org-id` is OBSQ_ORG_ID, `--server` is
OBSQ_SERVER, `--output` is OBSQ_OUTPUT. The command line wins, then the variable, then the
configuration, then what is built in.

  OBSQ_CONFIG            the client's configuration instead of $XDG_CONFIG_HOME/obsq/config.toml
  OBSQ_LOG               what is logged, such as `info` or `obsq_serve=debug`
  OBSQ_COLOR             auto, always or never; as `--color`
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE, FORCE_COLOR, TERM=dumb
                         decide when `--color` is auto
  OBSQ_PAGER, PAGER      what long answers on a terminal go through; `cat` for none
  LC_ALL, LC_CTYPE, LANG charts use braille when these say UTF-8, or nothing
  OBSQ_NOW               the present, for tests
  OBSQ_FORCE_TTY         act as on a terminal of this many columns, for tests
";

/// Prints a topic.
pub(crate) fn topic(text: &str, session: &mut Session) -> Result<Exit, Failure> {
    session.console.out().write_all(text.as_bytes())?;
    session.console.out().flush()?;
    Ok(Exit::Success)
}
