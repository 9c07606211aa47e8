//! What all handlers share.

mod host;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use obsq_eval::promql::{Engine, EngineOptions};
use obsq_ingest::forward::Forwarder;
use obsq_ingest::otlp::{DeltaLimits, DeltaStates};
use obsq_ingest::remote_write::LabelCache;
use obsq_ingest::scrape::{Scraper, ScraperOptions};
use obsq_metrics::Retention;
use obsq_model::{Clock, Labels, SystemClock, Tenant};
use obsq_source::MetricAppender;

use crate::config::Loaded;
use crate::doors::{self, Doors};
use crate::http::body::BodyBudget;
use crate::http::cors::CorsOrigin;
use crate::http::gate::{Gate, Slot, StepAside};
use crate::http::stream::Backlog;
use crate::ingest::CountedAppender;
use crate::limits::{LimitedAppender, Limits};
use crate::options::duration_text;
use crate::prom::{ApiError, GlobalUrl, PromService};
use crate::server::connection::Connections;
use crate::stores::Stores;
use crate::telemetry::Telemetry;
use crate::{ServeError, ServeOptions};

pub(crate) use host::hostname;
use host::{global_url, host_fingerprint};

/// How long a call waits for its turn.
const QUEUE_WAIT: Duration = Duration::from_secs(20);
/// Queries that have run long let others run beside them.
const STEP_ASIDE: StepAside = StepAside {
    after: Duration::from_millis(500),
    most_of_tenant: 24,
    most: 48,
};
/// How often it is looked whether samples are taken yet.
const READY_POLL: Duration = Duration::from_millis(20);
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
    /// What single tenants may ask for.
    pub(crate) limits: Arc<Limits>,
    pub(crate) appender: Arc<dyn MetricAppender>,
    pub(crate) cors: CorsOrigin,
    pub(crate) bodies: Arc<BodyBudget>,
    /// Label sets that remote writers sent.
    pub(crate) labels: LabelCache,
    /// What waits for slow clients.
    pub(crate) backlog: Arc<Backlog>,
    /// Limits queries.
    pub(crate) queries: Gate,
    /// Limits requests that write.
    pub(crate) writes: Gate,
    /// Lets one call at a time change what is stored.
    pub(crate) admin: Gate,
    pub(crate) connections: Connections,
    pub(crate) doors: Arc<Doors>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) scraper: Scraper,
    /// Outgoing remote write.
    pub(crate) forwarder: Forwarder,
    pub(crate) global_url: GlobalUrl,
    /// Sums of OTLP streams with delta temporality.
    pub(crate) deltas: DeltaStates,
    loaded: ArcSwap<Loaded>,
    reload: ArcSwap<Reload>,
    reloading: tokio::sync::Mutex<()>,
    pub(crate) stores: Stores,
}

impl App {
    /// Opens the stores, sets everything up and starts to scrape once samples are taken; `http` is
    /// the address of the main port.
    pub(crate) async fn open(
        options: ServeOptions,
        http: SocketAddr,
    ) -> Result<Arc<Self>, ServeError> {
        let app = blocking(move || Self::open_blocking(options, http)).await?;
        tokio::spawn(doors::watch(Arc::clone(&app.doors)));
        let scraping = Arc::clone(&app);
        tokio::spawn(async move {
            while !scraping.is_ready() {
                tokio::time::sleep(READY_POLL).await;
            }
            let _turn = scraping.reloading.lock().await;
            scraping.follow_configuration().await;
        });
        Ok(app)
    }

    /// Scrapes and passes on what the configuration in force says.
    async fn follow_configuration(&self) {
        let loaded = self.loaded();
        let (config, labels) = (&loaded.config, &loaded.external_labels);
        self.forwarder.apply(&config.remote_write, labels).await;
        self.scraper.apply(&config.scrape_configs).await;
    }

