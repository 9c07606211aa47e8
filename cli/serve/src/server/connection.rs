//! Connections: HTTP/1.1 and HTTP/2 with prior knowledge on the same socket.
//!
//! Every connection has to get on: it must send its first bytes, a whole header and each part of a
//! body within a time, must take something of its answer within a time, and there is a most number
//! of connections. It is high, because connections that do little cost little: a thousand slow
//! clients must not keep others out.

mod handshake;
mod stream;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::doors::Doors;
use crate::http::respond::api_error;
use crate::prom::ApiError;
use stream::{Progress, WatchedStream};

/// Connections that are open at once, over all listeners.
pub(crate) const MAX_CONNECTIONS: usize = 8_192;
/// File descriptors that are left to the stores and to scrapes.
const OTHER_FILES: u64 = 512;
/// Time for the first bytes of a connection and for each header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Silence after which an HTTP/2 peer is asked whether it is still there, and time to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Calls at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Bytes of an HTTP/1.1 header.
const MAX_HEADER_BYTES: usize = 400 << 10;

/// Slots for connections, shared by all listeners.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    slots: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(most_connections(open_files_limit()))),
            open: Arc::default(),
        }
    }
}

impl Connections {
    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Returns how many connections the limit on open files leaves room for.
fn most_connections(open_files: Option<u64>) -> usize {
    let files = open_files.unwrap_or(u64::MAX);
    let left = files.saturating_sub(OTHER_FILES).max(files / 4).max(1);
    usize::try_from(left).map_or(MAX_CONNECTIONS, |left| left.min(MAX_CONNECTIONS))
}

/// Raises the limit on open files as far as it may be, for shells start programs with a low one,
/// and returns it; `None` when there is none.
fn open_files_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let highest = Rlimit {
            current: limit.maximum,
            ..limit
        };
        match setrlimit(Resource::Nofile, highest) {
            Ok(()) => limit = highest,
            Err(error) => tracing::debug!(%error, "cannot raise the limit on open files"),
        }
    }
    limit.current
}

/// Accepts connections and serves them with `router` until `stop` says so; connections that are
/// open then are left to `drain`.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    doors: Arc<Doors>,
    connections: Connections,
    drain: Arc<GracefulShutdown>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let next = async {
            let slot = Arc::clone(&connections.slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, router, watcher) = match accepted {
            Ok((stream, _peer)) => (stream, router.clone(), drain.watcher()),
            Err(error) => {
                // Out of file descriptors, most likely: give open connections time to end.
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let doors = Arc::clone(&doors);
        let open = Arc::clone(&connections.open);
        open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            serve(stream, router, &doors, watcher).await;
            open.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
}

/// Serves a connection over TLS if that is what the doors ask for.
async fn serve(stream: TcpStream, router: Router, doors: &Doors, watcher: Watcher) {
    drop(stream.set_nodelay(true));
    let door = doors.current();
    let Some(config) = &door.tls else {
        return serve_stream(stream, router, watcher, builder()).await;
    };
    let shaken = handshake::shake_hands(stream, Arc::clone(config));
    let problem = match tokio::time::timeout(HEADER_TIMEOUT, shaken).await {
        Ok(Ok(stream)) => {
            let builder = if door.http2 {
                builder()
            } else {
                builder().http1_only()
            };
            return serve_stream(stream, router, watcher, builder).await;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "it took too long".to_owned(),
    };
    doors.counts.handshakes.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(problem, "a TLS handshake failed");
}

async fn serve_stream<S>(
    stream: S,
    router: Router,
    watcher: Watcher,
    builder: Builder<TokioExecutor>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::default();
    let stream = WatchedStream::new(stream, progress.clone());
    let service =
        hyper::service::service_fn(move |request: Request<Incoming>| call(router.clone(), request));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let connection = watcher.watch(connection.into_owned());
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(error = %error, "a connection broke off");
            }
        }
        () = progress.stalled(HEADER_TIMEOUT) => {}
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(64 << 10);
    builder
}

async fn call(router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    // RFC 9112, section 3.2: a server must refuse an HTTP/1.1 request without it.
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
        return Ok(api_error(&ApiError::bad_data(
            "missing required Host header",
        )));
    }
    router.oneshot(request.map(Body::new)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_stores() {
        for (files, connections) in [
            (None, MAX_CONNECTIONS),
            (Some(1 << 20), MAX_CONNECTIONS),
            (Some(4_096), 3_584),
            (Some(600), 150),
            (Some(0), 1),
        ] {
            assert_eq!(most_connections(files), connections, "{files:?}");
        }
        let limit = open_files_limit();
        assert_eq!(limit, getrlimit(Resource::Nofile).maximum);
    }
}
