//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use obsq_eval::promql::{Engine, EngineOptions};
use obsq_ingest::otlp::{DeltaLimits, DeltaStates};
use obsq_model::{Clock, Labels, SystemClock};
use obsq_source::MetricAppender;

use crate::config::Loaded;
use crate::http::body::BodyBudget;
use crate::http::cors::CorsOrigin;
use crate::http::gate::Gate;
use crate::options::duration_text;
use crate::prom::{ApiError, PromService};
use crate::server::connection::Connections;
use crate::stores::Stores;
use crate::telemetry::Telemetry;
use crate::{ServeError, ServeOptions};

/// How long a call waits for its turn.
const QUEUE_WAIT: Duration = Duration::from_secs(20);
/// Bytes of request bodies held at once, over all connections.
const BODY_BYTES: usize = 512 << 20;

/// The last attempt to load the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reload {
    pub(crate) success: bool,
    /// When it last succeeded, in milliseconds since the epoch.
    pub(crate) time_ms: i64,
}

/// The state of the server.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) options: ServeOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) start_ms: i64,
    pub(crate) prom: PromService,
    pub(crate) appender: Arc<dyn MetricAppender>,
    pub(crate) cors: CorsOrigin,
    pub(crate) bodies: Arc<BodyBudget>,
    /// Limits queries.
    pub(crate) queries: Gate,
    /// Limits requests that write.
    pub(crate) writes: Gate,
    pub(crate) connections: Connections,
    pub(crate) telemetry: Telemetry,
    /// Sums of OTLP streams with delta temporality.
    pub(crate) deltas: DeltaStates,
    loaded: ArcSwap<Loaded>,
    reload: ArcSwap<Reload>,
    pub(crate) stores: Stores,
}

impl App {
    /// Opens the stores and sets everything up; `http` is the address of the main port.
    pub(crate) async fn open(
        options: ServeOptions,
        http: SocketAddr,
    ) -> Result<Arc<Self>, ServeError> {
        let opening = tokio::task::spawn_blocking(move || Self::open_blocking(options, http));
        opening.await.unwrap_or_else(|error| {
            Err(ServeError::Setup {
                what: "the stores",
                source: std::io::Error::other(error),
            })
        })
    }

    fn open_blocking(options: ServeOptions, _http: SocketAddr) -> Result<Arc<Self>, ServeError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cors = CorsOrigin::parse(&options.cors_origin).map_err(|error| ServeError::Flag {
            flag: "--web.cors.origin",
            problem: error.to_string(),
        })?;
        let loaded = Loaded::read(&options)?;
        let stores = Stores::open(&options, &loaded, &clock)?;
        let engine = engine(&options, &loaded)?;
        let gate = |size| Gate::new(size, QUEUE_WAIT, Arc::clone(&clock));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency = match options.query.max_concurrency {
            0 => 2 * cores,
            given => given,
        };
        let now_ms = clock.now_ms();
        Ok(Arc::new(Self {
            prom: PromService::new(
                stores.source(),
                engine,
                Arc::clone(&clock),
                options.query.clone(),
            ),
            appender: stores.appender(),
            cors,
            bodies: BodyBudget::new(BODY_BYTES),
            queries: gate(concurrency),
            writes: gate(2 * cores),
            connections: Connections::default(),
            telemetry: Telemetry::default(),
            deltas: DeltaStates::new(DeltaLimits::default(), Arc::clone(&clock)),
            loaded: ArcSwap::from_pointee(loaded),
            reload: ArcSwap::from_pointee(Reload {
                success: true,
                time_ms: now_ms,
            }),
            stores,
            start_ms: now_ms,
            clock,
            options,
        }))
    }

    /// Says whether everything that was acknowledged before the start can be queried.
    pub(crate) fn is_ready(&self) -> bool {
        self.stores.is_ready()
    }

    /// Returns the configuration in force.
    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }

    /// Returns the labels that identify this server to others.
    pub(crate) fn external_labels(&self) -> Labels {
        self.loaded.load().external_labels.clone()
    }

    /// Returns the retention in words, as `/api/v1/status/runtimeinfo` tells it.
    pub(crate) fn retention_text(&self) -> String {
        let loaded = self.loaded();
        let time = loaded.retention_time(&self.options).map(duration_text);
        let bytes = loaded.retention_bytes(&self.options);
        match (time, bytes) {
            (Some(time), Some(bytes)) => format!("{time} or {bytes}B"),
            (Some(time), None) => time,
            (None, Some(bytes)) => format!("{bytes}B"),
            (None, None) => String::new(),
        }
    }

    /// Returns how the last loading of the configuration went.
    pub(crate) fn last_reload(&self) -> Reload {
        **self.reload.load()
    }

    /// Loads the configuration again; the old one stays when the new one is not usable.
    pub(crate) fn reload(&self) -> Result<(), ServeError> {
        let loaded = self.load();
        self.reload.store(Arc::new(match &loaded {
            Ok(()) => Reload {
                success: true,
                time_ms: self.clock.now_ms(),
            },
            Err(_) => Reload {
                success: false,
                ..self.last_reload()
            },
        }));
        loaded
    }

    fn load(&self) -> Result<(), ServeError> {
        let loaded = Loaded::read(&self.options)?;
        self.prom.set_engine(engine(&self.options, &loaded)?);
        self.loaded.store(Arc::new(loaded));
        Ok(())
    }

    /// Seals all heads.
    pub(crate) fn flush(&self) -> Result<(), ApiError> {
        self.stores.flush()
    }

    /// Closes the stores. Writes that come later fail.
    pub(crate) fn close(&self) {
        self.stores.close();
    }
}

fn engine(options: &ServeOptions, loaded: &Loaded) -> Result<Engine, ServeError> {
    let query = &options.query;
    Engine::new(EngineOptions {
        lookback_ms: query.lookback_delta.as_millis() as i64,
        default_subquery_step_ms: loaded.config.global.evaluation_interval_ms,
        delayed_name_removal: query.delayed_name_removal,
        start_timestamps: options.start_timestamps,
        ..EngineOptions::default()
    })
    .map_err(|error| ServeError::Setup {
        what: "the query engine",
        source: std::io::Error::other(error),
    })
}
