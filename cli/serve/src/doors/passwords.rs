//! Checking passwords, which is slow on purpose.
//!
//! A password that was right once is known by a fingerprint afterwards. Wrong ones are remembered
//! too, but only so many. All others wait in a short line for the one thread that may check, so
//! that nobody can burn the processor by guessing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use rustc_hash::FxHashSet;
use tokio::sync::Semaphore;

/// Most right passwords that are remembered; more than there are users in any sensible file.
const MAX_RIGHT: usize = 1_000;
/// Most wrong passwords that are remembered.
const MAX_WRONG: usize = 256;
/// Most callers that wait for a check.
const MAX_WAITING: usize = 16;

type Fingerprint = [u8; 32];

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    Right,
    Wrong,
    /// Too many wait already.
    Busy,
}

/// The checks of all ports.
pub(super) struct Passwords {
    /// Makes fingerprints that mean nothing outside of this process.
    key: Option<hmac::Key>,
    right: Mutex<Remembered>,
    wrong: Mutex<Remembered>,
    one: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self {
            key: key.ok(),
            right: Mutex::new(Remembered::new(MAX_RIGHT)),
            wrong: Mutex::new(Remembered::new(MAX_WRONG)),
            one: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Checks a user's password against its bcrypt hash.
    pub(super) async fn check(&self, user: &str, password: &str, hash: &str) -> Checked {
        let fingerprint = self.fingerprint([user, hash, password]);
        if let Some(fingerprint) = &fingerprint {
            if self.right.lock().known.contains(fingerprint) {
                return Checked::Right;
            }
            if self.wrong.lock().known.contains(fingerprint) {
                return Checked::Wrong;
            }
        }
        let Some(waiting) = Waiting::enter(&self.waiting) else {
            return Checked::Busy;
        };
        let is_right = self.check_slowly(password, hash).await;
        drop(waiting);
        if let Some(fingerprint) = fingerprint {
            let remembered = if is_right { &self.right } else { &self.wrong };
            remembered.lock().add(fingerprint);
        }
        if is_right {
            Checked::Right
        } else {
            Checked::Wrong
        }
    }

    async fn check_slowly(&self, password: &str, hash: &str) -> bool {
        let Ok(turn) = Arc::clone(&self.one).acquire_owned().await else {
            return false;
        };
        let (password, hash) = (password.to_owned(), hash.to_owned());
        // The turn goes along: a caller that goes away does not make room for another check.
        let checking = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        checking.await.unwrap_or(false)
    }

    fn fingerprint(&self, parts: [&str; 3]) -> Option<Fingerprint> {
        let mut context = hmac::Context::with_key(self.key.as_ref()?);
        for part in parts {
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().try_into().ok()
    }
}

/// Fingerprints, the oldest of which go first.
struct Remembered {
    known: FxHashSet<Fingerprint>,
    order: VecDeque<Fingerprint>,
    limit: usize,
}

impl Remembered {
    fn new(limit: usize) -> Self {
        Self {
            known: FxHashSet::default(),
            order: VecDeque::new(),
            limit,
        }
    }

    fn add(&mut self, fingerprint: Fingerprint) {
        if !self.known.insert(fingerprint) {
            return;
        }
        self.order.push_back(fingerprint);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A place in the line, free again when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        let before = count.fetch_add(1, Ordering::Relaxed);
        (before < MAX_WAITING).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(password: &str) -> String {
        bcrypt::hash(password, 4).unwrap()
    }

    #[tokio::test]
    async fn a_right_password_is_right_for_its_user_and_hash_only() {
        let passwords = Passwords::new();
        let (hash, other) = (hash_of("p"), hash_of("q"));
        for _ in 0..2 {
            assert_eq!(passwords.check("a", "p", &hash).await, Checked::Right);
            assert_eq!(passwords.check("a", "q", &hash).await, Checked::Wrong);
            assert_eq!(passwords.check("a", "p", &other).await, Checked::Wrong);
            assert_eq!(passwords.check("ap", "", &hash).await, Checked::Wrong);
        }
        assert_eq!(passwords.check("a", "p", "no hash").await, Checked::Wrong);
    }

    #[tokio::test]
    async fn a_known_password_passes_while_others_wait_in_vain() {
        let passwords = Passwords::new();
        let hash = hash_of("p");
        assert_eq!(passwords.check("a", "p", &hash).await, Checked::Right);
        let _turn = Arc::clone(&passwords.one).acquire_owned().await.unwrap();
        let guesses: Vec<String> = (0..MAX_WAITING + 5).map(|n| format!("guess {n}")).collect();
        let mut checks: Vec<_> = guesses
            .iter()
            .map(|guess| Box::pin(passwords.check("a", guess, &hash)))
            .collect();
        let mut busy = 0;
        for check in &mut checks {
            if let std::task::Poll::Ready(checked) = futures_util::poll!(check) {
                assert_eq!(checked, Checked::Busy);
                busy += 1;
            }
        }
        assert_eq!(busy, 5);
        assert_eq!(passwords.check("a", "p", &hash).await, Checked::Right);
        drop(checks);
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut remembered = Remembered::new(2);
        for byte in [1, 2, 2, 3] {
            remembered.add([byte; 32]);
        }
        assert!(!remembered.known.contains(&[1; 32]));
        assert!(remembered.known.contains(&[2; 32]) && remembered.known.contains(&[3; 32]));
        assert_eq!((remembered.known.len(), remembered.order.len()), (2, 2));
    }
}
