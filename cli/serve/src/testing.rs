//! A server without sockets, for tests.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use obsq_model::{Labels, Sample, Tenant};
use obsq_source::{MetricBatch, SeriesBatch};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::app::App;
use crate::{Listener, ServeOptions, router};

/// The state of a server on an empty directory, and its routes.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    _directory: TempDir,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct TestAnswer {
    pub(crate) status: u16,
    pub(crate) head: Response<()>,
    pub(crate) trailers: axum::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestAnswer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_options| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ServeOptions)) -> Self {
        let directory = TempDir::new().unwrap();
        let mut options = ServeOptions {
            data_dir: directory.path().join("data"),
            otlp_grpc: Listener::Off,
            otlp_http: Listener::Off,
            ..ServeOptions::default()
        };
        change(&mut options);
        let app = App::open(options, "127.0.0.1:4600".parse().unwrap())
            .await
            .unwrap();
        while !app.is_ready() {
            tokio::task::yield_now().await;
        }
        Self {
            app,
            _directory: directory,
        }
    }

    /// Stores float samples of one series for a tenant.
    pub(crate) async fn store(
        &self,
        tenant: &str,
        labels: &[(&str, &str)],
        samples: &[(i64, f64)],
    ) {
        let batch = MetricBatch {
            series: vec![SeriesBatch {
                labels: Labels::from_pairs(labels),
                samples: samples
                    .iter()
                    .map(|(ts_ms, value)| Sample::float(*ts_ms, *value))
                    .collect(),
                exemplars: Vec::new(),
            }],
            metadata: Vec::new(),
        };
        let tenant = Tenant::parse(tenant).unwrap();
        let appended = self.app.appender.append(&tenant, batch).unwrap();
        appended.durable.wait().await.unwrap();
    }

    /// Answers a request as the main port does.
    pub(crate) async fn call(&self, request: Request<Body>) -> TestAnswer {
        let response = router::main_port(&self.app).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        TestAnswer {
            status: parts.status.as_u16(),
            trailers: body.trailers().cloned().unwrap_or_default(),
            body: body.to_bytes().to_vec(),
            head: Response::from_parts(parts, ()),
        }
    }

    /// Answers a GET request.
    pub(crate) async fn get(&self, path: &str) -> TestAnswer {
        self.call(Request::get(path).body(Body::empty()).unwrap())
            .await
    }
}
