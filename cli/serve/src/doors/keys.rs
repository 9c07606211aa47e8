//! Users and tokens that are let in.

use obsq_ingest::config::{ConfigError, TokenSource, WebConfig};
use ring::digest;
use rustc_hash::FxHashMap;
use subtle::{Choice, ConstantTimeEq as _};

use super::material::Files;

/// The users and tokens of a web configuration.
#[derive(Default)]
pub(super) struct Keys {
    /// bcrypt hashes by user.
    users: FxHashMap<String, String>,
    /// Hashes of tokens.
    tokens: Vec<[u8; 32]>,
    /// A hash that no password has and that takes as long to check as the slowest one.
    nobody: String,
}

impl Keys {
    pub(super) fn new(config: &WebConfig, files: &Files) -> Result<Self, ConfigError> {
        let users = config.users.iter();
        let users = users.map(|user| (user.name.clone(), user.hash.expose().to_owned()));
        let tokens = config.tokens.iter().map(|token| match &token.source {
            TokenSource::Sha256(hash) => Ok(*hash),
            TokenSource::File(path) => {
                let token = files.file(path)?.trim_ascii();
                if token.is_empty() {
                    let message = format!("there is no token in `{}`", path.value.display());
                    return Err(path.problem(message));
                }
                Ok(hash_of(token))
            }
        });
        Ok(Self {
            users: users.collect(),
            tokens: tokens.collect::<Result<_, _>>()?,
            nobody: nobody(config),
        })
    }

    /// Says whether nobody has to show anything.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty()
    }

    pub(super) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Returns the hash of a user's password and whether the user exists; that of nobody when not.
    pub(super) fn password_hash(&self, user: &str) -> (&str, bool) {
        match self.users.get(user) {
            Some(hash) => (hash, true),
            None => (&self.nobody, false),
        }
    }

    /// Says whether `token` is one of those let in. Takes the same time whichever it is, and how
    /// long it takes says nothing about how much of it is right.
    pub(super) fn has_token(&self, token: &[u8]) -> bool {
        let hash = hash_of(token);
        let known = self.tokens.iter();
        let found = known.fold(Choice::from(0), |found, known| found | known.ct_eq(&hash));
        found.into()
    }
}

fn hash_of(token: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token).as_ref());
    hash
}

fn nobody(config: &WebConfig) -> String {
    let costs = config
        .users
        .iter()
        .filter_map(|user| user.hash.expose().get(4..6));
    let cost = costs.max().unwrap_or("10");
    format!("$2y${cost}${}", ".".repeat(53))
}
