//! The shop as it is now: it answers scrapes and pushes OTLP, both over loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use obsq_model::Clock;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::demo::TICK_MS;
use crate::demo::expose::{CONTENT_TYPE, openmetrics};
use crate::demo::process::{Place, Process};
use crate::demo::push::request;
use crate::demo::shop::{ROLES, Way};
use crate::demo::world::World;
use crate::exit::Failure;

/// How long after a tick its values are pushed.
const BEHIND_TICK_MS: u64 = 50;

/// The running shop.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    processes: Arc<Mutex<Vec<Process>>>,
    clock: Arc<dyn Clock>,
}

impl Live {
    /// Opens the shop as it is at present.
    pub(crate) fn new(world: World, clock: Arc<dyn Clock>) -> Self {
        let now_ms = clock.now_ms();
        let places = Place::all().into_iter();
        let processes = places
            .map(|place| Process::at(place, now_ms, world))
            .collect();
        Self {
            processes: Arc::new(Mutex::new(processes)),
            clock,
        }
    }

    /// Answers scrapes in the background and returns the address.
    pub(crate) async fn expose(&self) -> Result<SocketAddr, Failure> {
        let cannot = |error: &std::io::Error| {
            Failure::failed("cannot open a port for the shop to be scraped").because(error)
        };
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| cannot(&error))?;
        let address = listener.local_addr().map_err(|error| cannot(&error))?;
        let router = Router::new()
            .route("/metrics", get(scrape))
            .with_state(self.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the shop cannot be scraped any more");
            }
        });
        Ok(address)
    }

    /// Pushes OTLP over gRPC to the server, once per tick, until dropped.
    pub(crate) async fn push(self, server: String) {
        loop {
            // Just behind a tick, so that what is pushed is as fresh as its time says.
            let since_tick_ms = self.clock.now_ms().rem_euclid(TICK_MS);
            let wait_ms = (TICK_MS - since_tick_ms) as u64 + BEHIND_TICK_MS;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let now_ms = self.clock.now_ms();
            let requests: Vec<_> = self.with_all(|processes| {
                let pushing = processes
                    .iter()
                    .filter(|one| one.place.role.way == Way::Otlp);
                pushing.map(|one| request(one, now_ms)).collect()
            });
            // A connection per tick is cheap and needs no care after the server was away.
            match MetricsServiceClient::connect(server.clone()).await {
                Ok(mut client) => {
                    for request in requests {
                        if let Err(status) = client.export(request).await {
                            tracing::warn!(%status, "the shop's metrics were refused");
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the shop cannot reach the server"),
            }
        }
    }

    /// Brings all processes up to the present and hands them out.
    fn with_all<T>(&self, work: impl FnOnce(&[Process]) -> T) -> T {
        let now_ms = self.clock.now_ms();
        // A panic in a request cannot leave a process half way: it is made anew from its values.
        let mut processes = self
            .processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for process in processes.iter_mut() {
            process.advance_to(now_ms);
        }
        work(&processes)
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    instance: String,
}

async fn scrape(State(live): State<Live>, Query(asked): Query<Asked>) -> Response {
    let text = live.with_all(|processes| {
        let found = processes
            .iter()
            .find(|one| one.place.instance() == asked.instance);
        found.map(openmetrics)
    });
    match text {
        Some(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        None => (StatusCode::NOT_FOUND, "no such instance\n").into_response(),
    }
}

/// Returns the server's configuration that scrapes the shop at `address`.
pub(crate) fn scrape_config(address: SocketAddr) -> String {
    let mut text = String::from(
        "# Written by `obsq demo` at each start.\nglobal:\n  scrape_interval: 15s\n  scrape_timeout: 5s\nscrape_configs:\n",
    );
    for role in ROLES.iter().filter(|role| role.way == Way::Scraped) {
        let job = format!("  - job_name: {}\n    static_configs:\n", role.service);
        text.push_str(&job);
        let places = Place::all().into_iter();
        for place in places.filter(|place| place.role.service == role.service) {
            let instance = place.instance();
            let target = format!(
                "      - targets: ['{address}']\n        labels: {{instance: '{instance}', __param_instance: '{instance}'}}\n"
            );
            text.push_str(&target);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use obsq_model::ManualClock;

    #[tokio::test]
    async fn each_instance_is_scraped_by_its_name() {
        let clock = Arc::new(ManualClock::at(1_795_172_400_000));
        let live = Live::new(World { seed: 1 }, clock);
        let address = live.expose().await.unwrap();
        let get = async |instance: &str| {
            let url = format!("http://{address}/metrics?instance={instance}");
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let answer = client.get(url).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        drop(rustls::crypto::ring::default_provider().install_default());
        let (status, text) = get("db-1:9187").await;
        assert_eq!(status, 200);
        assert!(text.contains("db_replication_lag_seconds") && text.ends_with("# EOF\n"));
        assert_eq!(get("nobody:1").await.0, 404);
    }

    #[test]
    fn the_configuration_names_every_scraped_instance() {
        let text = scrape_config("127.0.0.1:1".parse().unwrap());
        for place in Place::all() {
            let scraped = place.role.way == Way::Scraped;
            assert_eq!(text.contains(&place.instance()), scraped);
        }
    }
}
