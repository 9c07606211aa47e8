//! A server from its start to its end.

pub(crate) mod connection;
mod listen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::server::connection::accept;
use crate::server::listen::listen;
use crate::{Listener, ServeError, ServeOptions, router};

/// How long open requests and scrapes may take to finish once the server is to stop.
const DRAIN: Duration = Duration::from_secs(8);

/// A running server.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    stop: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
    drain: Arc<GracefulShutdown>,
    http: SocketAddr,
    otlp_grpc: Option<SocketAddr>,
    otlp_http: Option<SocketAddr>,
}

impl Server {
    /// Opens the stores, listens, and serves in the background of the current runtime. Returns
    /// once connections are accepted, which may be before everything is replayed.
    pub async fn start(options: ServeOptions) -> Result<Self, ServeError> {
        let (listener, http) = listen(&options.http)
            .await
            .map_err(|source| listen_error("--http", &options.http, source))?;
        let grpc = extra("--otlp-grpc", &options.otlp_grpc).await?;
        let otlp = extra("--otlp-http", &options.otlp_http).await?;
        let app = App::open(options, http).await?;
        let mut server = Self {
            stop: watch::Sender::new(false),
            accepting: Vec::new(),
            drain: Arc::new(GracefulShutdown::new()),
            http,
            otlp_grpc: grpc.as_ref().map(|(_, address)| *address),
            otlp_http: otlp.as_ref().map(|(_, address)| *address),
            app,
        };
        server.accept(listener, router::main_port(&server.app));
        for (listener, _) in [grpc, otlp].into_iter().flatten() {
            server.accept(listener, router::otlp_port(&server.app));
        }
        Ok(server)
    }

    fn accept(&mut self, listener: TcpListener, router: Router) {
        let drain = Arc::clone(&self.drain);
        let connections = self.app.connections.clone();
        let doors = Arc::clone(&self.app.doors);
        let stop = self.stop.subscribe();
        let accepting = accept(listener, router, doors, connections, drain, stop);
        self.accepting.push(tokio::spawn(accepting));
    }

    /// Returns the address of the main port.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Returns the URL of the main port.
    pub fn url(&self) -> String {
        format!("{}://{}", self.app.doors.scheme(), self.http)
    }

    /// Returns the addresses at which other machines are let in without showing who they are.
    pub fn open_addresses(&self) -> Vec<SocketAddr> {
        if self.app.doors.are_guarded() {
            return Vec::new();
        }
        let all = [Some(self.http), self.otlp_grpc, self.otlp_http];
        let others = all.into_iter().flatten();
        others
            .filter(|address| !address.ip().is_loopback())
            .collect()
    }

    /// Returns the address of the extra OTLP gRPC listener, if it is there.
    pub fn otlp_grpc_address(&self) -> Option<SocketAddr> {
        self.otlp_grpc
    }

    /// Returns the address of the extra OTLP HTTP listener, if it is there.
    pub fn otlp_http_address(&self) -> Option<SocketAddr> {
        self.otlp_http
    }

    /// Loads the configuration again; the old one stays when the new one is not usable.
    pub async fn reload(&self) -> Result<(), ServeError> {
        self.app.reload().await
    }

    /// Stops accepting, lets open requests finish for a few seconds, and closes the stores.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for accepting in self.accepting {
            drop(accepting.await);
        }
        let requests = async {
            match Arc::into_inner(self.drain) {
                Some(drain) => drain.shutdown().await,
                None => std::future::pending().await,
            }
        };
        let scrapes = async {
            self.app.scraper.shutdown().await;
            self.app.forwarder.shutdown().await;
        };
        let ended = async { tokio::join!(requests, scrapes) };
        if tokio::time::timeout(DRAIN, ended).await.is_err() {
            tracing::warn!("some requests or scrapes were still open at the end");
        }
        self.app.close().await;
    }
}

/// Listens for an extra listener; a busy default address is only worth a warning.
async fn extra(
    flag: &'static str,
    listener: &Listener,
) -> Result<Option<(TcpListener, SocketAddr)>, ServeError> {
    match listener {
        Listener::Off => Ok(None),
        Listener::At(address) => match listen(address).await {
            Ok(listening) => Ok(Some(listening)),
            Err(source) => Err(listen_error(flag, address, source)),
        },
        Listener::Default(address) => match listen(address).await {
            Ok(listening) => Ok(Some(listening)),
            Err(error) => {
                tracing::warn!(%address, %error, flag, "cannot listen; OTLP is served on the main port only");
                Ok(None)
            }
        },
    }
}

fn listen_error(flag: &'static str, address: &str, source: std::io::Error) -> ServeError {
    ServeError::Listen {
        flag,
        address: address.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
