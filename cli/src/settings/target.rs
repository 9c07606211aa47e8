//! From flags and configuration to one place and one way in.

use std::path::PathBuf;
use std::time::Duration;

use crate::args::{AccessArgs, SourceArgs};
use crate::exit::Failure;
use crate::settings::{ClientConfig, ContextConfig};
use crate::times::parse_step;

/// The server that is asked when nothing is named.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:4600";

/// How long to wait for an answer when nothing is said.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A server, by its base URL.
    Server(String),
    /// A data directory or block.
    Data(PathBuf),
    /// Exposition text on standard input.
    Stdin,
}

/// How to get in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// The tenant.
    pub(crate) org_id: Option<String>,
    /// Headers to send.
    pub(crate) headers: Vec<(String, String)>,
    /// User name and the file that holds the password.
    pub(crate) basic: Option<(String, Option<PathBuf>)>,
    /// File that holds a bearer token.
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// File in the format of Prometheus' `http_config`.
    pub(crate) http_config: Option<PathBuf>,
    /// Show requests and answers.
    pub(crate) debug: bool,
}

/// One place, one way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// What is read.
    pub(crate) place: Place,
    /// How to get in.
    pub(crate) access: Access,
    /// How long to wait for an answer.
    pub(crate) timeout: Duration,
    /// Name of the context that it comes from.
    pub(crate) context: Option<String>,
    /// Nothing may be changed there.
    pub(crate) read_only: bool,
}

/// Finds the place: a flag or its variable, else a named context, else the current one, else the
/// default server. Naming two is an error, for a wrong guess would answer from the wrong system.
pub(crate) fn resolve(args: &SourceArgs, config: &ClientConfig) -> Result<Target, Failure> {
    let named = [
        args.stdin.then_some(Place::Stdin),
        args.data.clone().map(Place::Data),
        args.server.clone().map(Place::Server),
    ];
    let mut named = named.into_iter().flatten();
    let (first, second) = (named.next(), named.next());
    if second.is_some() || (first.is_some() && args.context.is_some()) {
        let text = "only one of `--server`, `--data`, `--stdin` and `--context` can be read from";
        return Err(Failure::usage(text)
            .hint("`OBSQ_SERVER`, `OBSQ_DATA` and `OBSQ_CONTEXT` count as well"));
    }
    let (name, context) = match (&first, &args.context) {
        (Some(_), _) => (None, ContextConfig::default()),
        (None, Some(name)) => (Some(name.clone()), find(name, config)?.clone()),
        (None, None) => match &config.current_context {
            Some(name) => (Some(name.clone()), find(name, config)?.clone()),
            None => (None, ContextConfig::default()),
        },
    };
    let place = first
        .or(context.data.clone().map(Place::Data))
        .or(context.server.clone().map(Place::Server))
        .unwrap_or_else(|| Place::Server(DEFAULT_SERVER.into()));
    Ok(Target {
        place,
        access: access(&args.access, &context)?,
        timeout: timeout(&args.access, &context, config)?,
        context: name,
        read_only: context.read_only,
    })
}

fn find<'a>(name: &str, config: &'a ClientConfig) -> Result<&'a ContextConfig, Failure> {
    config.contexts.get(name).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no context `{name}`"));
        let known: Vec<&str> = config.contexts.keys().map(String::as_str).collect();
        match known.as_slice() {
            [] => failure.hint("contexts are defined in `config.toml` (`obsq config schema`)"),
            known => failure.hint(format!("known are: {}", known.join(", "))),
        }
    })
}

