//! Signature Version 4 of AWS.

use std::fmt::Write as _;

use jiff::Timestamp;
use reqwest::Url;
use ring::{digest, hmac};

use super::credentials::Credentials;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: Timestamp,
}

/// Returns the headers that sign a POST request of a form to the root of `url`.
pub(super) fn sign(
    url: &Url,
    body: &str,
    credentials: &Credentials,
    scope: Scope<'_>,
) -> Vec<(&'static str, String)> {
    let time = scope.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = scope.now.strftime("%Y%m%d").to_string();
    let mut headers = vec![
        ("content-type", CONTENT_TYPE.to_owned()),
        ("host", host(url)),
        ("x-amz-date", time.clone()),
    ];
    if !credentials.session_token.is_empty() {
        let token = credentials.session_token.expose().to_owned();
        headers.push(("x-amz-security-token", token));
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = format!("POST\n{}\n\n", url.path());
    for (name, value) in &headers {
        let _infallible = writeln!(canonical, "{name}:{value}");
    }
    let _infallible = write!(canonical, "\n{names}\n{}", hash(body));
    let Scope {
        region, service, ..
    } = scope;
    let place = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{place}\n{}", hash(&canonical));
    let mut key = format!("AWS4{}", credentials.secret_key.expose()).into_bytes();
    for part in [date.as_str(), region, service, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &to_sign));
    let access_key = &credentials.access_key;
    headers.push((
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{place}, SignedHeaders={names}, \
             Signature={signature}"
        ),
    ));
    headers
}

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_request_of_the_published_test_suite_is_signed() {
        // AWS Signature Version 4 test suite, `post-x-www-form-urlencoded-parameters`, but for the
        // spelling of the character set.
        let credentials = Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::default(),
            expires: None,
        };
        let scope = Scope {
            region: "us-east-1",
            service: "service",
            now: "2015-08-30T12:36:00Z".parse().unwrap(),
        };
        let url = Url::parse("https://example.amazonaws.com/").unwrap();
        let headers = sign(&url, "Param1=value1", &credentials, scope);
        let authorization = &headers.last().unwrap().1;
        assert!(
            authorization
                .contains("Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request")
        );
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"));
        let signature = authorization.split("Signature=").nth(1).unwrap();
        // Made by another implementation, which makes the suite's own signature of its own case.
        let expected = "2f3b42f35f135abf9c562afcbbc44fc03df96dcfd4332ecebad8b39a7d4b6125";
        assert_eq!(signature, expected);
    }
}
