//! Who may come in: TLS, users, tokens and the pace of requests, as the file of
//! `--web.config.file` says.
//!
//! The file and the files that it names are looked at every two seconds and read anew when they
//! changed. A file with a problem changes nothing, and neither does one that would open what was
//! closed: a server that spoke TLS or asked for credentials goes on to do so until it is started
//! anew, so that a file caught half written lets nobody in.

mod credentials;
mod keys;
mod material;
mod pace;
mod passwords;
mod san;
mod tls;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use obsq_ingest::config::{ConfigError, WebConfig};
use obsq_model::Clock;
use parking_lot::Mutex;
use rustls::ServerConfig;

use crate::ServeError;
use keys::Keys;
use material::Material;
use pace::Pace;
use passwords::Passwords;

pub(crate) use credentials::Refusal;

/// Time between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// The doors of all ports.
pub(crate) struct Doors {
    path: Option<PathBuf>,
    /// What is in force.
    current: ArcSwap<Door>,
    /// What the files held when they were last read, usable or not.
    seen: Mutex<[u8; 32]>,
    is_current: AtomicBool,
    passwords: Passwords,
    pace: Pace,
    pub(crate) counts: DoorCounts,
}

/// What was refused.
#[derive(Debug, Default)]
pub(crate) struct DoorCounts {
    pub(crate) credentials: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) pace: AtomicU64,
    pub(crate) handshakes: AtomicU64,
}

/// What one reading of the files came to.
#[derive(Default)]
pub(crate) struct Door {
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Whether HTTP/2 is offered over TLS.
    pub(crate) http2: bool,
    /// Headers of every answer.
    pub(crate) headers: HeaderMap,
    keys: Keys,
    config: WebConfig,
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Doors {
    /// Reads the file; without one everything is open.
    pub(crate) fn open(path: Option<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let (door, seen) = match &path {
            None => (Door::default(), [0; 32]),
            Some(path) => {
                let material = Material::read(path);
                let seen = material.digest();
                let door = Door::build(material).map_err(|list| problem(path, &list))?;
                (door, seen)
            }
        };
        Ok(Self {
            path,
            pace: Pace::new(clock),
            current: ArcSwap::from_pointee(door),
            seen: Mutex::new(seen),
            is_current: AtomicBool::new(true),
            passwords: Passwords::new(),
            counts: DoorCounts::default(),
        })
    }

    /// Returns what is in force.
    pub(crate) fn current(&self) -> Arc<Door> {
        self.current.load_full()
    }

    /// Says whether what is in force is what the files hold.
    pub(crate) fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    /// Says whether a caller has to show who it is.
    pub(crate) fn are_guarded(&self) -> bool {
        self.current.load().is_guarded()
    }

    /// Returns `https` or `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.current.load().tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Reads the files again; what is in force stays when they are not usable.
    pub(crate) fn reload(&self) -> Result<(), ServeError> {
        match &self.path {
            None => Ok(()),
            Some(path) => self.take(path, Material::read(path)),
        }
    }

    /// Reads the files again if they changed; says whether something new is in force.
    pub(crate) fn look(&self) -> Result<bool, ServeError> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let material = Material::read(path);
        if material.digest() == *self.seen.lock() {
            return Ok(false);
        }
        self.take(path, material).map(|()| true)
    }

    fn take(&self, path: &Path, material: Material) -> Result<(), ServeError> {
        // Held to the end, so that the newest files are the ones in force.
        let mut seen = self.seen.lock();
        *seen = material.digest();
        let built = Door::build(material).map_err(|list| problem(path, &list));
        let taken = built.and_then(|door| {
            self.current.load().check_successor(path, &door)?;
            self.current.store(Arc::new(door));
            Ok(())
        });
        self.is_current.store(taken.is_ok(), Ordering::Relaxed);
        taken
    }
}

impl Door {
    fn build(material: Material) -> Result<Self, Vec<ConfigError>> {
        let (config, files) = material.into_parts()?;
        let tls = config.tls.as_ref();
        let tls = tls.map(|tls| tls::server_config(tls, config.http2, &files));
        let tls = tls.transpose().map_err(|error| vec![error])?;
        let keys = Keys::new(&config, &files).map_err(|error| vec![error])?;
        let headers = config.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        });
        Ok(Self {
            tls,
            http2: config.http2,
            headers: headers.collect(),
            keys,
            config,
        })
    }

    /// Says whether callers have to show who they are, be it by credentials or by certificate.
    fn is_guarded(&self) -> bool {
        use obsq_ingest::config::ClientAuth;
        let auth = self.config.tls.as_ref().map(|tls| tls.client_auth);
        !self.keys.is_empty() || auth == Some(ClientAuth::RequireAndVerify)
    }

    /// Refuses a door that would stand open where this one is closed.
    fn check_successor(&self, path: &Path, next: &Self) -> Result<(), ServeError> {
        let what = if self.tls.is_some() && next.tls.is_none() {
            "TLS"
        } else if self.is_guarded() && !next.is_guarded() {
            "authentication"
        } else {
            return Ok(());
        };
        Err(ServeError::Config {
            path: path.to_owned(),
            problem: format!("it no longer asks for {what}, which takes a restart"),
        })
    }
}

fn problem(path: &Path, problems: &[ConfigError]) -> ServeError {
    ServeError::Config {
        path: path.to_owned(),
        problem: crate::config::list(path, problems),
    }
}

/// Returns what is wrong with a web configuration, the files that it names included.
pub fn check_web_config(path: &Path) -> Vec<ConfigError> {
    Door::build(Material::read(path)).err().unwrap_or_default()
}

/// Looks at the files until the server ends.
pub(crate) async fn watch(doors: Arc<Doors>) {
    if doors.path.is_none() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let looked_at = Arc::clone(&doors);
        match tokio::task::spawn_blocking(move || looked_at.look()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!("web configuration loaded"),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot load the web configuration; the old one stays");
            }
            Err(error) => tracing::error!(%error, "cannot look at the web configuration"),
        }
    }
}

#[cfg(test)]
mod tests;
