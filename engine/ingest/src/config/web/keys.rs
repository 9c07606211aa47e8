//! Users and tokens.

use std::path::Path;

use super::{Located, Secret, TokenSource, WebToken, WebUser};
use crate::config::node::Node;
use crate::config::section::{Problems, Section};

/// Characters of a bcrypt hash, and those behind its cost.
const HASH_LENGTH: usize = 60;
const HASH_TAIL: usize = 53;

pub(super) fn read_users(node: &Node, problems: &Problems) -> Vec<WebUser> {
    let mut users = Vec::new();
    for (name, value) in problems.entries(node, "basic_auth_users") {
        let hash = problems.text(value, "basic_auth_users").unwrap_or_default();
        if name.text.is_empty() || name.text.contains(':') {
            let message = "a user's name must neither be empty nor contain a colon";
            problems.add(name.at, message);
        }
        if !is_bcrypt(&hash) {
            let message = format!(
                "the password of user {:?} must be a bcrypt hash such as `htpasswd -nBC 10 \"\"` \
                 prints",
                name.text
            );
            problems.add(value.at, message);
        }
        users.push(WebUser {
            name: name.text.clone(),
            hash: Secret::new(hash),
        });
    }
    users
}

/// Says whether `text` is a bcrypt hash of any of the versions, which all mean the same.
fn is_bcrypt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", version, cost, tail] = parts.as_slice() else {
        return false;
    };
    let is_cost = cost.len() == 2
        && cost
            .parse::<u8>()
            .is_ok_and(|cost| (4..=31).contains(&cost));
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    text.len() == HASH_LENGTH
        && matches!(*version, "2a" | "2b" | "2x" | "2y")
        && is_cost
        && tail.len() == HASH_TAIL
        && tail.bytes().all(is_digit)
}

pub(super) fn read_tokens(node: &Node, directory: &Path, problems: &Problems) -> Vec<WebToken> {
    let entries = problems.entries(node, "bearer_tokens").iter();
    let tokens = entries.filter_map(|(name, value)| {
        Some(WebToken {
            name: name.text.clone(),
            source: read_token(value, directory, problems)?,
        })
    });
    tokens.collect()
}

fn read_token(node: &Node, directory: &Path, problems: &Problems) -> Option<TokenSource> {
    let mut section = Section::of(node, "a token of `bearer_tokens`", problems)?;
    let hash = section.scalar("sha256", read_sha256);
    let has_hash = section.node("sha256").is_some();
    let file = section.node("file");
    let path = section.text("file").filter(|path| !path.is_empty());
    section.finish();
    if has_hash == path.is_some() {
        let message = "a token must have either `sha256` or `file`";
        problems.add(node.at, message);
    }
    let path = file.zip(path).map(|(node, path)| {
        let path = directory.join(path);
        TokenSource::File(Located::new(node, path))
    });
    hash.map(TokenSource::Sha256).or(path)
}

/// Reads 64 hexadecimal digits. What stands there instead may be the token, so it is not repeated.
fn read_sha256(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "must be 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints";
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.ok_or_else(wrong)?;
    let pairs = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    let bytes: Vec<u8> = pairs.collect();
    match <[u8; 32]>::try_from(bytes) {
        Ok(bytes) if digits.len() == 64 => Ok(bytes),
        _ => Err(wrong().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bcrypt_hashes_are_passwords() {
        let tail = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        for version in ["2a", "2b", "2x", "2y"] {
            assert!(is_bcrypt(&format!("${version}$10${tail}")), "{version}");
        }
        for (version, cost) in [
            ("1", "10"),
            ("2y", "3"),
            ("2y", "03"),
            ("2y", "32"),
            ("2y", "1a"),
        ] {
            assert!(!is_bcrypt(&format!("${version}${cost}${tail}")));
        }
        assert!(!is_bcrypt("secret") && !is_bcrypt("") && !is_bcrypt(&format!("$2y$10${tail}x")));
    }

    #[test]
    fn a_sha256_is_64_digits_and_never_shown() {
        let hash = read_sha256(&"0aF1".repeat(16)).unwrap();
        assert_eq!(&hash[..2], [0x0a, 0xf1]);
        for wrong in ["my-token", "", &"0".repeat(63), &"0".repeat(66)] {
            let message = read_sha256(wrong).unwrap_err();
            assert!(wrong.is_empty() || !message.contains(wrong), "{message}");
        }
        let debug = format!("{:?}", TokenSource::Sha256(hash));
        assert_eq!(debug, "Sha256(<secret>)");
    }
}
