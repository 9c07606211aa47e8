//! Getting the answer of a target, within limits of time and size.

use std::io::Read;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Response, StatusCode, Url};

use crate::client::{ClientError, HttpClient, root_cause};

/// Most bytes of an answer when no limit is configured.
pub(super) const MAX_BODY_BYTES: u64 = 256 << 20;

/// What is said of an answer that is too large.
pub(super) const TOO_LARGE: &str = "body size limit exceeded";

/// What to ask for.
#[derive(Debug, Clone)]
pub(super) struct FetchRequest {
    pub(super) url: Url,
    pub(super) accept: String,
    pub(super) enable_compression: bool,
    pub(super) timeout: Duration,
    /// Most bytes of the uncompressed body.
    pub(super) body_limit: u64,
}

/// An answer, perhaps still compressed.
#[derive(Debug)]
pub(super) struct Fetched {
    body: Vec<u8>,
    is_gzip: bool,
    body_limit: u64,
    pub(super) content_type: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("Get {url:?}: {cause}")]
    Request { url: String, cause: String },
    #[error("Get {url:?}: context deadline exceeded")]
    Timeout { url: String },
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    #[error("{TOO_LARGE}")]
    TooLarge,
    #[error("cannot decompress the answer: {0}")]
    Gzip(std::io::Error),
}

/// Sends the request and reads the whole answer.
pub(super) async fn fetch(
    client: &HttpClient,
    request: FetchRequest,
) -> Result<Fetched, FetchError> {
    let timeout = request.timeout;
    let url = request.url.to_string();
    match tokio::time::timeout(timeout, fetch_untimed(client, request)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(FetchError::Timeout { url }),
    }
}

async fn fetch_untimed(client: &HttpClient, request: FetchRequest) -> Result<Fetched, FetchError> {
    let url = request.url.to_string();
    let failed = |error: reqwest::Error| FetchError::Request {
        url: url.clone(),
        cause: root_cause(&error),
    };
    let encoding = if request.enable_compression {
        "gzip"
    } else {
        "identity"
    };
    let mut response = client
        .get(request.url)
        .await?
        .header(ACCEPT, request.accept)
        .header(ACCEPT_ENCODING, encoding)
        .header(
            "X-Prometheus-Scrape-Timeout-Seconds",
            request.timeout.as_secs_f64().to_string(),
        )
        .send()
        .await
        .map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let header = |response: &Response, name| {
        let value = response.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let is_gzip = header(&response, CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let content_type = header(&response, CONTENT_TYPE);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() as u64 + chunk.len() as u64 > request.body_limit {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched {
        body,
        is_gzip,
        body_limit: request.body_limit,
        content_type,
    })
}

impl Fetched {
    /// Returns the uncompressed body. Computes; not for async workers.
    pub(super) fn into_body(self) -> Result<Vec<u8>, FetchError> {
        if !self.is_gzip {
            return Ok(self.body);
        }
        let mut body = Vec::with_capacity(self.body.len() * 4);
        flate2::read::MultiGzDecoder::new(self.body.as_slice())
            .take(self.body_limit.saturating_add(1))
            .read_to_end(&mut body)
            .map_err(FetchError::Gzip)?;
        if body.len() as u64 > self.body_limit {
            return Err(FetchError::TooLarge);
        }
        Ok(body)
    }
}
