//! Tokens of a server that gives them out: the client credentials grant of OAuth 2.0.

use std::time::Duration;

use obsq_model::{Clock as _, SystemClock};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{ClientError, HttpClient, read, root_cause};
use crate::config::OAuth2;

/// How much earlier than it ends a token is taken for expired.
const MARGIN: Duration = Duration::from_secs(10);
/// How long the server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Gets tokens and keeps the last one as long as it is good.
#[derive(Debug)]
pub(super) struct Tokens {
    config: OAuth2,
    client: HttpClient,
    clock: SystemClock,
    last: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    /// When it expires, by the monotonic clock; `None` when never.
    expires: Option<Duration>,
}

/// Secrets stay out of logs.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<f64>,
}

impl Tokens {
    pub(super) fn new(config: OAuth2, client: HttpClient) -> Self {
        Self {
            config,
            client,
            clock: SystemClock::default(),
            last: Mutex::default(),
        }
    }

    /// Returns a token that is good.
    pub(super) async fn get(&self) -> Result<String, ClientError> {
        let mut last = self.last.lock().await;
        let now = self.clock.monotonic();
        if let Some(token) = &*last
            && token.expires.is_none_or(|expires| now + MARGIN < expires)
        {
            return Ok(token.text.clone());
        }
        let answer = self.ask().await?;
        let text = answer.access_token.clone();
        let seconds = answer.expires_in.filter(|seconds| *seconds > 0.0);
        let lasts = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        *last = Some(Token {
            text: text.clone(),
            expires: lasts.map(|lasts| now.saturating_add(lasts)),
        });
        Ok(text)
    }

    /// Asks with the credentials in the header, and where that is not understood, in the form.
    async fn ask(&self) -> Result<Answer, ClientError> {
        let secret = read(&self.config.client_secret).await?;
        let mut response = self.send(&secret, true).await?;
        if matches!(response.status().as_u16(), 400 | 401 | 403) {
            response = self.send(&secret, false).await?;
        }
        if response.status() != StatusCode::OK {
            let status = response.status();
            let problem = format!("the token server returned HTTP status {status}");
            return Err(ClientError::Token(problem));
        }
        let answer = response.json().await;
        answer.map_err(|error| ClientError::Token(root_cause(&error)))
    }

    async fn send(&self, secret: &str, in_header: bool) -> Result<Response, ClientError> {
        let config = &self.config;
        let url = Url::parse(&config.token_url);
        let url = url.map_err(|error| ClientError::Token(error.to_string()))?;
        let mut form = vec![("grant_type", "client_credentials")];
        let scopes = config.scopes.join(" ");
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        for (name, value) in &config.endpoint_params {
            form.push((name, value));
        }
        if !in_header {
            form.push(("client_id", &config.client_id));
            form.push(("client_secret", secret));
        }
        let mut request = self.client.request_plain(Method::POST, url).form(&form);
        if in_header {
            request = request.basic_auth(&config.client_id, Some(secret));
        }
        let sent = request.timeout(TIMEOUT).send().await;
        sent.map_err(|error| ClientError::Token(root_cause(&error)))
    }
}
