//! `obsq ctx`

use clap::Subcommand;

use crate::exit::{Exit, Failure};
use crate::render::Sheet;
use crate::session::Session;
use crate::settings::{ClientConfig, ContextConfig, config_path, load, parse, set_current_context};

/// List contexts, choose one, or show what is in it
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CtxArgs {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
A context is a named place to read from, with what is needed to get in. In config.toml:

  current_context = \"prod\"

  [contexts.prod]
  server = \"https://prometheus.example\"
  bearer_token_file = \"/run/secrets/prometheus\"
  read_only = true";

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// List all contexts
    List,
    /// Make a context the one that is used when none is named
    Use {
        /// Its name
        name: String,
    },
    /// Show one context
    Show {
        /// Its name [default: the current one]
        name: Option<String>,
    },
}

/// Lists, chooses or shows contexts.
pub(crate) fn ctx(args: &CtxArgs, session: &mut Session) -> Result<Exit, Failure> {
    let config = load(session.config_file.as_deref(), &session.environment)?;
    match &args.action {
        Action::List => list(&config, session),
        Action::Use { name } => choose(name, &config, session),
        Action::Show { name } => show(name.as_deref(), &config, session),
    }
}

fn list(config: &ClientConfig, session: &mut Session) -> Result<Exit, Failure> {
    let mut sheet = Sheet::new(&["current", "name", "place", "tenant", "access"]);
    for (name, context) in &config.contexts {
        let is_current = config.current_context.as_ref() == Some(name);
        let access = if context.read_only { "read-only" } else { "" };
        sheet.rows.push(vec![
            if is_current { "*" } else { "" }.into(),
            name.clone(),
            place(context),
            context.org_id.clone().unwrap_or_default(),
            access.into(),
        ]);
    }
    if sheet.rows.is_empty() {
        session.console.note("there is no context");
        session.console.note("hint: see `obsq ctx --help`");
    }
    let paint = session.console.facts.out_paint();
    let pager = session.pager.clone();
    session
        .console
        .answer(&pager, |out| sheet.table(out, paint))?;
    Ok(Exit::Success)
}

fn place(context: &ContextConfig) -> String {
    let data = context.data.as_ref().map(|path| path.display().to_string());
    context.server.clone().or(data).unwrap_or_default()
}

fn choose(name: &str, config: &ClientConfig, session: &mut Session) -> Result<Exit, Failure> {
    find(name, config)?;
    let path = config_path(session.config_file.as_deref(), &session.environment);
    let path = path.ok_or_else(|| Failure::usage("there is no configuration directory"))?;
    let cannot = |error: &std::io::Error| {
        Failure::failed(format!("cannot change `{}`", path.display())).because(error)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| cannot(&error))?;
    let edited = set_current_context(&text, name);
    // The edit is textual: never leave a file behind that cannot be read.
    parse(&edited).map_err(|problems| {
        Failure::failed(format!(
            "cannot change `{}`: {}",
            path.display(),
            problems.join("; ")
        ))
        .hint("set `current_context` by hand")
    })?;
    let fresh = path.with_extension("toml.tmp");
    std::fs::write(&fresh, edited).map_err(|error| cannot(&error))?;
    std::fs::rename(&fresh, &path).map_err(|error| cannot(&error))?;
    session.console.note(&format!("using context `{name}`"));
    Ok(Exit::Success)
}

fn show(name: Option<&str>, config: &ClientConfig, session: &mut Session) -> Result<Exit, Failure> {
    let name = name.or(config.current_context.as_deref());
    let name = name.ok_or_else(|| {
        Failure::failed("there is no current context").hint("choose one with `obsq ctx use NAME`")
    })?;
    let context = find(name, config)?;
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let headers: Vec<String> = context.headers.keys().cloned().collect();
    let rows = [
        ("name", Some(name.to_owned())),
        ("server", context.server.clone()),
        ("data", path(&context.data)),
        ("org_id", context.org_id.clone()),
        // Values of headers may be secrets.
        (
            "headers",
            Some(headers.join(", ")).filter(|names| !names.is_empty()),
        ),
        ("username", context.username.clone()),
        ("password_file", path(&context.password_file)),
        ("bearer_token_file", path(&context.bearer_token_file)),
        ("http_config", path(&context.http_config)),
        ("timeout", context.timeout.clone()),
        ("read_only", Some(context.read_only.to_string())),
    ];
    let mut sheet = Sheet::new(&["key", "value"]);
    let given = rows
        .into_iter()
        .filter_map(|(key, value)| Some(vec![key.to_owned(), value?]));
    sheet.rows.extend(given);
    let paint = session.console.facts.out_paint();
    session
        .console
        .answer(&crate::console::Pager::off(), |out| sheet.table(out, paint))?;
    Ok(Exit::Success)
}

fn find<'a>(name: &str, config: &'a ClientConfig) -> Result<&'a ContextConfig, Failure> {
    config.contexts.get(name).ok_or_else(|| {
        Failure::usage(format!("there is no context `{name}`"))
            .hint("`obsq ctx list` shows all contexts")
    })
}
