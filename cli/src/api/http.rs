//! A server over HTTP: obsq or any that answers the Prometheus API.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

use crate::api::access::{WayIn, build_client};
use crate::api::{Api, Asking, Call, Reply, debug};
use crate::exit::{Exit, Failure};
use crate::settings::{Access, DEFAULT_SERVER};

/// Most bytes of one answer that are held.
const MAX_BODY_BYTES: usize = 1 << 30;

/// A server and the way in.
#[derive(Debug)]
pub(crate) struct HttpApi {
    base: Url,
    client: Client,
    way_in: WayIn,
    timeout: Duration,
    debug: bool,
    uncached: bool,
}

impl HttpApi {
    /// Prepares to ask `server`; connects to nothing yet. Reads the files that hold secrets.
    pub(crate) fn new(server: &str, access: &Access, timeout: Duration) -> Result<Self, Failure> {
        let (client, way_in) = build_client(access)?;
        Ok(Self {
            base: base_url(server)?,
            client,
            way_in,
            timeout,
            debug: access.debug,
            uncached: false,
        })
    }

    /// Asks for answers that come from no cache of the server, in the words of those that have one.
    pub(crate) fn uncached(mut self) -> Self {
        self.uncached = true;
        self
    }

    /// Returns the URL of `path` below the server's own.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let joined = format!("{}{path}", self.base.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }

    /// Sends a body and returns the answer; for remote write.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        let mut request = self.client.post(self.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Sends parameters as a form and returns the answer.
    pub(crate) async fn post_form(
        &self,
        path: &str,
        pairs: &[(&str, String)],
    ) -> Result<Reply, Failure> {
        self.send(self.client.post(self.url(path)).form(pairs))
            .await
    }

    /// Asks for `path` and returns the answer, whatever its status.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.send(self.client.get(self.url(path))).await
    }

    async fn call(&self, call: &Call) -> Result<Reply, Failure> {
        let mut pairs = call.parameters();
        if self.uncached {
            pairs.push(("nocache", "1".into()));
        }
        if call.is_form() {
            let form = self.client.post(self.url(&call.path())).form(&pairs);
            let reply = self.send(form).await?;
            // Proxies and old servers that know no POST say so; then the query must fit the URL.
            if reply.status != StatusCode::METHOD_NOT_ALLOWED.as_u16() {
                return Ok(reply);
            }
        }
        let get = self.client.request(Method::GET, self.url(&call.path()));
        self.send(get.query(&pairs)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Failure> {
        let request = if self.uncached {
            request.header("cache-control", "no-store")
        } else {
            request
        };
        let request = self.way_in.sign(request).timeout(self.timeout).build();
        let request =
            request.map_err(|error| Failure::usage("cannot make the request").because(&error))?;
        if self.debug {
            debug::request(&request);
        }
        let response = self.client.execute(request).await;
        let response = response.map_err(|error| self.unreachable(&error))?;
        if self.debug {
            debug::response(&response);
        }
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Reply, Failure> {
        let status = response.status().as_u16();
        let written = written(&response);
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                let text = format!("the answer is larger than {MAX_BODY_BYTES} bytes");
                return Err(Failure::failed(text).hint("ask for fewer series or a longer step"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status,
            body,
            written,
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let text = if error.is_timeout() {
            format!("{} did not answer within {:?}", self.name(), self.timeout)
        } else {
            format!("cannot reach {}", self.name())
        };
        let failure = Failure::new(Exit::Unreachable, text);
        // What lies between says no more than that there was no connection.
        let mut innermost = std::error::Error::source(error);
        while let Some(below) = innermost.and_then(std::error::Error::source) {
            innermost = Some(below);
        }
        let failure = match innermost {
            Some(cause) if !error.is_timeout() => failure.because(cause),
            _ => failure,
        };
        if error.is_timeout() {
            failure.hint("`--timeout` sets how long to wait")
        } else if self.base.as_str().trim_end_matches('/') == DEFAULT_SERVER {
            failure.hint(
                "start a server with `obsq serve` or `obsq demo`, or name one with `--server`",
            )
        } else {
            failure
        }
    }
}

/// Returns what the headers of remote write 2.0 count.
fn written(response: &Response) -> Option<usize> {
    let count = |name: &str| -> Option<usize> {
        let value = response.headers().get(name)?;
        value.to_str().ok()?.parse().ok()
    };
    let samples = count("x-prometheus-remote-write-samples-written")?;
    let histograms = count("x-prometheus-remote-write-histograms-written");
    Some(samples + histograms.unwrap_or(0))
}

impl Api for HttpApi {
    fn ask<'a>(&'a self, call: &'a Call) -> Asking<'a> {
        Box::pin(self.call(call))
    }

    fn name(&self) -> String {
        let mut shown = self.base.clone();
        // Neither fails for http and https.
        let _same = shown.set_username("");
        let _same = shown.set_password(None);
        shown.as_str().trim_end_matches('/').to_owned()
    }
}

/// Parses a server's URL; a bare `host:port` is taken for plain HTTP.
fn base_url(server: &str) -> Result<Url, Failure> {
    let with_scheme = if server.contains("://") {
        server.to_owned()
    } else {
        format!("http://{server}")
    };
    let wrong = || {
        Failure::usage(format!("`{server}` is not the URL of a server"))
            .hint("write `http://host:port`")
    };
    let url = Url::parse(&with_scheme).map_err(|error| wrong().because(&error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong());
    }
    if url.password().is_some() {
        let text = "a password in the URL can be read by others";
        return Err(Failure::usage(text).hint("use `--username` and `--password-file`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(server: &str) -> HttpApi {
        drop(rustls::crypto::ring::default_provider().install_default());
        HttpApi::new(server, &Access::default(), Duration::from_secs(5)).unwrap()
    }

    #[test]
    fn paths_are_joined_below_the_servers_own_path() {
        let table = [
            ("http://h:1", "http://h:1/api/v1/query"),
            ("http://h:1/", "http://h:1/api/v1/query"),
            ("h:1/prom/", "http://h:1/prom/api/v1/query"),
        ];
        for (server, expected) in table {
            assert_eq!(api(server).url("/api/v1/query").as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_http_url_and_what_shows_a_password_is_refused() {
        for server in ["ftp://x", "http://", "http://u:secret@h", "::"] {
            assert_eq!(base_url(server).unwrap_err().exit, Exit::Usage, "{server}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_has_the_exit_code_and_the_cause() {
        // A port that was free a moment ago.
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let api = api(&format!("http://127.0.0.1:{port}"));
        let call = Call::Labels {
            selectors: Vec::new(),
            range: None,
            limit: 0,
        };
        let failure = api.ask(&call).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
    }
}