fn access(args: &AccessArgs, context: &ContextConfig) -> Result<Access, Failure> {
    let mut headers: Vec<(String, String)> = context.headers.clone().into_iter().collect();
    for header in &args.header {
        headers.push(parse_header(header)?);
    }
    // A way in that was given replaces the context's; it is never mixed with it.
    let given = args.username.is_some() || args.bearer_token_file.is_some();
    let basic = match (&args.username, &context.username) {
        (Some(name), _) => Some((name.clone(), args.password_file.clone())),
        (None, Some(name)) if !given => Some((name.clone(), context.password_file.clone())),
        _ => None,
    };
    let from_context = |file: &Option<PathBuf>| file.clone().filter(|_| !given);
    let bearer = args.bearer_token_file.clone();
    if basic.is_some() && bearer.is_some() {
        let text = "only one of `--username` and `--bearer-token-file` can be given";
        return Err(Failure::usage(text));
    }
    Ok(Access {
        org_id: args.org_id.clone().or_else(|| context.org_id.clone()),
        headers,
        basic,
        bearer_token_file: bearer.or_else(|| from_context(&context.bearer_token_file)),
        http_config: args
            .http_config
            .clone()
            .or_else(|| from_context(&context.http_config)),
        debug: args.debug_http,
    })
}

fn parse_header(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Failure::usage(format!("`{text}` is not a header")).hint("write `Name: value`")
    })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn timeout(
    args: &AccessArgs,
    context: &ContextConfig,
    config: &ClientConfig,
) -> Result<Duration, Failure> {
    let texts = [&args.timeout, &context.timeout, &config.defaults.timeout];
    match texts.into_iter().flatten().next() {
        None => Ok(TIMEOUT),
        Some(text) => {
            let ms = parse_step(text).map_err(|error| {
                Failure::usage(format!("`--timeout`: {error}")).hint(error.hint())
            })?;
            Ok(Duration::from_millis(ms as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::parse;

    fn config() -> ClientConfig {
        parse(
            "current_context = \"prod\"\n[contexts.prod]\nserver = \"http://prod\"\norg_id = \"a\"\nbearer_token_file = \"/t\"\nread_only = true\n[contexts.disk]\ndata = \"/d\"\n",
        )
        .unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_context_and_takes_nothing_from_it() {
        let args = SourceArgs {
            server: Some("http://other".into()),
            ..SourceArgs::default()
        };
        let target = resolve(&args, &config()).unwrap();
        assert_eq!(target.place, Place::Server("http://other".into()));
        // A token of one system must never reach another.
        assert_eq!(target.access, Access::default());
        assert!(!target.read_only);
    }

    #[test]
    fn the_current_context_is_used_when_nothing_is_named() {
        let target = resolve(&SourceArgs::default(), &config()).unwrap();
        assert_eq!(target.place, Place::Server("http://prod".into()));
        assert_eq!(target.context.as_deref(), Some("prod"));
        assert_eq!(target.access.org_id.as_deref(), Some("a"));
        assert!(target.read_only);
        let nothing = resolve(&SourceArgs::default(), &ClientConfig::default()).unwrap();
        assert_eq!(nothing.place, Place::Server(DEFAULT_SERVER.into()));
    }

    #[test]
    fn two_places_are_refused_and_an_unknown_context_is_named() {
        let two = SourceArgs {
            stdin: true,
            context: Some("disk".into()),
            ..SourceArgs::default()
        };
        assert_eq!(
            resolve(&two, &config()).unwrap_err().exit,
            crate::exit::Exit::Usage
        );
        let unknown = SourceArgs {
            context: Some("dsk".into()),
            ..SourceArgs::default()
        };
        assert!(resolve(&unknown, &config()).is_err());
    }

    #[test]
    fn a_way_in_that_is_given_replaces_that_of_the_context() {
        let mut args = SourceArgs::default();
        args.access.username = Some("me".into());
        args.access.header = vec!["X-A: b: c".into()];
        let target = resolve(&args, &config()).unwrap();
        assert_eq!(target.access.bearer_token_file, None);
        assert_eq!(target.access.basic, Some(("me".into(), None)));
        assert_eq!(target.access.headers, [("X-A".into(), "b: c".into())]);
        args.access.header = vec!["nonsense".into()];
        assert!(resolve(&args, &config()).is_err());
    }
}
