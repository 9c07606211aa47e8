//! `--debug-http`: requests and answers on standard error, secrets left out.

use std::io::{self, Write as _};

use reqwest::header::HeaderMap;
use reqwest::{Request, Response};

/// Headers whose values are shown; any other may hold a secret.
const SHOWN: [&str; 10] = [
    "accept",
    "accept-encoding",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
    "user-agent",
    "x-scope-orgid",
];

/// Most bytes of a body that are shown.
const MAX_BODY_BYTES: usize = 2_000;

/// Shows a request.
pub(crate) fn request(request: &Request) {
    let mut text = format!("> {} {}\n", request.method(), request.url());
    text.push_str(&headers('>', request.headers()));
    if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
        let start = body.get(..MAX_BODY_BYTES).unwrap_or(body);
        match std::str::from_utf8(start) {
            Ok(start) => text.push_str(&["> ", start, "\n"].concat()),
            Err(_) => text.push_str(&["> (", &body.len().to_string(), " bytes)\n"].concat()),
        }
    }
    tell(&text);
}

/// Shows the head of an answer.
pub(crate) fn response(response: &Response) {
    let mut text = format!("< {:?} {}\n", response.version(), response.status());
    text.push_str(&headers('<', response.headers()));
    tell(&text);
}

fn headers(mark: char, map: &HeaderMap) -> String {
    let line = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let shown = SHOWN.contains(&name.as_str()).then(|| value.to_str().ok());
        let shown = shown.flatten().unwrap_or("(hidden)");
        format!("{mark} {name}: {shown}\n")
    };
    map.iter().map(line).collect()
}

fn tell(text: &str) {
    // There is nowhere to tell that telling failed.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

    #[test]
    fn only_harmless_headers_are_shown() {
        let mut map = HeaderMap::new();
        map.insert(AUTHORIZATION, HeaderValue::from_static("Bearer secret"));
        map.insert("x-api-key", HeaderValue::from_static("secret"));
        map.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let text = headers('>', &map);
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("> content-type: text/plain"), "{text}");
    }
}
