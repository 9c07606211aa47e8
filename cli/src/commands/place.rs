//! Where commands change something: a data directory that no server holds, or a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_metrics::{MetricStore, StoreOptions};
use obsq_model::Tenant;

use crate::api::{HttpApi, Layout, Reply, layout, tenant};
use crate::args::{AccessArgs, SourceArgs};
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::settings::{Place, load, resolve};

/// Where to change something. There is no default: it must be said.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct PlaceArgs {
    /// A server that was started with `--web.enable-admin-api`
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A data directory of obsq, which no server may hold
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A context of the configuration (`obsq ctx list`)
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

/// A place that can be changed.
#[derive(Debug)]
pub(crate) enum Changeable {
    /// The store in a data directory, and whose samples.
    Store(Box<MetricStore>, Tenant),
    /// A server.
    Server(Box<HttpApi>),
}

impl PlaceArgs {
    /// Returns the same place for reading.
    pub(crate) fn source(&self) -> SourceArgs {
        SourceArgs {
            server: self.server.clone(),
            data: self.data.clone(),
            stdin: false,
            context: self.context.clone(),
            access: self.access.clone(),
        }
    }

    /// Fails when no place is named.
    pub(crate) fn check_named(&self) -> Result<(), Failure> {
        if self.data.is_none() && self.server.is_none() && self.context.is_none() {
            return Err(Failure::usage("nothing says where")
                .hint("name a server with `--server` or a directory with `--data`"));
        }
        Ok(())
    }

    /// Opens the place. A read-only context is refused.
    pub(crate) fn open(&self, session: &Session) -> Result<Changeable, Failure> {
        self.check_named()?;
        let config = load(session.config_file.as_deref(), &session.environment)?;
        let target = resolve(&self.source(), &config)?;
        if target.read_only {
            let name = target.context.unwrap_or_default();
            let failure = Failure::new(Exit::Denied, format!("the context `{name}` is read-only"));
            return Err(failure.hint("`read_only` in `config.toml` says so"));
        }
        match &target.place {
            Place::Data(dir) => {
                let tenant = tenant(target.access.org_id.as_deref())?;
                Ok(Changeable::Store(
                    Box::new(open_store(dir, session)?),
                    tenant,
                ))
            }
            Place::Server(url) => {
                let api = HttpApi::new(url, &target.access, target.timeout)?;
                Ok(Changeable::Server(Box::new(api)))
            }
            Place::Stdin => Err(Failure::usage("standard input cannot be changed")),
        }
    }
}

/// Returns how to open a store for one change.
pub(crate) fn store_options(dir: &Path, session: &Session) -> StoreOptions {
    let mut options = StoreOptions::new(dir.to_owned(), Arc::clone(&session.clock));
    options.maintenance = false;
    options
}

fn open_store(dir: &Path, session: &Session) -> Result<MetricStore, Failure> {
    if layout(dir)? != Layout::Store {
        let text = format!("`{}` is no data directory of obsq", dir.display());
        return Err(Failure::usage(text));
    }
    MetricStore::open(store_options(dir, session)).map_err(|error| {
        Failure::failed(format!("cannot open `{}`", dir.display()))
            .because(&error)
            .hint("when a server holds the directory, name it with `--server`")
    })
}

/// Calls a path of the admin API and returns the answer's body.
pub(crate) async fn call_admin(
    api: &HttpApi,
    path: &str,
    pairs: &[(&str, String)],
) -> Result<Vec<u8>, Failure> {
    let Reply { status, body, .. } = api.post_form(path, pairs).await?;
    let text = || String::from_utf8_lossy(&body).trim().to_owned();
    match status {
        200..300 => Ok(body),
        401 | 403 => {
            let refused = format!("{} does not let us: {}", api.url("/"), text());
            Err(Failure::new(Exit::Denied, refused)
                .hint("the server must be started with `--web.enable-admin-api`"))
        }
        _ => Err(Failure::failed(format!("status {status}: {}", text()))),
    }
}
