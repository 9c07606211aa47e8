//! `OBSQ_*` variables for flags.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

/// Flags that say what to do in this one call; a variable for them would surprise.
const CALL_ONLY: [&str; 24] = [
    "help",
    "version",
    "at",
    "from",
    "to",
    "since",
    "file",
    "stdin",
    "match",
    "check",
    "config",
    "reset",
    "yes",
    "dry-run",
    "query",
    "exit-status",
    "send-load-to-remote",
    "write-url",
    "pid",
    "fail-above",
    "fail-below",
    "queries",
    "run",
    "duration",
];

/// Gives every flag but those above the variable `OBSQ_<FLAG>`, in every command. The command line
/// wins over the environment.
pub(crate) fn bind(command: Command) -> Command {
    command.mut_args(bind_flag).mut_subcommands(bind)
}

fn bind_flag(flag: Arg) -> Arg {
    let Some(long) = flag.get_long().map(str::to_owned) else {
        return flag;
    };
    if CALL_ONLY.contains(&long.as_str()) || flag.get_env().is_some() {
        return flag;
    }
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
    // A name per flag, made once per process.
    let name: &'static str = Box::leak(variable(&long).into_boxed_str());
    let bound = flag.env(name).hide_env(true);
    if is_switch {
        bound.value_parser(BoolishValueParser::new())
    } else {
        bound
    }
}

/// Returns the variable of flag `long`.
pub(crate) fn variable(long: &str) -> String {
    let upper = long.to_uppercase();
    format!("OBSQ_{}", upper.replace(['-', '.'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_told_by_its_variable_and_the_command_line_wins() {
        assert_eq!(variable("org-id"), "OBSQ_ORG_ID");
        assert_eq!(variable("web.external-url"), "OBSQ_WEB_EXTERNAL_URL");
        let command = bind(Command::new("x").arg(Arg::new("limit").long("limit")));
        let flag = command.get_arguments().next().unwrap();
        assert_eq!(flag.get_env().unwrap(), "OBSQ_LIMIT");
    }

    #[test]
    fn what_belongs_to_one_call_has_no_variable() {
        let command = bind(Command::new("x").arg(Arg::new("since").long("since")));
        let flag = command.get_arguments().next().unwrap();
        assert_eq!(flag.get_env(), None);
    }
}
