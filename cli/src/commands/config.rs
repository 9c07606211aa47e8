//! `obsq config`

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::args::variable;
use crate::exit::{Exit, Failure};
use crate::render::Sheet;
use crate::session::Session;
use crate::settings::{ClientConfig, DEFAULT_SERVER, config_path, json_schema, load, parse};

/// Show, check or describe configuration
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Show the values that are in effect, and where each comes from
    Show,
    /// Check files: `config.toml` of the client, `obsq.yml` or `prometheus.yml` of a server
    Validate {
        /// The files [default: the client's configuration]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of the client's configuration
    Schema,
}

/// Shows, checks or describes.
pub(crate) fn config(args: &ConfigArgs, session: &mut Session) -> Result<Exit, Failure> {
    match &args.action {
        Action::Show => show(session),
        Action::Validate { files } => validate(files, session),
        Action::Schema => {
            let text = format!("{:#}\n", json_schema());
            session.console.out().write_all(text.as_bytes())?;
            session.console.out().flush()?;
            Ok(Exit::Success)
        }
    }
}

fn show(session: &mut Session) -> Result<Exit, Failure> {
    let config = load(session.config_file.as_deref(), &session.environment)?;
    let path = config_path(session.config_file.as_deref(), &session.environment);
    let path = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let mut sheet = Sheet::new(&["key", "value", "origin"]);
    for (flag, configured, built_in) in values(&config) {
        let variable = variable(flag);
        let (value, origin) = match (session.environment.get(&variable), configured) {
            (Some(value), _) => (value.to_owned(), variable),
            (None, Some(value)) => (value, path.clone()),
            (None, None) => (built_in.to_owned(), "built in".to_owned()),
        };
        sheet.rows.push(vec![flag.to_owned(), value, origin]);
    }
    let paint = session.console.facts.out_paint();
    session
        .console
        .answer(&crate::console::Pager::off(), |out| sheet.table(out, paint))?;
    Ok(Exit::Success)
}

/// Returns flags with the value of the configuration and the one that is built in.
fn values(config: &ClientConfig) -> Vec<(&'static str, Option<String>, &'static str)> {
    let defaults = &config.defaults;
    let current = config.current_context.as_ref();
    let context = current.and_then(|name| config.contexts.get(name));
    let of_context = context.cloned().unwrap_or_default();
    let data = of_context
        .data
        .as_ref()
        .map(|path| path.display().to_string());
    let server = if data.is_some() { "" } else { DEFAULT_SERVER };
    vec![
        ("context", config.current_context.clone(), ""),
        ("server", of_context.server, server),
        ("data", data, ""),
        ("org-id", of_context.org_id, ""),
        (
            "timeout",
            of_context.timeout.or(defaults.timeout.clone()),
            "2m",
        ),
        ("output", defaults.output.clone(), "table"),
        (
            "limit",
            defaults.limit.map(|limit| limit.to_string()),
            "1000",
        ),
        ("since", defaults.since.clone(), "1h"),
        ("tz", defaults.tz.clone(), "UTC"),
        ("color", None, "auto"),
        ("paging", None, "auto"),
    ]
}

pub(crate) fn validate(files: &[PathBuf], session: &mut Session) -> Result<Exit, Failure> {
    let own = config_path(session.config_file.as_deref(), &session.environment);
    let own: Vec<PathBuf> = own.into_iter().collect();
    let files = if files.is_empty() { &own } else { files };
    let mut problems = Vec::new();
    for file in files {
        let found = check_file(file)?;
        if found.is_empty() {
            session.console.note(&format!("{}: ok", file.display()));
        }
        problems.extend(found);
    }
    let lines: String = problems
        .iter()
        .flat_map(|line| {
            [
                line, "
",
            ]
        })
        .collect();
    session.console.out().write_all(lines.as_bytes())?;
    session.console.out().flush()?;
    Ok(if problems.is_empty() {
        Exit::Success
    } else {
        Exit::Failed
    })
}

/// Returns the problems of one file as `file:line:column: problem`.
fn check_file(file: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read `{}`", file.display())).because(&error)
    })?;
    let is_client = file
        .extension()
        .is_some_and(|extension| extension == "toml");
    let found = if is_client {
        parse(&text).err().unwrap_or_default()
    } else {
        let problems = obsq_ingest::config::load(file, &text).err();
        problems.iter().flatten().map(ToString::to_string).collect()
    };
    let place = |problem: String| format!("{}:{problem}", file.display());
    Ok(found.into_iter().map(place).collect())
}
