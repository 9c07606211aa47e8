//! Answers of services.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;

use crate::client::{HttpClient, root_cause};

/// Most bytes of an answer.
const MAX_BYTES: usize = 256 << 20;
/// Most characters of an error text that are told.
const MAX_REASON_CHARS: usize = 300;

/// Asks for JSON.
pub(super) async fn get_json<T: DeserializeOwned>(
    client: &HttpClient,
    url: Url,
    timeout: Duration,
) -> Result<(T, HeaderMap), String> {
    let request = client.get(url).await.map_err(|error| error.to_string())?;
    let request = request.header(ACCEPT, "application/json").timeout(timeout);
    let response = request.send().await.map_err(|error| root_cause(&error))?;
    let headers = response.headers().clone();
    let body = read(response).await?;
    let answer = serde_json::from_slice(&body);
    Ok((answer.map_err(|error| error.to_string())?, headers))
}

/// Returns the whole body of a success; an error's body tells why.
pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| root_cause(&error))? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(format!("the answer is larger than {MAX_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body);
    let reason: String = text.trim().chars().take(MAX_REASON_CHARS).collect();
    Err(format!("server returned HTTP status {status}: {reason}"))
}
