//! Reading `config.toml`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use serde::Deserialize;

use crate::args::Format;
use crate::environment::Environment;
use crate::exit::Failure;
use crate::times::{parse_duration, parse_step, parse_zone};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientConfig {
    /// Name of the context that is used when none is named.
    pub(crate) current_context: Option<String>,
    /// Values of flags that are not given.
    #[serde(default)]
    pub(crate) defaults: Defaults,
    /// Named places to read from.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, ContextConfig>,
}

/// Values of flags that are not given; the keys are the flags' names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// `-o`
    pub(crate) output: Option<String>,
    /// `--limit`
    pub(crate) limit: Option<usize>,
    /// `--since`, where a command needs a range and none is given.
    pub(crate) since: Option<String>,
    /// `--tz`
    pub(crate) tz: Option<String>,
    /// `--timeout`
    pub(crate) timeout: Option<String>,
}

/// A place to read from and how to get in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextConfig {
    /// URL of a server.
    pub(crate) server: Option<String>,
    /// A data directory instead of a server.
    pub(crate) data: Option<PathBuf>,
    /// The tenant.
    pub(crate) org_id: Option<String>,
    /// Headers to send.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// User name for basic authentication.
    pub(crate) username: Option<String>,
    /// File that holds the password.
    pub(crate) password_file: Option<PathBuf>,
    /// File that holds a bearer token.
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// File in the format of Prometheus' `http_config`.
    pub(crate) http_config: Option<PathBuf>,
    /// How long to wait for an answer.
    pub(crate) timeout: Option<String>,
    /// Refuse everything that changes the server.
    #[serde(default)]
    pub(crate) read_only: bool,
}

/// Returns where the file is, whether or not it is there.
pub(crate) fn config_path(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => Some(environment.config_dir()?.join("config.toml")),
    }
}

/// Reads the file; a missing one is an empty one, unless it was named.
pub(crate) fn load(
    named: Option<&Path>,
    environment: &Environment,
) -> Result<ClientConfig, Failure> {
    let Some(path) = config_path(named, environment) else {
        return Ok(ClientConfig::default());
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
            return Ok(ClientConfig::default());
        }
        Err(error) => {
            let what = format!("cannot read the configuration `{}`", path.display());
            return Err(Failure::usage(what).because(&error));
        }
    };
    parse(&text).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}:{problem}", path.display()))
            .collect();
        Failure::usage(format!("the configuration is wrong\n{}", lines.join("\n")))
            .hint("`obsq config schema` prints what may be in it")
    })
}

/// Reads the text of a file. Problems have the form `line:column: what is wrong`.
pub(crate) fn parse(text: &str) -> Result<ClientConfig, Vec<String>> {
    let config: ClientConfig = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![format!("{}: {}", place(text, at), error.message().trim())]
    })?;
    let problems: Vec<String> = check(&config)
        .into_iter()
        .map(|(needle, problem)| {
            let at = text.find(&needle).unwrap_or(0);
            format!("{}: {problem}", place(text, at))
        })
        .collect();
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

/// Returns `line:column` of byte `at`, both from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{line}:{column}")
}

/// Returns what is wrong beyond the syntax: the text to look for, and the problem.
fn check(config: &ClientConfig) -> Vec<(String, String)> {
    let mut problems = check_defaults(&config.defaults);
    if let Some(name) = &config.current_context
        && !config.contexts.contains_key(name)
    {
        let problem = format!("`current_context` names `{name}`, which is not in `[contexts]`");
        problems.push(("current_context".into(), problem));
    }
    for (name, context) in &config.contexts {
        let problem = check_context(context);
        problems.extend(problem.map(|text| (name.clone(), format!("context `{name}`: {text}"))));
    }
    problems
}

fn check_context(context: &ContextConfig) -> Option<String> {
    let auth = [
        context.username.is_some(),
        context.bearer_token_file.is_some(),
        context.http_config.is_some(),
    ];
    let url = context.server.as_deref().map(reqwest::Url::parse);
    if context.server.is_some() == context.data.is_some() {
        Some("needs one of `server` and `data`".into())
    } else if let Some(Err(error)) = url {
        Some(format!("`server` is not a URL: {error}"))
    } else if auth.iter().filter(|given| **given).count() > 1 {
        Some("takes one of `username`, `bearer_token_file` and `http_config`".into())
    } else {
        let timeout = context.timeout.as_deref()?;
        Some(parse_step(timeout).err()?.to_string())
    }
}

fn check_defaults(defaults: &Defaults) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut add = |key: &str, problem: Option<String>| {
        problems.extend(problem.map(|text| (key.to_owned(), format!("`defaults.{key}`: {text}"))));
    };
    let text = |error: crate::times::TimeError| error.to_string();
    let bad_output = |name: &String| {
        let known = Format::from_str(name, false).is_ok();
        (!known).then(|| format!("`{name}` is not an output format"))
    };
    add("output", defaults.output.as_ref().and_then(bad_output));
    let since = defaults.since.as_deref();
    add(
        "since",
        since.and_then(|d| parse_duration(d).err().map(text)),
    );
    let zone = defaults.tz.as_deref();
    add("tz", zone.and_then(|z| parse_zone(z).err().map(text)));
    let timeout = defaults.timeout.as_deref();
    add(
        "timeout",
        timeout.and_then(|d| parse_step(d).err().map(text)),
    );
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
current_context = "prod"

[defaults]
output = "csv"
limit = 50
tz = "UTC"

[contexts.prod]
server = "https://prom.example:9090/prefix"
org_id = "team-a"
headers = { "X-Scope" = "1" }
bearer_token_file = "/run/token"
read_only = true

[contexts.local]
data = "/var/lib/obsq"
"#;

    #[test]
    fn a_whole_file_is_read() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.defaults.limit, Some(50));
        let prod = &config.contexts["prod"];
        assert!(prod.read_only);
        assert_eq!(prod.org_id.as_deref(), Some("team-a"));
        assert_eq!(
            config.contexts["local"].data,
            Some(PathBuf::from("/var/lib/obsq"))
        );
    }

    #[test]
    fn problems_have_line_and_column() {
        let table = [
            ("x = ", "1:5: "),
            ("\nlimit = 3", "2:1: unknown field `limit`"),
            (
                "[defaults]\noutput = \"xml\"",
                "2:1: `defaults.output`: `xml` is not an output format",
            ),
            (
                "current_context = \"a\"",
                "1:1: `current_context` names `a`",
            ),
            (
                "[contexts.a]\n",
                "1:11: context `a`: needs one of `server` and `data`",
            ),
            (
                "[contexts.a]\nserver = \"nope\"",
                "1:11: context `a`: `server` is not a URL",
            ),
            (
                "[contexts.a]\nserver = \"http://x\"\nusername = \"u\"\nbearer_token_file = \"f\"",
                "1:11: context `a`: takes one of",
            ),
            (
                "[defaults]\ntz = \"Mars\"",
                "2:1: `defaults.tz`: `Mars` is not a time zone",
            ),
        ];
        for (text, expected) in table {
            let problems = parse(text).unwrap_err();
            assert!(problems[0].starts_with(expected), "{text:?}: {problems:?}");
        }
    }

    #[test]
    fn a_missing_file_is_empty_unless_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let environment = Environment::from([("XDG_CONFIG_HOME", home)]);
        assert_eq!(load(None, &environment).unwrap(), ClientConfig::default());
        let named = folder.path().join("no.toml");
        let failure = load(Some(&named), &environment).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
    }
}
