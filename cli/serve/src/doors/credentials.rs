//! What callers show of themselves.

use std::sync::atomic::Ordering;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use obsq_ingest::decode_base64;

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

#[cfg(test)]
mod tests {
    use super::*;

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
