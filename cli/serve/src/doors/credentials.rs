//! What callers show of themselves.

use std::sync::atomic::Ordering;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use super::passwords::Checked;
use super::{Door, Doors};

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has not shown who it is; the values say how it may.
    Unauthorized(Vec<HeaderValue>),
    /// Too many passwords are being checked.
    Busy,
    /// Requests come faster than they may.
    Pace,
}

impl Doors {
    /// Lets a request in or says why not.
    pub(crate) async fn admit(&self, door: &Door, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(limit) = door.config.rate_limit
            && !self.pace.take(limit)
        {
            self.counts.pace.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Pace);
        }
        if door.keys.is_empty() {
            return Ok(());
        }
        match self.check(door, headers).await {
            Checked::Right => Ok(()),
            Checked::Busy => {
                self.counts.busy.fetch_add(1, Ordering::Relaxed);
                Err(Refusal::Busy)
            }
            Checked::Wrong => {
                self.counts.credentials.fetch_add(1, Ordering::Relaxed);
                Err(Refusal::Unauthorized(challenges(door)))
            }
        }
    }

    async fn check(&self, door: &Door, headers: &HeaderMap) -> Checked {
        let shown = headers.get(AUTHORIZATION).and_then(shown);
        match shown {
            None => Checked::Wrong,
            Some(Shown::Token(token)) if door.keys.has_token(&token) => Checked::Right,
            Some(Shown::Token(_)) => Checked::Wrong,
            Some(Shown::Password { .. }) if !door.keys.has_users() => Checked::Wrong,
            Some(Shown::Password { user, password }) => {
                let (hash, is_known) = door.keys.password_hash(&user);
                match self.passwords.check(&user, &password, hash).await {
                    Checked::Right if !is_known => Checked::Wrong,
                    checked => checked,
                }
            }
        }
    }
}

fn challenges(door: &Door) -> Vec<HeaderValue> {
    let basic = door.keys.has_users().then_some("Basic realm=\"obsq\"");
    let bearer = door.keys.has_tokens().then_some("Bearer realm=\"obsq\"");
    let challenges = basic.into_iter().chain(bearer);
    challenges.map(HeaderValue::from_static).collect()
}

/// What an `Authorization` header holds.
enum Shown {
    Token(Vec<u8>),
    Password { user: String, password: String },
}

fn shown(header: &HeaderValue) -> Option<Shown> {
    let text = header.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Shown::Token(rest.as_bytes().to_vec()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(decode_base64(rest)?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Shown::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// Decodes the standard alphabet of base64; the padding may be missing.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    });
    let digits: Option<Vec<u8>> = digits.collect();
    let mut out = Vec::new();
    for group in digits?.chunks(4) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - group.len()));
        let bytes = bits.to_be_bytes();
        match group.len() {
            1 => return None,
            length => out.extend_from_slice(&bytes[1..length]),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        for (text, decoded) in [
            ("", Some("")),
            ("YQ==", Some("a")),
            ("YQ", Some("a")),
            ("YWI=", Some("ab")),
            ("YWJj", Some("abc")),
            ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some("Aladdin:open sesame")),
            ("Y", None),
            ("Y Q=", None),
            ("YQ-_", None),
        ] {
            let expected = decoded.map(|text| text.as_bytes().to_vec());
            assert_eq!(decode_base64(text), expected, "{text}");
        }
    }

    #[test]
    fn other_headers_show_nothing() {
        for text in [
            "",
            "Basic",
            "Digest abc",
            "Basic !!",
            "Basic YQ==",
            "Bearer",
        ] {
            let header = HeaderValue::from_str(text).unwrap();
            assert!(shown(&header).is_none(), "{text}");
        }
    }
}
