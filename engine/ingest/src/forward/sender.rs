//! One request: encoding it, sending it, understanding the answer.

use std::sync::Arc;
use std::time::Duration;

use obsq_model::{Clock, Tenant};
use obsq_source::MetricBatch;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Response, Url};

use super::backoff::retry_after;
use crate::client::{HttpClient, root_cause};
use crate::config::{RemoteWriteConfig, WriteVersion};
use crate::prompb::{snappy, write_request, write_request_v2};

/// The header that names the tenant to obsq, Mimir and Cortex.
const TENANT_HEADER: &str = "x-scope-orgid";
/// Most bytes of an error text that are looked at.
const MAX_TEXT_BYTES: usize = 512;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answered {
    /// Everything is stored.
    Stored,
    /// It may go better later, after a while if the receiver says so.
    Later(String, Option<Duration>),
    /// It never will; some of it may be stored all the same.
    Refused(String),
}

/// Sends requests of one remote.
#[derive(Debug)]
pub(super) struct Sender {
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    config: Arc<RemoteWriteConfig>,
    clock: Arc<dyn Clock>,
}

impl Sender {
    /// Sets up the client.
    pub(super) async fn new(
        config: Arc<RemoteWriteConfig>,
        clock: Arc<dyn Clock>,
        user_agent: &str,
    ) -> Result<Self, String> {
        let client = HttpClient::new(&config.http, user_agent).await;
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| e.to_string())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|e| e.to_string())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let (content_type, version) = match config.version {
            WriteVersion::V1 => ("application/x-protobuf", "0.1.0"),
            WriteVersion::V2 => (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "2.0.0",
            ),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        let version_header = HeaderName::from_static("x-prometheus-remote-write-version");
        headers.insert(version_header, HeaderValue::from_static(version));
        Ok(Self {
            client: client.map_err(|error| error.to_string())?,
            url: Url::parse(config.url.expose()).map_err(|error| error.to_string())?,
            headers,
            config,
            clock,
        })
    }

    /// Returns the body of a request. Computes.
    pub(super) fn encode(version: WriteVersion, batch: &MetricBatch) -> Vec<u8> {
        let message = match version {
            WriteVersion::V1 => write_request(batch),
            WriteVersion::V2 => write_request_v2(batch),
        };
        snappy(&message)
    }

    /// Sends a body once.
    pub(super) async fn send(&self, tenant: &Tenant, body: Vec<u8>, attempt: usize) -> Answered {
        let request = match self.client.request(Method::POST, self.url.clone()).await {
            Ok(request) => request.headers(self.headers_for(tenant, attempt)),
            // A file with a secret may come back.
            Err(error) => return Answered::Later(error.to_string(), None),
        };
        let timeout = Duration::from_millis(self.config.timeout_ms.max(1).unsigned_abs());
        match request.timeout(timeout).body(body).send().await {
            Ok(response) => self.understand(response).await,
            Err(error) if error.is_timeout() => Answered::Later("no answer in time".into(), None),
            Err(error) => Answered::Later(root_cause(&error), None),
        }
    }

    fn headers_for(&self, tenant: &Tenant, attempt: usize) -> HeaderMap {
        let mut headers = self.headers.clone();
        let mut configured = self.config.http.headers.iter();
        let is_set = headers.contains_key(TENANT_HEADER)
            || configured.any(|header| header.name.eq_ignore_ascii_case(TENANT_HEADER));
        if !is_set
            && *tenant != Tenant::anonymous()
            && let Ok(name) = HeaderValue::from_str(tenant.as_str())
        {
            headers.insert(TENANT_HEADER, name);
        }
        if attempt > 0 {
            headers.insert("retry-attempt", HeaderValue::from(attempt));
        }
        headers
    }

    async fn understand(&self, response: Response) -> Answered {
        let status = response.status();
        if status.is_success() {
            return Answered::Stored;
        }
        let asked = response.headers().get(RETRY_AFTER);
        let asked = asked.and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|value| retry_after(value, self.clock.now_ms()));
        let text = format!(
            "server returned HTTP status {status}: {}",
            start_of(response).await
        );
        match status.as_u16() {
            500.. => Answered::Later(text, asked),
            429 if self.config.queue.retry_on_429 => Answered::Later(text, asked),
            _ => Answered::Refused(text),
        }
    }
}

/// Returns the first line of an error's body.
async fn start_of(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MAX_TEXT_BYTES {
            bytes.truncate(MAX_TEXT_BYTES);
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().unwrap_or_default().trim().to_owned()
}