    fn open_blocking(options: ServeOptions, http: SocketAddr) -> Result<Arc<Self>, ServeError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let cors = CorsOrigin::parse(&options.cors_origin).map_err(|error| ServeError::Flag {
            flag: "--web.cors.origin",
            problem: error.to_string(),
        })?;
        let doors = Doors::open(options.web_config_file.clone(), Arc::clone(&clock))?;
        let loaded = Loaded::read(&options)?;
        let stores = Stores::open(&options, &loaded, &clock)?;
        let engine = engine(&options, &loaded)?;
        stores.set_series_limits(&loaded.config.limits);
        let limits = Limits::new(loaded.config.limits.clone(), Arc::clone(&clock));
        let limited = LimitedAppender::new(stores.appender(), Arc::clone(&limits));
        let appender: Arc<dyn MetricAppender> = Arc::new(limited);
        let gate = |size| Gate::new(size, QUEUE_WAIT, Arc::clone(&clock));
        let (queries, writes) = concurrency(&options);
        let now_ms = clock.now_ms();
        let telemetry = Arc::new(Telemetry::default());
        let source = stores.source();
        let query = options.query.clone();
        Ok(Arc::new(Self {
            prom: PromService::new(source, engine, Arc::clone(&clock), query),
            limits,
            cors,
            bodies: BodyBudget::new(BODY_BYTES),
            labels: LabelCache::default(),
            backlog: Arc::default(),
            queries: Gate::with(queries, QUEUE_WAIT, Some(STEP_ASIDE), Arc::clone(&clock)),
            writes: gate(writes),
            admin: gate(1),
            connections: Connections::default(),
            forwarder: forwarder(&stores, &clock),
            scraper: scraper(&appender, &telemetry, &loaded, &clock),
            appender,
            telemetry,
            global_url: global_url(&options, doors.scheme(), http),
            doors: Arc::new(doors),
            deltas: DeltaStates::new(DeltaLimits::default(), Arc::clone(&clock)),
            loaded: ArcSwap::from_pointee(loaded),
            reload: ArcSwap::from_pointee(Reload {
                success: true,
                time_ms: now_ms,
            }),
            reloading: tokio::sync::Mutex::default(),
            stores,
            start_ms: now_ms,
            clock,
            options,
        }))
    }

    /// Waits for the turn of a query; `None` when it did not come in time.
    pub(crate) async fn enter_queries(&self, tenant: &Tenant) -> Option<Slot> {
        let most = self.limits.of(tenant).max_concurrent_queries;
        self.queries.enter(tenant, most.unwrap_or(usize::MAX)).await
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
        let Retention {
            time_ms,
            bytes,
            percentage,
        } = loaded.retention(&self.options);
        let time = time_ms.map(|ms| duration_text(Duration::from_millis(ms.unsigned_abs())));
        let bytes = bytes.map(|bytes| format!("{bytes}B"));
        let percentage = percentage.map(|percentage| format!("{percentage}%"));
        let parts: Vec<String> = [time, bytes, percentage].into_iter().flatten().collect();
        parts.join(" or ")
    }

    /// Returns how the last loading of the configuration went.
    pub(crate) fn last_reload(&self) -> Reload {
        **self.reload.load()
    }

    /// Loads the configuration again; the old one stays when the new one is not usable.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), ServeError> {
        // One at a time, so that the newest file is the one in force.
        let _turn = self.reloading.lock().await;
        let app = Arc::clone(self);
        let loaded = blocking(move || app.load()).await;
        let reload = match &loaded {
            Ok(()) => Reload {
                success: true,
                time_ms: self.clock.now_ms(),
            },
            Err(_) => Reload {
                success: false,
                ..self.last_reload()
            },
        };
        self.reload.store(Arc::new(reload));
        loaded?;
        self.follow_configuration().await;
        tracing::info!("configuration loaded");
        Ok(())
    }

    fn load(&self) -> Result<(), ServeError> {
        self.doors.reload()?;
        let loaded = Loaded::read(&self.options)?;
        self.prom.set_engine(engine(&self.options, &loaded)?);
        self.stores.set_retention(loaded.retention(&self.options));
        self.stores.set_series_limits(&loaded.config.limits);
        self.limits.set(loaded.config.limits.clone());
        self.loaded.store(Arc::new(loaded));
        Ok(())
    }

    /// Seals all heads.
    pub(crate) fn flush(&self) -> Result<(), ApiError> {
        self.stores.flush()
    }

    /// Closes the stores. Writes that come later fail.
    pub(crate) async fn close(self: &Arc<Self>) {
        let app = Arc::clone(self);
        let closed = blocking(move || {
            app.stores.close();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "cannot close the stores");
        }
    }
}

/// Runs `work` where blocking is allowed; a panic becomes an error.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServeError> + Send + 'static,
) -> Result<T, ServeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(ServeError::Setup {
            what: "the server",
            source: std::io::Error::other(error),
        })
    })
}

/// Returns a forwarder that passes on nothing yet.
fn forwarder(stores: &Stores, clock: &Arc<dyn Clock>) -> Forwarder {
    let user_agent = concat!("obsq/", env!("CARGO_PKG_VERSION")).to_owned();
    Forwarder::new(stores.log(), stores.source(), Arc::clone(clock), user_agent)
}

/// Returns a scraper that scrapes nothing yet, and whose samples are counted.
fn scraper(
    appender: &Arc<dyn MetricAppender>,
    telemetry: &Arc<Telemetry>,
    loaded: &Loaded,
    clock: &Arc<dyn Clock>,
) -> Scraper {
    let appender = CountedAppender::new(Arc::clone(appender), Arc::clone(telemetry));
    let options = ScraperOptions {
        offset_seed: loaded.external_labels.hash64() ^ host_fingerprint(),
        ..ScraperOptions::default()
    };
    let clock = Arc::clone(clock);
    Scraper::new(Arc::new(appender), Tenant::anonymous(), clock, options)
}

/// Returns how many queries run at once, and how many writes.
fn concurrency(options: &ServeOptions) -> (usize, usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match options.query.max_concurrency {
        0 => (2 * cores, 2 * cores),
        given => (given, 2 * cores),
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
